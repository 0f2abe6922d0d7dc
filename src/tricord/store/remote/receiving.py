"""Receiving: content of a remote that a store lacks, by few requests, checked before it gets a name."""

import fcntl
import os
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from tricord.core.artifact import Digest, short
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store import tree as trees
from tricord.store.faults import in_store
from tricord.store.ingest import Ingest
from tricord.store.local import LocalStore
from tricord.store.pack import Row, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.remote.indexing import Catalog, HeldObject, HeldPack, Spot, object_place
from tricord.store.remote.lanes import in_lanes
from tricord.store.remote.remote import Remote

GAP = 256 << 10
"""Bytes that nobody asked for which cost less than another request."""
SPAN = 8 << 20
"""Most bytes of one request."""
_BATCH = 256 << 20
"""Bytes after which what has arrived is made durable, so that a kill loses no more."""

_TRIES = 8
"""How often what is gone again at the end is brought anew."""
_PACKS = _BATCH // packs.LIMIT
_MANY = 100
"""Files that have to be missing before whole packs are thought of."""

Blob = tuple[Shape, Digest]
Wanted = tuple[HeldPack, list[Row], set[Digest]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came over: files that were not here, and their stored bytes; and what nobody could give."""

    files: int = 0
    bytes: int = 0
    lost: Mapping[Digest, str] = field(default_factory=dict[Digest, str])

    def check(self, where: str, names: Mapping[Digest, str] | None = None) -> "Fetched":
        """Itself; ObjectMissing or ObjectCorrupt where something did not come, saying what to type.

        `names` says what people call some of it.
        """
        if self.lost:
            known = names or {}
            first = next((digest for digest in self.lost if digest in known), next(iter(self.lost)))
            gone = self.lost[first] == GONE
            error = ObjectMissing if gone else ObjectCorrupt
            others = f" and {len(self.lost) - 1} more" if len(self.lost) > 1 else ""
            raise error(
                f"{known.get(first, short(first))}{others} did not come: {self.lost[first]}",
                where=where,
                hint=f"tricord push{'' if gone else ' --repair'}, where the content is",
            )
        return self


GONE = "it is not at the remote"
BROKEN = "what the remote sent is not what the digest says"


@dataclass(frozen=True, slots=True)
class Span:
    """One request: part of an object, and the blobs in it."""

    place: str
    start: int
    length: int
    rows: tuple[Row, ...]


def fetch(
    remote: Remote,
    store: LocalStore,
    digests: Iterable[Digest],
    watch: Watch = quiet,
    *,
    heads: Iterable[Digest] = (),
) -> Fetched:
    """Bring files and trees, with all that they consist of, into a store. Durable when it returns.

    Of the trees in `heads` only the lists of files are brought, for somebody who wants a part. What cannot be
    had is in `lost` of the answer; everything else has arrived all the same. RemoteError, StorageFull, StoreError.
    """
    task = _Fetch(remote, store, watch)
    whole = list(dict.fromkeys(digests))
    found = task.trees([*whole, *heads])
    files = dict.fromkeys(digest for digest in whole if digest not in found)
    for digest in whole:
        files.update(dict.fromkeys(entry.digest for entry in found.get(digest, ())))
    task.files([digest for digest in files if digest not in task.lost])
    task.enter(files, found)
    return Fetched(task.arrived, task.bytes, task.lost)


class _Fetch:
    """One fetch under way."""

    def __init__(self, remote: Remote, store: LocalStore, watch: Watch) -> None:
        self.remote = remote
        self.store = store
        self.watch = watch
        self.lost: dict[Digest, str] = {}
        self.arrived = 0
        self.bytes = 0
        self._new_trees: dict[Digest, bytes] = {}
        self._asked_twice: set[Digest] = set()

    @property
    def catalog(self) -> Catalog:
        return self.remote.catalog

    def trees(self, digests: Sequence[Digest]) -> dict[Digest, tuple[trees.Entry, ...]]:
        """The trees among the digests with their files; those that are not in the store are kept for `enter`."""
        here = self.store.missing(digests)
        found = {d: self.store.entries(d) for d in dict.fromkeys(digests) if d not in here and self.store.is_tree(d)}  # fmt: skip
        absent = [digest for digest in dict.fromkeys(digests) if digest in here]
        wanted = self.catalog.trees(absent) if absent else []
        for digest, data in self._small([(Shape.TREE, digest) for digest in wanted]).items():
            try:
                found[digest] = trees.decode(data)
                self._new_trees[digest] = data
            except ValueError:
                self.lost[digest] = BROKEN
        return found

    def enter(self, files: Collection[Digest], found: Collection[Digest]) -> None:
        """Name the new trees, now that their files are here (S3). What a collection of waste took
        meanwhile, because nothing named it yet, is brought first."""
        for _ in range(_TRIES):
            new = {digest: data for digest, data in self._new_trees.items() if digest in found}
            with self.store.ingest() as ingest:
                gone = ingest.absent({*files, *found} - new.keys() - self.lost.keys())
                if not gone:
                    for digest, data in new.items():
                        ingest.add_blob(Shape.TREE, digest, data)
                    return
            listed = [digest for digest in found if digest in gone]
            again = self.trees(listed)
            self.lost.update((digest, GONE) for digest in listed if digest not in again)
            self.files([digest for digest in gone if digest not in found])
        raise ObjectMissing(
            "a collection of waste takes what comes, again and again",
            where=str(self.store.root),
            hint="wait for it to end, then do the same again",
        )

    def files(self, digests: Sequence[Digest]) -> None:
        packed = self.store.reader.places(digests, Shape.FILE)
        rest = [digest for digest in digests if digest not in packed]
        if not rest:
            return
        not_small = set(self.catalog.lacking(Shape.FILE, rest))
        prefixes = self._prefixes()
        # a file that is small there is a blob here too, or lies in a store of format 1
        doubtful = not_small | {digest for digest in rest if digest[:2] in prefixes}
        here = doubtful - self.store.missing(doubtful)
        small = [digest for digest in rest if digest not in not_small and digest not in here]
        large = [digest for digest in rest if digest in not_small and digest not in here]
        taken = self._packs(small)
        self._blobs([digest for digest in small if digest not in taken], counted=True)
        self._large(large)

    def _packs(self, digests: Sequence[Digest]) -> set[Digest]:
        """Take over packs as they are where nearly all of one is wanted; what has come so. A pack that
        is gone or damaged is left for a closer look, blob by blob."""
        taken: set[Digest] = set()
        wanted = [*self.catalog.mostly(digests)] if len(digests) >= _MANY else []
        for start in range(0, len(wanted), _PACKS):
            some = wanted[start : start + _PACKS]
            with self.store.ingest() as ingest:

                def bring(each: Wanted, ingest: Ingest = ingest) -> bool:
                    target = ingest.area / each[0].name
                    try:
                        with in_store(target):
                            self.remote.backend.get_to(each[0].place, target)
                    except ObjectMissing:
                        return False
                    return ingest.add_pack(target, each[1])

                for (held, _, names), good in in_lanes(bring, some, lanes=2):
                    if good:
                        taken |= names
                        self.bytes += held.size
                        self.arrived += len(names)
                        self.watch(held.size, len(names), "")
        return taken

    def _prefixes(self) -> set[str]:
        """What the digests of files begin with that the store keeps as they are."""
        with in_store(self.store.root):
            return {path.name for path in (self.store.root / "objects").glob("??")}

    def _large(self, digests: Sequence[Digest]) -> None:
        """Files that are no blob: as they are, or by those chunks that are not here."""
        whole: list[HeldObject] = []
        by_chunks: dict[Digest, bytes] = {}
        packed: list[Blob] = []
        for digest in digests:
            held = self.catalog.contents.objects.get(digest)
            if held is None and self.catalog.has_blob(Shape.RECIPE, digest):
                packed.append((Shape.RECIPE, digest))
            elif held is None:
                self.lost.setdefault(digest, GONE)
            elif sum(size for _, size in self._lacking_chunks(held.recipe)) * 2 < held.size:
                by_chunks[digest] = held.recipe
            else:
                whole.append(held)
        by_chunks |= self._small(packed)
        for held in whole:
            self._whole(held)
        self._by_chunks(by_chunks)

    def _by_chunks(self, by_recipe: Mapping[Digest, bytes]) -> None:
        wanted: dict[Digest, None] = {}
        for recipe in by_recipe.values():
            wanted.update(dict.fromkeys(chunk for chunk, _ in self._lacking_chunks(recipe)))
        self._blobs(list(wanted), counted=False)
        if not by_recipe:
            return
        with self.store.ingest() as ingest:
            for digest, recipe in by_recipe.items():
                missing = [
                    part.digest for part in recipes.parse(recipe) if part.digest in self.lost
                ]
                if missing:
                    self.lost[digest] = self.lost[missing[0]]
                elif not self._makes(recipe, digest):
                    self.lost[digest] = BROKEN
                else:
                    ingest.add_blob(Shape.RECIPE, digest, recipe)
                    self.arrived += 1
        for chunk in wanted:
            self.lost.pop(chunk, None)

    def _makes(self, recipe: bytes, digest: Digest) -> bool:
        """Is it that file which these chunks, now in the store, make? A recipe itself cannot say so (R4)."""
        hasher = blake3()
        for chunk in self.store.reader.chunks(digest, recipes.parse(recipe)):
            hasher.update(chunk)
        return hasher.hexdigest() == digest

    def _lacking_chunks(self, recipe: bytes) -> list[tuple[Digest, int]]:
        parts = dict(recipes.parse(recipe))
        absent = self.store.reader.absent(set(parts))
        return [(chunk, size) for chunk, size in parts.items() if chunk in absent]

    def _whole(self, held: HeldObject) -> None:
        """A large file as one object: what had come before a kill is continued."""
        with self.store.ingest() as ingest, self._partial(held.digest, ingest) as target:
            try:
                before = target.stat().st_size if target.exists() else 0
                with in_store(target):
                    self.remote.backend.get_to(object_place(held.digest), target)
                self.bytes += target.stat().st_size - before
                ingest.add_plain(held.digest, target)
                self.arrived += 1
                self.watch(held.size, 1, short(held.digest))
            except ObjectMissing:
                self.lost[held.digest] = GONE
            except ObjectCorrupt:
                self.lost[held.digest] = BROKEN
                target.unlink(missing_ok=True)

    @contextmanager
    def _partial(self, digest: Digest, ingest: Ingest) -> Generator[Path]:
        """Where a large file is written to: what a fetch that was stopped left, unless another one is at it."""
        folder = None if self.remote.cache is None else self.remote.cache / "partial"
        if folder is None:
            yield ingest.area / digest
            return
        with in_store(folder):
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / digest
            opened = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            yield target if _alone(opened, target) else ingest.area / digest
            # nothing came: no beginning that a later fetch could go on with
            if os.fstat(opened).st_size == 0:
                target.unlink(missing_ok=True)
        finally:
            os.close(opened)

    def _blobs(self, digests: Sequence[Digest], *, counted: bool) -> None:
        """Small files and chunks into the store, in stored form, a batch at a time."""
        spans = self._spans([(Shape.FILE, digest) for digest in digests])
        failed: dict[Digest, str] = {}
        for batch in _batches(spans):
            with self.store.ingest() as ingest:
                for span, data in in_lanes(lambda span: get(self.remote, span), batch):
                    self._enter(span, data, ingest, failed, counted=counted)
        if failed:
            self._elsewhere(failed, counted=counted)

    def _enter(
        self, span: Span, data: bytes | None, ingest: Ingest, failed: dict[Digest, str], *, counted: bool
    ) -> None:  # fmt: skip
        refused = {row.digest for row in span.rows}
        if data is not None:
            refused = ingest.add_stored(
                [
                    (row, data[row.offset - span.start : row.offset - span.start + row.length])
                    for row in span.rows
                ]
            )
        failed.update(dict.fromkeys(refused, span.place))
        good = len(span.rows) - len(refused)
        self.bytes += len(data or b"")
        self.arrived += good if counted else 0
        self.watch(span.length, good, "")

    def _elsewhere(self, failed: Mapping[Digest, str], *, counted: bool) -> None:
        """Blobs that were gone or damaged where they should be: asked for again, then from where else they are."""
        again = [digest for digest in failed if digest not in self._asked_twice]
        self._asked_twice.update(again)
        if again:
            self._blobs(again, counted=counted)
        failed = {digest: place for digest, place in failed.items() if digest not in again}
        if not failed:
            return
        avoid(self.remote, failed.values())
        for digest in failed:
            if self.catalog.spot(Shape.FILE, digest) is None:
                self.lost[digest] = BROKEN
        self._blobs([digest for digest in failed if digest not in self.lost], counted=counted)

    def _small(self, blobs: Sequence[Blob]) -> dict[Digest, bytes]:
        found, lost, size = lists(self.remote, blobs)
        self.lost |= lost
        self.bytes += size
        return found

    def _spans(self, blobs: Sequence[Blob]) -> list[Span]:
        spots: list[Spot] = []
        for shape, digest in blobs:
            spot = self.catalog.spot(shape, digest)
            if spot is None:
                self.lost[digest] = GONE
            else:
                spots.append(spot)
        return list(spans(spots))


def lists(
    remote: Remote, blobs: Sequence[Blob]
) -> tuple[dict[Digest, bytes], dict[Digest, str], int]:
    """Trees and recipes of a remote, in memory, checked; those that it could not give, and why; bytes that came."""
    found: dict[Digest, bytes] = {}
    lost: dict[Digest, str] = {}
    failed: dict[Blob, str] = {}
    spots: list[Spot] = []
    size = 0
    for shape, digest in blobs:
        spot = remote.catalog.spot(shape, digest)
        if spot is None:
            lost[digest] = GONE
        else:
            spots.append(spot)
    for span, data in in_lanes(lambda span: get(remote, span), spans(spots)):
        size += len(data or b"")
        for row in span.rows:
            at = row.offset - span.start
            try:
                if data is None:
                    raise ObjectCorrupt("gone")
                found[row.digest] = _decoded(row, data[at : at + row.length])
            except ObjectCorrupt:
                failed[row.shape, row.digest] = span.place
    if failed:
        avoid(remote, failed.values())
        again = [blob for blob in failed if remote.catalog.spot(*blob) is not None]
        lost |= {blob[1]: BROKEN for blob in failed if blob not in again}
        more, worse, came = lists(remote, again)
        found |= more
        lost |= worse
        size += came
    return found, lost, size


def _alone(opened: int, target: Path) -> bool:
    """Does only this process write to the file that it opened, and is that still the one of this name?"""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(opened), target.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def avoid(remote: Remote, places: Iterable[str]) -> None:
    """Go on as if packs or large files that turned out to be damaged or gone were not there."""
    bad = set(places)
    held = remote.catalog.contents
    remote.forget(
        packs=[name for name, pack in held.packs.items() if pack.place in bad],
        objects=[digest for digest, each in held.objects.items() if each.place in bad],
    )


def get(remote: Remote, span: Span) -> bytes | None:
    """The bytes of a span; None where the object is gone."""
    try:
        return remote.backend.get(span.place, span.start, span.length)
    except ObjectMissing:
        return None


def spans(spots: Iterable[Spot]) -> Iterator[Span]:
    """The requests that bring these blobs: neighbours come together."""
    by_place: dict[str, list[Row]] = defaultdict(list)
    for place, row in spots:
        by_place[place].append(row)
    for place, rows in sorted(by_place.items()):
        rows.sort(key=lambda row: row.offset)
        start = end = rows[0].offset
        some: list[Row] = []
        for row in rows:
            if some and (row.offset - end > GAP or row.offset + row.length - start > SPAN):
                yield Span(place, start, end - start, tuple(some))
                some, start = [], row.offset
            some.append(row)
            end = max(end, row.offset + row.length) if len(some) > 1 else row.offset + row.length
        yield Span(place, start, end - start, tuple(some))


def _batches(all_spans: Sequence[Span]) -> Iterator[list[Span]]:
    batch: list[Span] = []
    size = 0
    for span in all_spans:
        batch.append(span)
        size += span.length
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _decoded(row: Row, stored: bytes) -> bytes:
    data = packs.decode(row, stored)
    if row.shape == Shape.RECIPE:
        try:
            recipes.parse(data)
        except ValueError as error:
            raise ObjectCorrupt(str(error)) from error
    return data
