"""Many threads and processes at once; and what becomes of a run whose process is gone."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.event import EventType
from tricord.core.run import Origin, Status
from tricord.ledger.process import gone, this_host, token
from tricord.ledger.sqlite import SqliteLedger

WRITER = """
import sys
from pathlib import Path
from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import SystemClock
from tricord.core.errors import RefConflict
from tricord.core.event import EventType
from tricord.ledger.sqlite import SqliteLedger

path, me, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for number in range(count):
    ledger = SqliteLedger(path, SystemClock())  # opened each time: that, too, must not disturb the others
    ledger.append_event(EventType.ALERT_RAISED, f"{me}", {"n": number})
    new = Digest(f"{me:032x}{number:032x}")
    ledger.add_artifact(Artifact(new, Kind.DATASET, "csv", 1))
    while True:
        try:
            old = ledger.ref("datasets/d@latest")
            ledger.move_ref("datasets/d@latest", old=old, new=new, actor=f"{me}", why="")
            break
        except RefConflict:
            pass
    ledger.close()
"""

SLEEPER = """
import os, sys, time
from pathlib import Path
from tricord.core.clock import SystemClock
from tricord.core.run import Origin
from tricord.ledger.process import this_host
from tricord.ledger.sqlite import SqliteLedger

ledger = SqliteLedger(Path(sys.argv[1]), SystemClock())
origin = Origin("c", "e", host=this_host(), pid=os.getpid())
ledger.begin_run(
    run="r1", name="n", fingerprint="f", origin=origin, parent=None, params={}, inputs={})
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_that_write_at_once_lose_nothing(path: Path, clock: FixedClock, processes: int):
    count = 12
    arguments = [[str(path), str(me), str(count)] for me in range(processes)]
    running = [subprocess.Popen([sys.executable, "-c", WRITER, *each]) for each in arguments]
    assert [process.wait() for process in running] == [0] * processes
    ledger = SqliteLedger(path, clock)
    events = ledger.events(limit=10_000)
    assert [event.seq for event in events] == list(range(1, 3 * processes * count + 1))  # L1
    assert ledger.verify() == len(events)  # L2 L3
    for me in range(processes):
        alerts = [event.body["n"] for event in events if event.subject == str(me)]
        assert alerts == list(range(count))
    moves = ledger.moves("datasets/d@latest")
    assert len(moves) == processes * count
    assert [move.old for move in moves] == [None, *(move.new for move in moves[:-1])]  # L6
    ledger.close()


def test_threads_share_one_ledger(ledger: SqliteLedger):
    def write(me: int) -> None:
        for number in range(20):
            ledger.append_event(EventType.ALERT_RAISED, str(me), {"n": number})
            ledger.runs()

    threads = [threading.Thread(target=write, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.verify() == 160


def test_readers_do_not_wait_for_a_writer(ledger: SqliteLedger, path: Path, clock: FixedClock):
    ledger.append_event(EventType.ALERT_RAISED, "m", {})
    other = SqliteLedger(path, clock)
    with ledger._database.writing():
        ledger.append_event(EventType.ALERT_RAISED, "m", {})
        assert other.last_event() == 1
    assert other.last_event() == 2
    other.close()


def test_a_new_ledger_waits_for_whoever_else_is_making_it(path: Path, clock: FixedClock):
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # SQLite does not wait for this where it switches to WAL

    def give_way() -> None:
        time.sleep(0.2)
        other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=give_way)
    thread.start()
    ledger = SqliteLedger(path, clock)
    thread.join()
    assert ledger.last_event() == 0
    ledger.close()


def test_a_forked_process_opens_its_own(path: Path):
    program = """
import os, sys
from pathlib import Path
from tricord.core.clock import SystemClock
from tricord.core.event import EventType
from tricord.ledger.sqlite import SqliteLedger

ledger = SqliteLedger(Path(sys.argv[1]), SystemClock())
ledger.append_event(EventType.ALERT_RAISED, "parent", {})
inherited = ledger._database._database
for child in range(3):
    if os.fork() == 0:
        assert ledger.last_event() >= 1
        assert ledger._database._database is not inherited  # SQLite forbids to use that one
        ledger.append_event(EventType.ALERT_RAISED, "child", {})
        os._exit(0)
for child in range(3):
    assert os.wait()[1] == 0
ledger.append_event(EventType.ALERT_RAISED, "parent", {})
assert ledger.verify() == 5
"""
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


def test_a_run_whose_process_was_killed_reads_as_interrupted(ledger: SqliteLedger, path: Path):
    process = subprocess.Popen([sys.executable, "-c", SLEEPER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    assert ledger.run("r1").status == Status.RUNNING
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    assert ledger.run("r1").status == Status.INTERRUPTED
    assert ledger.finished("f") is None


def test_a_zombie_has_ended():
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    recorded = token(process.pid)
    assert not gone(this_host(), process.pid, recorded)
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it ended, and stays a zombie
    assert gone(this_host(), process.pid, recorded)
    process.wait()


def test_only_what_is_known_to_be_gone_is_gone():
    here, mine = this_host(), os.getpid()
    recorded = token(mine)
    boot, namespace, start = recorded.split(":")
    assert not gone(here, mine, recorded)
    assert gone(
        here, mine, f"{boot}:{namespace}:{int(start) - 1}"
    )  # the number was given out again
    assert gone(here, mine, f"{boot[::-1]}:{namespace}:{start}")  # before a reboot
    assert not gone("elsewhere", mine, f"{boot[::-1]}:{namespace}:{start}")
    assert not gone(here, 4_194_304 + 5, f"{boot}:1:{start}")  # another container's processes
    assert not gone(here, 0, "")
    assert not gone(here, mine, "")
    assert gone(here, 4_194_304 + 5, "")
    assert token(4_194_304 + 5) == ""


def test_a_run_of_another_host_is_taken_to_run(ledger: SqliteLedger):
    origin = Origin("c", "e", host="elsewhere", pid=4_194_304 + 5)
    rows = Artifact(Digest("a" * 64), Kind.DATASET, "csv", 1)
    ledger.begin_run(
        run="r1",
        name="n",
        fingerprint="f",
        origin=origin,
        parent=None,
        params={},
        inputs={"x": rows},
    )
    assert ledger.runs()[0].status == Status.RUNNING
