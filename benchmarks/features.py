"""Claim: exact point-in-time joins cost a small multiple of a plain as-of join that is not exact.

python -m benchmarks.features

The floor is polars' own `join_asof`: backward, exact matches allowed, no ttl. It looks at an observation of
the decision's very instant, and it keeps no promise which of several equal times counts; an honest
comparison therefore shows what the promises cost. Online,
the alternative is the same as-of join, for the rows asked, over timelines sorted beforehand.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measuring import Times, report
from tricord.features.definition import FeatureSet, View
from tricord.features.join import join
from tricord.features.online import OnlineFeatures, OnlineView

LABELS, OBSERVATIONS, ENTITIES, VIEWS = 100_000, 500_000, 10_000, 3
START = datetime(2013, 1, 1, tzinfo=UTC)
YEAR = 365 * 24 * 3600


def instants(random: np.random.Generator, rows: int) -> pl.Series:
    """Whole seconds of a year, so that ties happen."""
    seconds = pl.Series(random.integers(0, YEAR, rows) * 1_000_000)
    return (START + seconds.cast(pl.Duration("us"))).cast(pl.Datetime("us", "UTC"))


def data() -> tuple[pl.DataFrame, FeatureSet, dict[str, pl.DataFrame]]:
    random = np.random.default_rng(0)
    views = tuple(
        View(f"v{i}", (f"e{i}",), "seen", (f"a{i}", f"b{i}"), ttl=30 * 86400.0)
        for i in range(VIEWS)
    )
    timelines = {
        view.name: pl.DataFrame(
            {
                view.entity[0]: random.integers(0, ENTITIES, OBSERVATIONS),
                "seen": instants(random, OBSERVATIONS),
                **{name: random.normal(size=OBSERVATIONS) for name in view.features},
            }
        )
        for view in views
    }
    rows = pl.DataFrame(
        {
            **{view.entity[0]: random.integers(0, ENTITIES, LABELS) for view in views},
            "at": instants(random, LABELS),
        }
    )
    return rows, FeatureSet("f", "at", {}, views), timelines


def plain(
    rows: pl.DataFrame,
    features: FeatureSet,
    timelines: dict[str, pl.DataFrame],
    *,
    presorted: bool = False,
) -> pl.DataFrame:
    """What one writes by hand: sort both sides, one as-of join per view, back into order."""
    found = rows.with_row_index().sort("at")
    for view in features.views:
        known = timelines[view.name] if presorted else timelines[view.name].sort("seen")
        found = found.join_asof(
            known.rename({"seen": "at"}), on="at", by=view.entity[0], check_sortedness=False
        )
    return found.sort("index").drop("index")


def timed(repeats: int, *calls: Callable[[], Any]) -> list[tuple[Times, Times]]:
    """CPU and wall of each call, in turns."""
    cpu: list[list[float]] = [[] for _ in calls]
    wall: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for i, call in enumerate(calls):
            started, spent = time.perf_counter(), time.process_time()
            call()
            cpu[i].append((time.process_time() - spent) * 1e3)
            wall[i].append((time.perf_counter() - started) * 1e3)
    return [(Times(c), Times(w)) for c, w in zip(cpu, wall, strict=True)]


def main() -> None:
    rows, features, timelines = data()
    built = time.perf_counter()
    online = OnlineFeatures(
        features, {view.name: OnlineView(view, timelines[view.name]) for view in features.views}
    )
    built = time.perf_counter() - built
    ordered = {name: table.sort("seen") for name, table in timelines.items()}
    asked = {count: rows.head(count) for count in (1, 100)}
    cases: list[tuple[str, int, Callable[[], Any], Callable[[], Any]]] = [
        (
            f"join of {LABELS:,} labels",
            5,
            lambda: plain(rows, features, timelines),
            lambda: join(rows, features, timelines),
        ),
        *(
            (
                f"online read, rows: {count}",
                10,
                lambda few=few: plain(few, features, ordered, presorted=True),
                lambda few=few: [online.enrich(few) for _ in range(100)],
            )
            for count, few in asked.items()
        ),
    ]
    table: list[tuple[object, ...]] = []
    for name, repeats, floor, ours in cases:
        (floor_cpu, floor_wall), (our_cpu, our_wall) = timed(repeats, floor, ours)
        each = 100 if name.startswith("online") else 1
        cpu, wall = our_cpu.median / each, our_wall.median / each
        ratios = (cpu / floor_cpu.median, wall / floor_wall.median)
        table.append((name, floor_cpu.median, cpu, ratios[0], floor_wall.median, wall, ratios[1]))
    known = join(rows, features, timelines)
    guess = plain(rows, features, timelines)
    wrong = sum(int((~known[name].eq_missing(guess[name])).sum()) for name in ("a0", "a1", "a2"))
    report(
        "features",
        f"{VIEWS} views of {OBSERVATIONS:,} observations and {ENTITIES:,} entities, medians in ms",
        ("", "join_asof CPU", "ours CPU", "ratio", "join_asof wall", "ours wall", "ratio wall"),
        table,
        online_build_seconds=round(built, 2),
        look_ups_that_differ=wrong,
    )


if __name__ == "__main__":
    main()
