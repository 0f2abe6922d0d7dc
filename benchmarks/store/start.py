"""Claim: `tricord --version` ≤ 0.06 s and `tricord status` in an empty project ≤ 0.15 s on the wall.

python -m benchmarks.store.start [--repeats 20] [--folder DIR] [--peers dvc]
"""

import statistics
import sys

from benchmarks.measuring import report
from benchmarks.store.running import TRICORD, Words, cost_of, fresh, options
from benchmarks.store.tools import Dvc, Tricord, environment_of


def main() -> None:
    given = options(__doc__ or "")
    with fresh(given.folder) as place:
        commands: dict[str, tuple[Words, str]] = {
            "bare interpreter": ((sys.executable, "-c", "pass"), "tricord")
        }
        (place / "tricord").mkdir()
        Tricord(place / "tricord").init()
        commands["tricord --version"] = ((*TRICORD, "--version"), "tricord")
        commands["tricord status"] = ((*TRICORD, "status"), "tricord")
        if "dvc" in given.peers.split(","):
            (place / "dvc").mkdir()
            Dvc(place / "dvc").init()
            dvc = environment_of("dvc", "dvc[s3]>=3.60") / "dvc"
            commands["dvc --version"] = ((dvc, "--version"), "dvc")
            commands["dvc status"] = ((dvc, "status", "-q"), "dvc")
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(given.repeats + 1):
            for name, (words, folder) in commands.items():
                wall = cost_of(words, place / folder).wall
                if turn:  # the first is for compiled files and a warm disk
                    times[name].append(wall)
    bare = statistics.median(times["bare interpreter"])
    rows = [
        (name, 1e3 * min(all_), 1e3 * statistics.median(all_), statistics.median(all_) / bare)
        for name, all_ in times.items()
    ]
    report(
        "store-start",
        f"wall of a whole process, {given.repeats} times in turns, an empty project",
        ("", "best ms", "median ms", "median ÷ bare"),
        rows,
    )


if __name__ == "__main__":
    main()
