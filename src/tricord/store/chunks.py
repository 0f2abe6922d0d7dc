"""Content-defined chunks: where a large file is cut depends on its bytes, not on their position.

Xia et al.: FastCDC, a fast and efficient content-defined chunking approach (USENIX ATC 2016).
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

SMALLEST, AVERAGE, LARGEST = 16 << 10, 64 << 10, 256 << 10
BLOCK = 8 << 20
"""Bytes that a reader hands over at a time."""
ZEROS = bytes(LARGEST)
"""A cut begins anew at each boundary, so where this much is zero the next chunk is this, unlooked at."""
HOLE = bytes(BLOCK)
"""A block of nothing but zeros. Where a reader hands over this very object, nobody looks at it again."""
_FEW = bytes(64)
_ALL_ZEROS = [LARGEST] * (BLOCK // LARGEST)


class Region(NamedTuple):
    """Bytes of a stream that lie together, and the lengths of the chunks that they are cut into."""

    data: memoryview
    lengths: list[int]

    def chunks(self) -> Iterator[memoryview]:
        """The chunks, in order."""
        start = 0
        for length in self.lengths:
            yield self.data[start : start + length]
            start += length


def regions(blocks: Iterable[bytes]) -> Iterator[Region]:
    """A stream in chunks, about as much at a time as a block has. However it is blocked, it is cut alike."""
    rest = b""
    for block in blocks:
        if block is HOLE and len(rest) < LARGEST and rest == ZEROS[: len(rest)]:
            yield Region(
                memoryview(HOLE), _ALL_ZEROS
            )  # as below; zeros stay over for the next block
            continue
        held = memoryview(rest + block if rest else block)
        # the last LARGEST bytes may be cut elsewhere once more is known
        lengths, done = _cut(held, len(held) - LARGEST)
        if lengths:
            yield Region(held[:done], lengths)
        rest = bytes(held[done:])
    if rest:
        held = memoryview(rest)
        lengths, done = _cut(held, len(held) - 1)
        yield Region(held[:done], lengths)


def cut(blocks: Iterable[bytes]) -> Iterator[memoryview]:
    """The chunks of a stream, in order.

    >>> [len(chunk) for chunk in cut([b"abc", b"def"])]
    [6]
    """
    for region in regions(blocks):
        yield from region.chunks()


def _cut(held: memoryview, last: int) -> tuple[list[int], int]:
    """Lengths of the chunks that begin at `last` or before, and where the last of them ends."""
    lengths: list[int] = []
    done = 0
    while done <= last:
        if _begins_empty(held, done) and bytes(held[done : done + LARGEST]) == ZEROS:
            lengths.append(LARGEST)
            done += LARGEST
            continue
        for chunk in _cutter().cut_buf(held[done:]):
            lengths.append(chunk.length)
            done += chunk.length
            if done > last or _begins_empty(held, done):
                break
    return lengths, done


@cache
def _cutter() -> "FastCDC":
    from pyfastcdc import FastCDC  # what only looks at small files need not wait for it

    return FastCDC(min_size=SMALLEST, avg_size=AVERAGE, max_size=LARGEST)


def _begins_empty(held: memoryview, start: int) -> bool:
    return bytes(held[start : start + 64]) == _FEW
