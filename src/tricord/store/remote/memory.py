"""A remote in memory: for tests, those of users too."""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tricord.core.errors import ObjectMissing
from tricord.store.remote.backend import Abilities, Info, Parts, below, checked


class Memory:
    """Objects in a dictionary, gone with the process."""

    def __init__(self, where: str = "memory:") -> None:
        self.where = where
        self.abilities = Abilities()
        self._objects: dict[str, tuple[bytes, int, float]] = {}
        self._writes = 0
        self._lock = threading.Lock()

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        found = self.tagged(name)
        if found is None:
            raise ObjectMissing(f"no object {name}", where=self.where)
        return found[0][start : None if length is None else start + length]

    def get_to(self, name: str, file: Path) -> None:
        with file.open("ab") as opened:
            opened.write(self.get(name, opened.tell()))

    def put(self, name: str, data: bytes) -> None:
        with self._lock:
            self._store(name, data)

    def put_file(self, name: str, file: Path) -> None:
        self.put(name, file.read_bytes())

    def put_stream(self, name: str, parts: Parts) -> None:
        self.put(name, b"".join(parts()))

    def put_new(self, name: str, data: bytes) -> bool:
        with self._lock:
            if checked(name, self.where) in self._objects:
                return False
            self._store(name, data)
            return True

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        with self._lock:
            found = self._objects.get(checked(name, self.where))
            if found is None or str(found[1]) != tag:
                return False
            self._store(name, data)
            return True

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        with self._lock:
            found = self._objects.get(checked(name, self.where))
        return None if found is None else (found[0], str(found[1]))

    def size(self, name: str) -> int | None:
        found = self.tagged(name)
        return None if found is None else len(found[0])

    def list(self, prefix: str = "") -> Iterator[Info]:
        with self._lock:
            held = [(name, *found) for name, found in self._objects.items() if below(name, prefix)]
        yield from (Info(name, len(data), when) for name, data, _, when in held)

    def delete(self, names: Iterable[str]) -> None:
        with self._lock:
            for name in names:
                self._objects.pop(checked(name, self.where), None)

    def now(self) -> float:
        return time.time()

    def _store(self, name: str, data: bytes) -> None:
        self._writes += 1
        self._objects[checked(name, self.where)] = (bytes(data), self._writes, time.time())
