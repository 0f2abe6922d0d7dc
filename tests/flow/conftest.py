"""The flights example as a user would have it: a folder of its own under Git, played by `tricord demo`."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tricord.project.project import Project

EXAMPLE = Path(__file__).parents[2] / "examples" / "flights"
MONTHS = 8
"""Up to the month in which the bad release is rolled back."""
FIRST = 4
"""Months that a second play repeats: a retrained model has gone live and a delivery was stopped by then."""
REQUESTS = 900
# one date and one author: the commit, which a release names, is the same in every folder
GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
} | {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "a"), ("EMAIL", "a@example.org"), ("DATE", "1700000000 +0000"))
}


def copy_out(folder: Path) -> Path:
    """The example in `folder`, committed."""
    left_out = shutil.ignore_patterns("__pycache__", ".tricord", "data")
    shutil.copytree(EXAMPLE, folder, ignore=left_out)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "as shipped"]):
        subprocess.run(["git", *words], cwd=folder, env={**os.environ, **GIT}, check=True)
    return folder


def command(folder: Path, months: int) -> list[str]:
    """The command line that plays the first months on an eighth of the flights."""
    words = ["demo", "--folder", str(folder), "--months", str(months), "--requests", str(REQUESTS)]
    return [sys.executable, "-m", "tricord", *words, "--fraction", "0.125", "--json"]


@dataclass
class Play:
    """A project whose months were played, what the command answered, and how much of a processor it took."""

    project: Project
    answer: dict[str, Any]
    seconds: float

    @property
    def months(self) -> dict[int, dict[str, Any]]:
        return {int(month["month"][-2:]): month for month in self.answer["months"]}

    def story(self, month: int) -> list[dict[str, Any]]:
        """What was told of a month, each with its verdict if there is one."""
        runs = self.project.ledger.runs(name="month", limit=1000)
        record = next(r for r in runs if r.params["month"] == month and "record" in r.outputs)
        return json.loads(self.project.store.read(record.outputs["record"].digest))["story"]


def play(folder: Path, months: int) -> Play:
    """Play the months in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command(folder, months), capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Play(Project.open(folder), json.loads(done.stdout), seconds)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """The months, played once for all tests that only look at them."""
    made = play(copy_out(tmp_path_factory.mktemp("flow") / "flights"), MONTHS)
    yield made
    made.project.close()


@pytest.fixture(scope="session")
def shortened(played: Play) -> dict[str, Any]:
    """The answer for the first months alone, from the same project and so from the cache."""
    return play(played.project.root, FIRST).answer


@pytest.fixture
def playing() -> Callable[[Path, int], Play]:
    """The function that plays months in a folder."""
    return play


@pytest.fixture
def another(tmp_path: Path) -> Path:
    """The example once more, in a folder of its own."""
    return copy_out(tmp_path / "elsewhere" / "copy")


@pytest.fixture
def command_of() -> Callable[[Path], list[str]]:
    """The command line that plays the first months in a folder."""
    return lambda folder: command(folder, FIRST)
