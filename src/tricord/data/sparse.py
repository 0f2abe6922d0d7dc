"""Sparse checkouts: a dataset of which only some files were ever brought to the work tree, as after
`tricord pull 'flights/2013-*'` in a clone.

A note beside the one in `.tricord/laid/` lists the files that were brought. What a version has besides
them, and is not there, never came: nobody removed it. Without a note all of a dataset came.
"""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tricord.core.files import replace_text
from tricord.core.pointer import Pointer
from tricord.project.project import Project
from tricord.store import digest as digests
from tricord.store.tree import Entry

_SUFFIX = ".sparse"


def brought(project: Project, path: str) -> frozenset[str] | None:
    """The files of the dataset at `path` that were brought; None where all of it was.

    A note that is not readable lists none: files that are not there are then kept, not removed.
    """
    try:
        found = json.loads(_file(project, path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return frozenset()
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def begins(project: Project, pointer: Pointer) -> None:
    """Some files are about to be brought. Where nothing of the dataset is there, it is sparse from now on."""
    place = project.root / pointer.path
    if os.path.lexists(place) and not (place.is_dir() and not any(place.iterdir())):
        return
    note(project, pointer.path, ())


def came(project: Project, path: str, files: Iterable[str]) -> None:
    """These files were brought, besides those that were there already. Nothing to note where all of it was."""
    before = brought(project, path)
    if before is not None:
        note(project, path, {*before, *files})


def note(project: Project, path: str, files: Collection[str]) -> None:
    """Only these files of the dataset at `path` are in the work tree."""
    file = _file(project, path)
    file.parent.mkdir(exist_ok=True)
    replace_text(file, json.dumps(sorted(files), ensure_ascii=False))


def whole(project: Project, path: str) -> None:
    """All of the dataset at `path` was brought, or it is gone."""
    _file(project, path).unlink(missing_ok=True)


def move(project: Project, path: str, to: str) -> None:
    """The data at `path` is now at `to`."""
    with suppress(FileNotFoundError):
        _file(project, path).replace(_file(project, to))


def lacking(
    project: Project, path: str, version: Mapping[str, Entry], there: Collection[str]
) -> tuple[str, ...]:
    """The files of a version of the dataset at `path` that never came: neither there nor brought before,
    and with nothing in their way."""
    known = brought(project, path)
    if known is None:
        return ()
    folders = {folder for file in there for folder in _folders(file)}
    return tuple(
        sorted(
            file
            for file in version.keys() - set(there) - known - folders
            if not any(folder in there for folder in _folders(file))
        )
    )


def _folders(path: str) -> list[str]:
    """
    >>> _folders("a/b/c")
    ['a', 'a/b']
    """
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _file(project: Project, path: str) -> Path:
    return project.folder / "laid" / f"{digests.of_bytes(path.encode())[:32]}{_SUFFIX}"
