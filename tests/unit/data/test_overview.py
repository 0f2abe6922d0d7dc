"""Where datasets stand: pointer against ledger against work folder."""

import os
import shutil
from pathlib import Path

import pytest

from tricord.data import pointers, worktree
from tricord.data.overview import Dataset, Standing, overview
from tricord.data.versions import add
from tricord.data.worktree import Changes
from tricord.project.project import Project
from tricord.store import workspace


@pytest.fixture
def flights(project: Project) -> Path:
    folder = project.root / "flights"
    (folder / "in").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "in/c.csv"):
        (folder / name).write_text(name)
    add(project, folder)
    return folder


def only(project: Project) -> Dataset:
    (found,) = overview(project)
    return found


def test_unchanged(project: Project, flights: Path) -> None:
    found = only(project)
    assert (found.standing, found.number, found.files, found.next) == (
        Standing.UNCHANGED, 1, 3, None,
    )  # fmt: skip
    assert found.changes == Changes()


def test_an_unchanged_folder_is_not_read(
    project: Project, flights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year on every file is settled; from the second look on, nothing is opened or hashed."""
    from tricord.store.state import State

    real = State.now
    monkeypatch.setattr(State, "now", lambda self: real(self) + 10**18)
    overview(project)
    monkeypatch.setattr(workspace, "read_digest", _must_not)
    monkeypatch.setattr(type(project.store), "entries", _must_not)
    assert only(project).standing == Standing.UNCHANGED


def _must_not(*_: object) -> None:
    raise AssertionError("read")


def test_changed_files_are_named(project: Project, flights: Path) -> None:
    (flights / "a.csv").write_text("x.csv")  # of the same length
    (flights / "b.csv").unlink()
    (flights / "new.csv").write_text("new")
    (flights / "in" / "c.csv").chmod(0o755)
    found = only(project)
    assert found.standing == Standing.CHANGED
    assert found.changes == Changes(("new.csv",), ("b.csv",), ("a.csv", "in/c.csv"))
    assert found.next == "tricord add flights"
    assert found.to_json()["changed"] == [
        "1 added: new.csv", "1 removed: b.csv", "2 changed: a.csv, in/c.csv",
    ]  # fmt: skip


def test_a_file_in_place_of_a_folder_and_the_other_way_round(
    project: Project, flights: Path
) -> None:
    single = project.root / "planes.csv"
    single.write_text("x")
    add(project, single)
    single.unlink()
    single.mkdir()
    (single / "x").write_text("x")
    shutil.rmtree(flights)
    flights.write_text("x")
    assert {each.name: each.changes for each in overview(project)} == {
        "flights": Changes(changed=("flights",)),
        "planes": Changes(changed=("planes.csv",)),
    }


def test_not_checked_out(project: Project, flights: Path) -> None:
    shutil.rmtree(flights)
    found = only(project)
    assert (found.standing, found.next) == (Standing.ABSENT, "tricord checkout flights")


def test_not_in_the_store(project: Project, flights: Path) -> None:
    pointer = pointers.get(project.root, "flights")
    lost = pointers.Pointer("flights", "flights", pointer.digest[::-1], "tree", 1, 1)
    pointers.write(project.root, lost)
    assert only(project).standing == Standing.MISSING
    shutil.rmtree(flights)
    found = only(project)
    assert (found.standing, found.next) == (Standing.MISSING, "tricord pull flights")


def test_the_pointer_of_another_branch(project: Project, flights: Path) -> None:
    first = pointers.get(project.root, "flights")
    (flights / "a.csv").write_text("version two")
    add(project, flights)
    pointers.write(project.root, first)  # as `git switch` does
    found = only(project)
    assert (found.standing, found.next) == (Standing.OTHER, "tricord checkout flights")
    assert found.problem == "the work folder holds v2, its pointer names v1"


def test_a_conflict_does_not_hide_the_others(project: Project, flights: Path) -> None:
    (project.root / "planes.csv").write_text("x")
    add(project, project.root / "planes.csv")
    file = pointers.pointer_file(project.root, "flights")
    text = file.read_text()
    file.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    conflicted, fine = overview(project)
    assert (conflicted.name, conflicted.standing) == ("flights", Standing.CONFLICT)
    assert conflicted.next == "tricord resolve flights"
    assert fine.standing == Standing.UNCHANGED


def test_what_cannot_be_read_is_told(project: Project, flights: Path) -> None:
    os.mkfifo(flights / "pipe")
    assert only(project).standing == Standing.UNREADABLE
    (project.root / "odd.tricord").write_text("nonsense")
    assert [each.standing for each in overview(project)] == [Standing.UNREADABLE] * 2


def test_what_was_added_elsewhere_on_another_machine_is_left_alone(
    project: Project, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("x")
    add(project, outside)
    assert only(project).standing == Standing.UNCHANGED
    outside.write_text("y")
    assert only(project).changes == Changes(changed=("outside.csv",))
    outside.unlink()
    found = only(project)
    assert (found.standing, found.changes, found.next) == (Standing.ELSEWHERE, None, None)


def test_tags_belong_to_their_dataset(project: Project, flights: Path) -> None:
    digest = pointers.get(project.root, "flights").digest
    project.move("datasets/flights@reviewed", digest, why="looked at")
    assert only(project).tags == {"reviewed": digest}


def test_ignored_files_are_no_change(project: Project, flights: Path) -> None:
    (project.root / ".tricordignore").write_text("*.tmp\n")
    (flights / "x.tmp").write_text("x")
    assert only(project).standing == Standing.UNCHANGED
    assert not worktree.compare(project, pointers.get(project.root, "flights"))
