"""kill -9 in the middle of a pipeline: what had finished is kept, and the record says what happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tricord.core.run import Status
from tricord.project.project import Project

PIPELINES = """
import os, time
from pathlib import Path
from tricord import pipeline, step

def _began(name: str) -> None:
    with Path("began.txt").open("a") as file:
        file.write(name + "\\n")
    if os.environ.get("LINGER") == name:  # until it is killed
        time.sleep(600)

@step
def first(n: int) -> list[int]:
    _began("first")
    return list(range(n))

@step
def second(items: list[int]) -> int:
    _began("second")
    return sum(items)

@step
def third(n: int) -> int:
    _began("third")
    return n + 1

@pipeline
def slow(*, n: int = 5) -> None:
    third(second(first(n)))
"""
COMMAND = [sys.executable, "-m", "tricord", "run", "slow", "--json"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pipelines.py").write_text(PIPELINES)
    Project.init(tmp_path).close()
    return tmp_path


def began(folder: Path) -> list[str]:
    file = folder / "began.txt"
    return file.read_text().splitlines() if file.exists() else []


def kill_when(folder: Path, step: str, *, later: float = 0.1) -> None:
    """Start the pipeline and kill it a little after `step` has begun; it does not get past the second or third one."""
    before = began(folder).count(step)
    environment = {**os.environ, "LINGER": "second" if step == "first" else step}
    with subprocess.Popen(
        COMMAND, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        try:
            until = time.monotonic() + 120
            while began(folder).count(step) == before:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.005)
            time.sleep(later)
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def finish(folder: Path) -> dict[str, str]:
    """Run it to its end: step → state."""
    done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return {step["step"]: step["state"] for step in json.loads(done.stdout)["steps"]}


def test_the_next_run_goes_on_where_the_killed_one_was(folder: Path) -> None:
    kill_when(folder, "third")
    project = Project.open(folder)
    statuses = {run.name: run.status for run in project.ledger.runs()}
    assert statuses == {
        "slow": Status.INTERRUPTED,
        "first": Status.FINISHED,
        "second": Status.FINISHED,
        "third": Status.INTERRUPTED,
    }
    left = list((folder / ".tricord" / "scratch").glob("[!.]*"))
    assert left, "a killed process cannot clean up"
    assert finish(folder) == {"first": "cached", "second": "cached", "third": "finished"}
    assert Counter(began(folder)) == {"first": 1, "second": 1, "third": 2}
    assert not [path for path in left if path.exists()]
    assert finish(folder) == dict.fromkeys(("first", "second", "third"), "cached")
    assert project.ledger.verify() > 0
    assert list(project.store.verify()) == []
    project.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_is_killed_at_any_moment_ends_as_if_it_had_not_been(
    folder: Path, seed: int
) -> None:
    lot = random.Random(seed)
    project = Project.open(folder)
    for step in ("first", "second", "third"):
        kill_when(folder, step, later=lot.uniform(0, 0.12) if step != "first" else 0.0)
        assert project.ledger.verify() > 0
        assert list(project.store.verify()) == []
    finish(folder)
    (run,) = [run for run in project.ledger.runs(name="slow") if run.status == Status.FINISHED]
    assert project.load(run.outputs["third.result"]) == 11
    assert not [r for r in project.ledger.runs() if r.status == Status.RUNNING]
    assert not list((folder / ".tricord" / "scratch").glob("[!.]*"))
    project.close()
