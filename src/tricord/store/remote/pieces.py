"""Large objects in pieces: several requests under way, the file always a beginning of the whole."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

PIECE = 8 << 20
LANES = 6


def append(
    file: Path,
    read: Callable[[int, int], bytes],
    total: int,
    *,
    piece: int = PIECE,
    lanes: int = LANES,
) -> None:
    """Continue `file` to `total` bytes by `read(start, length)`, which raises what goes wrong.

    An interruption leaves a file that this continues: pieces are written in their order.
    """
    with file.open("ab", buffering=0) as target:
        start = target.tell()
        if total - start <= piece:
            if total > start:
                target.write(read(start, total - start))
            return
        with ThreadPoolExecutor(lanes, "pieces") as pool:
            waiting: deque[Future[bytes]] = deque()
            try:
                while start < total or waiting:
                    while start < total and len(waiting) < lanes:
                        length = min(piece, total - start)
                        waiting.append(pool.submit(read, start, length))
                        start += length
                    target.write(waiting.popleft().result())
            finally:
                for future in waiting:
                    future.cancel()
