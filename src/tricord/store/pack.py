"""Packs: many small blobs in one file, with a directory at its end. See docs/reference/store-format.md."""

import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, cast

from blake3 import blake3

from tricord.core import files
from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt, StoreError
from tricord.store import digest as digests
from tricord.store import recipe

MAGIC = b"tricord pack 2\n"
TRAILER = struct.Struct("<QQ32s16s")  # rows, bytes of the directory, its BLAKE3, END
END = b"tricord pack end"
ROW = struct.Struct("<BBHIQQ32s")  # shape, encoding, 0, length, offset, size, digest
SUFFIX = ".pack"
LIMIT = 32 << 20
"""Bytes after which a writer ends a pack and starts the next one."""
_LEVEL = 1
_BUFFER = 1 << 20
_BLOCK = 4 << 20
_TRIES = 32
"""After so many blobs in a row that do not shrink, only each eighth is tried."""


class Shape(IntEnum):
    """What a blob is. A digest may name a file and, as a recipe, the way to put that file together."""

    FILE = 0  # a small file's bytes, or a chunk of a large one: the same where the bytes are
    TREE = 1  # a folder's list of files; its digest is derived with a key
    RECIPE = 2  # the chunks of the large file that the digest names


SHAPES = {int(shape): shape for shape in Shape}
MOST = {Shape.FILE: 1 << 20, Shape.TREE: 1 << 30, Shape.RECIPE: 1 << 30}
"""Bytes that a blob can have: what is in memory at once, whoever it comes from."""


class Row(NamedTuple):
    """Where a blob lies in its pack: `length` stored bytes at `offset`, which decode to `size`."""

    shape: Shape
    digest: Digest
    offset: int
    length: int
    size: int
    compressed: bool


@dataclass(frozen=True, slots=True)
class Pack:
    """A finished pack: its name is the BLAKE3 of its directory, so equal packs are one."""

    name: str
    path: Path
    rows: tuple[Row, ...]
    size: int


class PackWriter:
    """Writes one pack to `path`, which must not exist. Not for several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._waiting: list[bytes | memoryview] = [MAGIC]
        self._weight = 0
        self._offset = len(MAGIC)
        self._vain = 0
        import zstandard  # slow to load, and not needed to look at what is there

        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._offset

    def add(self, shape: Shape, digest: Digest, data: bytes | memoryview) -> Row:
        """Append a blob, compressed where that saves a twentieth at least."""
        if len(data) >= 64 and (self._vain < _TRIES or len(self.rows) % 8 == 0):
            packed = self._compressor.compress(data)
            if len(packed) * 20 <= len(data) * 19:
                self._vain = 0
                return self.append(shape, digest, packed, len(data), compressed=True)
            self._vain += 1
        return self.append(shape, digest, data, len(data), compressed=False)

    def append(
        self,
        shape: Shape,
        digest: Digest,
        stored: bytes | memoryview,
        size: int,
        *,
        compressed: bool,
    ) -> Row:
        """Append a blob in its stored form, as another pack holds it. StoreError where nobody could read it."""
        if size > MOST[shape]:
            raise StoreError(
                f"a list of {size} bytes is longer than a store can hold",
                hint="add the folders in it, or parts of the file, one by one",
            )
        row = Row(shape, digest, self._offset, len(stored), size, compressed)
        self.rows.append(row)
        self._waiting.append(stored)
        self._offset += len(stored)
        self._weight += len(stored)
        if self._weight >= _BUFFER:
            self._flush()
        return row

    def finish(self) -> Pack:
        """Write directory and trailer, make it all durable, and close. Nothing is left of it where that fails."""
        directory, trailer = closing(self.rows)
        self._waiting += directory, trailer
        try:
            self._flush()
            os.fchmod(self._file, 0o444)
            files.sync(self._file)
        except BaseException:
            self.abandon()
            raise
        self._close()
        size = self._offset + len(directory) + len(trailer)
        return Pack(name_of(directory), self.path, tuple(self.rows), size)

    def abandon(self) -> None:
        """Close and remove it. Does nothing to a pack that is finished."""
        if self._file >= 0:
            self._close()
            self.path.unlink(missing_ok=True)

    def _flush(self) -> None:
        files.write_all(self._file, b"".join(self._waiting))
        self._waiting, self._weight = [], 0

    def _close(self) -> None:
        descriptor, self._file = self._file, -1
        os.close(descriptor)


def closing(rows: Sequence[Row]) -> tuple[bytes, bytes]:
    """Directory and trailer of a pack with these rows."""
    directory = b"".join(
        ROW.pack(r.shape, r.compressed, 0, r.length, r.offset, r.size, bytes.fromhex(r.digest))
        for r in rows
    )
    return directory, TRAILER.pack(len(rows), len(directory), blake3(directory).digest(), END)


def name_of(directory: bytes) -> str:
    """The name of the pack with this directory: its BLAKE3 in hexadecimal."""
    return blake3(directory).hexdigest()


def parse_directory(directory: bytes) -> list[Row]:
    """The rows of a directory. ValueError where they are not those of one."""
    rows: list[Row] = []
    for shape, compressed, _, length, offset, size, digest in ROW.iter_unpack(directory):
        rows.append(Row(SHAPES[shape], Digest(digest.hex()), offset, length, size, bool(compressed)))  # fmt: skip
    return rows


def read_directory(path: Path, *, most: int | None = None) -> list[Row]:
    """The rows of a pack, from its end; none where it has more than `most`. ObjectCorrupt where the
    directory is not what it was; OSError as the file system has it."""
    with path.open("rb", buffering=0) as file:
        return _rows(_directory(file.fileno(), path, most), path)


def listed(path: Path) -> dict[Shape, set[Digest]]:
    """The digests in a pack's directory, by shape: several times as fast as its rows. Errors as `read_directory`."""
    with path.open("rb", buffering=0) as file:
        directory = _directory(file.fileno(), path, None)
    names, width = directory.hex(), 2 * ROW.size
    ends = range(width, len(names) + 1, width)
    shapes = directory[:: ROW.size]
    if not any(shapes):  # all are files or chunks
        return {Shape.FILE: cast("set[Digest]", {names[end - 64 : end] for end in ends})}
    found: dict[Shape, set[Digest]] = {shape: set() for shape in Shape}
    for shape, end in zip(shapes, ends, strict=True):
        if shape in SHAPES:
            found[SHAPES[shape]].add(Digest(names[end - 64 : end]))
    return found


def check(path: Path) -> bytes:
    """The directory of a pack of whose blobs each is what its row says. ObjectCorrupt names the first that is not."""
    with path.open("rb", buffering=0) as file:
        directory = _directory(file.fileno(), path, None)
        start, block = 0, memoryview(b"")
        for row in sorted(_rows(directory, path), key=lambda row: row.offset):
            if row.offset + row.length > start + len(block):
                start = row.offset
                block = memoryview(os.pread(file.fileno(), max(row.length, _BLOCK), start))
            stored = block[row.offset - start : row.offset - start + row.length]
            plain = row.shape is Shape.FILE and len(stored) == row.size and not row.compressed
            if not plain or blake3(stored).hexdigest() != row.digest:
                decode(row, stored)
    return directory


def _directory(file: int, path: Path, most: int | None) -> bytes:
    end = os.fstat(file).st_size
    try:
        tail = os.pread(file, TRAILER.size, end - TRAILER.size) if end > TRAILER.size else b""
        count, length, checksum, magic = TRAILER.unpack(tail)
        if length > end - TRAILER.size:
            raise ValueError("it is cut off")
        if most is not None and count > most:
            return b""
        directory = os.pread(file, length, end - TRAILER.size - length)
        if magic != END or count * ROW.size != length or blake3(directory).digest() != checksum:
            raise ValueError("its directory does not match its check sum")
    except (struct.error, ValueError, OverflowError) as error:
        raise _damaged(path, error) from error
    return directory


def _rows(directory: bytes, path: Path) -> list[Row]:
    try:
        return parse_directory(directory)
    except (struct.error, ValueError, OverflowError, KeyError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ObjectCorrupt:
    return ObjectCorrupt(f"a pack is damaged: {error}", where=str(path), hint="tricord verify")


def take_over(path: Path, rows: Sequence[Row]) -> Pack | None:
    """Make a pack with just these rows of a file that has their blobs at its start, one after the other.

    Each blob is checked; what lies behind the last one gives way to the directory. Durable when it
    returns. None where the file is not what the rows say.
    """
    target = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        end = len(MAGIC)
        with mmap.mmap(target, 0, prot=mmap.PROT_READ) as data, memoryview(data) as view:
            if bytes(view[:end]) != MAGIC:
                return None
            for row in rows:
                if row.offset != end or row.shape is not Shape.FILE:
                    return None
                end += row.length
                with view[row.offset : end] as stored:
                    decode(row, stored)
        directory, trailer = closing(rows)
        os.ftruncate(target, end)
        os.lseek(target, end, os.SEEK_SET)
        files.write_all(target, directory + trailer)
        os.fchmod(target, 0o444)
        files.sync(target)
    except (ObjectCorrupt, ValueError):  # ValueError: an empty file
        return None
    finally:
        os.close(target)
    size = end + len(directory) + len(trailer)
    return Pack(name_of(directory), path, tuple(rows), size)


def decode(row: Row, stored: bytes | memoryview) -> bytes:
    """The bytes of a blob from its stored form, checked against its digest where the digest says so.

    ObjectCorrupt. A recipe is named after the file it makes, and checked by the check sum in it.
    """
    if row.size > MOST[row.shape]:
        raise ObjectCorrupt(f"{row.digest[:12]} is said to be larger than such a blob can be")
    data = b"" if row.compressed else bytes(stored)
    if row.shape is Shape.FILE and data and len(data) == row.size and blake3(data).hexdigest() == row.digest:  # fmt: skip
        return data
    if row.compressed:
        import zstandard

        try:
            if (
                zstandard.frame_content_size(stored) != row.size
            ):  # before any memory is taken for it
                raise ObjectCorrupt(f"{row.digest[:12]} is said to have another size than it has")
            data = zstandard.ZstdDecompressor().decompress(stored, max_output_size=row.size)
        except zstandard.ZstdError as error:
            raise ObjectCorrupt(f"{row.digest[:12]} does not decompress: {error}") from error
    good = recipe.is_one(data) if row.shape is Shape.RECIPE else named(row.shape, data) == row.digest  # fmt: skip
    if len(data) != row.size or not good:
        raise ObjectCorrupt(f"the stored bytes of {row.digest[:12]} do not match its digest")
    return data


def named(shape: Shape, data: bytes | memoryview) -> Digest:
    """The digest of a file, chunk or tree with these bytes."""
    return digests.of_tree_bytes(bytes(data)) if shape == Shape.TREE else digests.of_bytes(data)
