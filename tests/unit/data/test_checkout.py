"""Versions in the work tree: only what differs is written, and no unsaved work is lost."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import DataError, NotRecorded, ObjectMissing, StoreError
from tricord.data import laying, leftovers, pointers, seeing, worktree
from tricord.data.checkout import checkout, checkout_all, target
from tricord.data.versions import add
from tricord.project import datasets
from tricord.project.project import Project
from tricord.store.state import Mark
from tricord.store.tree import Entry

Files = Mapping[str, str]
FIRST = {"a.csv": "1", "b.csv": "2", "sub/c.csv": "3", "sub/deep/d.csv": "4"}
SECOND = {"a.csv": "changed", "b.csv": "2", "sub": "now a file", "e/f.csv": "new"}


def put(folder: Path, files: Files) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def found(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.fixture
def place(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work folder of `flights`, of which FIRST is v1 and SECOND v2, which is there now."""
    monkeypatch.chdir(project.root)
    folder = project.root / "data" / "flights"
    put(folder, FIRST)
    add(project, folder)
    for name in FIRST:
        (folder / name).unlink()
    (folder / "sub" / "deep").rmdir()
    (folder / "sub").rmdir()
    put(folder, SECOND)
    add(project, folder)
    return folder


def test_a_version_is_laid_out_by_what_differs(project: Project, place: Path) -> None:
    brought = checkout(project, "flights@v1")
    assert found(place) == FIRST
    assert (brought.written, brought.removed, brought.same) == (3, 2, 1)
    assert not (place / "e").exists()
    assert pointers.get(project.root, "flights").digest == brought.digest
    assert pointers.get(project.root, "flights").files == 4
    assert project.ledger.ref("datasets/flights@latest") == brought.digest
    assert checkout(project, "flights@v2").written == 3
    assert found(place) == SECOND
    assert not worktree.compare(project, pointers.get(project.root, "flights"))


def test_a_whole_folder_comes_back_from_its_pointer(project: Project, place: Path) -> None:
    shutil.rmtree(place)
    assert checkout(project, "flights").written == 4
    assert found(place) == SECOND
    assert checkout(project, "data/flights").same == 4


@pytest.mark.parametrize("what", ["flights@v1", "flights@1", "flights@first", "data/flights@v1"])
def test_versions_are_named_as_anywhere(project: Project, place: Path, what: str) -> None:
    datasets.tag(project, datasets.resolve(project, "flights@v1"), "first")
    checkout(project, what)
    assert found(place) == FIRST


def test_parts_are_brought_and_the_pointer_stays(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = pointers.get(project.root, "flights")
    brought = checkout(project, "flights@v1", ["a.csv"])
    assert (brought.written, brought.removed) == (1, 0)
    assert found(place) == {**SECOND, "a.csv": "1"}
    assert pointers.get(project.root, "flights") == now
    assert project.ledger.ref("datasets/flights@latest") == now.digest
    checkout(project, "flights", ["data/flights/a.csv"])
    assert found(place) == SECOND
    (place / "sub").unlink()
    checkout(project, "flights@v1", ["sub"])
    assert found(place)["sub/deep/d.csv"] == "4"
    monkeypatch.chdir(place / "sub")
    (place / "sub" / "c.csv").unlink()
    checkout(project, "flights@v1", ["c.csv"])
    assert found(place)["sub/c.csv"] == "3"
    with pytest.raises(NotRecorded, match=r"no file 'nothing\.csv'"):
        checkout(project, "flights@v1", ["nothing.csv"])


def test_unsaved_changes_stop_it_before_anything_is_touched(project: Project, place: Path) -> None:
    put(place, {"a.csv": "my work", "b.csv": "mine too"})
    before = found(place)
    with pytest.raises(DataError, match=r"saved nowhere: a\.csv, b\.csv") as caught:
        checkout(project, "flights@v1")
    assert caught.value.hint
    assert "--force" in caught.value.hint
    assert found(place) == before
    with pytest.raises(DataError, match="saved nowhere"):
        checkout(project, "flights", ["a.csv"])
    checkout(project, "flights", ["a.csv"], force=True)
    assert found(place) == {**SECOND, "b.csv": "mine too"}
    checkout(project, "flights@v1", force=True)
    assert found(place) == FIRST


def test_new_files_stay_unless_they_are_in_the_way(project: Project, place: Path) -> None:
    put(place, {"mine.csv": "mine", "e/mine.csv": "mine"})
    brought = checkout(project, "flights@v1")
    assert brought.kept == ("e/mine.csv", "mine.csv")
    assert found(place) == {**FIRST, "mine.csv": "mine", "e/mine.csv": "mine"}
    put(place, {"sub/mine.csv": "where v2 has a file"})
    with pytest.raises(DataError, match=r"saved nowhere: sub/mine\.csv"):
        checkout(project, "flights@v2")
    checkout(project, "flights@v2", force=True)
    assert found(place) == SECOND


def test_a_file_that_is_edited_while_it_runs_stays(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files = project.store.write_files

    def edits(*arguments: Any, **options: Any) -> list[Mark]:
        marks = write_files(*arguments, **options)
        put(place, {"a.csv": "edited just now", "sub": "and this, that would go"})
        return marks

    with monkeypatch.context() as patch:
        patch.setattr(project.store, "write_files", edits)
        with pytest.raises(DataError, match="was changed while flights was being checked out"):
            checkout(project, "flights@v1", force=False)
    assert found(place)["a.csv"] == "edited just now"
    assert found(place)["sub"] == "and this, that would go"


def test_a_file_that_appears_while_it_runs_stays(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files = project.store.write_files
    (place / "b.csv").unlink()

    def edits(*arguments: Any, **options: Any) -> list[Mark]:
        marks = write_files(*arguments, **options)
        put(place, {"b.csv": "came just now"})
        return marks

    monkeypatch.setattr(project.store, "write_files", edits)
    with pytest.raises(DataError, match=r"b\.csv was changed"):
        checkout(project, "flights")
    assert found(place)["b.csv"] == "came just now"


def test_the_execute_bit_is_part_of_a_version(project: Project, place: Path) -> None:
    (place / "b.csv").chmod(0o755)
    add(project, place)
    checkout(project, "flights@v2")
    assert not (place / "b.csv").stat().st_mode & 0o100
    checkout(project, "flights@v3")
    assert (place / "b.csv").stat().st_mode & 0o100


def test_one_file_and_its_execute_bit(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    file = project.root / "one.csv"
    for text in ("a", "b"):
        file.write_text(text)
        add(project, file)
    file.chmod(0o755)
    assert checkout(project, "one@v1").written == 1
    assert file.read_text() == "a"
    assert file.stat().st_mode & 0o100
    file.write_text("edited")
    with pytest.raises(DataError, match=r"saved nowhere: one\.csv"):
        checkout(project, "one@v2")
    file.unlink()
    checkout(project, "one@v2")
    assert file.read_text() == "b"


def test_a_file_becomes_a_folder_and_back(project: Project, place: Path) -> None:
    shutil.rmtree(place)
    place.write_text("one file now")
    add(project, place)
    checkout(project, "flights@v1")
    assert found(place) == FIRST
    checkout(project, "flights@v3")
    assert place.read_text() == "one file now"


def test_nothing_is_written_through_a_link(project: Project, place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (place / "sub").unlink()
    (place / "sub").symlink_to(outside)
    with pytest.raises(DataError):
        checkout(project, "flights@v1", force=True)
    with pytest.raises(DataError, match="symbolic link"):
        checkout(project, "flights@v1", ["sub"], force=True)
    assert not list(outside.iterdir())
    (place / "sub").unlink()
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    with pytest.raises(DataError, match="symbolic link"):
        checkout(project, "flights@v1")
    assert found(tmp_path / "moved")["a.csv"] == "changed"


def test_ignored_files_stay_and_are_still_saved_from_overwriting(
    project: Project, place: Path
) -> None:
    (project.root / ".tricordignore").write_text("*.csv\n")
    put(place, {"a.csv": "ignored and edited"})
    with pytest.raises(DataError, match=r"saved nowhere: a\.csv"):
        checkout(project, "flights@v1")
    checkout(project, "flights@v1", force=True)
    assert found(place) == {**FIRST, "e/f.csv": "new"}


@pytest.mark.parametrize("link", ["auto", "copy", "reflink", "hardlink"])
def test_edits_never_reach_the_store(project: Project, place: Path, link: str) -> None:
    try:
        checkout(project, "flights@v1", link=link)
    except StoreError:  # a file system that has none
        assert link == "reflink"
        return
    for name in FIRST:
        (place / name).unlink()
        (place / name).write_text("x")
    checkout(project, "flights@v1", link=link, force=True)
    assert found(place) == FIRST


def test_content_that_is_not_here_says_what_to_pull(project: Project, place: Path) -> None:
    here = pointers.get(project.root, "flights")
    pointers.write(project.root, pointers.Pointer(
        "other", "data/other", here.digest[:-4] + "0000", "tree", 1, 1  # pyright: ignore[reportArgumentType]
    ))  # fmt: skip
    with pytest.raises(ObjectMissing) as caught:
        checkout(project, "other")
    assert caught.value.hint == "tricord pull other"
    done = {brought.name: brought for brought in checkout_all(project)}
    assert isinstance(done["other"].problem, ObjectMissing)
    assert done["flights"].same == 4


def test_what_is_unknown_is_told(project: Project, place: Path) -> None:
    for what in ("flihgts", "flights@v9", "flights@nothing", "flihgts@v1"):
        with pytest.raises(NotRecorded):
            checkout(project, what)
    assert target(project, "flights").files == 4


def test_saved_means_that_it_can_be_brought_back(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content of a recorded version that the store no longer has is as good as unsaved."""
    missing = project.store.missing

    def lost(digests: Any) -> Any:
        asked = set(digests)
        gone = {seeing.look(project, place).files["a.csv"].digest}
        return missing(asked) | (asked & gone)

    monkeypatch.setattr(project.store, "missing", lost)
    with pytest.raises(DataError, match=r"saved nowhere: a\.csv"):
        checkout(project, "flights@v1")


@pytest.mark.parametrize("path", [".git/hooks/post-checkout", "sub/.GIT/config", ".tricord/x"])
def test_a_version_reaches_nothing_of_gits_or_ours(
    project: Project, place: Path, path: str
) -> None:
    digest = project.store.put_bytes(b"evil")
    with project.store.ingest() as ingest:
        made = ingest.add_tree([Entry(path, digest, 4, executable=True)])
    artifact = Artifact(made, Kind.DATASET, "tree", 4, {"source": "data/flights"})
    datasets.record(project, "flights", artifact, why="from somewhere")
    with pytest.raises(DataError, match="Git's or Tricord's own"):
        checkout(project, "flights@latest")
    assert found(place) == SECOND


def test_data_left_behind_goes_only_where_it_is_saved(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, {"mine.csv": "mine"})
    pointers.pointer_file(project.root, "data/flights").unlink()
    assert checkout_all(project) == []  # deleted by hand, as far as anybody can tell
    monkeypatch.setattr(leftovers.git, "is_on_another_branch", lambda root, path: True)
    (brought,) = checkout_all(project)
    assert (brought.removed, brought.kept) == (4, ("mine.csv",))
    assert found(place) == {"mine.csv": "mine"}
    assert checkout_all(project) == []


def test_notes_of_places_are_expendable(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers.git, "is_on_another_branch", lambda root, path: True)
    notes = project.folder / "laid"
    pointers.pointer_file(project.root, "data/flights").unlink()
    for text in ("", "[]", '{"name": "x", "path": "../../x"}', '{"name": 1}'):
        (notes / "bad.json").write_text(text)
        assert leftovers.left_behind(project, {}) == {"data/flights": "flights"}
        assert not (notes / "bad.json").exists()
    leftovers.forget(project, "data/flights")
    assert leftovers.left_behind(project, {}) == {}


def test_status_need_not_read_what_was_laid_out(project: Project, place: Path) -> None:
    checkout(project, "flights@v1")
    sight = seeing.look(project, place)
    assert {path: seen.digest for path, seen in sight.files.items()} == dict(
        project.store.tree(target(project, "flights").digest)
    )


def test_a_place_outside_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="outside"):
        laying.check_place(project.root, tmp_path / "elsewhere")


def test_a_dataset_from_elsewhere_has_no_place(project: Project, tmp_path: Path) -> None:
    (tmp_path / "far.csv").write_text("x")
    add(project, tmp_path / "far.csv")
    with pytest.raises(DataError, match="no place in this work tree") as caught:
        checkout(project, "far@v1")
    assert caught.value.hint == "tricord data path far@v1"


@pytest.mark.parametrize("other", ["data/flights", "data/flights/late", "data"])
def test_no_version_is_brought_to_another_datasets_place(
    project: Project, place: Path, other: str
) -> None:
    pointers.pointer_file(project.root, "data/flights").unlink()
    shutil.rmtree(place)
    folder = project.root / other
    put(folder, {"x.csv": "x"})
    add(project, folder, name="other")
    with pytest.raises(DataError, match="the place of flights is that of other here"):
        checkout(project, "flights@v1")
    assert list(pointers.find_all(project.root)) == ["other"]
    assert (folder / "x.csv").read_text() == "x"
    assert target(project, "flights@v1").path == "data/flights", "looking at it is no matter"


def test_what_another_branch_left_and_cannot_be_removed_is_told(
    project: Project, place: Path, git: Callable[..., str]
) -> None:
    git(project.root, "init", "-q", "-b", "main")
    git(project.root, "add", ".")
    git(project.root, "commit", "-qm", "flights")
    git(project.root, "switch", "-q", "--orphan", "empty")
    os.mkfifo(place / "pipe")
    (left,) = checkout_all(project)
    assert left.problem
    assert "pipe" in str(left.problem)
    assert found(place) == SECOND
