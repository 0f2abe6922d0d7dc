"""Reading: blobs out of packs, large files out of their chunks. Every byte is checked on the way."""

import io
import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from tricord.core.artifact import Digest, check_digests, short
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import digest as digests
from tricord.store import pack, recipe
from tricord.store.faults import in_store
from tricord.store.index import Index, Place
from tricord.store.pack import Shape
from tricord.store.recipe import Part
from tricord.store.writing import pack_of, place_of

_TOGETHER = 128
"""Chunks that are in memory at once where a large file is read."""
_MANY, _SAMPLE = 2000, 16
"""So many blobs are looked for in the directories of the packs that have this many of them."""
_TRIES = 4
"""How often a blob is looked for anew while a collection of waste moves it from pack to pack."""


class Reader:
    """What is where in a store, and its bytes. Needs no lock and no permission to write."""

    def __init__(self, root: Path, index: Index) -> None:
        self.root = root
        self.index = index
        self._objects = root / "objects"
        self._trees = root / "trees"

    # -- what is there -----------------------------------------------------------------------

    def missing(self, names: Iterable[Digest]) -> set[Digest]:
        """Of these, those that are neither a whole file nor a tree."""
        return self.locate(names)[1]

    def locate(self, names: Iterable[Digest]) -> tuple[dict[Digest, Place], set[Digest]]:
        """Where the small files among them are, and those that are neither a whole file nor a tree."""
        rest = set(names)
        check_digests(list(rest))
        small = self.places(rest, Shape.FILE)
        rest -= small.keys()
        rest -= self.places(rest, Shape.TREE).keys()
        rest = {name for name in rest if not self.plain(name) and not self.old_tree(name)}
        recipes = self.places(rest, Shape.RECIPE)
        return small, {
            name
            for name in rest
            if name not in recipes
            or self.absent({part.digest for part in self.parts_at(recipes[name])})
        }

    def absent(self, names: set[Digest]) -> set[Digest]:
        """Of these chunks, those that neither a pack nor a plain object holds."""
        rest = sorted(names - self.places(names, Shape.FILE).keys())
        inside = self.index.inside(rest)
        there = {held: self.plain(held) is not None for held in {held for held, _ in inside.values()}}  # fmt: skip
        return {
            name
            for name in rest
            if not (name in inside and there[inside[name][0]]) and not self.plain(name)
        }

    def places(self, names: Iterable[Digest], shape: Shape) -> dict[Digest, Place]:
        """Where blobs are, in packs that are there; those that no pack has are left out."""
        wanted = list(names)
        found: dict[Digest, Place] = {}
        gone: set[str] = set()
        for _ in range(_TRIES):
            found = self._from_directories(wanted, shape) if len(wanted) >= _MANY else {}
            rest = [name for name in wanted if name not in found]
            found |= self.index.find_many(rest, shape) if rest else {}
            gone = {name for name in {p.pack for p in found.values()} if not self._pack(name).exists()}  # fmt: skip
            if not gone:
                return found
            self.index.drop(gone)
            self.index.refresh()
        return {digest: place for digest, place in found.items() if place.pack not in gone}

    def plain(self, digest: Digest) -> Path | None:
        """A large file's own place where it is kept as it is."""
        return _if_there(place_of(self._objects, digest))

    def old_tree(self, digest: Digest) -> Path | None:
        """A tree's own place in a store of version 1."""
        return _if_there(place_of(self._trees, digest))

    def parts(self, digest: Digest) -> list[Part] | None:
        """The chunks of a large file; None where it has no recipe."""
        for _ in range(_TRIES):
            place = self.places([digest], Shape.RECIPE).get(digest)
            if place is None:
                return None
            try:
                return self.parts_at(place)
            except FileNotFoundError:
                continue
        return None

    def parts_at(self, place: Place) -> list[Part]:
        """The chunks that the recipe at a place lists, or another copy of it where that is damaged."""
        try:
            return recipe.parse(self.sound(place))
        except ValueError as error:
            raise corrupt(place.row.digest, self._pack(place.pack), str(error)) from error

    # -- bytes -------------------------------------------------------------------------------

    def blob(self, digest: Digest, shape: Shape) -> bytes | None:
        """The bytes of a blob, checked; None where no pack has it. ObjectCorrupt if each copy is damaged."""
        for _ in range(_TRIES):
            place = self.index.find(digest, shape)
            if place is None:
                return None
            try:
                return self.at(place)
            except FileNotFoundError:
                self.index.drop([place.pack])
                self.index.refresh()
            except ObjectCorrupt:
                return self._other_copy(digest, shape, place)
        return None

    def at(self, place: Place) -> bytes:
        """The bytes of a blob at its place, checked. FileNotFoundError where the pack is gone."""
        path = self._pack(place.pack)
        with path.open("rb", buffering=0) as file, in_store(path):
            stored = os.pread(file.fileno(), place.row.length, place.row.offset)
        return checked(place, stored, path)

    def sound(self, place: Place) -> bytes:
        """As `at`, or from another pack where the bytes there are damaged."""
        try:
            return self.at(place)
        except ObjectCorrupt:
            return self._other_copy(place.row.digest, place.row.shape, place)

    def many(self, places: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
        """The bytes of blobs, pack by pack in the order they lie in. Blobs of a pack that is gone
        meanwhile are looked for anew. ObjectMissing, ObjectCorrupt."""
        by_pack: defaultdict[str, list[Place]] = defaultdict(list)
        for place in places:
            by_pack[place.pack].append(place)
        for name, some in by_pack.items():
            some.sort(key=lambda place: place.row.offset)
            yield from self._of_pack(self._pack(name), some)

    def chunk(self, part: Part, large: Digest) -> bytes:
        """A chunk of the large file `large`, from a pack or from within a plain object."""
        return next(self.chunks(large, [part]))

    def chunks(self, large: Digest, parts: Sequence[Part]) -> Iterator[bytes]:
        """The bytes of a large file chunk by chunk, a number of them looked up and read together."""
        for start in range(0, len(parts), _TOGETHER):
            some = parts[start : start + _TOGETHER]
            names = {part.digest for part in some}
            places = self.index.find_many(names, Shape.FILE, fresh=False)
            found = {place.row.digest: data for place, data in self.many(places.values())}
            rest = [part for part in some if part.digest not in found]
            inside = self.index.inside([part.digest for part in rest]) if rest else {}
            for part in some:
                if part.digest not in found:
                    found[part.digest] = self._elsewhere(part, large, inside)
                yield found[part.digest]

    def open(self, digest: Digest) -> BinaryIO:
        """A file as a seekable stream of bytes. ObjectMissing; ObjectCorrupt where a part that is read is damaged."""
        data = self.blob(digest, Shape.FILE)
        if data is not None:
            return io.BytesIO(data)
        parts, path = self.parts(digest), self.plain(digest)
        if path is None:
            if parts is None:
                raise self.lost(digest)
            given = parts
            return _buffered(_Chunked(given, lambda number: self.chunk(given[number], digest)))
        with in_store(path):
            file = path.open("rb", buffering=0)
        if parts is None:  # of a store of version 1
            return io.BufferedReader(file)
        return _buffered(_Chunked(parts, _plain_chunks(file, parts, path), file))

    def lost(self, digest: Digest, what: str = "") -> ObjectMissing:
        """What to raise where something is not in the store."""
        return ObjectMissing(
            f"no object {short(digest)} in the store" + (f", {what}" if what else ""),
            where=str(self.root),
            hint="tricord pull, or tricord verify",
        )

    # -- within ------------------------------------------------------------------------------

    def _from_directories(self, wanted: Sequence[Digest], shape: Shape) -> dict[Digest, Place]:
        """Where many blobs are, as far as they lie together: what was added together does. Reading the
        directories of a few packs is several times as fast as asking the index for each blob."""
        found: dict[Digest, Place] = {}
        some = wanted[:: len(wanted) // _SAMPLE]
        rest = set(wanted)
        for name in {place.pack for place in self.index.find_many(some, shape).values()}:
            with suppress(OSError, ObjectCorrupt):  # the index is asked then
                rows = pack.read_directory(self._pack(name), most=4 * len(rest))
                found |= {
                    row.digest: Place(name, row)
                    for row in rows
                    if row.digest in rest and row.shape == shape
                }
                rest -= found.keys()
        return found

    def _pack(self, name: str) -> Path:
        return pack_of(self.root, name)

    def _of_pack(self, path: Path, places: Sequence[Place]) -> Iterator[tuple[Place, bytes]]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            descriptor = -1
        if descriptor < 0:
            self.index.drop([places[0].pack])
            self.index.refresh()
            for place in places:
                yield place, self._again(place)
            return
        try:
            for run in _runs(places):
                start = run[0].row.offset
                end = max(place.row.offset + place.row.length for place in run)
                with in_store(path):
                    block = memoryview(os.pread(descriptor, end - start, start))
                for place in run:
                    begin = place.row.offset - start
                    stored = block[begin : begin + place.row.length]
                    try:
                        yield place, checked(place, stored, path)
                    except ObjectCorrupt:
                        yield place, self._other_copy(place.row.digest, place.row.shape, place)
        finally:
            os.close(descriptor)

    def _again(self, place: Place) -> bytes:
        data = self.blob(place.row.digest, place.row.shape)
        if data is None and place.row.shape == Shape.FILE:
            part = Part(place.row.digest, place.row.size)
            return self._elsewhere(part, part.digest, self.index.inside([part.digest]))
        if data is None:
            raise self.lost(place.row.digest)
        return data

    def _elsewhere(self, part: Part, large: Digest, inside: Mapping[Digest, tuple[Digest, int]]) -> bytes:  # fmt: skip
        """A chunk from within a plain object, or from a pack that came meanwhile."""
        held, offset = inside.get(part.digest, (part.digest, 0))
        path = self.plain(held)
        if path is None:
            data = self.blob(part.digest, Shape.FILE)
            if data is None:
                raise self.lost(part.digest, f"a part of {short(large)}" * (large != part.digest))
            return data
        with in_store(path), path.open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), part.size, offset)
        if digests.of_bytes(data) != part.digest:
            raise corrupt(held, path, f"its part {short(part.digest)} does not match its digest")
        return data

    def _other_copy(self, digest: Digest, shape: Shape, bad: Place) -> bytes:
        """A blob whose bytes did not match: perhaps the index is wrong, or another pack has it too."""
        path = self._pack(bad.pack)
        if path.exists():
            rows = [
                Place(bad.pack, row) for row in pack.read_directory(path) if row.digest == digest
            ]
        else:
            rows = []
        copies = [place for place in self.index.copies(digest, shape) if place.pack != bad.pack]
        for place in (*rows, *copies):
            if place.row.shape == shape and place != bad:
                try:
                    return self.at(place)
                except (FileNotFoundError, ObjectCorrupt):
                    continue
        raise corrupt(digest, path, "its bytes do not match its digest")


class _Chunked(io.RawIOBase):
    """A file made of chunks, one of which is in memory at a time."""

    def __init__(
        self, parts: Sequence[Part], chunk: Callable[[int], bytes], file: io.FileIO | None = None
    ) -> None:
        self._starts = [0, *accumulate(part.size for part in parts)]
        self._chunk = chunk
        self._file = file
        self._held = (-1, b"")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        base = (0, self._at, self._starts[-1])[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self._at >= self._starts[-1]:
            return 0
        number = bisect_right(self._starts, self._at) - 1
        if self._held[0] != number:
            self._held = number, self._chunk(number)
        begin = self._at - self._starts[number]
        some = self._held[1][begin : begin + len(buffer)]
        buffer[: len(some)] = some
        self._at += len(some)
        return len(some)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


def _buffered(file: _Chunked) -> BinaryIO:
    return io.BufferedReader(file, 1 << 16)


def _plain_chunks(file: io.FileIO, parts: Sequence[Part], path: Path) -> Callable[[int], bytes]:
    starts = [0, *accumulate(part.size for part in parts)]

    def chunk(number: int) -> bytes:
        with in_store(path):
            data = os.pread(file.fileno(), parts[number].size, starts[number])
        if digests.of_bytes(data) != parts[number].digest:
            raise corrupt(parts[number].digest, path, "a part does not match its digest")
        return data

    return chunk


def checked(place: Place, stored: bytes | memoryview, path: Path) -> bytes:
    """A blob's bytes from its stored form. ObjectCorrupt names blob and pack."""
    try:
        return pack.decode(place.row, stored)
    except ObjectCorrupt as error:
        raise corrupt(place.row.digest, path, error.what) from error


def corrupt(digest: Digest, path: Path, what: str) -> ObjectCorrupt:
    """What to raise where bytes are not what their digest says."""
    return ObjectCorrupt(
        f"object {short(digest)} is damaged: {what}", where=str(path), hint="tricord verify"
    )


def _runs(places: Sequence[Place], most: int = 4 << 20) -> Generator[list[Place]]:
    """Blobs that lie close together, to be read at once."""
    run: list[Place] = []
    for place in places:
        row = place.row
        if run and (
            row.offset - (run[-1].row.offset + run[-1].row.length) > 1 << 14
            or row.offset + row.length - run[0].row.offset > most
        ):
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _if_there(path: Path) -> Path | None:
    with in_store(path):
        return path if path.exists() else None
