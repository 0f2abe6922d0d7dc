"""Pointers that two branches changed: what each side says, from Git's index or from the marks it left."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tricord.core.errors import DataError, NotRecorded
from tricord.core.pointer import SUFFIX, Pointer, is_conflicted
from tricord.project import git, pointers

_OURS, _BASE, _MIDDLE, _THEIRS = "<" * 7, "|" * 7, "=" * 7, ">" * 7


@dataclass(frozen=True, slots=True)
class Conflict:
    """One conflicted pointer file. A side is None where that branch deleted it, `base` where the two
    branches have no version in common (or Git did not keep it)."""

    file: Path
    base: Pointer | None
    ours: Pointer | None
    theirs: Pointer | None

    @property
    def name(self) -> str:
        side = self.ours or self.theirs
        return side.name if side else self.file.name.removesuffix(SUFFIX)


def find_all(root: Path) -> list[Conflict]:
    """Every conflicted pointer of the work tree, sorted by file. DataError for one that says nothing."""
    unmerged = _unmerged(root)
    found: list[Conflict] = []
    for file in sorted({*unmerged, *_marked(root)}):
        stages = unmerged.get(file, {})
        if stages:
            texts = [_blob(root, stages[stage]) if stage in stages else None for stage in (1, 2, 3)]
        else:
            texts = [*_sides(file.read_text(encoding="utf-8"), str(file))]
        base, ours, theirs = (_pointer(text, file) for text in texts)
        found.append(Conflict(file, base, ours, theirs))
    return found


def get(root: Path, name_or_path: str) -> Conflict:
    """The conflict of a dataset by its name, its data's path or its pointer file. NotRecorded where
    there is none."""
    known = find_all(root)
    text = name_or_path.removesuffix(SUFFIX)
    places = {os.path.normpath(base / (text + SUFFIX)) for base in (Path.cwd(), root)}
    for conflict in known:
        if conflict.name == name_or_path or str(conflict.file) in places:
            return conflict
    raise NotRecorded(
        f"no conflict in the pointer of {name_or_path!r}",
        where=", ".join(conflict.name for conflict in known) or None,
        hint="tricord status",
    )


def mark_resolved(root: Path, file: Path) -> bool:
    """Tell Git that the conflict is solved as the file now stands (or is gone). False outside Git."""
    return _git(root, "--literal-pathspecs", "add", "-A", "--", str(file)) is not None


def _unmerged(root: Path) -> dict[Path, dict[int, str]]:
    """Pointer file → stage (1 base, 2 ours, 3 theirs) → blob, from Git's index."""
    listed = _git(root, "ls-files", "--unmerged", "-z", "--", ".")
    found: dict[Path, dict[int, str]] = {}
    for line in (listed or b"").split(b"\0"):
        head, tab, name = line.partition(b"\t")
        if tab and name.endswith(SUFFIX.encode()):
            _, blob, stage = head.decode().split(" ")
            found.setdefault(root / os.fsdecode(name), {})[int(stage)] = blob
    return found


def _marked(root: Path) -> list[Path]:
    """Pointer files with a conflict's marks in them, whatever the index says."""
    found: list[Path] = []
    for file in pointers.files(root):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):  # whoever reads it as a pointer says why
            continue
        if is_conflicted(text):
            found.append(file)
    return found


def _sides(text: str, where: str) -> tuple[str | None, str, str]:
    """Base, ours and theirs of a text with marks; the base is known only where Git wrote it (diff3).

    >>> _sides("a\\n<<<<<<< HEAD\\nb\\n=======\\nc\\n>>>>>>> x\\nd\\n", "")
    (None, 'a\\nb\\nd\\n', 'a\\nc\\nd\\n')
    """
    sides: dict[str, list[str]] = {_OURS: [], _BASE: [], _THEIRS: []}
    inside: str | None = None
    has_base = False
    for line in text.splitlines(keepends=True):
        mark = line[:7] if re.match(r"(<{7}|\|{7}|={7}|>{7})( |$)", line) else None
        if mark is None:
            for side in sides if inside is None else (inside,):
                sides[side].append(line)
        elif mark == _OURS:
            inside = _OURS
        elif mark == _BASE:
            inside, has_base = _BASE, True
        elif mark == _MIDDLE:
            inside = _THEIRS
        else:
            inside = None
    if inside is not None:
        raise DataError("a conflict's marks are not closed", where=where, hint="git merge --abort")
    base = "".join(sides[_BASE]) if has_base else None
    return base, "".join(sides[_OURS]), "".join(sides[_THEIRS])


def _pointer(text: str | None, file: Path) -> Pointer | None:
    return None if text is None else Pointer.from_text(text, str(file))


def _blob(root: Path, blob: str) -> str:
    data = _git(root, "cat-file", "blob", blob)
    if data is None:
        raise DataError("Git does not give one side of the conflict", where=blob, hint="git fsck")
    return data.decode("utf-8", "replace")


def _git(root: Path, *words: str) -> bytes | None:
    """What Git says; None where it fails or is not there: then the marks alone say."""
    said = git.ask(root, *words)
    return said.out if said and not said.code else None
