"""Files of a dataset as somebody names them on a command line: a file, a folder, a pattern."""

import os
from fnmatch import fnmatchcase
from pathlib import Path


def names(root: Path, path: str, text: str) -> tuple[str, ...]:
    """The names within the dataset at `path` that a word can stand for: as it is, seen from the working
    folder, seen from the root. '' is all of the dataset."""
    seen = (_inside(root / path, text, base) for base in (Path.cwd(), root))
    return tuple(dict.fromkeys((text.rstrip("/"), *(name for name in seen if name is not None))))


def matches(file: str, name: str) -> bool:
    """Whether a name stands for a file: its own, a folder's that it is below, or a pattern.

    >>> matches("a/b.csv", "a"), matches("a/b.csv", "*.csv"), matches("a", "b")
    (True, True, False)
    """
    return not name or file == name or file.startswith(f"{name}/") or fnmatchcase(file, name)


def _inside(place: Path, text: str, base: Path) -> str | None:
    full = os.path.normpath(base / text)
    if full == str(place):
        return ""
    top = f"{place}{os.sep}"
    return full.removeprefix(top) if full.startswith(top) else None
