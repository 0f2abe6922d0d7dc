"""Pointer files of a work tree: `data/flights` has its pointer beside it, in `data/flights.tricord`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tricord.core.config import FILE
from tricord.core.errors import DataError, NotRecorded, PointerConflict
from tricord.core.files import replace_text
from tricord.core.pointer import SUFFIX, Pointer, check_path
from tricord.core.spelling import quoted

_SKIPPED = frozenset({".git", ".tricord", ".venv", "node_modules", "__pycache__"})
"""Folders that no pointer is looked for in; nor in a virtual environment, nor in another project, which
in a fresh clone has its settings only, nor in another repository, as a submodule is."""
_NOT_OURS = frozenset({"pyvenv.cfg", ".tricord", ".git", FILE})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A pointer file of the work tree that says nothing, as one in conflict does: what it is called, the
    path of its data, and why."""

    name: str
    path: str
    problem: DataError

    @property
    def is_conflict(self) -> bool:
        return isinstance(self.problem, PointerConflict)


def pointer_file(project_root: Path, path: str) -> Path:
    """Where the pointer of the data at `path` (relative to the root) is kept."""
    return project_root / (check_path(path) + SUFFIX)


def read(file: Path, project_root: Path | None = None) -> Pointer:
    """The pointer in a file. With `project_root`, where the file stands says what it points at, so
    that a folder may be moved with its pointers. DataError; a conflict that Git left is one too."""
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError("not a pointer: not UTF-8", where=str(file)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from error
    pointer = Pointer.from_text(text, str(file))
    if project_root is None:
        return pointer
    place = file.relative_to(project_root).as_posix().removesuffix(SUFFIX)
    return pointer if place == pointer.path else replace(pointer, path=check_path(place))


def write(project_root: Path, pointer: Pointer) -> Path:
    """Write a pointer to its place, atomically; a file that says the same already stays untouched."""
    file = pointer_file(project_root, pointer.path)
    text = pointer.to_text()
    try:
        if file.read_bytes() == text.encode():
            return file
    except OSError:  # new, or unreadable: then writing says why
        pass
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, text)
    except OSError as error:
        raise DataError(
            f"the pointer cannot be written: {error.strerror}",
            where=str(file),
            hint="check the space, what stands there, and who owns the folder",
        ) from error
    return file


def files(project_root: Path) -> Iterator[Path]:
    """Every pointer file of the work tree, sorted by folder. The data that one stands for is not entered."""
    waiting = [str(project_root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                children = sorted(found, key=lambda child: child.name, reverse=True)
        except OSError:  # gone meanwhile, or not ours to read: no pointer of ours is in it
            continue
        names = {child.name for child in children}
        if folder != str(project_root) and not _NOT_OURS.isdisjoint(names):
            continue
        here: list[str] = []
        for child in children:
            if child.name in _SKIPPED:
                continue
            if child.is_dir(follow_symlinks=False):
                if child.name + SUFFIX not in names:
                    waiting.append(child.path)
            elif child.name.endswith(SUFFIX) and child.is_file(follow_symlinks=False):
                here.append(child.path)
        yield from (Path(path) for path in reversed(here))


def read_all(project_root: Path) -> tuple[dict[str, Pointer], list[Unreadable]]:
    """Every dataset that the work tree has a pointer of, by name; and those that cannot be read, of two of
    one name the second: one of them must not stop what is done with the others."""
    found: dict[str, Pointer] = {}
    unreadable: list[Unreadable] = []
    for file in files(project_root):
        try:
            pointer = read(file, project_root)
            if pointer.name in found:
                raise DataError(
                    f"two pointers are named {pointer.name}",
                    where=f"{found[pointer.name].path}{SUFFIX} and {pointer.path}{SUFFIX}",
                    hint=f"tricord untrack {quoted(pointer.path)}",
                )
            found[pointer.name] = pointer
        except DataError as problem:
            unreadable.append(unreadable_at(file, project_root, problem))
        except ValueError as error:  # a place where no pointer can be
            problem = DataError(str(error), where=str(file), hint="tricord status")
            unreadable.append(unreadable_at(file, project_root, problem))
    return dict(sorted(found.items())), unreadable


def unreadable_at(file: Path, project_root: Path, problem: DataError) -> Unreadable:
    """What is known of a pointer file that cannot be read."""
    path = file.relative_to(project_root).as_posix().removesuffix(SUFFIX)
    name = problem.name if isinstance(problem, PointerConflict) else Path(path).name
    return Unreadable(name, path, problem)


def find_all(project_root: Path) -> dict[str, Pointer]:
    """Every dataset that the work tree has a pointer of, by name. DataError for a pointer that
    cannot be read, and for two of one name."""
    found, unreadable = read_all(project_root)
    if unreadable:
        raise unreadable[0].problem
    return found


def get(project_root: Path, name_or_path: str | Path) -> Pointer:
    """The pointer of a dataset as somebody names it: its name, its data's path or its own file's.

    A word with a `/` in it, or with the suffix of pointers, is a path; any other is a name first.
    NotRecorded where there is none, DataError where it cannot be read, and for a word that is the name
    of one dataset and the place of another.
    """
    text = str(name_or_path)
    file = file_at(project_root, text)
    if file and (os.sep in text or text.endswith(SUFFIX)):
        return read(file, project_root)
    try:
        named = by_name(project_root, text)
    except NotRecorded:
        if file is None:
            raise
        return read(file, project_root)
    if file and file != pointer_file(project_root, named.path):
        place = file.relative_to(project_root).as_posix().removesuffix(SUFFIX)
        one, other = (_typed(project_root, path) for path in (named.path, place))
        raise DataError(
            f"{text} is the name of the dataset at {named.path}, and the place of another",
            where=str(file),
            hint=f"type {one} for the first, {other} for the second",
        )
    return named


def by_name(project_root: Path, name: str) -> Pointer:
    """The pointer of the dataset of that name, whatever paths there are. NotRecorded where there is none,
    DataError where it cannot be read."""
    known, unreadable = read_all(project_root)
    if name in known:
        return known[name]
    for each in unreadable:
        if each.name == name:
            raise each.problem
    raise NotRecorded(
        f"no dataset {name!r} in this work tree",
        where=", ".join(known) or None,
        hint="tricord status",
    )


def at(project_root: Path, path: str) -> Pointer | None:
    """The pointer of the data at `path` (relative to the root); None where there is none. DataError where
    it cannot be read."""
    file = pointer_file(project_root, path)
    return read(file, project_root) if file.is_file() else None


def file_at(project_root: Path, text: str) -> Path | None:
    """The pointer file that a path means: from the working folder, else from the root. None where there is none."""
    for folder in (Path.cwd(), project_root):
        base = (folder / text.removesuffix(SUFFIX)).resolve()
        file = base.with_name(base.name + SUFFIX) if base.name else base
        if base.name and file.is_relative_to(project_root) and file.is_file():
            return file
    return None


def _typed(project_root: Path, path: str) -> str:
    """A path as it can be typed in the working folder, and not be taken for a name."""
    typed = os.path.relpath(project_root / path)
    return typed if os.sep in typed else f".{os.sep}{typed}"
