"""Files that are replaced whole, and durably: temporary file, fsync, rename, fsync of the folder."""

import fcntl
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

_TEMPORARY = re.compile(r"\.tricord-[0-9a-f]{16}\.tmp")


def replace_text(path: Path, text: str) -> None:
    """Make `path` a UTF-8 file with this text. OSError as the file system has it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_text(Path(folder) / "greeting", "hello\\n")
    ...     (Path(folder) / "greeting").read_text()
    'hello\\n'
    """
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, data: bytes) -> None:
    """Make `path` a file with these bytes: readers see the old file or the new one, whole.

    Durable when it returns. What stood there keeps its permissions. OSError, and then nothing has changed.
    """
    _sweep(path.parent)
    temporary, target = _temporary(path.parent)
    try:
        try:
            with suppress(FileNotFoundError):
                os.fchmod(target, path.stat().st_mode & 0o777)
            write_all(target, data)
            sync(target)
            temporary.rename(path)
        finally:
            os.close(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _temporary(folder: Path) -> tuple[Path, int]:
    """A new file, open for writing and locked for as long as it is open: its writer is alive."""
    while True:
        path = folder / f".tricord-{os.urandom(8).hex()}.tmp"
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):  # without locks nobody sweeps either
            fcntl.flock(target, fcntl.LOCK_EX)
        if os.fstat(target).st_nlink:
            return path, target
        os.close(target)  # somebody swept it away before it was locked


@cache  # not a set beside it: that would be a part of the cache keys of steps, and differ by process
def _sweep(folder: Path) -> None:
    """Delete what writers left that were killed, once for each folder that this process writes to."""
    with suppress(OSError):
        for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):  # noqa: PTH208 - names only
            _delete_if_left(folder / name)


def _delete_if_left(path: Path) -> None:
    with suppress(OSError):  # not ours to delete, gone, or its writer is alive
        left = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(left)


def write_all(target: int, data: bytes | memoryview) -> None:
    """Write all of it: one write may take less than it was given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(target, rest) :]


def sync(descriptor: int) -> None:
    """Make a file's bytes durable, past the drive's own cache too where that takes another call (macOS)."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
