"""Claim: `import tricord` and `tricord --version` cost at most 3 times a bare interpreter's CPU.

python -m benchmarks.start
"""

import tempfile
from pathlib import Path

from benchmarks.measuring import Times, cpu_of, report

REPEATS = 20


def main() -> None:
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(empty)
        cpu_of("-m", "tricord", "init", folder=folder)
        commands = {
            "bare interpreter": ("-c", "pass"),
            "import tricord": ("-c", "import tricord"),
            "tricord --version": ("-m", "tricord", "--version"),
            "tricord status": ("-m", "tricord", "status"),
        }
        for words in commands.values():  # compiled files, warm disk
            cpu_of(*words, folder=folder)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(REPEATS):  # in turns, so that a busy moment meets all of them
            for name, words in commands.items():
                times[name].append(cpu_of(*words, folder=folder))
    found = {name: Times(values) for name, values in times.items()}
    bare = found["bare interpreter"]
    rows = [
        (name, t.best * 1e3, t.median * 1e3, t.best / bare.best, t.median / bare.median)
        for name, t in found.items()
    ]
    report(
        "start",
        f"CPU of a whole process, {REPEATS} times in turns, an empty project",
        ("", "best ms", "median ms", "best ÷ bare", "median ÷ bare"),
        rows,
    )


if __name__ == "__main__":
    main()
