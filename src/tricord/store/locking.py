"""Who may change a store while: see "Locks" in docs/reference/store-format.md."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tricord.store.faults import in_store


@contextmanager
def alone(root: Path) -> Generator[Path]:
    """Nobody puts and nobody deletes meanwhile; gives a folder in `tmp/` that is gone afterwards."""
    with in_store(root), _locked(root / "lock", os.O_RDWR | os.O_CREAT):
        (root / "tmp").mkdir(exist_ok=True)
        area = root / "tmp" / os.urandom(12).hex()
        area.mkdir()
        try:
            yield area
        finally:
            shutil.rmtree(area, ignore_errors=True)


@contextmanager
def one_collector(root: Path) -> Generator[None]:
    """No other `gc` or repair meanwhile: what one counts on as the copy to keep, another would delete."""
    folder = root / "users"
    with in_store(folder):
        folder.mkdir(exist_ok=True)
    with _locked(folder, os.O_RDONLY | os.O_DIRECTORY):
        yield


@contextmanager
def _locked(path: Path, flags: int) -> Generator[None]:
    with in_store(path):
        lock = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        with in_store(path):
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
