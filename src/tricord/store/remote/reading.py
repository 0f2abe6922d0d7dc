"""Reading a file at a remote without fetching it: any range of it, each chunk checked."""

import io
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO, cast

from blake3 import blake3

from tricord.core.artifact import Digest, short
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store import tree as trees
from tricord.store.pack import Shape
from tricord.store.recipe import Part
from tricord.store.remote.indexing import Catalog, Spot
from tricord.store.remote.receiving import SPAN, spans
from tricord.store.remote.remote import Remote

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FIRST = 256 << 10
"""Bytes that are read ahead at first; each read that goes on where the last one ended doubles it, up to a span."""
_KEPT = 32 << 20
"""Bytes of chunks that an open file keeps in memory."""


def open_file(remote: Remote, digest: Digest) -> BinaryIO:
    """A file at a remote, seekable, read by ranges and checked chunk by chunk as it is read.

    ObjectMissing; a read may raise ObjectCorrupt or RemoteError.
    """
    catalog = remote.catalog
    return cast("BinaryIO", io.BufferedReader(_RemoteFile(remote, digest, parts_of(remote, catalog, digest)), 1 << 16))  # fmt: skip


def entries(remote: Remote, digest: Digest) -> tuple[trees.Entry, ...]:
    """The files of a tree at a remote. ObjectMissing, ObjectCorrupt."""
    data = _blob(remote, _spot(remote.catalog, Shape.TREE, digest, remote.where))
    try:
        return trees.decode(data)
    except ValueError as error:
        raise ObjectCorrupt(str(error), where=remote.where) from error


def parts_of(remote: Remote, catalog: Catalog, digest: Digest) -> list[Part]:
    """The chunks of a file at a remote; of a small one itself. ObjectMissing, ObjectCorrupt."""
    held = catalog.contents.objects.get(digest)
    if held is not None:
        return recipes.parse(held.recipe)
    small = catalog.spot(Shape.FILE, digest)
    if small is not None:
        return [Part(digest, small.row.size)]
    data = _blob(remote, _spot(catalog, Shape.RECIPE, digest, remote.where))
    try:
        return recipes.parse(data)
    except ValueError as error:
        raise ObjectCorrupt(
            f"the recipe of {short(digest)}: {error}", where=remote.where
        ) from error


def _blob(remote: Remote, spot: Spot) -> bytes:
    return packs.decode(spot.row, remote.backend.get(spot.place, spot.row.offset, spot.row.length))


def _spot(catalog: Catalog, shape: Shape, digest: Digest, where: str) -> Spot:
    found = catalog.spot(shape, digest)
    if found is None:
        raise ObjectMissing(
            f"{short(digest)} is not at the remote",
            where=where,
            hint="tricord push, from a project that has it",
        )
    return found


class _RemoteFile(io.RawIOBase):
    def __init__(self, remote: Remote, digest: Digest, parts: Sequence[Part]) -> None:
        super().__init__()
        self._remote = remote
        self._digest = digest
        self._parts = parts
        self._ends = list(accumulate(part.size for part in parts))
        self._size = self._ends[-1] if parts else 0
        self._at = 0
        self._hasher = blake3()
        self._hashed = 0  # chunks from the start on, for as long as they were read in order
        self._ahead = _FIRST
        self._next = 0  # the chunk after the ones that were read last
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._kept_bytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"a position before the beginning: {base + offset}")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target) and self._at < self._size:
            number = bisect_right(self._ends, self._at)
            begin = self._ends[number] - self._parts[number].size
            chunk = self._chunk(number)
            if number == self._hashed:
                self._follow(chunk)
            some = chunk[self._at - begin : self._at - begin + len(target) - done]
            target[done : done + len(some)] = some
            done += len(some)
            self._at += len(some)
        return done

    def _follow(self, chunk: bytes) -> None:
        """Whoever reads a file from its start to its end learns whether its chunks make it: the recipe cannot say so."""
        self._hasher.update(chunk)
        self._hashed += 1
        if self._hashed == len(self._parts) and self._hasher.hexdigest() != self._digest:
            self._hashed -= 1  # the same for whoever reads on
            raise ObjectCorrupt(
                f"the chunks that the remote names do not make {short(self._digest)}",
                where=self._remote.where,
                hint="tricord push --repair, from a project that has the content",
            )

    def _chunk(self, number: int) -> bytes:
        if number not in self._kept:
            self._bring(number)
        self._kept.move_to_end(number)
        return self._kept[number]

    def _bring(self, number: int) -> None:
        """Read a chunk, and some after it."""
        self._ahead = min(self._ahead * 2, SPAN) if number == self._next else _FIRST
        catalog = self._remote.catalog
        wanted: dict[Digest, list[int]] = {}
        size, last = 0, number
        while last < len(self._parts) and (not wanted or size + self._parts[last].size <= self._ahead):  # fmt: skip
            if last not in self._kept:
                wanted.setdefault(self._parts[last].digest, []).append(last)
                size += self._parts[last].size
            last += 1
        self._next = last
        spots = [_spot(catalog, Shape.FILE, digest, self._remote.where) for digest in wanted]
        for span in spans(spots):
            data = self._remote.backend.get(span.place, span.start, span.length)
            for row in span.rows:
                at = row.offset - span.start
                chunk = self._checked(packs.decode(row, data[at : at + row.length]), wanted[row.digest][0])  # fmt: skip
                for each in wanted[row.digest]:
                    self._keep(each, chunk)
        while self._kept_bytes > _KEPT and len(self._kept) > 1:
            other = next(each for each in self._kept if each != number)
            self._kept_bytes -= len(self._kept.pop(other))

    def _checked(self, chunk: bytes, number: int) -> bytes:
        if len(chunk) != self._parts[number].size:
            raise ObjectCorrupt(
                f"a chunk of {short(self._digest)} is of another size than its recipe says",
                where=self._remote.where,
            )
        return chunk

    def _keep(self, number: int, chunk: bytes) -> None:
        self._kept[number] = chunk
        self._kept_bytes += len(chunk)
