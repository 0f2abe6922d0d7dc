"""Moving, removing and no longer tracking a dataset: data, pointer, Git's ignore line and ref together.

Each can be stopped at any instruction and done again by the same command: the data goes first, then refs
and the ignore line, and the pointer last, in one rename, so that there is one pointer at any moment.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tricord.core.errors import DataError
from tricord.core.pointer import Pointer, check_name, check_path, overlap
from tricord.data import checkout, ignoring, laying, leftovers, pointers, sparse
from tricord.project import datasets
from tricord.project.project import Project


@dataclass(frozen=True, slots=True)
class Removed:
    """A dataset that is gone from the work tree, or that nobody tracks any more."""

    name: str
    path: str
    files: int


def move(project: Project, what: str, to: str, *, name: str | None = None) -> Pointer:
    """Move a dataset's data and pointer to another place, and give it another `name` if one is given.

    `to` is the new place, or a folder to put it in. The versions of a dataset that gets another name
    stay under the old one; the new one begins with this version and has its tags. DataError where
    something is at the new place.
    """
    pointer = pointers.get(project.root, what)
    path = _place(project, pointer, to)
    moved = replace(pointer, path=path, name=check_name(name or pointer.name))
    if moved == pointer:
        if _is_written(project, pointer):
            raise DataError(f"{pointer.name} is there already", where=pointer.path)
        pointers.write(project.root, moved)  # all that a move that was stopped had left to do
        return moved
    if moved.name != pointer.name and moved.name in pointers.read_all(project.root)[0]:
        raise DataError(
            f"there is a dataset {moved.name} already", hint=f"tricord mv {what} {to} --name NAME"
        )
    if moved.path != pointer.path:
        _move_data(project, pointer, moved)
    if moved.name != pointer.name:
        _rename(project, pointer, moved)
    if moved.path != pointer.path:
        ignoring.unhide(project.root, pointer.path)
        leftovers.forget(project, pointer.path)
        file = pointers.pointer_file(project.root, moved.path)
        _move_file(pointers.pointer_file(project.root, pointer.path), file)
    pointers.write(project.root, moved)
    return moved


def _is_written(project: Project, pointer: Pointer) -> bool:
    """Whether the pointer's file says what stands at its place; one that was moved may say another path."""
    file = pointers.pointer_file(project.root, pointer.path)
    return pointers.read(file) == pointer


def remove(project: Project, what: str, *, force: bool = False) -> Removed:
    """Remove a dataset's data, pointer and latest ref. Its versions stay on record, and their content in
    the store, until a collection is told to drop what history alone needs.

    DataError where the data has changes that are saved nowhere, unless `force`.
    """
    pointer = pointers.get(project.root, what)
    anyway = f"tricord rm {pointer.name} --force"
    removed = checkout.clear(project, pointer, force=force, anyway=anyway)
    _forget(project, pointer, why=f"removed from {pointer.path}")
    return Removed(pointer.name, pointer.path, removed)


def untrack(project: Project, what: str) -> Removed:
    """Remove a dataset's pointer and latest ref, and let Git see the data again, which stays as it is."""
    pointer = pointers.get(project.root, what)
    _forget(project, pointer, why=f"no longer tracked at {pointer.path}")
    return Removed(pointer.name, pointer.path, 0)


def _forget(project: Project, pointer: Pointer, *, why: str) -> None:
    leftovers.forget(project, pointer.path)
    ref = datasets.ref_of(pointer.name)
    if project.ledger.ref(ref) is not None and not _has_twin(project, pointer):
        project.move(ref, None, why=why)
    ignoring.unhide(project.root, pointer.path)
    pointers.pointer_file(project.root, pointer.path).unlink(missing_ok=True)


def _has_twin(project: Project, pointer: Pointer) -> bool:
    """Whether another pointer, a copy perhaps, bears the same name: then its latest stays."""
    for file in pointers.files(project.root):
        with suppress(DataError):  # one in conflict is told of elsewhere
            other = pointers.read(file, project.root)
            if other.name == pointer.name and other.path != pointer.path:
                return True
    return False


def _place(project: Project, pointer: Pointer, to: str) -> str:
    """The new path, relative to the root. An existing folder, or a name that ends with /, is put into."""
    full = Path(os.path.normpath(Path.cwd() / to))
    if to.endswith(os.sep) or (full.is_dir() and not _is_its_own(project, pointer, full)):
        full /= Path(pointer.path).name
    if not full.is_relative_to(project.root):
        raise DataError("the new place lies outside the project", where=str(full))
    try:
        path = check_path(full.relative_to(project.root).as_posix())
    except ValueError as error:
        raise DataError(str(error), where=str(full)) from error
    laying.check_place(project.root, full)
    known, unreadable = pointers.read_all(project.root)
    for other in (*known.values(), *unreadable):
        if other.path != pointer.path and overlap(path, other.path):
            raise DataError(f"the new place is that of {other.name}", where=other.path)
    if path != pointer.path and overlap(path, pointer.path):
        raise DataError("a dataset cannot be moved into itself", where=path)
    return path


def _is_its_own(project: Project, pointer: Pointer, full: Path) -> bool:
    """Whether a folder is the dataset itself: where it is, or where a try that was stopped put it."""
    place = project.root / pointer.path
    if full == place or not full.is_relative_to(project.root):
        return full == place
    path = full.relative_to(project.root).as_posix()
    return not os.path.lexists(place) and leftovers.noted(project, path)


def _move_data(project: Project, pointer: Pointer, moved: Pointer) -> None:
    source, target = project.root / pointer.path, project.root / moved.path
    here = os.path.lexists(source)
    if here and os.path.lexists(target):
        raise DataError("there is something already, and it is not overwritten", where=str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    ignoring.hide(project.root, moved.path)
    leftovers.note(project, moved)  # so that a move that is stopped here can go on
    if here:  # else it was moved already, or never checked out
        _move_file(source, target)
        sparse.move(project, pointer.path, moved.path)


def _move_file(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        raise DataError(
            f"cannot be moved: {error.strerror}",
            where=f"{source} → {target}",
            hint="choose a place on the same file system",
        ) from error


def _rename(project: Project, pointer: Pointer, moved: Pointer) -> None:
    """The new name begins where the old one stands; the old one is on record, and has no latest."""
    why = f"renamed from {pointer.name}"
    checkout.record(project, moved, why=why)
    for label, digest in datasets.tags(project, pointer.name).items():
        project.move(datasets.ref_of(moved.name, label), digest, why=why)
    old = datasets.ref_of(pointer.name)
    if project.ledger.ref(old) is not None:
        project.move(old, None, why=f"renamed to {moved.name}")
