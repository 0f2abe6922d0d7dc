"""Fixtures for every test: a fresh project in a folder of its own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, settings

from tricord.project.project import Project

for name in ("NO_PROXY", "no_proxy"):  # whatever proxy a machine has, servers of the tests are near
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))
# the same examples on every machine, however long one takes; `--hypothesis-profile=default` looks for new ones
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project.init(tmp_path / "project")
    yield made
    made.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server in a process of its own."""
    server = Path(__file__).parent / "s3_server.py"
    with subprocess.Popen(
        [sys.executable, str(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
        process.wait(60)


@pytest.fixture
def s3_bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of that server; the environment leads there."""
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(variable, value)
    name = f"bucket-{secrets.token_hex(6)}"
    with urlopen(Request(f"{s3}/{name}", method="PUT"), timeout=60):
        return name
