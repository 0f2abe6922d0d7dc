"""Moving, removing and untracking: data, pointer, ignore line and ref go together, and no work is lost."""

from pathlib import Path

import pytest

from tricord.core.errors import DataError, NotRecorded
from tricord.data import ignoring, leftovers, pointers
from tricord.data.checkout import checkout
from tricord.data.moving import move, remove, untrack
from tricord.data.versions import add
from tricord.project import datasets
from tricord.project.project import Project


@pytest.fixture
def place(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`data/flights` with two files, added as the dataset `flights`."""
    monkeypatch.chdir(project.root)
    folder = project.root / "data" / "flights"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / "b.csv").write_text("2")
    add(project, folder)
    return folder


def ignored(folder: Path) -> str:
    file = folder / ".gitignore"
    return file.read_text() if file.exists() else ""


def test_data_moves_with_its_pointer_and_its_ignore_line(project: Project, place: Path) -> None:
    moved = move(project, "flights", "raw/deep/planes")
    root = project.root
    assert (moved.name, moved.path) == ("flights", "raw/deep/planes")
    assert (root / "raw/deep/planes/a.csv").read_text() == "1"
    assert not place.exists()
    assert not pointers.pointer_file(root, "data/flights").exists()
    assert pointers.find_all(root) == {"flights": moved}
    assert ignored(root / "raw" / "deep") == "/planes\n"
    assert ignored(root / "data") == ""
    assert leftovers.left_behind(project, {"flights": moved}) == {}
    assert checkout(project, "flights").same == 2


def test_an_existing_folder_is_moved_into(project: Project, place: Path) -> None:
    (project.root / "raw").mkdir()
    assert move(project, "data/flights", "raw").path == "raw/flights"
    assert move(project, "flights", "new/").path == "new/flights"


def test_another_name_begins_with_this_version_and_its_tags(project: Project, place: Path) -> None:
    digest = datasets.tag(project, datasets.resolve(project, "flights"), "good")
    assert digest
    first = datasets.resolve(project, "flights")
    (place / "a.csv").write_text("changed")
    second = add(project, place)
    moved = move(project, "flights", "data/flights", name="planes")
    assert (moved.name, moved.path) == ("planes", "data/flights")
    assert datasets.resolve(project, "planes").digest == second.digest
    assert datasets.resolve(project, "planes@good").digest == first.digest
    assert datasets.names(project) == ["planes"]
    assert datasets.resolve(project, "flights@v1").digest == first.digest


def test_nothing_is_moved_over_something_or_outside(project: Project, place: Path) -> None:
    (project.root / "taken").write_text("x")
    (project.root / "other.csv").write_text("y")
    add(project, project.root / "other.csv")
    for to, message in (
        ("taken", "something already"),
        ("../outside", "outside the project"),
        (".git/flights", "Git's or Tricord's own"),
        (".tricord/flights", "Git's or Tricord's own"),
        ("data/flights", "there already|into itself"),
        ("data/flights/below", "into itself"),
        ("other.csv", "that of other"),
        ("other.csv/below", "that of other"),
    ):
        with pytest.raises(DataError, match=message):
            move(project, "flights", to)
    with pytest.raises(DataError, match="there is a dataset other"):
        move(project, "flights", "new", name="other")
    with pytest.raises(DataError, match="not a name"):
        move(project, "flights", "new", name="a b")
    assert (place / "a.csv").read_text() == "1"
    assert sorted(pointers.find_all(project.root)) == ["flights", "other"]


def stopped(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_move_that_was_stopped_is_completed(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the data was moved, and before the pointer was."""
    with monkeypatch.context() as patch:
        patch.setattr(pointers, "write", stopped)
        with pytest.raises(KeyboardInterrupt):
            move(project, "flights", "raw/planes")
    assert not place.exists()
    assert move(project, "flights", "raw/planes").path == "raw/planes"
    assert checkout(project, "flights").same == 2
    assert list(pointers.find_all(project.root)) == ["flights"]


def test_data_that_is_not_checked_out_moves_as_a_pointer(project: Project, place: Path) -> None:
    for file in place.iterdir():
        file.unlink()
    place.rmdir()
    move(project, "flights", "raw/flights")
    checkout(project, "flights")
    assert (project.root / "raw" / "flights" / "a.csv").read_text() == "1"


def test_removing_keeps_the_versions(project: Project, place: Path) -> None:
    gone = remove(project, "flights")
    assert (gone.files, place.exists()) == (2, False)
    assert pointers.find_all(project.root) == {}
    assert project.ledger.ref("datasets/flights@latest") is None
    with pytest.raises(NotRecorded):
        datasets.resolve(project, "flights")
    checkout(project, "flights@v1")
    assert (place / "a.csv").read_text() == "1"
    assert datasets.resolve(project, "flights").number == 1


def test_removing_stops_at_unsaved_work(project: Project, place: Path) -> None:
    (place / "a.csv").write_text("my work")
    (place / "new.csv").write_text("new work")
    with pytest.raises(DataError, match=r"saved nowhere: a\.csv, new\.csv"):
        remove(project, "flights")
    assert sorted(path.name for path in place.iterdir()) == ["a.csv", "b.csv", "new.csv"]
    assert remove(project, "flights", force=True).files == 3
    assert not place.exists()


def test_untracking_keeps_the_data(project: Project, place: Path) -> None:
    untrack(project, "data/flights")
    assert (place / "a.csv").read_text() == "1"
    assert pointers.find_all(project.root) == {}
    assert ignored(project.root / "data") == ""
    assert leftovers.left_behind(project, {}) == {}
    assert not ignoring.unhide(project.root, "data/flights")
    assert add(project, place).number == 1


def test_what_is_unknown_is_told(project: Project, place: Path) -> None:
    for act in (remove, untrack):
        with pytest.raises(NotRecorded, match="no dataset 'flihgts'"):
            act(project, "flihgts")
