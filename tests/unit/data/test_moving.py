"""Moving, removing and untracking: data, pointer, ignore line and ref go together, and no work is lost."""

from contextlib import suppress
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


def stopped(*arguments: object, **named: object) -> None:
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


STEPS = [(ignoring, "hide"), (ignoring, "unhide"), (leftovers, "note"), (leftovers, "forget"),
         (pointers, "write"), (Path, "rename"), (Path, "unlink"), (Project, "move")]  # fmt: skip


@pytest.mark.parametrize("name", ["flights", "planes"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("step", STEPS, ids=[name for _, name in STEPS])
def test_a_move_that_is_stopped_anywhere_is_done_by_the_same_command(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch, step, late: bool, name: str
) -> None:
    """Stopped before or after the first, the second … call of each thing that changes something."""
    datasets.tag(project, datasets.resolve(project, "flights"), "good")
    digest = pointers.get(project.root, "flights").digest
    whole, attribute = step
    real = getattr(whole, attribute)
    for call in range(1, 9):
        left = call

        def stops(*words: object, real=real, **more: object) -> object:
            nonlocal left
            left -= 1
            if left == 0 and not late:
                raise KeyboardInterrupt
            done = real(*words, **more)
            if left == 0:
                raise KeyboardInterrupt
            return done

        to, new = f"raw/{call}/planes", f"{name}-{call}" if name != "flights" else "flights"
        (old,) = pointers.find_all(project.root).values()
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(whole, attribute, stops)
            move(project, old.name, to, name=new)
        try:
            moved = move(project, old.name, to, name=new)
        except (DataError, NotRecorded):  # it had finished
            moved = pointers.get(project.root, new)
        assert pointers.find_all(project.root) == {new: moved}, call
        assert pointers.read(project.root / f"{to}.tricord") == moved
        assert (moved.path, moved.digest) == (to, digest)
        assert (project.root / to / "a.csv").read_text() == "1"
        assert not (project.root / old.path).exists()
        assert datasets.names(project) == [new]
        assert datasets.tags(project, new) == {"good": digest}
        assert ignored((project.root / old.path).parent) == ""
        assert ignored((project.root / to).parent) == "/planes\n"
        assert not leftovers.noted(project, old.path)
        assert leftovers.noted(project, to)
        if left > 0:  # it has no more such calls
            break


@pytest.mark.parametrize("step", [(Project, "move"), (ignoring, "unhide"), (Path, "unlink")], ids=["move", "unhide", "unlink"])  # fmt: skip
def test_untracking_that_is_stopped_is_done_by_the_same_command(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch, step
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(*step, stopped)
        with pytest.raises(KeyboardInterrupt):
            untrack(project, "flights")
    untrack(project, "flights")
    assert pointers.find_all(project.root) == {}
    assert datasets.names(project) == []
    assert ignored(project.root / "data") == ""


@pytest.mark.parametrize("act", [untrack, remove])
def test_a_copy_of_a_pointer_goes_without_the_latest_of_the_good_one(
    project: Project, place: Path, act
) -> None:
    copy = project.root / "z.tricord"
    copy.write_text(pointers.pointer_file(project.root, "data/flights").read_text())
    act(project, "./z")
    assert not copy.exists()
    assert list(pointers.find_all(project.root)) == ["flights"]
    assert datasets.names(project) == ["flights"]
    assert (place / "a.csv").read_text() == "1"
