"""Claim: 20,000 files of 4 kB are tracked ≥ 6× as fast as by DVC, ≥ 20× Oxen, ≥ 1.5× restic; and so on (README.md).

python -m benchmarks.store.small [--files 20000] [--size 4096] [--repeats 3] [--folder DIR] [--peers dvc,restic,oxen]
"""

from functools import partial
from pathlib import Path

from benchmarks.measuring import report
from benchmarks.store.running import (
    change_some,
    many_files,
    medians,
    options,
    table,
)
from benchmarks.store.tools import Bare, Tool, chosen

STEPS = ("track", "status", "track 1 %", "restore v1", "push", "pull", "bytes", "bytes of 1 %")


def one(kind: type[Tool], files: int, size: int, place: Path) -> dict[str, float]:
    """The whole story once: track, look, change, track again, go back, push, pull."""
    root, remote = place / "work", place / "remote"
    root.mkdir()
    remote.mkdir()
    many_files(root / "data", files, size)
    tool = kind(root)
    tool.init()
    found = {"track": tool.track(), "bytes": float(tool.kept), "status": tool.status()}
    change_some(root / "data", 0.01)
    found["track 1 %"] = tool.track()
    found["bytes of 1 %"] = tool.kept - found["bytes"]
    found["restore v1"] = tool.restore_first()
    if tool.has_remote:
        tool.remote(str(remote))
        found["push"] = tool.push()
        found["pull"] = tool.pull()
    return found


def main() -> None:
    given = options(__doc__ or "", files=20_000, size=4096)
    found = {
        kind.name: medians(given.repeats, partial(one, kind, given.files, given.size), given.folder)
        for kind in (*chosen(given.peers), Bare)
    }
    report(
        "store-small",
        f"{given.files:,} × {given.size:,} random bytes, seconds on the wall, medians of {given.repeats} (in how many times ours)",
        ("", *STEPS),
        table(found, STEPS),
        found=found,
    )


if __name__ == "__main__":
    main()
