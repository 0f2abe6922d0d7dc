"""Files that are replaced whole: what a killed writer leaves is swept away, what a live one writes is not."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tricord.core import files

_KILLED = """
import os, signal, sys
from pathlib import Path
from tricord.core import files
files.sync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.replace_text(Path(sys.argv[1]), "half")
"""
_NEXT = """
import sys
from pathlib import Path
from tricord.core import files
files.replace_text(Path(sys.argv[1]), "whole")
"""


def _run(program: str, target: Path) -> int:
    return subprocess.run([sys.executable, "-c", program, str(target)], timeout=120).returncode


def test_the_next_writer_sweeps_what_a_killed_one_left(tmp_path: Path) -> None:
    target = tmp_path / "flights.tricord"
    target.write_text("old")
    other = tmp_path / ".0123456789abcdef.tmp"
    other.write_text("somebody's own")
    assert _run(_KILLED, target) == -signal.SIGKILL
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3
    assert _run(_NEXT, tmp_path / "carriers.tricord") == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "flights.tricord", "carriers.tricord", other.name,
    }  # fmt: skip


def test_what_a_live_writer_is_writing_stays(tmp_path: Path) -> None:
    held = tmp_path / f".tricord-{'a' * 16}.tmp"
    descriptor = os.open(held, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        files.replace_text(tmp_path / "flights.tricord", "whole")
        assert held.exists()
    finally:
        os.close(descriptor)


def test_a_writer_whose_file_was_swept_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = fcntl.flock
    swept: list[Path] = []

    def sweep_first(descriptor: int, how: int) -> None:
        if not swept:
            swept.extend(tmp_path.glob("*.tmp"))
            swept[0].unlink()
        locked(descriptor, how)

    monkeypatch.setattr("tricord.core.files.fcntl.flock", sweep_first)
    files.replace_text(tmp_path / "flights.tricord", "whole")
    assert swept
    assert [path.name for path in tmp_path.iterdir()] == ["flights.tricord"]
    assert (tmp_path / "flights.tricord").read_text() == "whole"
