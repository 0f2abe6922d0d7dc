"""Claim: of 10M rows, 1 % appended or changed in one place stores ≤ 3 % new bytes; changed all over, ≤ 10 %.

python -m benchmarks.store.parquet [--rows 10000000] [--repeats 1] [--folder DIR] [--peers dvc,restic,oxen]
"""

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measuring import report
from benchmarks.store.running import medians, options, table
from benchmarks.store.tools import Tool, Tricord, chosen
from tricord.data import parquet

STEPS = ("track", "bytes", "appended", "one place", "all over")


def rows(count: int, seed: int) -> pl.DataFrame:
    """A key, an instant, a category, a measurement with noise in every digit, and one with four of them."""
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "key": np.arange(count) + seed * 10**9,
            "instant": np.arange(count) * 1000 + random.integers(0, 999, count),
            "origin": random.choice(np.array(["EWR", "JFK", "LGA"]), count),
            "value": random.normal(size=count),
            "delay": random.integers(-30, 600, count),
        }
    )


def variants(first: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Each changes 1 % of the rows of the first version."""
    count = first.height
    some = max(1, count // 100)
    here = (pl.int_range(pl.len()) >= count // 2) & (pl.int_range(pl.len()) < count // 2 + some)
    return {
        "appended": pl.concat([first, rows(some, 1)]),
        "one place": first.with_columns(pl.when(here).then(-pl.col("delay")).otherwise("delay").alias("delay")),
        "all over": first.with_columns(
            pl.when(pl.int_range(pl.len()) % 100 == 0).then(-pl.col("delay")).otherwise("delay").alias("delay")
        ),
    }  # fmt: skip


def one(kind: type[Tool], count: int, place: Path) -> dict[str, float]:
    """Ours writes the tables by its own writer, as a step's result is; peers get what polars writes."""
    write = parquet.write if kind is Tricord else pl.DataFrame.write_parquet
    first = rows(count, 0)
    found: dict[str, float] = {}
    for name, frame in variants(first).items():
        root = place / name.replace(" ", "-")
        root.mkdir()
        tool = kind(root)
        tool.init()
        write(first, root / "data")
        found["track"] = tool.track()
        found["bytes"] = before = float(tool.kept)
        (root / "data").unlink()
        write(frame, root / "data")
        tool.track()
        found[name] = 100 * (tool.kept - before) / before
    return found


def main() -> None:
    given = options(__doc__ or "", rows=10_000_000)
    found = {
        kind.name: medians(given.repeats, partial(one, kind, given.rows), given.folder)
        for kind in chosen(given.peers)
    }
    report(
        "store-parquet",
        f"{given.rows:,} rows × 5 columns; seconds and bytes of the first version, then the new bytes of 1 % changed, in %",
        ("", *STEPS),
        table(found, STEPS),
        found=found,
    )


if __name__ == "__main__":
    main()
