"""Projects with something to serve, and real server processes on loopback."""

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from tricord.core.artifact import Digest
from tricord.core.release import Release
from tricord.models.export import export
from tricord.models.package import Model
from tricord.project.project import Project
from tricord.serving.plan import Arm, RoutingPlan

COLUMNS = ["origin", "hour", "wind"]
_SERVE = """
import sys
from tricord.project.project import Project
from tricord.serving.server import serve
serve(Project.open(sys.argv[1]), "delay", "127.0.0.1", 0)
"""


def _model(seed: int) -> Model:
    random = np.random.default_rng(seed)
    rows = pl.DataFrame(
        {
            "origin": [str(v) for v in random.choice(["EWR", "JFK", "LGA"], 400)],
            "hour": random.integers(5, 24, 400),
            "wind": [None if random.random() < 0.1 else float(random.normal()) for _ in range(400)],
        }
    )
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    parts = [("text", encoder, ["origin"]), ("number", "passthrough", ["hour", "wind"])]
    trees = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    fitted = Pipeline([("encode", ColumnTransformer(parts)), ("trees", trees)])
    fitted.fit(rows, random.random(400) < rows["hour"].to_numpy() / 30)
    return export(fitted, rows, columns=COLUMNS)


@pytest.fixture(scope="session")
def models() -> tuple[Model, Model]:
    return _model(0), _model(1)


@dataclass
class Site:
    """A project with two releases of the endpoint `delay`."""

    project: Project
    releases: tuple[Digest, Digest]
    models: tuple[Model, Model]

    def go(self, *weights: float, salt: str = "s") -> Digest:
        """Make the plan with these weights live."""
        arms = zip(self.releases, weights, ("live", "canary"), strict=False)
        plan = RoutingPlan("delay", tuple(Arm(*arm) for arm in arms), salt)
        digest = self.project.put(plan).digest
        self.project.move("endpoints/delay@live", digest, why="test", signed=True)
        return digest

    @property
    def log(self) -> Path:
        return self.project.folder / "predictions" / "delay"


@pytest.fixture
def site(tmp_path: Path, models: tuple[Model, Model]) -> Generator[Site]:
    project = Project.init(tmp_path / "project")
    first, second = (
        project.put(
            Release("delay", project.put(model).digest, code="c" * 64, environment="e" * 64)
        )
        for model in models
    )
    yield Site(project, (first.digest, second.digest), models)
    project.close()


class Server:
    """A server process and the connection of one client to it."""

    def __init__(self, project: Project) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(project.root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.url = line.split()[-1]
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=120)

    def get(self, path: str) -> tuple[int, Any]:
        return self.send("GET", path)

    def infer(self, body: Any, path: str = "/v2/models/delay/infer") -> tuple[int, Any]:
        return self.send("POST", path, body if isinstance(body, bytes) else json.dumps(body))

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def stop(self) -> tuple[int, str]:
        """End it with SIGTERM: exit code and standard error."""
        self.process.terminate()
        errors = self.process.communicate(timeout=120)[1]
        return self.process.returncode, errors


@pytest.fixture
def serving() -> Callable[[Project], Any]:
    @contextmanager
    def running(project: Project) -> Generator[Server]:
        server = Server(project)
        try:
            yield server
        finally:
            server.connection.close()
            if server.process.poll() is None:
                server.stop()
            for stream in (server.process.stdout, server.process.stderr):
                if stream:
                    stream.close()

    return running


@pytest.fixture
def request_of() -> Callable[..., dict[str, Any]]:
    """A V2 request; each column may be given as (datatype, values)."""

    def made(**columns: Any) -> dict[str, Any]:
        parts = {"origin": ("BYTES", ["EWR"]), "hour": ("INT64", [7]), "wind": ("FP64", [1.5])}
        parts |= {name: given for name, given in columns.items() if given is not None}
        return {
            "inputs": [
                {"name": name, "datatype": datatype, "shape": [len(values)], "data": values}
                for name, (datatype, values) in parts.items()
                if not (name in columns and columns[name] is None)
            ]
        }

    return made
