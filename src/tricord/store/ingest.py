"""Many puts as one: what is new goes into packs and objects, which get their names together at the end."""

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from tricord.core.artifact import Digest, short
from tricord.core.errors import DataError, ObjectCorrupt, StoreError
from tricord.core.files import sync_folder
from tricord.store import digest as digests
from tricord.store import large, pack, recipe, tree
from tricord.store.faults import in_source, in_store
from tricord.store.pack import Row, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.reading import Reader
from tricord.store.writing import (
    SMALL,
    Source,
    changed,
    give_names,
    mark_of,
    pack_of,
    place_of,
    touch,
)

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_BATCH = 1000
"""Files that are looked up together."""
_BATCH_BYTES = 8 << 20
_NOTHING: frozenset[Digest] = frozenset()


class Ingest:
    """Made by `LocalStore.ingest()`. Threads may share it. Nothing is in the store before the end.

    A blob that the store has is not written again: its pack or object gets the present as its time of
    modification, so that a collection of waste with its period of grace leaves it alone. The lock is
    held, so no pack that was found can go away.
    """

    def __init__(self, reader: Reader, area: Path) -> None:
        self.area = area
        """A folder for downloads and other scratch files. It is gone after the ingest."""
        self._reader = reader
        self._root = reader.root
        self._objects = reader.root / "objects"
        self._index = reader.index
        self._lock = threading.RLock()
        self._held: dict[Shape, set[Digest]] = {shape: set() for shape in Shape}
        self._plain: dict[Digest, Path | None] = {}
        self._inside: dict[Digest, list[tuple[Digest, int]]] = {}
        self._whole: dict[Digest, set[tuple[Digest, int]]] = {}
        self._packs: dict[str, Mapping[Shape, set[Digest]]] = {}
        self._mended: set[str] = set()
        self._prefixes: set[str] | None = None
        self._writer: pack.PackWriter | None = None
        self._lists: list[tuple[Shape, Digest, bytes]] = []
        self._finished: list[Callable[[], pack.Pack]] = []
        self._pool: ThreadPoolExecutor | None = None

    # -- what is added -----------------------------------------------------------------------

    def add_bytes(self, data: bytes) -> Digest:
        """Add bytes as a file."""
        if len(data) > SMALL:
            scratch = self.area / os.urandom(8).hex()
            with in_store(scratch):
                scratch.write_bytes(data)
            return self.add_file(scratch, consume=True).digest
        digest = digests.of_bytes(data)
        with self._lock, in_store(self.area):
            self._add_small([(digest, data)])
        return digest

    def add_file(self, path: Path, *, consume: bool = False) -> Source:
        """Add a file's content. With `consume` it is a scratch file that may be taken over.

        DataError if it cannot be read, is no regular file, or changes meanwhile; StorageFull, StoreError.
        """
        return self._add_files([path], quiet, consume=consume, once=consume)[0]

    def add_files(
        self, paths: Sequence[str | Path], watch: Watch = quiet, *, once: bool = False
    ) -> list[Source]:
        """Add files' contents: the fast way for many. Errors as for one.

        With `once` nobody looks whether a file changed while it was read: the caller does so later.
        """
        return self._add_files(paths, watch, consume=False, once=once)

    def add_tree(self, entries: Iterable[tree.Entry]) -> Digest:
        """Add the list of a folder's files, all of which are in the store or in this ingest (S3).

        StoreError names one that is not; DataError for paths that a tree cannot hold.
        """
        listed = list(entries)
        absent = self.absent(entry.digest for entry in listed)
        if absent:
            first = next(entry for entry in listed if entry.digest in absent)
            raise StoreError(
                f"a tree lists {len(absent)} files that are not in the store",
                where=f"{first.path}, {short(first.digest)}",
                hint="tricord pull",
            )
        try:
            tree.check_paths([entry.path for entry in listed])
        except ValueError as error:
            raise DataError(f"not the files of a folder: {error}") from error
        data = tree.encode(listed)
        digest = digests.of_tree_bytes(data)
        with self._lock, in_store(self.area):
            self._add_list(Shape.TREE, digest, data)
        return digest

    def absent(self, names: Iterable[Digest]) -> set[Digest]:
        """Of these files and trees, those that are neither in the store nor in this ingest.

        The others' packs and objects get the present as their time of modification: no collection takes
        them before the period of grace has passed, even where nobody has said yet what they are for.
        """
        rest = set(names)
        with self._lock, in_store(self.area):
            rest -= self._held[Shape.RECIPE] | self._plain.keys()
            rest -= self._known(Shape.FILE, rest)
            rest -= self._known(Shape.TREE, rest) if rest else rest
            absent = self._reader.missing(rest) if rest else rest
            there = rest - absent
            self._known(Shape.RECIPE, there)  # the chunks that it lists stay with it
            for name in there:
                for top in ("objects", "trees"):
                    with suppress(FileNotFoundError, PermissionError):
                        os.utime(place_of(self._root / top, name))
        return absent

    def add_blob(self, shape: Shape, digest: Digest, data: bytes) -> None:
        """Add what a download brings, after a check against its digest. ObjectCorrupt.

        What a tree or recipe lists has to be in this ingest or the store by the end: the caller's business.
        """
        if shape == Shape.RECIPE:
            _check_recipe(digest, data)
        elif pack.named(shape, data) != digest:
            raise _lies(digest)
        with self._lock, in_store(self.area):
            if shape == Shape.FILE:
                self._add_small([(digest, data)])
            else:
                self._add_list(shape, digest, data)

    def add_stored(self, blobs: Sequence[tuple[Row, bytes]]) -> set[Digest]:
        """Add blobs in the form that other packs hold them in, each after a check.

        What is not what its row says is left out; its digests are the answer.
        """
        refused: set[Digest] = set()
        with self._lock, in_store(self.area):
            known = {
                shape: self._known(shape, [row.digest for row, _ in blobs if row.shape == shape])
                for shape in {row.shape for row, _ in blobs}
            }
            for row, stored in blobs:
                try:
                    data = pack.decode(row, stored)
                    if row.shape == Shape.RECIPE:
                        _check_recipe(row.digest, data)
                except ObjectCorrupt:
                    refused.add(row.digest)
                    continue
                if row.digest in known[row.shape] or row.digest in self._held[row.shape]:
                    continue
                if row.shape != Shape.FILE:
                    self._add_list(row.shape, row.digest, data)
                    continue
                writer = self._open_writer()
                writer.append(row.shape, row.digest, stored, row.size, compressed=row.compressed)
                self._held[Shape.FILE].add(row.digest)
                self._rotate()
        return refused

    def add_pack(self, source: Path, rows: Sequence[Row]) -> bool:
        """Take over a pack of files that a download left in `area`, after a check of each; see `pack.take_over`.
        False where it is not what the rows say: nothing of it is added then."""
        with in_store(self.area):
            taken = pack.take_over(source, rows)
        if taken is None:
            return False
        with self._lock:
            self._finished.append(lambda: taken)
            self._held[Shape.FILE].update(row.digest for row in taken.rows)
        return True

    def add_plain(self, digest: Digest, source: Path) -> None:
        """Take over a large file that a download left in `area`, after a check. ObjectCorrupt."""
        with in_source(source):
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with in_store(self.area):
                taken = large.take(descriptor, source, self.area)
        finally:
            os.close(descriptor)
        if taken.digest != digest:
            taken.path.unlink()
            raise _lies(digest)
        with self._lock, in_store(self.area):
            self._keep_plain(taken)

    # -- the end -----------------------------------------------------------------------------

    def publish(self) -> None:
        """Give everything its name: objects, then packs, then the pack with trees and recipes (S3)."""
        with self._lock, in_store(self._root):
            for shape, digest, data in self._lists:
                self._open_writer().add(shape, digest, data)
            self._rotate(always=True)
            finished = [result() for result in self._finished]
            objects = [
                (kept, place_of(self._objects, d)) for d, kept in self._plain.items() if kept
            ]
            if self._plain:
                give_names(objects, self._objects)
            self._sync_found_objects()
            folder = self._root / "packs"
            moves = [(found.path, pack_of(self._root, found.name)) for found in finished]
            for some in (moves[:-1], moves[-1:]):
                if some:
                    give_names(some, folder)
            if self._packs and not moves:
                sync_folder(folder)  # who wrote a pack that was found may not have come this far
            for found in finished:
                self._index.add(found.name, found.size, found.rows)
            for digest, parts in self._inside.items():
                self._index.add_inside(digest, parts)

    def close(self) -> None:
        """Let go of files and threads; what was not published is waste in `area`."""
        with self._lock:
            if self._writer is not None:
                self._writer.abandon()
                self._writer = None
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    # -- files -------------------------------------------------------------------------------

    def _add_files(
        self, paths: Sequence[str | Path], watch: Watch, *, consume: bool, once: bool
    ) -> list[Source]:
        sources: list[Source] = []
        batch: list[tuple[Digest, bytes]] = []
        weight = 0
        of_bytes = digests.of_bytes
        for path in paths:
            try:
                # O_NONBLOCK: opening a FIFO must not wait for somebody who writes to it
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:
                with in_source(Path(path)):
                    raise
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise DataError("not a regular file", where=str(path))
                if status.st_size <= SMALL:
                    data = _read(descriptor, path, status.st_size)
                    digest = of_bytes(data)
                    batch.append((digest, data))
                    weight += len(data)
                else:
                    digest = self._add_large(descriptor, Path(path), status, watch, consume=consume)
                mark = mark_of(status)
                if not once and mark_of(os.fstat(descriptor)) != mark:
                    raise changed(path)
            finally:
                os.close(descriptor)
            sources.append(Source(path, digest, status.st_size, bool(status.st_mode & 0o100), mark))
            if len(batch) >= _BATCH or weight >= _BATCH_BYTES:
                self._add_batch(batch, weight, watch)
                batch, weight = [], 0
        if batch:
            self._add_batch(batch, weight, watch)
        return sources

    def _add_batch(self, batch: list[tuple[Digest, bytes]], weight: int, watch: Watch) -> None:
        with self._lock, in_store(self.area):
            self._add_small(batch)
        watch(weight, len(batch), "")

    def _add_small(self, batch: Sequence[tuple[Digest, bytes]]) -> None:
        held = self._held[Shape.FILE]
        self._known(Shape.FILE, [digest for digest, _ in batch])
        for digest, data in batch:
            if digest in held or self._plain_there(digest, len(data)):
                continue
            writer = self._writer or self._open_writer()
            writer.add(Shape.FILE, digest, data)
            held.add(digest)
            if writer.size >= pack.LIMIT:
                self._rotate()

    def _add_large(
        self, descriptor: int, path: Path, status: os.stat_result, watch: Watch, *, consume: bool
    ) -> Digest:
        label = path.name

        def told(done: int) -> None:
            watch(done, 0, label)

        with in_source(path):
            samples = large.sample(descriptor, status.st_size)
        with self._lock, in_store(self.area):
            new = not self._known_chunks([digests.of_bytes(some) for some in samples])
        if new and not large.shrinks(samples):
            with in_store(self.area):
                taken = large.take(descriptor, path if consume else None, self.area, told)
            if taken.size != status.st_size:
                raise changed(path)
            with self._lock, in_store(self.area):
                self._keep_plain(taken)
            digest = taken.digest
        else:
            digest = self._add_chunked(descriptor, path, status.st_size, told)
        watch(0, 1, label)
        return digest

    def _add_chunked(self, descriptor: int, path: Path, size: int, told: Callable[[int], None]) -> Digest:  # fmt: skip
        parts: list[recipe.Part] = []
        whole = 0
        hasher = large.Hasher()
        for region, names in large.hashed(descriptor, hasher):
            with self._lock, in_store(self.area):
                self._add_chunks(names, region.chunks())
            parts += map(recipe.Part, names, region.lengths)
            whole += len(region.data)
            told(len(region.data))
        if whole != size:
            raise changed(path)
        digest = hasher.digest()
        with self._lock, in_store(self.area):
            if not self._plain_there(digest, size):
                self._add_list(Shape.RECIPE, digest, recipe.encode(parts))
        return digest

    def _add_chunks(self, names: Sequence[Digest], data: Iterator[memoryview]) -> None:
        known = self._known_chunks(names)
        held = self._held[Shape.FILE]
        for digest, chunk in zip(names, data, strict=True):
            if digest not in known and digest not in held:
                self._open_writer().add(Shape.FILE, digest, bytes(chunk))
                held.add(digest)
                self._rotate()

    def _keep_plain(self, taken: large.Taken) -> None:
        if self._plain_there(taken.digest, taken.size):
            taken.path.unlink()
            return
        self._plain[taken.digest] = taken.path
        starts: list[tuple[Digest, int]] = []
        offset = 0
        for part in taken.parts:
            starts.append((part.digest, offset))
            offset += part.size
        self._inside[taken.digest] = starts
        self._add_list(Shape.RECIPE, taken.digest, recipe.encode(taken.parts))

    # -- what is there already ---------------------------------------------------------------

    def _known(self, shape: Shape, names: Iterable[Digest]) -> set[Digest]:
        """Of these, those that a pack of this ingest or of the store has: from now on they are `_held`."""
        held = self._held[shape]
        asked = set(names)
        while wanted := asked - held:
            packs = self._index.packs_of(wanted, shape)
            wrong: set[str] = set()
            for name, some in packs.items():
                listed = self._listed(name).get(shape, _NOTHING)
                if listed.issuperset(some):
                    held |= some
                else:
                    held |= some & listed
                    wrong.add(name)
            if not self._index_mended(wrong):
                break
        return asked & held

    def _listed(self, name: str) -> Mapping[Shape, set[Digest]]:
        """What a pack says itself that it holds: the index may be wrong, and bytes that are not kept are lost.
        Nothing where it is gone, damaged, or may not be touched: then it is not counted on."""
        if name not in self._packs:
            path = pack_of(self._root, name)
            try:
                os.utime(path)
                self._packs[name] = pack.listed(path)
            except (FileNotFoundError, PermissionError, ObjectCorrupt):
                self._packs[name] = {}
        return self._packs[name]

    def _index_mended(self, wrong: set[str]) -> bool:
        """Let the index forget packs that are gone, and read those anew about which it was wrong; False for none.
        Of a damaged pack, and of one of other people's, it keeps what it has."""
        gone = {name for name in wrong if not pack_of(self._root, name).exists()}
        anew = {name for name in wrong - gone - self._mended if self._packs[name]}
        self._mended |= anew
        self._index.drop(gone | anew)
        if anew:
            self._index.refresh()
        return bool(gone or anew)

    def _known_chunks(self, names: Sequence[Digest]) -> set[Digest]:
        """Chunks that a pack or a plain object holds."""
        known = self._known(Shape.FILE, names)
        rest = [name for name in dict.fromkeys(names) if name not in known]
        for chunk, (held, start) in self._index.inside(rest).items() if rest else ():
            if held not in self._whole:
                self._whole[held] = self._parts_of_plain(held)
            if (chunk, start) in self._whole[held]:
                known.add(chunk)
        return known

    def _parts_of_plain(self, digest: Digest) -> set[tuple[Digest, int]]:
        """The chunks of a plain object with their offsets in it, by its recipe; nothing where it is gone."""
        parts = self._reader.parts(digest) or []
        starts = [0, *accumulate(part.size for part in parts)]
        if not parts or not self._plain_there(digest, starts[-1]):
            return set()
        return {(part.digest, start) for part, start in zip(parts, starts, strict=False)}

    def _plain_there(self, digest: Digest, size: int) -> bool:
        """True if a plain object of that size is in the store or this ingest."""
        if digest in self._plain:
            return True
        if self._prefixes is None:
            self._prefixes = set(os.listdir(self._objects))  # noqa: PTH208
        if digest[:2] not in self._prefixes:
            return False
        if not touch(place_of(self._objects, digest), size):
            return False
        self._plain[digest] = None
        return True

    def _sync_found_objects(self) -> None:
        found = {place_of(self._objects, d).parent for d, kept in self._plain.items() if not kept}
        for folder in sorted(found):
            sync_folder(folder)

    # -- packs -------------------------------------------------------------------------------

    def _add_list(self, shape: Shape, digest: Digest, data: bytes) -> None:
        if not self._known(shape, [digest]):
            self._lists.append((shape, digest, data))
            self._held[shape].add(digest)

    def _open_writer(self) -> pack.PackWriter:
        if self._writer is None:
            self._writer = pack.PackWriter(self.area / f"{os.urandom(8).hex()}{pack.SUFFIX}")
        return self._writer

    def _rotate(self, *, always: bool = False) -> None:
        """End the pack if it is large enough. A thread makes it durable, unless it is the only one."""
        writer = self._writer
        if writer is None or (writer.size < pack.LIMIT and not always):
            return
        self._writer = None
        if always and not self._finished:
            done = writer.finish()
            self._finished.append(lambda: done)
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # slow to load, and seldom needed

            self._pool = ThreadPoolExecutor(1, thread_name_prefix="packs")
        self._finished.append(self._pool.submit(writer.finish).result)


def _read(descriptor: int, path: str | Path, size: int) -> bytes:
    """All of a small file; DataError if it is longer or shorter than it was."""
    data = _read_at_once(descriptor, size)
    if data is not None:
        return data
    with in_source(Path(path)):
        os.lseek(descriptor, 0, os.SEEK_SET)
        data = os.read(descriptor, size + 1)
        while data and len(data) < size and (more := os.read(descriptor, size + 1 - len(data))):
            data += more
    if len(data) != size:
        raise changed(path)
    return data


def _read_at_once(descriptor: int, size: int) -> bytes | None:
    """What one call gives, if that is all; None where it is to be tried with more patience."""
    try:
        data = os.read(descriptor, size + 1)
    except OSError:
        return None
    return data if len(data) == size else None


def _check_recipe(digest: Digest, data: bytes) -> None:
    try:
        recipe.parse(data)
    except ValueError as error:
        raise ObjectCorrupt(f"the recipe of {short(digest)} is damaged: {error}") from error


def _lies(digest: Digest) -> ObjectCorrupt:
    return ObjectCorrupt(
        f"what was to be {short(digest)} has other bytes",
        hint="tricord verify, where it came from",
    )
