"""Laying out where several names lead to one file, and where something that is ignored is in the way."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tricord.core.errors import DataError
from tricord.data import laying, pointers, worktree
from tricord.data.checkout import checkout
from tricord.data.moving import remove
from tricord.data.versions import add
from tricord.project.project import Project

Files = Mapping[str, str]
FIRST = {"a.csv": "1", "b.csv": "2", "sub/c.csv": "3", "sub/deep/d.csv": "4"}


def put(folder: Path, files: Files) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def found(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


LINKED = {"a": "x", "b": "x", "c": "x", "n": "1"}


@pytest.fixture(params=["symbolic", "hard"])
def linked(project: Project, request: pytest.FixtureRequest) -> Path:
    """The dataset `linked`: v1 has one file, v2 its names through links, v3 the last of these only."""
    folder = project.root / "linked"
    put(folder, {"n": "1"})
    add(project, folder)
    put(folder, {"c": "x"})
    (folder / "n").write_text("3")
    add(project, folder)
    (folder / "c").unlink()
    put(folder, {"a": "x", "n": "1"})
    for name, to in (("b", "a"), ("c", "b")):
        if request.param == "hard":
            (folder / name).hardlink_to(folder / to)
        else:
            (folder / name).symlink_to(to)
    add(project, folder)
    assert found(folder) == LINKED
    return folder


def test_files_with_links_to_them_are_removed_together(project: Project, linked: Path) -> None:
    assert checkout(project, "linked@v1").removed == 3
    assert sorted(path.name for path in linked.iterdir()) == ["n"]
    checkout(project, "linked@v3")
    assert found(linked) == LINKED
    assert remove(project, "linked").files == 4
    assert not linked.exists()


def test_a_link_to_what_goes_becomes_a_file(project: Project, linked: Path) -> None:
    checkout(project, "linked@v2")
    assert found(linked) == {"c": "x", "n": "3"}
    assert (linked / "c").lstat().st_nlink == 1
    assert not worktree.compare(project, pointers.get(project.root, "linked"))


def test_what_is_replaced_through_links_is_no_edit(project: Project, linked: Path) -> None:
    for name in ("b", "c"):
        (linked / name).unlink()
    put(linked, {"a": "new", "b": "newer", "c": "newest"})
    add(project, linked)
    checkout(project, "linked@v4")
    for name in ("b", "c"):
        (linked / name).unlink()
        (linked / name).symlink_to("a")
    (linked / "a").write_text("x")
    assert checkout(project, "linked@v4").written == 3
    assert found(linked) == {"a": "new", "b": "newer", "c": "newest", "n": "1"}


def test_a_link_that_leads_elsewhere_meanwhile_stays(
    project: Project, linked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = laying._remove  # pyright: ignore[reportPrivateUsage]

    def late(*arguments: Any) -> None:
        (linked / "b").unlink()
        (linked / "b").write_text("mine")
        real(*arguments)

    monkeypatch.setattr(laying, "_remove", late)
    with pytest.raises(DataError, match="b was changed"):
        checkout(project, "linked@v1")
    assert (linked / "b").read_text() == "mine"


@pytest.mark.parametrize(
    ("ignored", "shown"),
    [({"sub": "a file"}, "sub is in the way"), ({"a.csv/mine.txt": "x"}, "a.csv/mine.txt is in")],
)
@pytest.mark.parametrize("force", [False, True])
def test_an_ignored_file_in_the_way_is_told_before_anything_is_touched(
    project: Project, ignored: Files, shown: str, force: bool
) -> None:
    place = project.root / "flights"
    put(place, FIRST)
    add(project, place)
    shutil.rmtree(place)
    put(place, {"b.csv": "2", **ignored})
    (project.root / ".tricordignore").write_text("mine.txt\n/flights/sub\n")
    with pytest.raises(DataError, match=f"^{shown}.*, as it is ignored"):
        checkout(project, "flights@v1", force=force)
    assert found(place) == {"b.csv": "2", **ignored}
    shutil.rmtree(place / "sub", ignore_errors=True)
    for name in ignored:
        (place / name).unlink()
    checkout(project, "flights@v1", force=force)
    assert found(place) == FIRST
