"""How the work folder differs from a version: one `stat` a file where nothing changed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.pointer import Pointer
from tricord.data import ignoring, sparse
from tricord.project import workfiles
from tricord.project.project import Project
from tricord.store import digest as digests
from tricord.store import tree, workspace
from tricord.store.state import State, mark_of
from tricord.store.workspace import Found


@dataclass(frozen=True, slots=True)
class Changes:
    """How files differ from a version. Paths are relative to the dataset; `absent`: nothing is there.

    `lacking` are files of the version that were never brought here (see `data.sparse`): no difference.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    absent: bool = False
    lacking: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.absent)


def compare(project: Project, pointer: Pointer) -> Changes:
    """How the work folder differs from the version that a pointer names.

    ObjectMissing where it differs and the version's list of files is not in the store, so nobody can
    say in what; DataError for what cannot be in a dataset, such as a FIFO.
    """
    found = against(project, project.root / pointer.path, pointer.digest)
    if not found.removed or sparse.brought(project, pointer.path) is None:
        return found
    version = {entry.path: entry for entry in project.store.entries(pointer.digest)}
    there = (version.keys() - set(found.removed)) | set(found.added)
    lacking = sparse.lacking(project, pointer.path, version, there)
    removed = tuple(path for path in found.removed if path not in set(lacking))
    return replace(found, removed=removed, lacking=lacking)


def against(project: Project, place: Path, version: Digest) -> Changes:
    """How the file or folder at `place` differs from stored content."""
    state = project.state
    if not os.path.lexists(place):
        return Changes(absent=True)
    if not place.is_dir():
        return Changes() if file_digest(place, state) == version else Changes(changed=(place.name,))
    scanned = workspace.scan(place, ignoring.rules(project.root, place))
    kept = state.below(scanned.top)
    whole = workspace.unchanged(scanned, kept)
    if whole and state.tree_of(scanned.top, kept) == version:
        return Changes()
    now = workspace.digests_of(scanned, state)
    entries = [tree.Entry(f.path, now[f.path], f.mark.size, f.mark.executable) for f in scanned]
    if digests.of_tree_bytes(tree.encode(entries)) == version:
        workfiles.note_tree(state, scanned, version)
        return Changes()
    if not project.store.is_tree(version):
        return Changes(changed=(place.name,))
    return between(project.store.entries(version), entries)


def between(then: tuple[tree.Entry, ...], now: list[tree.Entry]) -> Changes:
    """How one list of files differs from another, earlier one."""
    before, after = _by_path(then), _by_path(now)
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(p for p in before.keys() & after.keys() if before[p] != after[p])),
    )


def file_digest(file: Path, state: State) -> Digest | None:
    """The digest of a file, read only if it may have changed; None for what is no file, or gone."""
    if not file.is_file():
        return None
    seen = state.now()
    mark = mark_of(file.stat())
    place = os.path.realpath(file)
    known = state.get(place, mark)
    if known is None:
        known = workspace.read_digest(Found(file.name, place, mark))
        state.put(place, mark, known, seen=seen)
    return known


def _by_path(entries: tuple[tree.Entry, ...] | list[tree.Entry]) -> Mapping[str, tuple[str, bool]]:
    return {entry.path: (entry.digest, entry.executable) for entry in entries}
