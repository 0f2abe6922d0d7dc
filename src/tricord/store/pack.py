"""Packs: many small blobs in one file, with a directory at its end. See docs/reference/store-format.md."""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import zstandard
from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.store import digest as digests
from tricord.store.clone import write_all

MAGIC = b"tricord pack 2\n"
TRAILER = struct.Struct("<QQ32s16s")  # rows, bytes of the directory, its BLAKE3, END
END = b"tricord pack end"
ROW = struct.Struct("<BBHIQQ32s")  # shape, encoding, 0, length, offset, size, digest
SUFFIX = ".pack"
LIMIT = 32 << 20
"""Bytes after which a writer ends a pack and starts the next one."""
_LEVEL = 1
_TRIES = 32
"""After so many blobs in a row that do not shrink, only each eighth is tried."""


class Shape(IntEnum):
    """What a blob is. A digest may name a file and, as a recipe, the way to put that file together."""

    FILE = 0  # a small file's bytes, or a chunk of a large one: the same where the bytes are
    TREE = 1  # a folder's list of files; its digest is derived with a key
    RECIPE = 2  # the chunks of the large file that the digest names


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
        self._file = path.open("xb", buffering=1 << 20)
        self._file.write(MAGIC)
        self._offset = len(MAGIC)
        self._vain = 0
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
        """Append a blob in its stored form, as another pack holds it."""
        row = Row(shape, digest, self._offset, len(stored), size, compressed)
        self._file.write(stored)
        self._offset += len(stored)
        self.rows.append(row)
        return row

    def finish(self) -> Pack:
        """Write directory and trailer and close. What makes it durable is the caller's business."""
        directory, trailer = closing(self.rows)
        self._file.write(directory)
        self._file.write(trailer)
        self._file.close()
        size = self._offset + len(directory) + len(trailer)
        return Pack(name_of(directory), self.path, tuple(self.rows), size)

    def abandon(self) -> None:
        """Close and remove it."""
        self._file.close()
        self.path.unlink(missing_ok=True)


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
        rows.append(Row(Shape(shape), Digest(digest.hex()), offset, length, size, bool(compressed)))
    return rows


def read_directory(path: Path) -> list[Row]:
    """The rows of a pack, from its end. ObjectCorrupt where the directory is not what it was;
    OSError as the file system has it."""
    with path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        try:
            tail = os.pread(file.fileno(), TRAILER.size, end - TRAILER.size) if end > TRAILER.size else b""  # fmt: skip
            count, length, check, magic = TRAILER.unpack(tail)
            directory = os.pread(file.fileno(), length, end - TRAILER.size - length)
            if magic != END or count * ROW.size != length or blake3(directory).digest() != check:
                raise ValueError("its directory does not match its check sum")
            return parse_directory(directory)
        except (struct.error, ValueError, OverflowError) as error:
            raise ObjectCorrupt(
                f"a pack is damaged: {error}", where=str(path), hint="tricord verify"
            ) from error


def decode(row: Row, stored: bytes) -> bytes:
    """The bytes of a blob from its stored form, checked against its digest where the digest says so.

    ObjectCorrupt. A recipe is named after the file it makes: `recipe.parse` checks it by itself.
    """
    data = stored
    if row.compressed:
        try:
            data = zstandard.ZstdDecompressor().decompress(stored, max_output_size=row.size)
        except zstandard.ZstdError as error:
            raise ObjectCorrupt(f"{row.digest[:12]} does not decompress: {error}") from error
    if len(data) != row.size or (row.shape != Shape.RECIPE and named(row.shape, data) != row.digest):  # fmt: skip
        raise ObjectCorrupt(f"the stored bytes of {row.digest[:12]} do not match its digest")
    return data


def named(shape: Shape, data: bytes | memoryview) -> Digest:
    """The digest of a file, chunk or tree with these bytes."""
    return digests.of_tree_bytes(bytes(data)) if shape == Shape.TREE else digests.of_bytes(data)


def write_whole(path: Path, stored: Sequence[bytes], rows: Sequence[Row]) -> Pack:
    """A pack from blobs in stored form whose rows say where they lie: what a download writes."""
    directory, trailer = closing(rows)
    with path.open("xb") as file:
        for part in (MAGIC, *stored, directory, trailer):
            write_all(file.fileno(), part)
    return Pack(name_of(directory), path, tuple(rows), path.stat().st_size)
