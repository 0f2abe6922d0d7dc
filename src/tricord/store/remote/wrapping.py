"""Backends that wrap a backend: one tries again after a fault, one keeps below a bandwidth."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tricord.core.errors import RemoteUnreachable
from tricord.store.remote.backend import Backend, Info, Parts, file_parts
from tricord.store.remote.pieces import append

T = TypeVar("T")
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 15.0


class Wrapper:
    """Everything as the wrapped backend does it."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.where = inner.where
        self.abilities = inner.abilities

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        return self.inner.get(name, start, length)

    def get_to(self, name: str, file: Path) -> None:
        self.inner.get_to(name, file)

    def put(self, name: str, data: bytes) -> None:
        self.inner.put(name, data)

    def put_file(self, name: str, file: Path) -> None:
        self.inner.put_file(name, file)

    def put_stream(self, name: str, parts: Parts) -> None:
        self.inner.put_stream(name, parts)

    def put_new(self, name: str, data: bytes) -> bool:
        return self.inner.put_new(name, data)

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        return self.inner.replace(name, data, tag)

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        return self.inner.tagged(name)

    def size(self, name: str) -> int | None:
        return self.inner.size(name)

    def list(self, prefix: str = "") -> Iterator[Info]:
        return self.inner.list(prefix)

    def delete(self, names: Iterable[str]) -> None:
        self.inner.delete(names)

    def now(self) -> float:
        return self.inner.now()


class Retrying(Wrapper):
    """Does again what failed by RemoteUnreachable, up to `tries` times, after pauses that double and vary
    (exponential backoff with full jitter).

    A conditional write whose answer was lost may have been done: when the next one is told that the object
    is another by now, the object is read, and is ours if it is what we wrote. So who must know for certain
    writes what nobody else does (a random number in it); and where somebody else has replaced ours since,
    it is taken for not written: what is added must be such that adding it again changes nothing.
    """

    def __init__(
        self,
        inner: Backend,
        tries: int = 6,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(inner)
        self._tries = tries
        self._pause = pause

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        return self._again(lambda: self.inner.get(name, start, length))

    def get_to(self, name: str, file: Path) -> None:
        before = -1
        while True:
            try:
                return self._again(lambda: self.inner.get_to(name, file))
            except RemoteUnreachable:
                size = file.stat().st_size if file.exists() else 0
                if size <= before or not size:
                    raise
                before = size  # it comes, if slowly: it may go on failing while it comes

    def put(self, name: str, data: bytes) -> None:
        self._again(lambda: self.inner.put(name, data))

    def put_file(self, name: str, file: Path) -> None:
        self._again(lambda: self.inner.put_file(name, file))

    def put_stream(self, name: str, parts: Parts) -> None:
        self._again(lambda: self.inner.put_stream(name, parts))

    def put_new(self, name: str, data: bytes) -> bool:
        return self._once(name, data, lambda: self.inner.put_new(name, data))

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        return self._once(name, data, lambda: self.inner.replace(name, data, tag))

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        return self._again(lambda: self.inner.tagged(name))

    def size(self, name: str) -> int | None:
        return self._again(lambda: self.inner.size(name))

    def list(self, prefix: str = "") -> Iterator[Info]:
        return iter(self._again(lambda: list(self.inner.list(prefix))))

    def delete(self, names: Iterable[str]) -> None:
        held = list(names)
        self._again(lambda: self.inner.delete(held))

    def now(self) -> float:
        return self._again(self.inner.now)

    def _again(self, act: Callable[[], T]) -> T:
        for attempt in range(self._tries - 1):
            try:
                return act()
            except RemoteUnreachable:
                self._pause(_wait(attempt))
        return act()

    def _once(self, name: str, data: bytes, act: Callable[[], bool]) -> bool:
        failed = 0
        while True:
            try:
                if act():
                    return True
                break
            except RemoteUnreachable:
                failed += 1
                if failed == self._tries:
                    raise
                self._pause(_wait(failed - 1))
        found = self.tagged(name) if failed else None
        return found is not None and found[0] == data


def _wait(attempt: int) -> float:
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))


class Bandwidth:
    """A bucket of tokens, one a byte, that fills at `rate` bytes a second up to one second's worth.

    For several threads: each takes its bytes at once and then waits until they are paid.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._full_at = clock()
        """When the bucket is full again, if nobody takes anything."""

    def take(self, size: int) -> None:
        """Wait until so many bytes may pass."""
        with self._lock:
            present = self._clock()
            self._full_at = max(self._full_at, present) + size / self.rate
            owed = self._full_at - present - 1.0
        if owed > 0:
            self._pause(owed)


class Limited(Wrapper):
    """Keeps what goes up and down together below a bandwidth."""

    def __init__(self, inner: Backend, bandwidth: Bandwidth) -> None:
        super().__init__(inner)
        self._bandwidth = bandwidth
        self._piece = int(min(8 << 20, max(64 << 10, bandwidth.rate)))

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if length is not None:
            self._bandwidth.take(length)
            return self.inner.get(name, start, length)
        data = self.inner.get(name, start)  # in one request, so that it is of one version
        self._bandwidth.take(len(data))
        return data

    def get_to(self, name: str, file: Path) -> None:
        total = self.inner.size(name)
        if total is None:
            self.inner.get_to(name, file)  # which says that it is missing
            return
        append(file, lambda at, size: self.get(name, at, size), total, piece=self._piece, lanes=2)

    def put(self, name: str, data: bytes) -> None:
        self._bandwidth.take(len(data))
        self.inner.put(name, data)

    def put_file(self, name: str, file: Path) -> None:
        self.put_stream(name, file_parts(file, 64 << 10))

    def put_stream(self, name: str, parts: Parts) -> None:
        def slowly() -> Iterator[bytes]:
            for part in parts():
                self._bandwidth.take(len(part))
                yield part

        self.inner.put_stream(name, slowly)

    def put_new(self, name: str, data: bytes) -> bool:
        self._bandwidth.take(len(data))
        return self.inner.put_new(name, data)

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        self._bandwidth.take(len(data))
        return self.inner.replace(name, data, tag)

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        found = self.inner.tagged(name)
        if found is not None:
            self._bandwidth.take(len(found[0]))
        return found
