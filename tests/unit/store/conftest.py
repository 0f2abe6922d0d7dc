import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tricord.store import pack
from tricord.store.local import LocalStore
from tricord.store.pack import Row, Shape


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    made = LocalStore(tmp_path / "store")
    yield made
    made.close()


class Packed:
    """What tests do to a store's packs behind its back: find a blob in them, damage it, lose it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def paths(self) -> list[Path]:
        return sorted((self.root / "packs").glob("*.pack"))

    def find(self, digest: str, shape: Shape = Shape.FILE) -> tuple[Path, Row]:
        """The pack that holds a blob, and its row, from the packs themselves."""
        for path in self.paths():
            for row in pack.read_directory(path):
                if (row.digest, row.shape) == (digest, shape):
                    return path, row
        raise AssertionError(f"{digest[:12]} is in no pack")

    def overwrite(self, path: Path, data: bytes) -> None:
        path.chmod(0o644)
        path.write_bytes(data)
        path.chmod(0o444)

    def flip(self, digest: str, shape: Shape = Shape.FILE) -> Path:
        """Flip a bit in the middle of a stored blob."""
        path, row = self.find(digest, shape)
        data = bytearray(path.read_bytes())
        data[row.offset + row.length // 2] ^= 4
        self.overwrite(path, bytes(data))
        return path

    def lose(self, digest: str, shape: Shape = Shape.FILE) -> None:
        """Rewrite the pack that holds a blob, without it."""
        path, gone = self.find(digest, shape)
        data = path.read_bytes()
        writer = pack.PackWriter(self.root / "tmp" / os.urandom(4).hex())
        for row in pack.read_directory(path):
            if row != gone:
                stored = data[row.offset : row.offset + row.length]
                writer.append(row.shape, row.digest, stored, row.size, compressed=row.compressed)
        made = writer.finish()
        path.unlink()
        made.path.rename(path.parent / f"{made.name}{pack.SUFFIX}")


@pytest.fixture
def packed(store: LocalStore) -> Packed:
    return Packed(store.root)
