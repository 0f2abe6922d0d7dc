"""Files of the work folder on their way into the store: only what may have changed is read."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, StoreError
from tricord.store import workspace
from tricord.store.faults import in_source
from tricord.store.ingest import Ingest
from tricord.store.local import LocalStore
from tricord.store.progress import Watch, quiet
from tricord.store.state import State, mark_of
from tricord.store.tree import Entry
from tricord.store.workspace import Found, Ignore, Scan

_AN_ENTRY = cast(
    "Callable[[tuple[str, Digest, int, bool]], Entry]", partial(tuple[Any, ...].__new__, Entry)
)
"""An entry of its four values: as `Entry` makes it, without the call of a function that is not C."""
FILE = "state.sqlite"
"""The state's name in the project's own folder."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file or folder that is in the store; `size` in bytes."""

    digest: Digest
    size: int
    files: int
    is_tree: bool


def store_path(
    store: LocalStore,
    state: State,
    path: Path,
    *,
    ignore: Ignore | None = None,
    check: Callable[[Scan], None] | None = None,
    watch: Watch = quiet,
) -> Stored:
    """Store a file or folder. What the state knows is not read again, unless the store lost it.

    `check` may refuse what a folder holds. DataError for what cannot be stored (see `workspace.scan`)
    and for files that change meanwhile; StorageFull, StoreError. Durable when it returns.
    """
    if path.is_dir():
        return _store_folder(store, state, path, ignore, check, watch)
    seen = state.now()
    with in_source(path):
        mark = mark_of(path.stat())
    place = os.path.realpath(path)
    known = state.get(place, mark)
    found = Found(path.name, str(path), mark)
    with store.ingest() as ingest:
        # counted on as if it were put: no collection takes it before it is named
        if known is not None and not ingest.absent([known]):
            return Stored(known, mark.size, 1, is_tree=False)
        digest = _add(ingest, [found], watch)[0]
        _unchanged(found)
    state.put(place, mark, digest, seen=seen)
    return Stored(digest, mark.size, 1, is_tree=False)


def _store_folder(
    store: LocalStore,
    state: State,
    path: Path,
    ignore: Ignore | None,
    check: Callable[[Scan], None] | None,
    watch: Watch,
) -> Stored:
    if store.root.resolve().is_relative_to(path.resolve()):
        raise DataError(
            "the folder contains the store itself", where=str(path), hint="add a folder in it"
        )
    seen = state.now()
    scanned = workspace.scan(path, ignore)
    if check:
        check(scanned)
    kept = state.below(scanned.top)
    known, unknown = workspace.look_up(scanned, kept)
    with store.ingest() as ingest:
        _read(ingest, unknown, known, watch)
        try:
            digest = ingest.add_tree(_entries(scanned, known))
        except StoreError:
            lost = store.missing(set(known.values()))  # collected, damaged, or never stored
            again = [found for found in scanned if known[found.path] in lost]
            if not again:
                raise
            _read(ingest, again, known, watch)
            digest = ingest.add_tree(_entries(scanned, known))
        for found in unknown:
            _unchanged(found)
    now = workspace.remember(scanned, known, state, kept, seen)
    if now is not None:  # where that was not written, the note does not fit to what is kept
        state.keep_tree(scanned.top, now, digest)
    return Stored(digest, scanned.size, len(scanned), is_tree=True)


def note_tree(state: State, scanned: Scan, digest: Digest) -> None:
    """Keep that what was scanned makes this tree, as far as all of it could be recorded."""
    kept = state.below(scanned.top)
    if workspace.unchanged(scanned, kept):
        state.keep_tree(scanned.top, kept, digest)


def _entries(scanned: Scan, known: Mapping[str, Digest]) -> list[Entry]:
    entries: list[Entry] = []
    for folder in scanned.folders:
        paths = folder.paths
        _, sizes, _, _, bits = zip(*folder.values(), strict=True)
        rows = zip(paths, map(known.__getitem__, paths), sizes, bits, strict=True)
        entries += map(_AN_ENTRY, rows)
    return entries


def _read(ingest: Ingest, files: Sequence[Found], known: dict[str, Digest], watch: Watch) -> None:
    if files:
        digests = _add(ingest, files, watch)
        known.update(zip((found.path for found in files), digests, strict=True))


def _add(ingest: Ingest, files: Sequence[Found], watch: Watch) -> list[Digest]:
    # once: `_unchanged` looks at them again when all have been read
    sources = ingest.add_files([found.absolute for found in files], watch, once=True)
    for found, source in zip(files, sources, strict=True):
        if source.mark[1:] != found.mark[:4]:
            raise _changed(found)
    return [source.digest for source in sources]


def _unchanged(found: Found) -> None:
    try:
        now = os.stat(found.absolute)  # noqa: PTH116 - a text, quickly
    except OSError as error:
        raise _changed(found) from error
    # the execute bit does not change without the time of change
    if found.mark[:4] != (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns):
        raise _changed(found)


def _changed(found: Found) -> DataError:
    return DataError(
        "changed while it was being added",
        where=found.absolute,
        hint="wait until nothing writes to it, then add it again",
    )
