"""Claim: what Tricord adds to a step that does nothing is small beside the disk's own wait.

python -m benchmarks.pipeline

A chain of 50 steps, each one number in and one out, in a fresh process: first nothing is known (cold),
then everything is (cached). The floor is a loop that calls the same function and commits one row to
SQLite (WAL, synchronous FULL) per call: the least that any recorded run must do.
"""

import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Times, answer_of, report

STEPS = 50
REPEATS = 7
SOURCE = """
from tricord import pipeline, step

@step
def more(number: int, *, by: int = 1) -> int:
    return number + by

@pipeline
def chain(*, steps: int) -> None:
    value = 0
    for _ in range(steps):
        value = more(value)
"""


def timed(call: Callable[[], object]) -> dict[str, float]:
    """Seconds of a call: CPU in this program, CPU in the kernel (mostly `fsync`), and wall."""
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "user": after.ru_utime - before.ru_utime,
        "system": after.ru_stime - before.ru_stime,
        "wall": time.perf_counter() - wall,
    }


def ours(folder: Path) -> dict[str, float]:
    """One run of the chain in this process."""
    from tricord.pipelines.execute import run_pipeline
    from tricord.pipelines.load import find_pipeline
    from tricord.project.project import Project

    project = Project.open(folder)
    chain = find_pipeline(project, "chain")
    return timed(lambda: run_pipeline(project, chain, {"steps": STEPS}))


def more(number: int, *, by: int = 1) -> int:
    return number + by


def floor(folder: Path) -> dict[str, float]:
    """The loop: one call and one durable row per step."""
    database = sqlite3.connect(folder / "floor.sqlite", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE run (step INTEGER PRIMARY KEY, value INTEGER)")

    def loop() -> None:
        value = 0
        for step in range(STEPS):
            value = more(value)
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO run VALUES (?, ?)", (step, value))
            database.execute("COMMIT")

    return timed(loop)


def main() -> None:
    from tricord.project.project import Project

    kinds = ("floor", "cold", "cached")
    seen: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project = Project.init(folder)
            project.close()
            (folder / "pipelines.py").write_text(SOURCE, encoding="utf-8")
            for kind in kinds:
                seen[kind].append(answer_of("benchmarks.pipeline", kind, name))

    def per_step(kind: str, *names: str) -> Times:
        return Times([sum(found[name] for name in names) * 1e3 / STEPS for found in seen[kind]])

    least = per_step("floor", "user", "system").median
    rows = [
        (
            kind,
            per_step(kind, "user", "system").best,
            per_step(kind, "user", "system").median,
            per_step(kind, "user").median,
            per_step(kind, "system").median,
            per_step(kind, "wall").median,
            per_step(kind, "user", "system").median / least,
        )
        for kind in kinds
    ]
    report(
        "pipeline",
        f"a chain of {STEPS} steps that do nothing, ms per step, fresh process, {REPEATS} times",
        ("", "CPU best", "CPU median", "of it user", "system", "wall", "CPU ÷ floor"),
        rows,
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps((floor if sys.argv[1] == "floor" else ours)(Path(sys.argv[2]))))
    else:
        main()
