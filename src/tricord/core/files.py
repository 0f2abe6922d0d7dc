"""Files that are replaced whole, and durably: temporary file, fsync, rename, fsync of the folder."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


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
    temporary = path.parent / f".{os.urandom(8).hex()}.tmp"
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            with suppress(FileNotFoundError):
                os.fchmod(target, path.stat().st_mode & 0o777)
            write_all(target, data)
            sync(target)
        finally:
            os.close(target)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


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
