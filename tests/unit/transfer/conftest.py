"""A remote in memory, what a network does to one, and stores on both sides of it."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tricord.store.local import LocalStore
from tricord.store.remote.backend import Info, Parts
from tricord.store.remote.memory import Memory
from tricord.store.remote.remote import Remote
from tricord.store.remote.wrapping import Wrapper


class Watched(Wrapper):
    """Counts requests, and lets `before(what, name)` raise, or `lie(name, data)` change what is read."""

    def __init__(self, inner: Memory) -> None:
        super().__init__(inner)
        self.memory = inner
        self.requests: Counter[str] = Counter()
        self.before: Callable[[str, str], None] = lambda what, name: None
        self.lie: Callable[[str, int, bytes], bytes] = lambda name, start, data: data
        self.clock: float | None = None

    def be_honest(self) -> None:
        """Fail and lie no more."""
        self.before = lambda what, name: None
        self.lie = lambda name, start, data: data

    def _ask(self, what: str, name: str) -> None:
        self.requests[what] += 1
        self.before(what, name)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        self._ask("get", name)
        return self.lie(name, start, super().get(name, start, length))

    def get_to(self, name: str, file: Path) -> None:
        self._ask("get", name)
        start = file.stat().st_size if file.exists() else 0
        with file.open("ab") as opened:
            opened.write(self.lie(name, start, super().get(name, start)))

    def put(self, name: str, data: bytes) -> None:
        self._ask("put", name)
        super().put(name, data)

    def put_file(self, name: str, file: Path) -> None:
        self._ask("put", name)
        super().put_file(name, file)

    def put_stream(self, name: str, parts: Parts) -> None:
        self._ask("put", name)
        super().put_stream(name, parts)

    def put_new(self, name: str, data: bytes) -> bool:
        self._ask("put", name)
        return super().put_new(name, data)

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        self._ask("put", name)
        return super().replace(name, data, tag)

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        self._ask("get", name)
        return super().tagged(name)

    def size(self, name: str) -> int | None:
        self._ask("size", name)
        return super().size(name)

    def list(self, prefix: str = "") -> Iterator[Info]:
        self._ask("list", prefix)
        return super().list(prefix)

    def delete(self, names: Iterable[str]) -> None:
        gone = [*names]
        if gone:
            self._ask("delete", gone[0])
        super().delete(gone)

    def now(self) -> float:
        return super().now() if self.clock is None else self.clock


@pytest.fixture
def backend() -> Watched:
    return Watched(Memory())


@pytest.fixture
def remote(backend: Watched, tmp_path: Path) -> Remote:
    return Remote(backend, tmp_path / "cache")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[LocalStore]:
    """The store that sends."""
    made = LocalStore(tmp_path / "here")
    yield made
    made.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[LocalStore]:
    """The store that receives."""
    made = LocalStore(tmp_path / "there")
    yield made
    made.close()


@pytest.fixture
def noise() -> random.Random:
    return random.Random(7)


@pytest.fixture
def folder(tmp_path: Path, noise: random.Random) -> Path:
    """Thirty small files, one of them empty, and one of 3 MB that does not shrink."""
    made = tmp_path / "folder"
    for number in range(30):
        path = made / f"part{number % 3}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise.randbytes(number * 100))
    (made / "large").write_bytes(noise.randbytes(3_000_000))
    (made / "run.sh").write_bytes(b"#!/bin/sh\n")
    (made / "run.sh").chmod(0o755)
    return made
