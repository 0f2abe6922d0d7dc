"""Index objects: what the packs and large files of a remote hold. See docs/reference/remote-format.md."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import zstandard
from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store.pack import ROW, Row, Shape

MAGIC = b"tricord index 1\n"
FOLDER, SUFFIX = "index", ".index"
_ENTRY = struct.Struct("<c32sQQ")  # P or O, name, bytes, length of what follows
_MOST = 1 << 32
"""Bytes that an index object may decompress to: a bound for one that is damaged or lies."""
_LEAST = 4 << 20
"""Bytes of a pack that is worth a request of its own."""
_ROW_BITS = 32
_ROWS = (1 << _ROW_BITS) - 1


@dataclass(frozen=True, slots=True)
class HeldPack:
    """A pack at a remote; its directory is what names it."""

    name: str
    size: int
    directory: bytes

    @property
    def place(self) -> str:
        return pack_place(self.name)

    def row(self, number: int) -> Row:
        """The row of that number in its directory."""
        shape, compressed, _, length, offset, size, digest = ROW.unpack_from(
            self.directory, number * ROW.size
        )
        return Row(Shape(shape), Digest(digest.hex()), offset, length, size, bool(compressed))

    def rows(self) -> list[Row]:
        return packs.parse_directory(self.directory)


@dataclass(frozen=True, slots=True)
class HeldObject:
    """A large file at a remote, as it is; its recipe says which chunks lie in it."""

    digest: Digest
    size: int
    recipe: bytes

    @property
    def place(self) -> str:
        return object_place(self.digest)


@dataclass(frozen=True, slots=True)
class Contents:
    """What one index object, or all of them, name."""

    packs: dict[str, HeldPack] = field(default_factory=dict[str, HeldPack])
    objects: dict[Digest, HeldObject] = field(default_factory=dict[Digest, HeldObject])

    def __bool__(self) -> bool:
        return bool(self.packs or self.objects)

    def add(self, other: "Contents") -> None:
        self.packs.update(other.packs)
        self.objects.update(other.objects)


class Spot(NamedTuple):
    """Where a blob's stored bytes are at a remote: `row.length` bytes at `row.offset` of `place`."""

    place: str
    row: Row


def pack_place(name: str) -> str:
    return f"packs/{name}{packs.SUFFIX}"


def object_place(digest: Digest) -> str:
    return f"objects/{digest[:2]}/{digest[2:]}"


def name_in(place: str) -> str:
    """A pack's name, or a large file's digest, from its place.

    >>> name_in("packs/ab.pack"), name_in("objects/ab/cdef")
    ('ab', 'abcdef')
    """
    top, _, rest = place.partition("/")
    return rest.removesuffix(packs.SUFFIX) if top == "packs" else rest.replace("/", "")


def index_place(name: str) -> str:
    return f"{FOLDER}/{name}{SUFFIX}"


def name_of(data: bytes) -> str:
    """The name of the index object with these bytes."""
    return blake3(data).hexdigest()


def encode(contents: Contents) -> bytes:
    """The bytes of an index object. Equal contents give equal bytes.

    >>> parse(encode(Contents()), "empty") == Contents()
    True
    """
    parts = [MAGIC]
    for _, pack in sorted(contents.packs.items()):
        parts += (_ENTRY.pack(b"P", bytes.fromhex(pack.name), pack.size, len(pack.directory)), pack.directory)  # fmt: skip
    for _, held in sorted(contents.objects.items()):
        parts += (_ENTRY.pack(b"O", bytes.fromhex(held.digest), held.size, len(held.recipe)), held.recipe)  # fmt: skip
    return zstandard.ZstdCompressor(level=1).compress(b"".join(parts))


def parse(data: bytes, where: str) -> Contents:
    """What an index object names. ObjectCorrupt where the bytes are not those of one."""
    try:
        return _parse(data)
    except (ValueError, struct.error, zstandard.ZstdError) as error:
        raise ObjectCorrupt(
            f"an index object of the remote is damaged: {error}",
            where=where,
            hint="tricord push --repair, from a project that has the content",
        ) from error


def _parse(data: bytes) -> Contents:
    length = zstandard.frame_content_size(data)
    if not len(MAGIC) <= length <= _MOST:
        raise ValueError("its length makes no sense")
    text = zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
    if not text.startswith(MAGIC):
        raise ValueError("it is not one of version 1")
    found = Contents()
    at = len(MAGIC)
    while at < len(text):
        kind, raw, size, count = _ENTRY.unpack_from(text, at)
        at += _ENTRY.size
        rest, at = text[at : at + count], at + count
        if at > len(text):
            raise ValueError("it ends too early")
        name = raw.hex()
        if kind == b"P":
            if packs.name_of(rest) != name or len(rest) % ROW.size:
                raise ValueError(f"the directory of pack {name[:12]} does not match its name")
            if max(rest[:: ROW.size], default=0) > max(Shape):
                raise ValueError(f"pack {name[:12]} has blobs of a shape that this release has not")
            found.packs[name] = HeldPack(name, size, rest)
        elif kind == b"O":
            if sum(part.size for part in recipes.parse(rest)) != size:
                raise ValueError(f"the recipe of {name[:12]} makes another number of bytes")
            found.objects[Digest(name)] = HeldObject(Digest(name), size, rest)
        else:
            raise ValueError(f"an entry of kind {kind!r}")
    return found


class Catalog:
    """Look-ups by digest over what a remote holds. Made once, from the contents of its index objects.

    What is in `doomed` (names of packs, digests of large files) is found only where nothing else is, and `sure` leaves it out.
    """

    def __init__(self, contents: Contents, doomed: Iterable[str] = ()) -> None:
        self.contents = contents
        self.doomed = frozenset(doomed)
        # those that may go soon come first, so that the others take their places
        self._packs = sorted(contents.packs.values(), key=lambda pack: pack.name not in self.doomed)
        self._doomed_packs = sum(pack.name in self.doomed for pack in self._packs)
        self._blobs: tuple[dict[bytes, int], ...] = ({}, {}, {})
        for number, pack in enumerate(self._packs):
            first = number << _ROW_BITS
            for at, (shape, *_, digest) in enumerate(ROW.iter_unpack(pack.directory), first):
                self._blobs[shape][digest] = at
        self._inside: dict[Digest, tuple[HeldObject, int, int]] | None = None

    def has_blob(self, shape: Shape, digest: Digest, *, sure: bool = False) -> bool:
        """Is there such a blob in a pack? With `sure`, in one that a collection leaves alone for now."""
        at = self._blobs[shape].get(bytes.fromhex(digest))
        return at is not None and (not sure or at >> _ROW_BITS >= self._doomed_packs)

    def has_object(self, digest: Digest, *, sure: bool = False) -> bool:
        return digest in self.contents.objects and not (sure and digest in self.doomed)

    def has_chunk(self, digest: Digest, *, sure: bool = False) -> bool:
        """Is that chunk in a pack, or within a large file?"""
        if self.has_blob(Shape.FILE, digest, sure=sure):
            return True
        found = self._within().get(digest)
        return found is not None and self.has_object(found[0].digest, sure=sure)

    def lacking(
        self, shape: Shape, digests: Iterable[Digest], *, sure: bool = False
    ) -> list[Digest]:
        """Those of the digests that no pack has as a blob of that shape, in their order."""
        known = self._blobs[shape]
        floor = self._doomed_packs << _ROW_BITS if sure else 0
        return [digest for digest in digests if known.get(bytes.fromhex(digest), -1) < floor]

    def spot(self, shape: Shape, digest: Digest) -> Spot | None:
        """Where a blob is: in a pack or, for a chunk, within a large file. None where it is not."""
        at = self._blobs[shape].get(bytes.fromhex(digest))
        if at is not None:
            pack = self._packs[at >> _ROW_BITS]
            return Spot(pack.place, pack.row(at & _ROWS))
        if shape == Shape.FILE and (found := self._within().get(digest)) is not None:
            held, offset, size = found
            return Spot(held.place, Row(shape, digest, offset, size, size, compressed=False))
        return None

    def mostly(
        self, digests: Iterable[Digest]
    ) -> Iterator[tuple[HeldPack, list[Row], set[Digest]]]:
        """Packs of which these files are nearly all, with the files in them and those of the digests.

        Only such as have their files at their start, one after the other, and are neither small nor huge.
        """
        wanted: dict[int, set[bytes]] = defaultdict(set)
        for digest in digests:
            raw = bytes.fromhex(digest)
            at = self._blobs[Shape.FILE].get(raw)
            if at is not None:
                wanted[at >> _ROW_BITS].add(raw)
        for number, some in sorted(wanted.items()):
            pack = self._packs[number]
            if not _LEAST <= pack.size <= 2 * packs.LIMIT:
                continue
            rows = [row for row in pack.rows() if row.shape is Shape.FILE]
            ends = accumulate((row.length for row in rows), initial=len(packs.MAGIC))
            if any(row.offset != end for row, end in zip(rows, ends, strict=False)):
                continue
            names = {Digest(raw.hex()) for raw in some}
            size = sum(row.length for row in rows if row.digest in names)
            if size * 8 >= 7 * pack.size:
                yield pack, rows, names

    def trees(self, digests: Iterable[Digest]) -> list[Digest]:
        """Those of the digests that are trees here."""
        return [digest for digest in digests if self.has_blob(Shape.TREE, digest)]

    def rows(self) -> Iterator[tuple[HeldPack, Row]]:
        """Every blob of every pack."""
        for pack in self._packs:
            for row in pack.rows():
                yield pack, row

    def _within(self) -> Mapping[Digest, tuple[HeldObject, int, int]]:
        """Chunk → the large file that it lies in, where, and its size."""
        if self._inside is None:
            self._inside = {}
            for held in sorted(self.contents.objects.values(), key=lambda o: o.digest not in self.doomed):  # fmt: skip
                offset = 0
                for part in recipes.parse(held.recipe):
                    self._inside[part.digest] = held, offset, part.size
                    offset += part.size
        return self._inside
