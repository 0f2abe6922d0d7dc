"""Solving a conflict where content is not here, where work is unsaved, where the dataset is one file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tricord.cli.main import main
from tricord.core.artifact import Digest
from tricord.core.errors import DataError, ObjectMissing
from tricord.core.pointer import Pointer
from tricord.data import pointers
from tricord.data.merging import compare, resolve
from tricord.data.versions import add
from tricord.project import conflicts, datasets
from tricord.project.project import Project


def in_conflict(project: Project, ours: Pointer, theirs: Pointer) -> Path:
    """Write the pointer as Git leaves it, both versions of the whole text between marks."""
    file = pointers.pointer_file(project.root, ours.path)
    file.write_text(f"<<<<<<< HEAD\n{ours.to_text()}=======\n{theirs.to_text()}>>>>>>> other\n")
    return file


@pytest.fixture
def sides(project: Project, monkeypatch: pytest.MonkeyPatch) -> tuple[Pointer, Pointer]:
    """Two versions of the one-file dataset `rows`; the second is in the work tree."""
    monkeypatch.chdir(project.root)
    found: list[Pointer] = []
    for text in ("one", "two"):
        Path("rows.csv").write_text(text)
        add(project, Path("rows.csv"))
        found.append(pointers.get(project.root, "rows"))
    return found[0], found[1]


def test_one_file_that_both_changed_is_a_clash(
    project: Project, sides: tuple[Pointer, Pointer]
) -> None:
    in_conflict(project, *sides)
    merged = compare(project, conflicts.get(project.root, "rows"))
    assert merged
    assert merged.clashes == ("",)
    with pytest.raises(DataError, match=r"both sides changed rows\.csv"):
        resolve(project, "rows", "merge")
    done = resolve(project, "rows", "merge", prefer="ours")
    assert done.pointer == sides[0]
    assert Path("rows.csv").read_text() == "one"


def test_a_side_whose_content_is_not_here_solves_the_pointer(
    project: Project, sides: tuple[Pointer, Pointer]
) -> None:
    theirs = replace(sides[1], digest=Digest("0" * 64))
    in_conflict(project, sides[1], theirs)
    assert compare(project, conflicts.get(project.root, "rows")) is None
    with pytest.raises(ObjectMissing, match="a merge needs both sides") as caught:
        resolve(project, "rows", "merge")
    assert caught.value.hint
    done = resolve(project, "rows", "theirs")
    assert (done.absent, done.brought) == (True, None)
    assert pointers.get(project.root, "rows") == theirs
    assert Path("rows.csv").read_text() == "two"


def test_unsaved_work_stands_in_the_way(project: Project, sides: tuple[Pointer, Pointer]) -> None:
    file = in_conflict(project, *sides)
    before = file.read_text()
    Path("rows.csv").write_text("my work")
    with pytest.raises(DataError, match="saved nowhere"):
        resolve(project, "rows", "ours")
    assert (Path("rows.csv").read_text(), file.read_text()) == ("my work", before)
    resolve(project, "rows", "ours", force=True)
    assert Path("rows.csv").read_text() == "one"


def test_what_people_say_of_it_is_merged_too(
    project: Project, sides: tuple[Pointer, Pointer]
) -> None:
    ours = replace(sides[0], about={"owner": "Ada"}, tags={"good": sides[0].digest})
    theirs = replace(sides[0], about={"licence": "CC0-1.0"}, tags={"bad": sides[1].digest})
    in_conflict(project, ours, theirs)
    done = resolve(project, "rows", "merge")
    assert done.pointer
    assert done.pointer.about == {"owner": "Ada", "licence": "CC0-1.0"}
    assert done.pointer.tags == {"good": sides[0].digest, "bad": sides[1].digest}


@pytest.fixture
def deleted(project: Project, monkeypatch: pytest.MonkeyPatch, git: Callable[..., str]) -> Path:
    """The dataset `rows`, whose new version this branch has, while the branch merged in deleted it."""
    monkeypatch.chdir(project.root)
    root = project.root
    git(root, "init", "-q", "-b", "main")
    Path("rows").mkdir()
    Path("rows/a").write_text("one")
    add(project, Path("rows"))
    Path("code.py").write_text("1")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    git(root, "switch", "-qc", "other")
    git(root, "rm", "-q", "rows.tricord")
    git(root, "commit", "-qm", "gone")
    git(root, "switch", "-q", "main")
    Path("rows/a").write_text("two")
    add(project, Path("rows"))
    git(root, "commit", "-qam", "two")
    git(root, "merge", "-q", "other", fails=True)
    return root / "rows"


def test_a_deletion_stops_at_unsaved_work(
    project: Project, deleted: Path, git: Callable[..., str]
) -> None:
    (deleted / "a").write_text("my work")
    with pytest.raises(DataError, match="saved nowhere: a") as caught:
        resolve(project, "rows", "theirs")
    assert "tricord resolve rows --theirs --force" in (caught.value.hint or "")
    assert (deleted / "a").read_text() == "my work"
    assert conflicts.get(project.root, "rows").theirs is None, "nothing of the conflict is solved"
    assert Path(".gitignore").read_text() == "/rows\n"
    done = resolve(project, "rows", "theirs", force=True)
    assert done.brought
    assert done.brought.removed == 1
    assert not deleted.exists()
    assert not Path(".gitignore").exists()
    assert not git(project.root, "ls-files", "rows.tricord")


def test_a_deletion_that_is_taken_removes_what_is_saved(project: Project, deleted: Path) -> None:
    done = resolve(project, "rows", "theirs")
    assert (done.pointer, done.brought and done.brought.removed) == (None, 1)
    assert not deleted.exists()
    assert not Path("rows.tricord").exists()
    assert conflicts.find_all(project.root) == []


def test_a_deletion_removes_the_data_beside_its_pointer_only(
    project: Project, deleted: Path, git: Callable[..., str]
) -> None:
    """A folder may be moved with its pointers: where one stands counts, not the path in its text."""
    root = project.root
    git(root, "merge", "--abort")
    git(root, "switch", "-qc", "moved")
    Path("new").mkdir()
    deleted.rename("new/rows")
    git(root, "mv", "rows.tricord", "new/rows.tricord")
    git(root, "commit", "-qm", "moved by hand")
    git(root, "switch", "-qc", "gone")
    git(root, "rm", "-q", "new/rows.tricord")
    git(root, "commit", "-qm", "gone")
    git(root, "switch", "-q", "moved")
    Path("new/rows/a").write_text("three")
    add(project, Path("new/rows"))
    pointer = Path("new/rows.tricord")  # as a move by hand leaves it
    pointer.write_text(pointer.read_text().replace('path = "new/rows"', 'path = "rows"'))
    deleted.mkdir()
    (deleted / "a").write_text("one")
    add(project, deleted, name="others")
    git(root, "add", ".")
    git(root, "commit", "-qm", "another dataset where it was")
    git(root, "merge", "-q", "gone", fails=True)
    resolve(project, "rows", "theirs")
    assert not Path("new/rows").exists()
    assert (deleted / "a").read_text() == "one"
    assert pointers.get(root, "others").path == "rows"


ORIGINS = {side: {"kind": "url", "url": f"https://{side}"} for side in ("base", "ours", "theirs")}


def test_tags_and_origin_are_merged_three_ways(
    project: Project, sides: tuple[Pointer, Pointer], git: Callable[..., str]
) -> None:
    root, file = project.root, pointers.pointer_file(project.root, "rows.csv")
    one, two = (side.digest for side in sides)

    def commit(tags: dict[str, Digest], origin: str) -> None:
        pointer = replace(sides[0], tags=tags, origin=ORIGINS[origin])
        file.write_text(pointer.to_text())
        git(root, "add", "rows.csv.tricord")
        git(root, "commit", "-qm", origin)

    git(root, "init", "-q", "-b", "main")
    commit({"gone": one, "moved": one, "both": one, "stays": one}, "base")
    git(root, "switch", "-qc", "other")
    commit({"moved": two, "both": Digest("0" * 64), "stays": one}, "theirs")
    git(root, "switch", "-q", "main")
    commit({"gone": one, "moved": one, "both": two, "stays": one}, "base")
    git(root, "merge", "-q", "other", fails=True)
    merged = compare(project, conflicts.get(root, "rows"))
    assert merged
    assert (merged.clashes, merged.said) == ((), ("tag both",))
    done = resolve(project, "rows", "merge")
    assert done.pointer
    assert done.pointer.tags == {"moved": two, "both": two, "stays": one}
    assert done.pointer.origin == ORIGINS["theirs"]
    assert done.merged
    assert done.merged.said == ("tag both",)


def test_where_both_changed_the_origin_it_is_told(
    project: Project, sides: tuple[Pointer, Pointer]
) -> None:
    for prefer, kept in ((None, "ours"), ("theirs", "theirs")):
        in_conflict(
            project,
            replace(sides[0], origin=ORIGINS["ours"]),
            replace(sides[0], origin=ORIGINS["theirs"]),
        )
        done = resolve(project, "rows", "merge", prefer=prefer)  # pyright: ignore[reportArgumentType]
        assert done.pointer
        assert done.pointer.origin == ORIGINS[kept]
        assert done.merged
        assert done.merged.said == ("origin",)


def test_a_merge_says_what_was_merged(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    Path("rows").mkdir()
    found: list[Pointer] = []
    for name in ("a", "b", "c"):
        Path(f"rows/{name}").write_text(name)
        add(project, Path("rows"))
        found.append(pointers.get(project.root, "rows"))
        if name != "a":
            Path(f"rows/{name}").unlink()
    file = pointers.pointer_file(project.root, "rows")
    base, ours, theirs = (each.to_text() for each in found)
    file.write_text(f"<<<<<<< HEAD\n{ours}||||||| base\n{base}=======\n{theirs}>>>>>>> other\n")
    resolve(project, "rows", "merge")
    made = datasets.versions(project, "rows")[-1]
    assert (made.number, made.why) == (4, "merged v2 and v3")
    assert sorted(path.name for path in Path("rows").iterdir()) == ["a", "b", "c"]
    monkeypatch.chdir(project.root)
    file.write_text(f"<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> other\n")
    resolve(project, "rows", "ours")
    moves = project.ledger.moves(datasets.ref_of("rows"))
    assert moves[-1].why == "ours, v2, taken in a conflict with v3"


def test_one_file_is_named_and_no_merge_is_offered(
    project: Project, sides: tuple[Pointer, Pointer], capsys: pytest.CaptureFixture[str]
) -> None:
    in_conflict(project, *sides)
    assert main(["resolve"]) == 0
    shown = capsys.readouterr().out
    assert "both changed 1 file: rows.csv" in shown
    assert "next: tricord resolve rows --ours or --theirs\n" in shown


def test_a_clash_within_a_folder_offers_to_prefer_a_side(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.root)
    Path("rows").mkdir()
    found: list[Pointer] = []
    for text in ("1", "2"):
        Path("rows/a").write_text(text)
        add(project, Path("rows"))
        found.append(pointers.get(project.root, "rows"))
    in_conflict(project, *found)
    assert main(["resolve", "rows"]) == 0
    shown = capsys.readouterr().out
    assert "both changed 1 file: a\n" in shown
    assert "next: tricord resolve rows --ours, --theirs or --merge --prefer ours\n" in shown
