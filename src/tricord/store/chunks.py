"""Content-defined chunks: where a large file is cut depends on its bytes, not on their position.

Xia et al.: FastCDC, a fast and efficient content-defined chunking approach (USENIX ATC 2016).
"""

from collections.abc import Iterator

from pyfastcdc import FastCDC

SMALLEST, AVERAGE, LARGEST = 16 << 10, 64 << 10, 256 << 10
BLOCK = 8 << 20
"""Bytes that a reader hands over at a time."""
_CUTTER = FastCDC(min_size=SMALLEST, avg_size=AVERAGE, max_size=LARGEST)


def cut(blocks: Iterator[bytes]) -> Iterator[memoryview]:
    """The chunks of a stream, in order. The same bytes are cut alike however they are blocked.

    >>> [len(chunk) for chunk in cut(iter([b"abc", b"def"]))]
    [6]
    """
    rest = b""
    for block in blocks:
        held = memoryview(rest + block if rest else block)
        done = 0
        for chunk in _CUTTER.cut_buf(held):
            # the last LARGEST bytes may be cut elsewhere once more is known
            if len(held) - chunk.offset < LARGEST:
                break
            done = chunk.offset + chunk.length
            yield held[chunk.offset : done]
        rest = bytes(held[done:])
    held = memoryview(rest)
    for chunk in _CUTTER.cut_buf(held):
        yield held[chunk.offset : chunk.offset + chunk.length]
