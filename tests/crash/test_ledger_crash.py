"""kill -9 at every statement and at any moment: L1–L7 of docs/reference/ledger-format.md hold."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.event import EventType
from tricord.core.run import Origin, Status
from tricord.ledger.sqlite import SqliteLedger

VICTIM = Path(__file__).parent / "ledger_victim.py"
ROWS = Artifact(Digest("a" * 64), Kind.DATASET, "csv", 1)
MODEL = Artifact(Digest("b" * 64), Kind.MODEL, "onnx", 1)
REF = "models/m@champion"
BEGUN = [EventType.ARTIFACT_COMMITTED, EventType.RUN_STARTED]


def holds(ledger: SqliteLedger) -> None:
    events = ledger.events(limit=1_000_000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))  # L1
    assert ledger.verify() == len(events)  # L2 L3
    assert ledger._database.rows("PRAGMA foreign_key_check") == []  # L7
    for ref in ledger.refs():
        moves = ledger.moves(ref)
        assert [move.old for move in moves] == [None, *(move.new for move in moves[:-1])]  # L6
        assert ledger.ref(ref) == moves[-1].new


def end(ledger: SqliteLedger, run: str) -> None:
    ledger.end_run(run, Status.FINISHED, outputs={"0": MODEL}, metrics={"auc": 0.5})


def begin(ledger: SqliteLedger, run: str) -> None:
    ledger.begin_run(
        run=run,
        name="train",
        fingerprint="f",
        origin=Origin("c", "e"),
        parent=None,
        params={},
        inputs={"rows": ROWS},
    )


def check_create(ledger: SqliteLedger, done: bool) -> None:
    assert ledger.last_event() == 0
    begin(ledger, "r9")


def check_begin_run(ledger: SqliteLedger, done: bool) -> None:
    runs = [run.id for run in ledger.runs()]
    assert runs in (["r1", "r0"], ["r0"])  # L5: wholly or not at all
    assert all(run.inputs == {"rows": ROWS} for run in ledger.runs())
    assert all(run.status == Status.INTERRUPTED for run in ledger.runs())
    assert not done or "r1" in runs
    if "r1" not in runs:
        begin(ledger, "r1")
    end(ledger, "r1")


def check_end_run(ledger: SqliteLedger, done: bool) -> None:
    run = ledger.run("r0")
    if run.status == Status.INTERRUPTED:  # L5
        assert not done
        assert (run.outputs, run.metrics, run.ended) == ({}, {}, None)
        assert ledger.artifact(MODEL.digest) is None
        assert ledger.finished("f") is None
        end(ledger, "r0")
    else:
        assert (run.status, run.ended) == (Status.FINISHED, 2.0)
        assert run.outputs == {"0": MODEL}
        assert run.metrics == {"auc": 0.5, "n": 1.0}
    assert ledger.finished("f") is not None


def check_move_ref(ledger: SqliteLedger, done: bool) -> None:
    stands = ledger.ref(REF)
    assert stands in (None, ROWS.digest)
    assert len(ledger.moves(REF)) == (0 if stands is None else 1)  # L5
    assert not done or stands
    ledger.move_ref(REF, old=stands, new=ROWS.digest, actor="bob", why="the work goes on")


CHECKS = {
    "create": (check_create, 30),
    "begin_run": (check_begin_run, 10),
    "end_run": (check_end_run, 15),
    "move_ref": (check_move_ref, 10),
}


@pytest.mark.parametrize("action", CHECKS)
def test_a_call_that_dies_anywhere_happened_wholly_or_not_at_all(tmp_path: Path, action: str):
    subprocess.run([sys.executable, str(VICTIM), str(tmp_path), action], check=True)
    check, points = CHECKS[action]
    (last,) = tmp_path.glob("*.acknowledged")
    assert int(last.stem) > points  # it did die at many points
    for number in range(1, int(last.stem) + 1):
        ledger = SqliteLedger(tmp_path / f"{number:03}/ledger.sqlite", FixedClock(3.0))
        holds(ledger)
        check(ledger, number == int(last.stem))
        holds(ledger)
        ledger.close()


ENDLESS = """
import os, sys
from pathlib import Path
from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import SystemClock, new_id
from tricord.core.errors import RefConflict
from tricord.core.run import Origin, Status
from tricord.ledger.process import this_host
from tricord.ledger.sqlite import SqliteLedger

clock = SystemClock()
ledger = SqliteLedger(Path(sys.argv[1]), clock)
origin = Origin("c", "e", host=this_host(), pid=os.getpid())
while True:
    run = new_id(clock)
    model = Artifact(Digest(os.urandom(32).hex()), Kind.MODEL, "onnx", 1)
    ledger.begin_run(
        run=run, name="n", fingerprint=run, origin=origin, parent=None, params={}, inputs={})
    os.write(1, f"begun {run}\\n".encode())
    ledger.end_run(run, Status.FINISHED, outputs={"0": model}, metrics={"auc": 0.5})
    os.write(1, f"ended {run}\\n".encode())
    try:
        old = ledger.ref("models/m@champion")
        move = ledger.move_ref("models/m@champion", old=old, new=model.digest, actor="a", why="")
        os.write(1, f"moved {move.seq}\\n".encode())
    except RefConflict:
        pass
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int):
    """Two processes write; one is killed, and the other one goes on until it is killed as well."""
    path = tmp_path / "ledger.sqlite"
    chance = random.Random(seed)
    running = [
        subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said: list[str] = []
    for process in running:
        assert process.stdout is not None
        said.append(process.stdout.readline().decode())
    for process in running:
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
    for process in running:
        assert process.stdout is not None
        said += process.stdout.read().decode().splitlines()
        process.stdout.close()
        process.wait()
    ledger = SqliteLedger(path, FixedClock(1.0))
    holds(ledger)
    moved = {move.seq for move in ledger.moves("models/m@champion")}
    for line in said:
        word, what = line.split()
        if word == "moved":
            assert int(what) in moved  # L5
        elif word == "ended":
            assert ledger.run(what).status == Status.FINISHED  # L5
        else:
            assert ledger.run(what).status in (Status.FINISHED, Status.INTERRUPTED)
    begin(ledger, "r9")
    end(ledger, "r9")
    holds(ledger)
    ledger.close()
