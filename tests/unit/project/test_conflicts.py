"""A pointer in conflict: its sides are found in Git's marks, whatever style Git wrote them in."""

from dataclasses import replace
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, NotRecorded
from tricord.core.pointer import Pointer
from tricord.project import conflicts, pointers
from tricord.project.project import Project

OURS = Pointer("flights", "data/flights", Digest("a" * 64), "tree", 10, 2)
THEIRS = replace(OURS, digest=Digest("b" * 64), size=20, files=3)
BASE = replace(OURS, digest=Digest("c" * 64), size=5, files=1)


def marked(*, diff3: bool) -> str:
    """Both sides' texts as Git merges them: lines that differ between marks."""
    lines: list[str] = []
    texts = [side.to_text().splitlines() for side in (OURS, BASE, THEIRS)]
    for ours, base, theirs in zip(*texts, strict=True):
        if ours == theirs:
            lines.append(ours)
        else:
            middle = ["||||||| c0ffee", base] if diff3 else []
            lines += ["<<<<<<< HEAD", ours, *middle, "=======", theirs, ">>>>>>> other"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("diff3", [False, True])
def test_both_sides_are_read_from_the_marks(project: Project, diff3: bool) -> None:
    file = pointers.write(project.root, OURS)
    file.write_text(marked(diff3=diff3))
    (found,) = conflicts.find_all(project.root)
    assert (found.ours, found.theirs) == (OURS, THEIRS)
    assert found.base == (BASE if diff3 else None)
    for name in ("flights", str(file), str(file).removesuffix(".tricord")):
        assert conflicts.get(project.root, name) == found


def test_marks_that_are_not_closed_are_told(project: Project) -> None:
    file = pointers.write(project.root, OURS)
    file.write_text(marked(diff3=False).partition(">>>>>>>")[0])
    with pytest.raises(DataError, match="not closed"):
        conflicts.find_all(project.root)


def test_without_a_conflict_there_is_none(project: Project) -> None:
    pointers.write(project.root, OURS)
    (project.root / "bad.tricord").write_bytes(b"\xff\xfe")
    assert conflicts.find_all(project.root) == []
    with pytest.raises(NotRecorded, match="no conflict in the pointer of 'flights'"):
        conflicts.get(project.root, "flights")


def test_outside_git_nobody_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(Path(project.root).parent))
    file = pointers.write(project.root, OURS)
    assert not conflicts.mark_resolved(project.root, file)
