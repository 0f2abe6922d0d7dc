"""Several transfers at once."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

LANES = 8
"""Transfers at a time: they wait for the network, or for a disk."""

T = TypeVar("T")
R = TypeVar("R")


def in_lanes(
    work: Callable[[T], R], items: Iterable[T], *, lanes: int = LANES
) -> Generator[tuple[T, R]]:
    """`work` of each item, some at a time, in the order of the items; what is not asked for is not begun.

    An error ends it: what runs is waited for, what waits is dropped.

    >>> list(in_lanes(str.upper, ["a", "b"]))
    [('a', 'A'), ('b', 'B')]
    """
    running: deque[tuple[T, Future[R]]] = deque()
    pool = ThreadPoolExecutor(lanes, thread_name_prefix="transfer")
    try:
        for item in items:
            running.append((item, pool.submit(work, item)))
            if len(running) >= lanes:
                done, future = running.popleft()
                yield done, future.result()
        while running:
            done, future = running.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
