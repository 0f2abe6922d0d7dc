"""Adding: the files at a place of the work folder become a version of a dataset."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tricord.core.artifact import Artifact, Kind, format_of
from tricord.core.canonical import JSON
from tricord.core.config import FILE as SETTINGS
from tricord.core.errors import DataError, ObjectMissing
from tricord.core.pointer import SUFFIX, Pointer, check_name, check_path
from tricord.core.spelling import quoted
from tricord.data import ignoring, laying, leftovers, pointers, sparse
from tricord.project import datasets
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.project.workfiles import Stored, store_path
from tricord.store.progress import Watch, quiet
from tricord.store.workspace import Scan

_OWN = frozenset({"store", "scratch", "laid"})
"""Folders below `.tricord` that nobody's data is in."""


def add(
    project: Project,
    path: Path,
    *,
    name: str | None = None,
    why: str = "",
    origin: Mapping[str, JSON] | None = None,
    watch: Watch = quiet,
) -> Version:
    """Store a file or folder as the newest version of a dataset. The same bytes change nothing.

    What lies in the project gets a pointer file beside it, and a line in `.gitignore`; a file from
    elsewhere (or below `.tricord`) is stored and recorded only. The name is the one that the pointer has, else `name`, else
    the path's without its suffix. `origin` says where the files were brought from.

    DataError for what cannot be a dataset: the project itself, what is Git's or Tricord's own, a
    pointer, a place within another dataset, a name that another one has, a folder with nothing in it.
    """
    place = _place(project, path)
    here = _pointer_of(project, place)
    if here is None:
        name = check_name(name or _name_of(place))
    elif name not in (None, here.name):
        raise DataError(
            f"{here.path} is the dataset {here.name}, not {name}",
            hint=f"tricord mv {quoted(here.path)} {quoted(here.path)} --name {name}",
        )
    else:
        name = here.name
    below = place.is_relative_to(project.root)
    source = place.relative_to(project.root).as_posix() if below else str(place)
    inside = below and not place.is_relative_to(project.folder)
    if inside and here is None:
        _check_free(project, name, source)
    stored = store_path(
        project.store,
        project.state,
        place,
        ignore=ignoring.rules(project.root, place),
        check=_check_content,
        watch=watch,
    )
    if not stored.size and (stored.is_tree or _is_table(place)):
        raise _nothing_in(place)
    if here is not None and stored.is_tree:
        stored = _with_lacking(project, here, stored)
    artifact = _artifact(place, stored, source)
    version = datasets.record(project, name, artifact, why=why or f"added from {path}")
    if inside:
        made = Pointer(
            name, source, stored.digest, artifact.format, stored.size, stored.files, origin or {}
        )
        if here is not None:
            made = replace(made, origin=origin or here.origin, about=here.about, tags=here.tags)
        ignoring.hide(project.root, source)
        pointers.write(project.root, made)
        leftovers.note(project, made)
    return version


def check_new(project: Project, place: Path, name: str | None, *, hint: str) -> None:
    """DataError where `add` would make no dataset of what is not there yet: its place or name is taken.

    `hint` says how to give it another name. What becomes a folder may have a suffix, too, and is taken
    for a file.
    """
    place = place.parent.resolve() / place.name
    whose = _owner(place, project.root.resolve())
    if whose:
        raise DataError(f"this is {whose} own, not data's place", where=str(place), hint=hint)
    if place.is_relative_to(project.folder) or not place.is_relative_to(project.root):
        return
    here = _pointer_of(project, place)
    wanted = name or (here.name if here else _plain(place.stem))
    try:
        _check_free(project, check_name(wanted), place.relative_to(project.root).as_posix())
    except DataError as error:
        raise DataError(error.what, where=error.where, hint=hint) from error


def _with_lacking(project: Project, here: Pointer, stored: Stored) -> Stored:
    """What was stored, with the files of the version before that never came to this work tree: nobody
    removed them. ObjectMissing where they are not in the store either."""
    if sparse.brought(project, here.path) is None:
        return stored
    now = project.store.entries(stored.digest)
    try:
        before = laying.wanted(project.store, here.digest)
        names = sparse.lacking(project, here.path, before, {entry.path for entry in now})
        if not names:
            return stored
        kept = [before[name] for name in names]
        with project.store.ingest() as ingest:
            if ingest.absent(entry.digest for entry in kept):
                raise ObjectMissing(f"{len(names):,} of its files were never brought here")
            digest = ingest.add_tree([*now, *kept])
    except ObjectMissing as error:
        raise ObjectMissing(
            f"only a part of {here.name} is here, and a version needs the rest of its files too",
            where=here.path,
            hint=f"tricord fetch {here.name}, then tricord add {quoted(here.path)}",
        ) from error
    sparse.note(project, here.path, {entry.path for entry in now})
    size = stored.size + sum(entry.size for entry in kept)
    return Stored(digest, size, stored.files + len(kept), is_tree=True)


def _place(project: Project, path: Path) -> Path:
    """Where the data really is. DataError for what no dataset can be."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            "the name is not valid UTF-8", where=repr(os.fsencode(path)), hint="rename the file"
        ) from error
    try:
        place = path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            "no such file or folder", where=str(path), hint="tricord add PATH"
        ) from error
    except RuntimeError as error:  # a loop of links, before Python 3.13
        raise DataError("a symbolic link that leads nowhere", where=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)[:200]) from error
    root = project.root.resolve()
    if root.is_relative_to(place):
        what = "the project itself" if place == root else "a folder that the project is in"
        raise DataError(
            f"this is {what}, not data",
            where=str(path),
            hint="add the folder in it that holds the data: tricord add data/NAME",
        )
    whose = _owner(place, root)
    if whose:
        raise DataError(f"this is {whose} own, not data", where=str(path), hint="tricord status")
    if place.name.endswith(SUFFIX) and place.is_file():
        raise DataError(
            "this is a pointer, not data",
            where=str(path),
            hint=f"tricord add {str(path).removesuffix(SUFFIX)}",
        )
    if not place.is_file() and not place.is_dir():
        raise DataError(
            "neither a file nor a folder (a socket, FIFO or device), so it has no content to store",
            where=str(path),
        )
    return place


def _owner(place: Path, root: Path) -> str | None:
    """Whose a place is that no dataset may be. What a program of the project keeps in a folder of its own
    below `.tricord`, such as a replay's deliveries, is data."""
    parts = place.relative_to(root).parts if place.is_relative_to(root) else place.parts[-1:]
    if place == root / SETTINGS:
        return "Tricord's"
    if ".git" in parts:
        return "Git's"
    if ".tricord" in parts:
        inner = parts[parts.index(".tricord") + 1 :]
        return "Tricord's" if len(inner) < 2 or inner[0] in _OWN else None
    return None


def _pointer_of(project: Project, place: Path) -> Pointer | None:
    """The pointer beside the data; None where there is none yet. DataError for one in a dataset."""
    if not place.is_relative_to(project.root) or place.is_relative_to(project.folder):
        return None
    path = place.relative_to(project.root).as_posix()
    try:
        check_path(path)
    except ValueError as error:
        raise DataError(str(error), where=str(place)) from error
    _check_length(place)
    for parent in place.relative_to(project.root).parents:
        around = parent.as_posix()
        if around != "." and pointers.pointer_file(project.root, around).is_file():
            raise DataError(
                f"this lies in the dataset {around}",
                where=path,
                hint=f"add that: tricord add {quoted(around)}; or take it apart: tricord untrack {quoted(around)}",
            )
    file = pointers.pointer_file(project.root, path)
    if os.path.lexists(file) and not file.is_file():
        raise DataError(
            "something else is where its pointer belongs", where=str(file), hint="move it away"
        )
    return pointers.read(file, project.root) if file.is_file() else None


def _check_length(place: Path) -> None:
    """DataError where the data's name leaves no room for the pointer's suffix, or its path none."""
    name, path = (len(os.fsencode(text)) + len(SUFFIX) for text in (place.name, str(place)))
    most = os.pathconf(place.parent, "PC_NAME_MAX"), os.pathconf(place.parent, "PC_PATH_MAX") - 1
    for what, length, limit in (("name", name, most[0]), ("path", path, most[1])):
        if length > limit:
            raise DataError(
                f"the {what} is too long: {length - len(SUFFIX)} bytes, and its pointer's, with {SUFFIX} "
                f"after it, may have {limit}",
                where=str(place),
                hint="give it a shorter one, or add the folder that holds it",
            )


def _check_free(project: Project, name: str, path: str) -> None:
    for file in pointers.files(project.root):
        try:
            other = pointers.read(file, project.root)
        except DataError:  # `status` and `resolve` tell of it
            continue
        if other.name == name and other.path != path:
            raise DataError(
                f"there is a dataset {name} already: {other.path}",
                where=path,
                hint=f"give this one another name: tricord add {quoted(path)} --name NAME",
            )


def _check_content(scanned: Scan) -> None:
    if not scanned.size:
        raise _nothing_in(Path(scanned.top))
    for folder in scanned.folders:
        for name in folder.names:
            if name.endswith(SUFFIX):
                raise DataError(
                    f"another dataset lies in this folder: {folder.prefix}{name}",
                    where=scanned.top,
                    hint=f"tricord untrack {folder.absolute}/{name.removesuffix(SUFFIX)}",
                )


def _is_table(file: Path) -> bool:
    """Whether rows are to be expected in a file; without, it is a marker, and nothing in it says enough."""
    from tricord.data.tables import (
        SUFFIXES,
    )  # brings polars along, and is asked of empty files only

    return file.suffix.lower() in SUFFIXES


def _nothing_in(place: Path) -> DataError:
    return DataError("nothing in it", where=str(place), hint="add a file with rows in it")


def _name_of(place: Path) -> str:
    return _plain(place.stem if place.is_file() else place.name)


def _plain(name: str) -> str:
    text = re.sub(r"[^\w.-]+", "-", name)
    return text.lstrip("-._") or text


def _artifact(place: Path, stored: Stored, source: str) -> Artifact:
    form = format_of(place.name, is_tree=stored.is_tree)
    meta: dict[str, JSON] = {"type": "pathlib.Path", "name": place.name, "source": source}
    return Artifact(stored.digest, Kind.DATASET, form, stored.size, meta)
