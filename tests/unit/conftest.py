"""A small project with two releases that its own pipeline made; each test has a copy of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tricord.core.artifact import Artifact, Kind
from tricord.core.release import Release
from tricord.models.package import Model
from tricord.project.project import Project
from tricord.rollout import canary
from tricord.serving.log import Entry, PredictionLog, folder_of

PIPELINES = Path(__file__).parent / "small_pipelines.py"
SETTINGS = '[project]\nname = "small"\npipelines = "small_pipelines"\nactor = "tester"\n'
ROWS = 900


def flights(rows: int, *, seed: int, shift: int = 0) -> pl.DataFrame:
    """`key`, `origin`, `hour` and `late`: the later the hour, the likelier; `shift` moves the hours."""
    random = np.random.default_rng(seed)
    hours = random.integers(5, 24, rows)
    return pl.DataFrame(
        {
            "key": [f"{seed}-{number}" for number in range(rows)],
            "origin": [str(origin) for origin in random.choice(["EWR", "JFK", "LGA"], rows)],
            "hour": hours + shift,
            "late": random.random(rows) < (hours - 4) / 24,
        }
    )


def tricord(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command line as a process of its own."""
    command = [sys.executable, "-m", "tricord", *words]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    shutil.copy(PIPELINES, folder)
    (folder / "tricord.toml").write_text(SETTINGS)
    flights(ROWS, seed=0).drop("key").write_csv(folder / "flights.csv")
    for words in (
        ("init", "."),
        ("add", "flights.csv"),
        ("run", "-p", "iterations=10"),
        ("run", "-p", "iterations=12"),
    ):
        done = tricord(folder, *words)
        assert done.returncode == 0, done.stderr
    return folder


@dataclass
class Small:
    """The project, and its two releases in the order in which they were made."""

    project: Project
    releases: tuple[Artifact, Artifact]

    @property
    def root(self) -> Path:
        return self.project.root

    def start(self, *, weight: float = 0.5) -> None:
        """The first release has all traffic, the second is its canary."""
        canary.start(self.project, "delay", self.releases[0])
        canary.start(self.project, "delay", self.releases[1], weight=weight)

    def asked(
        self,
        rows: pl.DataFrame,
        *,
        arm: str = "live",
        time: float = 1000.0,
        hide: str = "",
        error: str | None = None,
    ) -> None:
        """Log what an arm of the plan of now answers to the rows, as a server would.

        `hide` is a feature that the arm finds no value of; with `error` it fails to answer.
        """
        state = canary.state(self.project, "delay")
        assert state is not None
        release = state.arm(arm)
        assert release is not None
        model = self.project.load(self.project.load(release.release, Release).model, Model)
        seen = rows.select("origin", "hour")
        if hide:
            seen = seen.with_columns(pl.lit(None, seen.schema[hide]).alias(hide))
        log = PredictionLog(folder_of(self.project.folder, "delay"), flush_seconds=60)
        for row, score in zip(seen.to_dicts(), model.predict(seen).tolist(), strict=True):
            number = log.next_id()
            key = rows["key"][int(number.rpartition("-")[2]) - 1]
            entry = self._entry(state, release.release, arm, number, key, time, row, score)
            log.append(entry if not error else replace(entry, error=error, scores=[]))
        log.close()

    def _entry(
        self,
        state: canary.State,
        release: str,
        arm: str,
        number: str,
        key: str,
        time: float,
        row: Mapping[str, object],
        score: float,
    ) -> Entry:
        columns = {name: [value] for name, value in row.items()}
        return Entry(
            prediction_id=number,
            request_id=key,
            key=key,
            endpoint="delay",
            plan=state.digest,
            arm=arm,
            release=release,
            time=time,
            latency=0.001,
            rows=1,
            inputs=columns,
            features=columns,
            scores=[score],
        )

    def refs(self) -> dict[str, str]:
        """Where the guarded refs stand."""
        rooms = ("endpoints/", "models/", "releases/")
        return {ref: at for room in rooms for ref, at in self.project.ledger.refs(room).items()}


@pytest.fixture
def small(template: Path, tmp_path: Path) -> Iterator[Small]:
    root = tmp_path / "small"
    shutil.copytree(template, root)
    project = Project.open(root)
    moves = project.ledger.moves("releases/delay@latest")
    first, second = (project.resolve(str(move.new), kind=Kind.RELEASE) for move in moves)
    yield Small(project, (first, second))
    project.close()


@pytest.fixture
def flights_of() -> object:
    """The function that makes rows."""
    return flights


@pytest.fixture
def small_process() -> object:
    """The function that runs a command line as a process of its own."""
    return tricord
