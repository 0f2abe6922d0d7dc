"""Mending a store: what is damaged is put aside, what is good in it is kept, the rest is brought anew."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.core.files import sync_folder
from tricord.store import large, listing, pack, tree
from tricord.store.checking import Checked, Problem, lists_of
from tricord.store.digest import of_bytes
from tricord.store.faults import in_store
from tricord.store.index import Index
from tricord.store.local import LocalStore
from tricord.store.locking import alone, one_collector
from tricord.store.pack import PackWriter, Row, Shape
from tricord.store.writing import pack_of

Bring = Callable[[set[Digest]], object]
"""Brings files and trees by digest into the store: those that it can."""


@dataclass(frozen=True, slots=True)
class Repair:
    """`aside` are damaged files that were put aside, `rescued` counts the good blobs of damaged packs, `lost`
    what the damage took away, `restored` what of it was brought anew."""

    aside: tuple[Path, ...]
    rescued: int
    lost: frozenset[Digest]
    restored: frozenset[Digest]


def repair(
    store: LocalStore, found: Iterable[Problem], seen: Checked, sources: Iterable[Bring]
) -> Repair:
    """Put aside what is damaged and bring it anew from `sources`, tried in order. StorageFull, StoreError.

    `found` and `seen` are what `checking.problems` gave.
    What a source brings is checked like all that comes into a store. Nothing good is deleted: damaged files
    are moved to `damaged/`. Puts and readers may go on; a collection has to wait.
    """
    found = list(found)
    wanted = {problem.digest for problem in found if problem.digest is not None}
    # the chunks of a large file come with it
    wanted.update(digest for problem in found if problem.digest not in seen.recipes for digest in problem.missing)  # fmt: skip
    packs = sorted({problem.where for problem in found if not problem.absent and problem.where.suffix == pack.SUFFIX})  # fmt: skip
    others = sorted({problem.where for problem in found if not problem.absent and problem.where.suffix == ""})  # fmt: skip
    aside: list[Path] = []
    rescued = 0
    with one_collector(store.root):
        if any(problem.where.name == "index.sqlite" for problem in found):
            store.index.drop(store.index.packs())
            store.index.refresh()
        for file in packs:
            with alone(store.root) as area:
                kept, lost, place = _rescue(store, file, area)
                rescued += kept
                wanted |= lost
                aside += [] if place == file else _put_aside(store.root, file)
                store.index.refresh()
        for file in others:
            with alone(store.root) as area:
                digest = Digest(file.parent.name + file.name)
                if file.parent.parent.name == "objects":
                    rescued += _keep_chunks(store, digest, file, area)
                store.index.drop([], [digest])
                aside += _put_aside(store.root, file)
        lost = store.missing(wanted)
        listed = {digest for parents in lists_of(store, seen, lost).values() for digest in parents}
        lost |= store.missing(listed & seen.recipes.keys())  # files with chunks that are lost
        for bring in sources:
            if rest := store.missing(lost):
                bring(rest)
        return Repair(tuple(aside), rescued, frozenset(lost), frozenset(lost - store.missing(lost)))


def _rescue(store: LocalStore, file: Path, area: Path) -> tuple[int, set[Digest], Path | None]:
    """Write the good blobs of a damaged pack to a new one, durably; their number, the bad ones, the new pack.

    That is the damaged one's successor in its place, where only its directory was damaged."""
    place: Path | None = None
    name = listing.pack_name(file)
    try:
        rows = pack.read_directory(file)
    except FileNotFoundError:
        return 0, set(), None
    except ObjectCorrupt:
        rows = _remembered(store.index, name)
    lost: set[Digest] = set()
    writer = PackWriter(area / os.urandom(8).hex())
    try:
        with in_store(file), file.open("rb", buffering=0) as source:
            for row in sorted(rows, key=lambda row: row.offset):
                stored = _read(source.fileno(), row)
                if stored is None:
                    lost.add(row.digest)
                else:
                    writer.append(
                        row.shape, row.digest, stored, row.size, compressed=row.compressed
                    )
        kept = len(writer.rows)
        store.index.drop([name])
        if kept:
            place = _publish(store, writer)
    finally:
        writer.abandon()
    return kept, lost, place


def _keep_chunks(store: LocalStore, digest: Digest, file: Path, area: Path) -> int:
    """Write the good chunks of a damaged plain object to packs, durably: other files are made of them. How many."""
    kept = 0
    writer = PackWriter(area / os.urandom(8).hex())
    try:
        with in_store(file), file.open("rb", buffering=0) as source:
            for chunk, data in _good_chunks(store, digest, source.fileno()):
                if store.index.find(chunk, Shape.FILE) is None:
                    writer.add(Shape.FILE, chunk, data)
                    kept += 1
                if writer.size >= pack.LIMIT:
                    _publish(store, writer)
                    writer = PackWriter(area / os.urandom(8).hex())
        if writer.rows:
            _publish(store, writer)
    except FileNotFoundError:
        return 0
    finally:
        writer.abandon()
    return kept


def _good_chunks(
    store: LocalStore, digest: Digest, source: int
) -> Iterator[tuple[Digest, bytes | memoryview]]:
    """What of a damaged plain object is as its recipe says; where that is lost, all chunks of a cut anew."""
    try:
        parts = store.reader.parts(digest)
    except ObjectCorrupt:
        parts = None
    if parts is None:
        for region, names in large.hashed(source, large.Hasher()):
            yield from zip(names, region.chunks(), strict=True)
        return
    start = 0
    for part in parts:
        data = os.pread(source, part.size, start)
        start += part.size
        if of_bytes(data) == part.digest:
            yield part.digest, data


def _publish(store: LocalStore, writer: PackWriter) -> Path:
    """Finish a pack and give it its name in the store."""
    made = writer.finish()
    place = pack_of(store.root, made.name)
    with in_store(place):
        made.path.rename(place)
        sync_folder(store.root / "packs")
    store.index.add(made.name, made.size, made.rows)
    return place


def _remembered(index: Index, name: str) -> list[Row]:
    """What the index says that a pack holds, for one whose own directory is damaged."""
    return [place.row for place in index.rows() if place.pack == name]


def _read(source: int, row: Row) -> bytes | None:
    """A blob in its stored form; None where it is damaged."""
    try:
        stored = os.pread(source, row.length, row.offset)
        data = pack.decode(row, stored)
        if row.shape == Shape.TREE:
            tree.decode(data)
    except (OSError, ValueError, ObjectCorrupt):
        return None
    return stored


def _put_aside(root: Path, file: Path) -> list[Path]:
    folder = root / "damaged"
    with in_store(folder):
        folder.mkdir(exist_ok=True)
        if not file.exists():
            return []
        name = file.name if file.suffix else file.parent.name + file.name
        place = folder / f"{name}.{os.urandom(4).hex()}"
        file.rename(place)
        os.utime(place)
        sync_folder(folder)
        sync_folder(file.parent)
    return [place]
