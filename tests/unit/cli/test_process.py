"""The command line as a process: signals, a reader that goes away, a new project, a server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tricord.core.run import Status
from tricord.project.project import Project
from tricord.serving.client import Client

SLEEPING = """
import time
from pathlib import Path
from tricord import pipeline, step

@step
def quick() -> int:
    return 1

@step
def sleeps(n: int) -> int:
    Path("asleep").touch()
    time.sleep(600)
    return n

@pipeline
def night() -> None:
    sleeps(quick())
"""


def test_ctrl_c_ends_with_130_and_a_record(tmp_path: Path) -> None:
    (tmp_path / "pipelines.py").write_text(SLEEPING)
    Project.init(tmp_path).close()
    command = [sys.executable, "-m", "tricord", "run", "night"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(tmp_path / "asleep")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "what had finished is kept" in errors
    assert "Traceback" not in errors
    project = Project.open(tmp_path)
    runs = {run.name: run.status for run in project.ledger.runs()}
    assert runs == {
        "quick": Status.FINISHED,
        "sleeps": Status.INTERRUPTED,
        "night": Status.INTERRUPTED,
    }
    assert list((tmp_path / ".tricord" / "scratch").glob("[!.]*")) == []
    project.close()


def wait_for(path: Path, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.02)


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "words",
    [["runs", "--steps", "--json"], ["runs"], ["--help"], ["add", "--help"], ["status"], ["-V"]],
    ids=" ".join,
)
def test_a_reader_that_goes_away_is_no_error(small, words: list[str], buffered: bool) -> None:
    command = [sys.executable, "-m", "tricord", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    read, write = os.pipe()
    os.close(read)  # whoever should read is gone before the first byte
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(
            command,
            cwd=small.root,
            env=environment,
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_project_is_a_copy_that_plans(tmp_path: Path, small_process) -> None:
    done = small_process(tmp_path, "new", "flights", "mine", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "pipelines.py" in answer["files"]
    mine = tmp_path / "mine"
    assert not (mine / "data").exists()
    done = small_process(mine, "run", "ingest")  # there is no data yet: the plan says so
    assert done.returncode == 1
    assert "no ref datasets/flights@latest" in done.stderr
    assert "Traceback" not in done.stderr
    again = small_process(tmp_path, "new", "flights", "mine")
    assert again.returncode == 1
    assert "not an empty folder" in again.stderr


def test_serve_answers_and_stops_when_it_is_told(small) -> None:
    small.start(weight=0.25)
    command = [sys.executable, "-m", "tricord", "serve", "delay", "--port", "0"]
    with subprocess.Popen(
        [*command, "--with-parent", str(os.getpid())],
        cwd=small.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        client = Client(url, "delay")
        score, answer = client.predict({"origin": "JFK", "hour": 9}, key="a")
        client.close()
        server.terminate()
        _, errors = server.communicate(timeout=120)
    assert (server.returncode, errors) == (0, "")
    assert 0 < score < 1
    assert answer["arm"] in ("live", "canary")


def test_a_server_whose_parent_is_gone_already_stops(small) -> None:
    small.start()
    parent = subprocess.Popen(["true"])
    parent.wait()
    command = [sys.executable, "-m", "tricord", "serve", "delay", "--port", "0"]
    done = subprocess.run(
        [*command, "--with-parent", str(parent.pid)],
        cwd=small.root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, -signal.SIGTERM)
