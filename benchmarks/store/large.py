"""Claim: one 4 GiB incompressible file is tracked ≥ 4× as fast as by DVC, in ≤ 300 MB; 1 MiB inserted is ≤ 8 MiB new.

python -m benchmarks.store.large [--mebibytes 4096] [--repeats 3] [--folder DIR] [--peers dvc,restic,oxen]
"""

from functools import partial
from pathlib import Path

from benchmarks.measuring import report
from benchmarks.store.running import (
    copy_durably,
    fresh,
    insert,
    medians,
    one_file,
    options,
    table,
)
from benchmarks.store.tools import Tool, chosen

STEPS = ("track", "MB of memory", "push", "track inserted", "new bytes")


def one(kind: type[Tool], size: int, place: Path) -> dict[str, float]:
    root, remote = place / "work", place / "remote"
    root.mkdir()
    remote.mkdir()
    one_file(root / "data", size)
    tool = kind(root)
    tool.init()
    found = {"track": tool.track(), "MB of memory": tool.last.memory}
    if tool.has_remote:
        tool.remote(str(remote))
        found["push"] = tool.push()
    before = tool.kept
    insert(root / "data", 1 << 20)
    found["track inserted"] = tool.track()
    found["new bytes"] = float(tool.kept - before)
    return found


def main() -> None:
    given = options(__doc__ or "", mebibytes=4096)
    size = given.mebibytes << 20
    found = {
        kind.name: medians(given.repeats, partial(one, kind, size), given.folder)
        for kind in chosen(given.peers)
    }
    with fresh(given.folder) as place:
        one_file(place / "data", size)
        found["floor: cp + sync"] = {"track": copy_durably(place / "data", place / "copy").wall}
    report(
        "store-large",
        f"{given.mebibytes:,} MiB of random bytes, then 1 MiB into the middle; seconds on the wall, medians of {given.repeats}",
        ("", *STEPS),
        table(found, STEPS),
        found=found,
    )


if __name__ == "__main__":
    main()
