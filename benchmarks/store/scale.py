"""Claim: tracking is linear to 1,000,000 files: a file costs as much among a million as among ten thousand.

python -m benchmarks.store.scale [--most 1000000] [--size 4096] [--repeats 1] [--folder DIR]
"""

from functools import partial
from pathlib import Path

from benchmarks.measuring import report
from benchmarks.store.running import change_some, many_files, medians, options
from benchmarks.store.tools import Tricord

STEPS = ("track", "status", "track 1 %", "restore v1")


def one(files: int, size: int, place: Path) -> dict[str, float]:
    root = place / "work"
    root.mkdir()
    many_files(root / "data", files, size)
    tool = Tricord(root)
    tool.init()
    found = {"track": tool.track(), "status": tool.status()}
    found["inodes"] = float(sum(1 for _ in tool.folders()[0].rglob("*")))
    change_some(root / "data", 0.01)
    found["track 1 %"] = tool.track()
    found["MB"] = tool.last.memory
    found["restore v1"] = tool.restore_first()
    return found


def main() -> None:
    given = options(__doc__ or "", most=1_000_000, size=4096)
    rows: list[list[object]] = []
    files = given.most
    while files >= max(100, given.most // 100):
        found = medians(given.repeats, partial(one, files, given.size), given.folder)
        per_file = [1e6 * found[step] / files for step in STEPS]
        rows.insert(0, [f"{files:,}", *per_file, found["MB"], found["inodes"]])
        files //= 10
    report(
        "store-scale",
        f"files of {given.size:,} random bytes; microseconds a file, medians of {given.repeats}",
        ("files", *STEPS, "MB of memory", "files in the store"),
        rows,
    )


if __name__ == "__main__":
    main()
