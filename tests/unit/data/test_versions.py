"""Adding: what becomes a version, what is read for it, and what can be none."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tricord.core.artifact import Kind
from tricord.core.errors import DataError
from tricord.core.event import EventType
from tricord.data import pointers
from tricord.data.checkout import checkout
from tricord.data.versions import add
from tricord.project.project import Project
from tricord.store.ingest import Ingest
from tricord.store.state import State


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state's clock is an hour on: files that a test writes are old."""
    real = State.now
    monkeypatch.setattr(State, "now", lambda self: real(self) + 3_600_000_000_000)


@pytest.fixture
def flights(project: Project) -> Path:
    folder = project.root / "data" / "flights"
    for month in range(1, 13):
        (folder / f"{month:02}").mkdir(parents=True)
        (folder / f"{month:02}" / "flights.csv").write_text(f"month\n{month}\n")
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose content went into the store's ingest."""
    found: list[Path] = []
    real = Ingest.add_files

    def counted(self: Ingest, paths: list[str], *rest: object, **named: object) -> object:
        found.extend(map(Path, paths))
        return real(self, paths, *rest, **named)

    monkeypatch.setattr(Ingest, "add_files", counted)
    return found


def test_a_folder_becomes_a_version_with_a_pointer_that_git_keeps(
    project: Project, flights: Path, git
) -> None:
    git(project.root, "init", "-q")
    version = add(project, flights, why="the first year")
    assert (version.name, version.number, version.changed) == ("flights", 1, True)
    assert version.why == "the first year"
    pointer = pointers.get(project.root, "flights")
    assert pointer.digest == version.digest == project.ledger.ref("datasets/flights@latest")
    assert (pointer.path, pointer.files, pointer.format) == ("data/flights", 12, "tree")
    assert pointer.size == version.artifact.size == project.store.size(version.digest)
    git(project.root, "add", ".")
    kept = git(project.root, "ls-files").split()
    assert kept == ["data/.gitignore", "data/flights.tricord", "tricord.toml"]
    assert dict(project.store.tree(version.digest)) == {
        f"{month:02}/flights.csv": project.store.put_bytes(f"month\n{month}\n".encode())
        for month in range(1, 13)
    }


def test_a_commit_to_a_dataset_is_one_event(project: Project, flights: Path) -> None:
    add(project, flights)
    add(project, flights)
    moved = project.ledger.events(types=[EventType.REF_MOVED])
    assert [event.subject for event in moved] == ["datasets/flights@latest"]


@pytest.mark.usefixtures("later")
def test_only_what_changed_is_read(project: Project, flights: Path, reads: list[Path]) -> None:
    add(project, flights)
    assert len(reads) == 12
    reads.clear()
    assert not add(project, flights).changed
    assert reads == []
    (flights / "03" / "flights.csv").write_text("another month entirely\n")
    assert add(project, flights).number == 2
    assert reads == [flights.resolve() / "03" / "flights.csv"]


@pytest.mark.usefixtures("later")
def test_what_the_store_lost_is_read_again(
    project: Project, flights: Path, reads: list[Path]
) -> None:
    version = add(project, flights)
    shutil.rmtree(project.store.root)
    reopened = Project.open(project.root)
    try:
        reads.clear()
        assert add(reopened, flights).digest == version.digest
        assert len(reads) == 12
        assert not reopened.store.missing(
            {version.digest, *reopened.store.tree(version.digest).values()}
        )
    finally:
        reopened.close()


@pytest.mark.usefixtures("later")
def test_what_was_only_looked_at_is_stored_when_it_is_added(
    project: Project, flights: Path
) -> None:
    """`status` knows a file's digest before the store has it."""
    from tricord.data import worktree

    first = add(project, flights)
    (flights / "03" / "flights.csv").write_text("only looked at\n")
    assert worktree.against(project, flights, first.digest).changed == ("03/flights.csv",)
    second = add(project, flights)
    digest = project.store.tree(second.digest)["03/flights.csv"]
    assert project.store.read(digest) == b"only looked at\n"


def test_a_file_is_a_dataset_of_its_own(project: Project) -> None:
    file = project.root / "planes.csv"
    file.write_text("tail\nN1\n")
    version = add(project, file)
    assert (version.name, version.artifact.format) == ("planes", "csv")
    assert pointers.read(project.root / "planes.csv.tricord").path == "planes.csv"
    file.write_text("tail\nN2\n")
    assert add(project, file).number == 2


def test_a_pointer_keeps_what_people_said(project: Project, flights: Path) -> None:
    add(project, flights, name="departures", origin={"kind": "url", "url": "https://x"})
    pointer = pointers.get(project.root, "departures")
    said = pointers.Pointer.from_text(pointer.to_text() + '\n[about]\nlicence = "CC0"\n', "here")
    pointers.write(project.root, said)
    (flights / "13").write_text("13\n")
    assert add(project, flights).name == "departures"
    after = pointers.get(project.root, "departures")
    assert (after.about, after.origin) == (said.about, said.origin)
    assert after.digest != pointer.digest


def test_an_empty_file_that_is_no_table_is_a_marker(project: Project) -> None:
    place = project.root / "_SUCCESS"
    place.touch()
    version = add(project, place, name="done")
    assert (version.artifact.size, project.store.read(version.digest)) == (0, b"")
    assert not add(project, place).changed
    place.unlink()
    checkout(project, "done")
    assert place.read_bytes() == b""


def test_what_lies_elsewhere_is_recorded_without_a_pointer(
    project: Project, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    version = add(project, outside)
    assert version.artifact.meta["source"] == str(outside.resolve())
    assert not list(tmp_path.rglob("*.csv.tricord"))


def test_what_a_program_keeps_below_tricord_is_recorded_without_a_pointer(
    project: Project,
) -> None:
    folder = project.folder / "replay" / "flights"
    folder.mkdir(parents=True)
    (folder / "01.csv").write_text("x")
    version = add(project, folder)
    assert version.artifact.meta["source"] == ".tricord/replay/flights"
    assert [file.name for file in folder.parent.iterdir()] == ["flights"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "the project itself"),
        ("..", "a folder that the project is in"),
        (".tricord", "Tricord's own"),
        (".tricord/store", "Tricord's own"),
        (".tricord/store/packs", "Tricord's own"),
        (".tricord/ledger.sqlite", "Tricord's own"),
        ("tricord.toml", "Tricord's own"),
        (".git", "Git's own"),
        ("sub/.git", "Git's own"),
        ("data/flights.tricord", "a pointer, not data"),
        ("data/flights/03", "lies in the dataset data/flights"),
        ("data", "another dataset lies in this folder"),
        ("nothing", "no such file"),
        ("data/flights/03/flights.csv/x", "no such file"),
        ("empty", "nothing in it"),
        ("empty.csv", "nothing in it"),
        ("empties", "nothing in it"),
        ("pipe", "neither a file nor a folder"),
        ("socket", "neither a file nor a folder"),
        ("dangling", "no such file"),
        ("with/flights.csv", "there is a dataset flights already"),
        ("---", "not a name"),
        ("\udcff", "not valid UTF-8"),
    ],
)
def test_what_can_be_no_dataset_is_told(
    project: Project, flights: Path, path: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(project, flights)
    monkeypatch.chdir(project.root)
    for folder in (".git", "sub/.git", "empty", "empties/in", "with"):
        Path(folder).mkdir(parents=True)
    for file in ("empty.csv", "empties/a", "empties/in/b"):
        Path(file).write_text("")
    for file in (".git/config", "sub/.git/config", "with/flights.csv", "---"):
        Path(file).write_text("x")
    os.mkfifo("pipe")
    Path("dangling").symlink_to("nowhere")
    before = project.ledger.refs()
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind("socket")
        with pytest.raises(DataError, match=message):
            add(project, Path(path))
    assert project.ledger.refs() == before
    assert [file.name for file in pointers.files(project.root)] == ["flights.tricord"]


def test_a_name_without_room_for_its_pointers_suffix_is_told(project: Project) -> None:
    most = os.pathconf(project.root, "PC_NAME_MAX")
    before = project.ledger.refs()
    for name in ("x" * most, "é" * ((most - 6) // 2)):
        (project.root / name).write_text("x")
        with pytest.raises(DataError, match="the name is too long"):
            add(project, project.root / name, name="long")
    assert project.ledger.refs() == before
    fits = project.root / ("x" * (most - len(".tricord")))
    fits.write_text("x")
    assert add(project, fits, name="long").number == 1
    folder = project.root / "folder"
    folder.mkdir()
    (folder / ("y" * most)).write_text("y")
    assert add(project, folder).number == 1


def test_what_is_in_a_pointers_place_is_told(project: Project) -> None:
    for name in ("d", "e"):
        (project.root / name).write_text("x")
    (project.root / "d.tricord").mkdir()
    (project.root / "e.tricord").symlink_to("nowhere")
    for name in ("d", "e"):
        with pytest.raises(DataError, match="where its pointer belongs"):
            add(project, project.root / name)
    assert project.ledger.refs() == {}


def test_another_name_for_a_place_that_has_one_is_told(project: Project, flights: Path) -> None:
    add(project, flights)
    with pytest.raises(DataError, match="is the dataset flights, not departures") as told:
        add(project, flights, name="departures")
    assert told.value.hint
    assert told.value.hint.startswith("tricord mv ")


def test_a_file_that_changes_while_it_is_added_is_told(
    project: Project, flights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Ingest.add_files

    def changing(self: Ingest, paths: list[str], *rest: object, **named: object) -> object:
        found = real(self, paths, *rest, **named)
        (flights / "05" / "flights.csv").write_text("edited, and longer than before\n")
        return found

    monkeypatch.setattr(Ingest, "add_files", changing)
    with pytest.raises(DataError, match="changed while it was being added"):
        add(project, flights)
    assert not project.ledger.refs()
    assert not list(pointers.files(project.root))


def test_one_file_that_changes_while_it_is_added_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project.root / "one.csv"
    file.write_text("a,b\n")
    real = Ingest.add_files

    def changing(self: Ingest, paths: list[str], *rest: object, **named: object) -> object:
        found = real(self, paths, *rest, **named)
        file.write_text("edited, and longer than before\n")
        return found

    monkeypatch.setattr(Ingest, "add_files", changing)
    with pytest.raises(DataError, match="changed while it was being added"):
        add(project, file)
    assert not project.ledger.refs()


def test_a_name_is_made_of_the_paths(project: Project) -> None:
    for file, name in (("a b (1).csv", "a-b-1-"), (".hidden.csv", "hidden"), ("é.csv", "é")):
        (project.root / file).write_text("x")
        assert add(project, project.root / file).name == name


def test_put_path_does_not_read_twice(
    project: Project, flights: Path, reads: list[Path], later: None
) -> None:
    first = project.put_path(flights, kind=Kind.VALUE)
    reads.clear()
    assert project.put_path(flights, kind=Kind.VALUE) == first
    assert reads == []


def test_a_killed_add_is_completed_by_the_next(project: Project, flights: Path) -> None:
    """Killed where the ledger has moved and the pointer is not written yet."""
    script = f"""
import os, sys
from pathlib import Path
from tricord.data import versions
from tricord.project.project import Project
versions.ignoring.hide = lambda *_: os.kill(os.getpid(), 9)
versions.add(Project.open({str(project.root)!r}), Path({str(flights)!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=120, check=False)
    assert done.returncode == -9
    assert not list(pointers.files(project.root))
    version = add(project, flights)
    assert not version.changed
    assert pointers.get(project.root, "flights").digest == version.digest
