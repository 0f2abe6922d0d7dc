"""Large files, in one pass: cut into chunks, hashed whole and by chunk, and copied where they are kept plain."""

import errno
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.files import sync, write_all
from tricord.store import chunks
from tricord.store.chunks import BLOCK, HOLE, LARGEST, ZEROS, Region
from tricord.store.clone import reflink
from tricord.store.digest import of_bytes
from tricord.store.faults import in_source
from tricord.store.recipe import Part

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_PROBE = 2 << 20
"""Bytes that are read at each of five places to see what a file is like."""
_FEW = 64
_ZERO = of_bytes(ZEROS)


class Taken(NamedTuple):
    """A large file that is durable under a temporary name, with the chunks that lie in it."""

    path: Path
    digest: Digest
    size: int
    parts: list[Part]


class Hasher:
    """BLAKE3 of a whole file, over as many threads as there are cores."""

    def __init__(self) -> None:
        self._hasher = blake3(max_threads=blake3.AUTO)

    def update(self, data: memoryview) -> None:
        self._hasher.update(data)

    def digest(self) -> Digest:
        return Digest(self._hasher.hexdigest())


def sample(descriptor: int, size: int) -> list[bytes]:
    """Some chunks of a file, taken from five places; those that every cut of the file has in common.

    A cut that begins in the middle finds the same boundaries again after a few chunks.
    """
    if size <= 5 * _PROBE:
        places = [(0, size)]
    else:
        places = [((size - _PROBE) * fifth // 4, _PROBE) for fifth in range(5)]
    found: list[bytes] = []
    for start, length in places:
        data = os.pread(descriptor, length, start)
        cut = [bytes(chunk) for chunk in chunks.cut([data])]
        found += cut[4 if start else 0 : None if start + length == size else -1]
    return found


def shrinks(samples: Sequence[bytes]) -> bool:
    """Whether compression saves a twentieth of these, so that it is worth the time for all of the file."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1)
    some = samples[:: max(1, len(samples) // _FEW)]
    return sum(len(compressor.compress(chunk)) for chunk in some) * 20 <= sum(map(len, some)) * 19


def hashed(descriptor: int, hasher: Hasher) -> Generator[tuple[Region, list[Digest]]]:
    """The regions of an open file from its start, with the digests of their chunks.

    Another thread reads and cuts meanwhile. An error of reading is the source's: DataError.
    """
    for region in _ahead(chunks.regions(_blocks(descriptor))):
        hasher.update(region.data)
        if region.data.obj is HOLE:
            yield region, [_ZERO] * len(region.lengths)
        else:
            yield region, [_named(chunk) for chunk in region.chunks()]


def take(
    descriptor: int,
    scratch: Path | None,
    area: Path,
    told: Callable[[int], None] = lambda _: None,
) -> Taken:
    """Copy an open file into `area` and make the copy durable, hashing it on the way.

    The file of that name is taken over instead if `scratch` gives one on the same file system; where
    the file system shares blocks between files, no byte is written.
    """
    path = area / os.urandom(8).hex()
    if scratch is not None and _moved(scratch, path):
        return _finished(path, descriptor, None, told)
    target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if reflink(descriptor, target):
            return _finished(path, target, None, told)
        return _finished(path, descriptor, target, told)
    finally:
        os.close(target)


def _moved(scratch: Path, path: Path) -> bool:
    try:
        scratch.rename(path)
    except OSError:  # another file system
        return False
    return True


def _finished(path: Path, source: int, target: int | None, told: Callable[[int], None]) -> Taken:
    hasher = Hasher()
    parts: list[Part] = []
    size = 0
    with _thread("copy") as writer:
        written = writer.submit(lambda: None)
        for region, names in hashed(source, hasher):
            written.result()
            if target is not None:
                written = writer.submit(write_all, target, region.data)
            parts += map(Part, names, region.lengths)
            size += len(region.data)
            told(len(region.data))
        written.result()
    kept = source if target is None else target
    os.fchmod(kept, 0o444)
    sync(kept)
    return Taken(path, hasher.digest(), size, parts)


def _named(chunk: memoryview) -> Digest:
    if len(chunk) == LARGEST and not chunk[0] and bytes(chunk) == ZEROS:
        return _ZERO
    return of_bytes(chunk)


def _blocks(descriptor: int) -> Iterator[bytes]:
    """An open file from its start. Blocks of zeros are HOLE, and where the file system knows that nothing
    was ever written, none is read for it."""
    with in_source(Path(f"/dev/fd/{descriptor}")):
        status = os.fstat(descriptor)
        sparse = status.st_blocks * 512 < status.st_size
        at = 0
        while True:
            for _ in range(_empty(descriptor, at, status.st_size) if sparse else 0):
                at += BLOCK
                yield HOLE
            block = os.pread(descriptor, BLOCK, at)
            if not block:
                return
            at += len(block)
            yield HOLE if block[-1:] == b"\0" and block == HOLE else block


def _empty(descriptor: int, at: int, size: int) -> int:
    """How many blocks from there on lie in a hole of the file; 0 where the file system does not say."""
    try:
        data = os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError as error:
        data = size if error.errno == errno.ENXIO else at
    return max(0, data - at) // BLOCK


def _ahead(regions: Iterator[Region]) -> Generator[Region]:
    """The same; another thread makes the next one while this one is worked on."""
    with _thread("cut") as pool:
        waiting = pool.submit(next, regions, None)
        while (region := waiting.result()) is not None:
            waiting = pool.submit(next, regions, None)
            yield region


def _thread(name: str) -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # slow to load, and most files are small

    return ThreadPoolExecutor(1, thread_name_prefix=name)
