"""What stands in the work tree now: each file's digest, and a mark that changes when the file does."""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.data import ignoring
from tricord.project.project import Project
from tricord.store import workspace
from tricord.store.state import Mark, State, mark_of, settled
from tricord.store.workspace import Found, Scan

WHOLE = ""
"""The path in its dataset of a file that is all of it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file of the work tree: its path in the dataset, its content's digest, and its mark from
    before it was read (for a symbolic link, that of what it leads to)."""

    path: str
    digest: Digest
    mark: Mark

    @property
    def executable(self) -> bool:
        return bool(self.mark.executable)


@dataclass(frozen=True, slots=True)
class Sight:
    """The files at a place by path in the dataset, and the moment before they were looked at."""

    files: Mapping[str, Seen]
    moment: int


def mark_at(path: Path) -> Mark | None:
    """The mark of a file, None where nothing is there (or a link that leads nowhere)."""
    try:
        return mark_of(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def glance(project: Project, place: Path, version: Digest) -> tuple[Scan | None, bool]:
    """The folder at `place` as it is now (None: there is none), and whether it is known to hold just
    that version, of which then no list of files has to be read."""
    if not place.is_dir() or place.is_symlink():
        return None, False
    scanned = workspace.scan(place, ignoring.rules(project.root, place))
    kept = project.state.below(scanned.top)
    whole = workspace.unchanged(scanned, kept)
    return scanned, whole and project.state.tree_of(scanned.top, kept) == version


def look(
    project: Project,
    place: Path,
    *,
    also: Iterable[str] = (),
    only: frozenset[str] | None = None,
    scanned: Scan | None = None,
) -> Sight:
    """The files at `place`; none where nothing is there. What has not changed is not read again.

    Files that are ignored are not seen, unless `also` names them. `only` limits it to some. `scanned`
    is what `glance` saw, if that was just now.
    """
    state = project.state
    moment = state.now()
    if not os.path.lexists(place):
        return Sight({}, moment)
    if not place.is_dir():
        return Sight(_each(state, place, [WHOLE], moment), moment)
    if only is not None:
        return Sight(_each(state, place, only, moment), moment)
    scanned = scanned or workspace.scan(place, ignoring.rules(project.root, place))
    digests = workspace.digests_of(scanned, state)
    files = {found.path: Seen(found.path, digests[found.path], found.mark) for found in scanned}
    hidden = [path for path in also if path and path not in files]
    return Sight({**files, **_each(state, place, hidden, moment)}, moment)


def remember(
    project: Project,
    place: Path,
    laid: Mapping[str, tuple[Digest, Mark]],
    stays: Mapping[str, Seen],
    *,
    gone: Iterable[str] = (),
    moment: int,
    whole: bool,
) -> None:
    """Note the digests of files that were just laid out, so that nobody has to read them again.

    `laid` are the new ones with their marks; `stays` those that were there, seen at `moment`. With
    `whole` these and what is `gone` are all the files of the place.
    """
    folders: dict[str, dict[str, tuple[Mark, Digest]]] = defaultdict(dict)
    for path in gone:
        folders[path.rpartition("/")[0]] = {}
    for path, (digest, mark) in laid.items():
        folder, _, name = path.rpartition("/")
        folders[folder][name] = (mark, digest)
    for path, seen in stays.items():
        folder, _, name = path.rpartition("/")
        if folder in folders and settled(seen.mark, moment):
            folders[folder][name] = (seen.mark, seen.digest)
    state = project.state
    if WHOLE in laid:
        digest, mark = laid[WHOLE]
        state.put(str(place), mark, digest, seen=state.now())
        return
    changed = {str(place / folder): files for folder, files in folders.items()}
    state.forget([folder for folder, files in changed.items() if not files])
    full = {folder: files for folder, files in changed.items() if files}
    state.record(full, seen=state.now(), whole=whole)


def _each(state: State, place: Path, paths: Iterable[str], moment: int) -> dict[str, Seen]:
    """Some of the files, folder by folder: what is kept of one is read and written once."""
    folders: dict[str, list[Found]] = defaultdict(list)
    for path in paths:
        where = place / path if path else place
        mark = mark_at(where)
        if mark is not None and stat.S_ISREG(where.stat().st_mode):
            folders[str(where.parent)].append(Found(path, str(where), mark))
    seen: dict[str, Seen] = {}
    read: dict[str, dict[str, tuple[Mark, Digest]]] = defaultdict(dict)
    for folder, files in folders.items():
        kept = state.folder(folder)
        known = kept.files() if kept else {}
        for found in files:
            name = Path(found.absolute).name
            mark, digest = known.get(name, (None, None))
            if digest is None or mark != found.mark:
                digest = workspace.read_digest(found)
                read[folder][name] = (found.mark, digest)
            seen[found.path] = Seen(found.path, digest, found.mark)
    if read:
        state.record(read, seen=moment, whole=False)
    return seen
