"""Sending: what a remote lacks of some content, put together from a store, in the order of writes of
docs/reference/remote-format.md."""

import os
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tricord.core.artifact import Digest, short
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import chunks as cutting
from tricord.store import digest as digests
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store.faults import in_store
from tricord.store.index import Place
from tricord.store.local import LocalStore
from tricord.store.pack import ROW, TRAILER, PackWriter, Row, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.recipe import Part
from tricord.store.remote.indexing import (
    Catalog,
    Contents,
    HeldObject,
    HeldPack,
    object_place,
)
from tricord.store.remote.lanes import in_lanes
from tricord.store.remote.remote import Remote
from tricord.store.writing import pack_of

LIMIT = 16 << 20
"""Bytes after which a pack that is put together here ends."""
_AS_IS = 4 << 20
"""Smaller packs of the store are put together, so that many of them are not a request each."""
_TRIES = 3
_CHECKING = threading.Lock()
"""One pack is checked at a time, while others are on their way: the interpreter lets only one thread run."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What went over: stored bytes, and in how many packs and large files; and what was wanted in all."""

    bytes: int = 0
    packs: int = 0
    objects: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Loose:
    """A blob that lies in no pack of the store: a chunk within a large file, or content of a store of format 1."""

    shape: Shape
    digest: Digest
    size: int
    read: Callable[[], bytes]


@dataclass(slots=True)
class Plan:
    """What is missing there, and where it is here."""

    files: int = 0
    rows: list[Place] = field(default_factory=list[Place])
    loose: list[Loose] = field(default_factory=list[Loose])
    objects: list[tuple[HeldObject, Path]] = field(default_factory=list[tuple[HeldObject, Path]])
    absent: list[Digest] = field(default_factory=list[Digest])

    @property
    def size(self) -> int:
        """Bytes to send, before loose blobs are compressed."""
        return (
            sum(place.row.length for place in self.rows)
            + sum(blob.size for blob in self.loose)
            + sum(held.size for held, _ in self.objects)
        )


def send(
    remote: Remote, store: LocalStore, digests: Iterable[Digest], watch: Watch = quiet
) -> Sent:
    """Bring files and trees, with all that they consist of, to a remote. Durable there when it returns.

    Only what the remote lacks is sent. ObjectMissing where neither has something, ObjectCorrupt
    where the store's own bytes are damaged (they are checked before they leave), RemoteError.
    """
    wanted = list(dict.fromkeys(digests))
    catalog, there = remote.inspect()
    for attempt in range(_TRIES):
        plan = planned(store, catalog, wanted)
        if plan.absent:
            raise _nowhere(plan, catalog, remote.where)
        try:
            return _carry_out(plan, remote, store, there, watch)
        except FileNotFoundError:  # a collection in this store put blobs into other packs
            store.index.refresh()
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _nowhere(plan: Plan, catalog: Catalog, where: str) -> ObjectMissing:
    first = plan.absent[0]
    if catalog.has_object(first) or any(catalog.has_blob(shape, first) for shape in Shape):
        return ObjectMissing(
            f"{short(first)} is not here, and at the remote it is waste that may be deleted any time",
            where=where,
            hint=f"tricord fetch {short(first)}, then the push again",
        )
    return ObjectMissing(
        f"{short(first)} is neither here nor at the remote",
        where=f"{len(plan.absent)} of {plan.files} files; {where}",
        hint="tricord fetch, from a remote that has it",
    )


def confirm(
    remote: Remote, store: LocalStore, digests: Iterable[Digest], watch: Watch = quiet
) -> Sent:
    """Now that a record names what was sent: send again what a collection, which had read the records before
    and known it as waste, deleted since. Asks nothing where nothing that was sent had been waste. As `send`."""
    doubtful = remote.published & remote.catalog.doomed
    if not doubtful:
        return Sent()
    held = remote.inspect()[0].contents
    if doubtful <= held.packs.keys() | held.objects.keys():
        return Sent()
    return send(remote, store, digests, watch)


def planned(store: LocalStore, catalog: Catalog, digests: Sequence[Digest]) -> Plan:
    """What a remote with this catalog lacks of files and trees."""
    trees, files, absent = _closure(store, catalog, digests)
    plan = Plan(files=len(files), absent=absent)
    lacking = [
        digest
        for digest in catalog.lacking(Shape.FILE, files, sure=True)
        if not catalog.has_object(digest, sure=True)
    ]
    small = store.reader.places(lacking, Shape.FILE)
    plan.rows += small.values()
    _plan_large(plan, store, catalog, [digest for digest in lacking if digest not in small])
    lacking = catalog.lacking(Shape.TREE, trees, sure=True)
    packed = store.reader.places(lacking, Shape.TREE)
    plan.rows += packed.values()
    for digest in lacking:
        if digest not in packed:
            path = store.reader.old_tree(digest)
            if path is None:
                raise store.reader.lost(digest)
            plan.loose.append(Loose(Shape.TREE, digest, path.stat().st_size, path.read_bytes))
    return plan


def _closure(
    store: LocalStore, catalog: Catalog, digests: Sequence[Digest]
) -> tuple[list[Digest], list[Digest], list[Digest]]:
    """The trees among the digests, all files, and those trees that only the remote has, if it has them."""
    trees: list[Digest] = []
    files: dict[Digest, None] = {}
    absent: list[Digest] = []
    for digest in digests:
        if not store.has(digest):
            # what it needs is there as well, by R2
            if not any(catalog.has_blob(shape, digest, sure=True) for shape in Shape) and not catalog.has_object(digest, sure=True):  # fmt: skip
                absent.append(digest)
        elif store.is_tree(digest):
            trees.append(digest)
            files.update(dict.fromkeys(entry.digest for entry in store.entries(digest)))
        else:
            files[digest] = None
    return trees, list(files), absent


def _plan_large(plan: Plan, store: LocalStore, catalog: Catalog, large: Sequence[Digest]) -> None:
    """Decide for each file that is no blob: as it is, or by its chunks."""
    found = store.reader.places(large, Shape.RECIPE)
    wanted: dict[Digest, int] = {}
    sent: set[Digest] = set()
    for digest in large:
        path = store.reader.plain(digest)
        if digest not in found and path is None:
            if not catalog.has_blob(Shape.RECIPE, digest, sure=True):
                plan.absent.append(digest)
            continue
        size = path.stat().st_size if path else 0
        if path and digest not in found and size <= cutting.LARGEST:
            plan.loose.append(Loose(Shape.FILE, digest, size, path.read_bytes))
            continue
        parts = store.reader.parts(digest) or (_cut(path) if path else [])
        new = {part.digest: part.size for part in parts if part.digest not in sent and not catalog.has_chunk(part.digest, sure=True)}  # fmt: skip
        if path and sum(new.values()) * 2 > size:
            plan.objects.append((HeldObject(digest, size, recipes.encode(parts)), path))
            sent.update(part.digest for part in parts)
            continue
        wanted |= new
        if digest in found:
            if not catalog.has_blob(Shape.RECIPE, digest, sure=True):
                plan.rows.append(found[digest])
        else:
            data = recipes.encode(parts)
            plan.loose.append(Loose(Shape.RECIPE, digest, len(data), lambda data=data: data))
    _plan_chunks(plan, store, {chunk: size for chunk, size in wanted.items() if chunk not in sent})


def _plan_chunks(plan: Plan, store: LocalStore, wanted: Mapping[Digest, int]) -> None:
    packed = store.reader.places(wanted, Shape.FILE)
    plan.rows += packed.values()
    rest = {chunk for chunk in wanted if chunk not in packed}
    absent = store.reader.absent(rest)
    plan.absent += absent
    for chunk in sorted(rest - absent):
        plan.loose.append(_within(store, Part(chunk, wanted[chunk])))


def _within(store: LocalStore, part: Part) -> Loose:
    """A chunk that lies within a large file of the store."""
    return Loose(Shape.FILE, part.digest, part.size, lambda: store.reader.chunk(part, part.digest))


def _carry_out(
    plan: Plan, remote: Remote, store: LocalStore, there: Mapping[str, int], watch: Watch
) -> Sent:
    contents = Contents()
    sent = packed = 0
    with _scratch(remote) as scratch:
        for _, (made, went) in in_lanes(
            lambda pack: _put_pack(remote, pack, there, watch), _packs(plan, store, scratch)
        ):
            contents.packs[made.name] = made
            sent += went
            packed += went > 0
    for (held, _), went in in_lanes(lambda each: _put_object(remote, *each, watch), plan.objects):
        contents.objects[held.digest] = held
        sent += went
    if contents:
        remote.publish(contents)
    return Sent(sent, packed, len(plan.objects), plan.files)


@dataclass(frozen=True, slots=True)
class _Made:
    pack: HeldPack
    path: Path
    scratch: bool


@dataclass(frozen=True, slots=True)
class _Own:
    """A pack of the store that goes as it is."""

    name: str
    path: Path
    size: int


def _packs(plan: Plan, store: LocalStore, scratch: Path) -> Iterator[_Made | _Own]:
    """Packs that hold what is missing: the store's own where all of one is, else put together."""
    sizes = store.index.packs()
    by_pack: dict[str, list[Row]] = defaultdict(list)
    for place in plan.rows:
        by_pack[place.pack].append(place.row)
    rest: dict[str, list[Row]] = {}
    for name, rows in sorted(by_pack.items()):
        size = sizes.get(name, 0)
        if _size(rows) == size and (size >= _AS_IS or (len(by_pack) == 1 and not plan.loose)):
            yield _Own(name, pack_of(store.root, name), size)
        else:
            rest[name] = rows
    yield from _put_together(_stored(store, rest, plan.loose), scratch)


def _size(rows: Sequence[Row]) -> int:
    """Bytes of a pack that holds these rows and nothing else."""
    return sum(row.length for row in rows) + len(rows) * ROW.size + len(packs.MAGIC) + TRAILER.size


def _stored(
    store: LocalStore, rest: Mapping[str, list[Row]], loose: Iterable[Loose]
) -> Iterator[tuple[Row, bytes | memoryview] | Loose]:
    """Blobs of packs in stored form, checked, in an order that depends on nothing else."""
    for name, rows in rest.items():
        path = pack_of(store.root, name)
        with path.open("rb", buffering=0) as file:
            for row in sorted(rows, key=lambda row: row.offset):
                stored = os.pread(file.fileno(), row.length, row.offset)
                _check(row, stored, path)
                yield row, stored
    yield from sorted(loose, key=lambda blob: (blob.shape, blob.digest))


def _put_together(
    blobs: Iterable[tuple[Row, bytes | memoryview] | Loose], scratch: Path
) -> Iterator[_Made]:
    writer: PackWriter | None = None
    number = 0
    for blob in blobs:
        if writer is None:
            number += 1
            writer = PackWriter(scratch / f"{number}{packs.SUFFIX}")
        if isinstance(blob, Loose):
            data = blob.read()
            if blob.shape != Shape.RECIPE and packs.named(blob.shape, data) != blob.digest:
                raise _damaged(blob.digest, "a large file, or a tree, of the store")
            writer.add(blob.shape, blob.digest, data)
        else:
            row, stored = blob
            writer.append(row.shape, row.digest, stored, row.size, compressed=row.compressed)
        if writer.size >= LIMIT:
            yield _finished(writer)
            writer = None
    if writer is not None:
        yield _finished(writer)


def _finished(writer: PackWriter) -> _Made:
    pack = writer.finish()
    held = HeldPack(pack.name, pack.size, packs.closing(pack.rows)[0])
    return _Made(held, pack.path, scratch=True)


def _put_pack(
    remote: Remote, pack: _Made | _Own, there: Mapping[str, int], watch: Watch
) -> tuple[HeldPack, int]:
    """What is there now, and the bytes that went over: none where a push that was killed had brought it there."""
    made = pack if isinstance(pack, _Made) else _checked(pack)
    held = made.pack
    try:
        if there.get(held.place) == held.size and held.name not in remote.catalog.doomed:
            return held, 0
        remote.backend.put_file(held.place, made.path)
        return held, held.size
    finally:
        if made.scratch:
            made.path.unlink(missing_ok=True)
        watch(held.size, len(held.directory) // ROW.size, "")


def _checked(own: _Own) -> _Made:
    """A pack of the store with its directory, its blobs checked: nothing damaged leaves."""
    try:
        with _CHECKING:
            directory = packs.check(own.path)
    except ObjectCorrupt as error:
        raise ObjectCorrupt(
            f"a pack is damaged in the store, and was not sent: {error.what}",
            where=str(own.path),
            hint="tricord verify --repair",
        ) from error
    return _Made(HeldPack(own.name, own.size, directory), own.path, scratch=False)


def _put_object(remote: Remote, held: HeldObject, path: Path, watch: Watch) -> int:
    found = remote.backend.size(object_place(held.digest))
    if found == held.size and held.digest not in remote.catalog.doomed:
        watch(held.size, 1, short(held.digest))
        return 0
    if digests.of_file(path) != held.digest:
        raise _damaged(held.digest, str(path))
    remote.backend.put_file(object_place(held.digest), path)
    watch(held.size, 1, short(held.digest))
    return held.size


def _check(row: Row, stored: bytes | memoryview, path: Path) -> None:
    """ObjectCorrupt unless a blob's stored bytes are what they were: nothing damaged leaves."""
    try:
        data = packs.decode(row, bytes(stored))
        if row.shape == Shape.RECIPE:
            recipes.parse(data)
    except (ObjectCorrupt, ValueError) as error:
        raise _damaged(row.digest, str(path)) from error


def _damaged(digest: Digest, where: str) -> ObjectCorrupt:
    return ObjectCorrupt(
        f"{short(digest)} is damaged in the store, and was not sent",
        where=where,
        hint="tricord verify --repair",
    )


def _cut(path: Path) -> list[Part]:
    """The chunks of a file that a store of format 1 kept without them."""
    with path.open("rb", buffering=0) as file:
        blocks = iter(lambda: file.read(cutting.BLOCK), b"")
        return [Part(packs.named(Shape.FILE, chunk), len(chunk)) for chunk in cutting.cut(blocks)]


@contextmanager
def _scratch(remote: Remote) -> Generator[Path]:
    """A folder for packs on their way; gone afterwards."""
    top = remote.cache
    if top is not None:
        with in_store(top):
            top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sending-", dir=top) as folder:
        yield Path(folder)
