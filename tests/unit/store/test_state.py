"""The state: what has not changed is not read again, and no change is ever missed.

Times are set and rows are recorded with a moment of the test's choosing, so nothing here waits for a clock.
"""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from tricord.core.errors import DataError
from tricord.store import digest as digests
from tricord.store import state as states
from tricord.store import workspace
from tricord.store.state import Mark, State, mark_of, settled
from tricord.store.workspace import scan

SECOND = 1_000_000_000
LATER = 3600 * SECOND
"""So long after now that every file of a test is settled."""


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state's clock is an hour on: files that a test writes are old."""
    real = State.now
    monkeypatch.setattr(State, "now", lambda self: real(self) + LATER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "in" / "ner").mkdir(parents=True)
    (made / "a.csv").write_text("a")
    (made / "in" / "b.csv").write_text("bb")
    (made / "in" / "ner" / "c.csv").write_text("ccc")
    return made


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files whose content was read."""
    found: list[str] = []
    real = workspace.read_digest

    def counted(file: workspace.Found) -> str:
        found.append(file.path)
        return real(file)

    monkeypatch.setattr(workspace, "read_digest", counted)
    return found


def truth(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): digests.of_file(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("later")
def test_nothing_is_read_twice(folder: Path, tmp_path: Path, reads: list[str]) -> None:
    with State(tmp_path / "state") as state:
        assert workspace.digests_of(scan(folder), state) == truth(folder)
        assert sorted(reads) == ["a.csv", "in/b.csv", "in/ner/c.csv"]
    with State(tmp_path / "state") as state:
        assert workspace.digests_of(scan(folder), state) == truth(folder)
        kept = state.below(str(folder.resolve()))
        assert workspace.unchanged(scan(folder), kept)
    assert len(reads) == 3


def other_bytes(file: Path) -> None:
    file.write_text("X")


def other_bytes_and_the_old_times(file: Path) -> None:
    before = file.stat()
    file.write_text("X")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_file_by_rename(file: Path) -> None:
    before = file.stat()
    other = file.with_name("other")
    other.write_text("X")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)


def longer(file: Path) -> None:
    before = file.stat()
    with file.open("a") as grown:
        grown.write("more")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def executable(file: Path) -> None:
    file.chmod(0o755)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize(
    "change",
    [other_bytes, other_bytes_and_the_old_times, another_file_by_rename, longer, executable],
)
def test_every_change_is_seen(folder: Path, tmp_path: Path, change, reads: list[str]) -> None:
    with State(tmp_path / "state") as state:
        workspace.digests_of(scan(folder), state)
        # a file system that ticks slowly: let its clock go on until it shows
        before = mark_of((folder / "a.csv").stat())
        probe = folder.parent / "probe"
        while probe_time(probe) == before.changed:
            pass
        change(folder / "a.csv")
        reads.clear()
        assert not workspace.unchanged(scan(folder), state.below(str(folder.resolve())))
        assert workspace.digests_of(scan(folder), state) == truth(folder)
    assert reads == ["a.csv"]


def probe_time(probe: Path) -> int:
    probe.write_text("")
    return probe.stat().st_ctime_ns


def test_a_change_within_the_tick_in_which_a_file_was_read_is_seen(
    folder: Path, tmp_path: Path
) -> None:
    """Without any waiting: the file may look the same, so its digest must not have been kept."""
    with State(tmp_path / "state") as state:
        for number in range(50):
            (folder / "a.csv").write_text(str(number % 10))
            assert workspace.digests_of(scan(folder), state) == truth(folder)


def test_a_clock_that_was_set_back_only_costs_time(folder: Path, tmp_path: Path) -> None:
    """To the clock of now, all files are from the future."""
    future = State(tmp_path / "state").now() + LATER
    for path in folder.rglob("*.csv"):
        os.utime(path, ns=(future, future))
    with State(tmp_path / "state") as state:
        workspace.digests_of(scan(folder), state)
        assert not state.below(str(folder.resolve()))[str(folder.resolve())].files()
        assert workspace.digests_of(scan(folder), state) == truth(folder)


def test_settled_is_told_by_the_newest_time_and_the_clocks_grain() -> None:
    fine = Mark(1, 1, 5 * SECOND + 1, 6 * SECOND + 1, False)
    assert settled(fine, 7 * SECOND)
    assert not settled(fine, 6 * SECOND + 10_000_000)  # less than a tick
    assert not settled(fine, 4 * SECOND)  # the clock was set back
    coarse = Mark(1, 1, 6 * SECOND, 6 * SECOND, False)
    assert not settled(coarse, 7 * SECOND)
    assert settled(coarse, 9 * SECOND)


@pytest.mark.usefixtures("later")
def test_folders_and_files_that_went_are_forgotten(folder: Path, tmp_path: Path) -> None:
    with State(tmp_path / "state") as state:
        workspace.digests_of(scan(folder), state)
        (folder / "in" / "ner" / "c.csv").unlink()
        assert workspace.digests_of(scan(folder), state) == truth(folder)
        kept = state.below(str(folder.resolve()))
        assert set(kept) == {str(folder.resolve()), str(folder.resolve() / "in")}
        assert workspace.unchanged(scan(folder), kept)


@pytest.mark.usefixtures("later")
def test_a_tree_is_remembered_until_a_file_changes(folder: Path, tmp_path: Path) -> None:
    top = str(folder.resolve())
    with State(tmp_path / "state") as state:
        workspace.digests_of(scan(folder), state)
        state.keep_tree(top, state.below(top), "ab" * 32)
        assert state.tree_of(top, state.below(top)) == "ab" * 32
        file = folder / "a.csv"
        state.put(str(file.resolve()), mark_of(file.stat()), "cd" * 32, seen=state.now())
        assert state.tree_of(top, state.below(top)) is None


@pytest.mark.parametrize("damage", ["garbage", "bit", "empty", "other version"])
@pytest.mark.usefixtures("later")
def test_a_damaged_state_is_made_anew(folder: Path, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "state"
    with State(file) as state:
        workspace.digests_of(scan(folder), state)
    if damage == "garbage":
        file.write_bytes(b"not a database" * 1000)
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        database = sqlite3.connect(file)
        if damage == "bit":
            database.execute("UPDATE folder SET digests = zeroblob(length(digests))")
        else:
            database.execute("PRAGMA user_version = 99")
        database.commit()
        database.close()
    for _ in range(2):
        with State(file) as state:
            assert workspace.digests_of(scan(folder), state) == truth(folder)


@pytest.mark.usefixtures("later")
def test_a_state_that_cannot_be_written_is_no_error(folder: Path, tmp_path: Path) -> None:
    with State(tmp_path / "no such folder" / "state") as state:
        assert workspace.digests_of(scan(folder), state) == truth(folder)


@pytest.mark.usefixtures("later")
def test_threads_share_it(folder: Path, tmp_path: Path) -> None:
    wrong: list[object] = []
    with State(tmp_path / "state") as state:

        def look() -> None:
            found = [workspace.digests_of(scan(folder), state) for _ in range(10)]
            wrong.extend(each for each in found if each != truth(folder))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_marks_of_odd_files_survive() -> None:
    names = ["new\nline", "é", "🛩", "x" * 255]
    marks = [Mark(2**64 - 1, 10**14, -SECOND, 2**62, True)] * 4
    assert states.decode(states.encode(names, marks)) == (names, marks)
    assert states.decode(states.encode([], [])) == ([], [])


def test_a_file_that_changes_while_it_is_read_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = digests.of_file

    def changing(path: Path) -> str:
        found = real(path)
        path.write_text("longer than it was")
        return found

    monkeypatch.setattr(digests, "of_file", changing)
    with State(tmp_path / "state") as state, pytest.raises(DataError, match="changed while"):
        workspace.digests_of(scan(folder), state)
