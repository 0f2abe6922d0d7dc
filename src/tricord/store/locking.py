"""Who may change a store while: see "Locks" in docs/reference/store-format.md."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tricord.store.faults import in_store

_MADE = os.O_RDWR | os.O_CREAT


@contextmanager
def alone(root: Path) -> Generator[Path]:
    """Nobody puts and nobody deletes meanwhile; gives a folder in `tmp/` that is gone afterwards."""
    with in_store(root), _area(root, fcntl.LOCK_EX) as area:
        yield area


@contextmanager
def working_area(root: Path) -> Generator[Path]:
    """A folder in `tmp/` for one put, while nobody deletes; gone afterwards, whatever happened."""
    with _area(root, fcntl.LOCK_SH) as area:
        yield area


def sweep(root: Path) -> None:
    """Empty `tmp/` if nobody is writing; do nothing if somebody is, and never wait."""
    with in_store(root):
        if not any((root / "tmp").iterdir()):
            return
        with (
            suppress(BlockingIOError),
            _locked(root / "lock", _MADE, fcntl.LOCK_EX | fcntl.LOCK_NB),
        ):
            for area in (root / "tmp").iterdir():
                shutil.rmtree(area, ignore_errors=True)


@contextmanager
def one_collector(root: Path) -> Generator[None]:
    """No other `gc` or repair meanwhile: what one counts on as the copy to keep, another would delete."""
    folder = root / "users"
    with in_store(folder):
        folder.mkdir(exist_ok=True)
    with _locked(folder, os.O_RDONLY | os.O_DIRECTORY, fcntl.LOCK_EX):
        yield


@contextmanager
def _area(root: Path, how: int) -> Generator[Path]:
    with _locked(root / "lock", _MADE, how):
        with in_store(root):
            (root / "tmp").mkdir(exist_ok=True)
            area = root / "tmp" / os.urandom(12).hex()
            area.mkdir()
        try:
            yield area
        finally:
            shutil.rmtree(area, ignore_errors=True)


@contextmanager
def _locked(path: Path, flags: int, how: int) -> Generator[None]:
    """The lock of a file that `flags` open, as long as the block lasts. BlockingIOError where it is taken
    and `how` says not to wait."""
    with in_store(path):
        lock = os.open(path, flags | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(lock, how)
        except BlockingIOError:
            raise
        except OSError:
            with in_store(path):
                raise
        yield
    finally:
        os.close(lock)
