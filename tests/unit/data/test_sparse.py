"""A dataset of which only a part was brought: what never came was not removed."""

import shutil
from pathlib import Path

import pytest

from tricord.cli.main import main
from tricord.core.errors import ObjectMissing
from tricord.data import pointers, sparse
from tricord.data.checkout import checkout
from tricord.data.moving import move, untrack
from tricord.data.overview import Dataset, Standing, overview
from tricord.data.versions import add
from tricord.data.worktree import Changes
from tricord.project import transfer
from tricord.project.project import Project

FILES = {f"{number:02}.csv": f"n\n{number}\n" for number in range(12)}


@pytest.fixture
def origin(tmp_path: Path) -> Project:
    """A project that has pushed a dataset of 12 files."""
    made = Project.init(tmp_path / "origin")
    with (made.root / "tricord.toml").open("a") as settings:
        settings.write(f'\n[remote.origin]\nurl = "{tmp_path / "remote"}"\n')
    made.close()
    made = Project.open(tmp_path / "origin")
    (made.root / "d").mkdir()
    for name, text in FILES.items():
        (made.root / "d" / name).write_text(text)
    add(made, made.root / "d")
    transfer.push(made)
    made.close()
    return made


@pytest.fixture
def clone(origin: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Git brings of it, and two files that were pulled: 10.csv and 11.csv."""
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("tricord.toml", "d.tricord", ".gitignore"):
        shutil.copy(origin.root / name, root)
    monkeypatch.chdir(root)
    assert main(["pull", "d/1*.csv"]) == 0
    return root


def only(root: Path) -> Dataset:
    project = Project.open(root)
    (found,) = overview(project)
    project.close()
    return found


def adding(root: Path) -> frozenset[str]:
    """Add `d`; the files of the version that it then is."""
    project = Project.open(root)
    try:
        return frozenset(project.store.tree(add(project, root / "d").digest))
    finally:
        project.close()


def test_status_says_how_much_is_here(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = only(clone)
    assert (found.standing, found.next) == (Standing.PARTLY, "tricord pull d")
    assert found.changes == Changes(lacking=tuple(sorted(FILES))[:10])
    capsys.readouterr()
    assert main(["status"]) == 0
    assert "partly checked out, 2 of 12" in capsys.readouterr().out


def test_add_makes_no_version_without_what_never_came(clone: Path) -> None:
    before = (clone / "d.tricord").read_text()
    (clone / "d" / "10.csv").write_text("n\nmine\n")
    with pytest.raises(ObjectMissing, match="only a part of d is here") as caught:
        adding(clone)
    assert caught.value.hint == "tricord fetch d, then tricord add d"
    assert (clone / "d.tricord").read_text() == before
    found = only(clone)
    assert (found.standing, found.next) == (Standing.CHANGED, caught.value.hint)


def test_add_keeps_what_never_came_and_takes_out_what_was_removed(clone: Path) -> None:
    (clone / "d" / "10.csv").write_text("n\nmine\n")
    (clone / "d" / "11.csv").unlink()
    (clone / "d" / "new.csv").write_text("n\nnew\n")
    found = only(clone)
    assert found.changes
    assert (found.changes.removed, len(found.changes.lacking)) == (("11.csv",), 10)
    assert main(["fetch", "d"]) == 0
    assert adding(clone) == {*FILES, "new.csv"} - {"11.csv"}
    pointer = pointers.get(clone, "d")
    assert (pointer.files, pointer.size) == (12, sum(map(len, FILES.values())) - 5 - 5 + 7 + 6)
    found = only(clone)
    assert (found.standing, found.next) == (Standing.PARTLY, "tricord checkout d")
    (clone / "d" / "new.csv").unlink()
    assert adding(clone) == {*FILES} - {"11.csv"}


def test_once_all_of_it_came_what_is_not_there_was_removed(clone: Path) -> None:
    assert main(["pull", "d/0*.csv"]) == 0
    assert only(clone).standing == Standing.UNCHANGED
    assert main(["pull", "d"]) == 0
    (clone / "d" / "00.csv").unlink()
    assert only(clone).changes == Changes(removed=("00.csv",))
    assert adding(clone) == {*FILES} - {"00.csv"}


def test_a_file_brought_back_makes_nothing_sparse(project: Project) -> None:
    place = project.root / "d"
    place.mkdir()
    for name, text in FILES.items():
        (place / name).write_text(text)
    add(project, place)
    for name in ("00.csv", "01.csv"):
        (place / name).unlink()
    checkout(project, "d", ["00.csv"])
    assert overview(project)[0].changes == Changes(removed=("01.csv",))


def test_the_note_goes_with_the_data(clone: Path) -> None:
    project = Project.open(clone)
    move(project, "d", "e")
    assert sparse.brought(project, "d") is None
    assert sparse.brought(project, "e") == {"10.csv", "11.csv"}
    (found,) = overview(project)
    assert found.standing == Standing.PARTLY
    untrack(project, "d")
    assert sparse.brought(project, "e") is None
    project.close()


def test_a_file_in_the_way_of_what_never_came_takes_its_place(clone: Path) -> None:
    assert main(["fetch", "d"]) == 0
    (clone / "d" / "00.csv").mkdir()
    (clone / "d" / "00.csv" / "in").write_text("x")
    assert adding(clone) == {*FILES, "00.csv/in"} - {"00.csv"}
