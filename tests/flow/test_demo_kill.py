"""kill -9 of the demo at moments drawn by lot: played on to the end, it comes to what an undisturbed play comes to."""

import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tricord.core.run import Status
from tricord.project.project import Project

KILLS = 3


def servers(folder: Path) -> list[str]:
    """Command lines of processes that serve the project."""
    found: list[str] = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended by now
            line = place.read_bytes().decode(errors="replace").replace("\0", " ")
            if " serve " in line and str(folder) in line:
                found.append(line)
    return found


def kill_somewhere(command: list[str], project: Project, lot: random.Random) -> bool:
    """Start the play, let it write some facts and live a little longer, kill it; False if it was through."""
    until = project.ledger.last_event() + lot.randint(1, 60)
    later = lot.uniform(0, 0.8)  # requests write no facts
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while project.ledger.last_event() < until and process.poll() is None:
            time.sleep(0.01)
        time.sleep(later)
        process.send_signal(signal.SIGKILL)
        process.wait()
    return process.returncode == -signal.SIGKILL


def test_a_play_that_is_killed_again_and_again_ends_the_same(
    another: Path, command_of, shortened, playing
) -> None:
    project = Project.init(another)
    lot = random.Random(2013)
    for _ in range(KILLS):
        assert kill_somewhere(command_of(another), project, lot)
        assert project.ledger.verify() > 0
        assert list(project.store.verify()) == []
    deadline = time.monotonic() + 120
    while servers(another):
        assert time.monotonic() < deadline, "a server outlived the play that started it"
        time.sleep(0.1)

    done = playing(another, len(shortened["months"]))
    assert done.answer["digest"] == shortened["digest"]
    assert project.ledger.verify() > 0
    assert list(project.store.verify()) == []
    statuses = [run.status for run in project.ledger.runs(name="month", limit=100)]
    assert statuses.count(Status.FINISHED) == len(shortened["months"])
    assert 1 <= statuses.count(Status.INTERRUPTED) <= KILLS
    assert len(statuses) == statuses.count(Status.FINISHED) + statuses.count(Status.INTERRUPTED)
    assert not servers(another)
    assert not list((another / ".tricord" / "scratch").glob("[!.]*"))
    done.project.close()
    project.close()
