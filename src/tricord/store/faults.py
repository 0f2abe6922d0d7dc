"""What the operating system's errors mean here: one table."""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tricord.core.errors import DataError, StorageFull, StoreError

_FULL = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the file system or `ulimit -f` allows",
}
_HINTS = {
    errno.EACCES: "check who owns the folder, and its permissions",
    errno.EPERM: "check who owns the folder, and its permissions",
    errno.EROFS: "mount the file system for writing, or use another folder",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENOLCK: "use a file system with flock",
    errno.EOPNOTSUPP: "use a local file system with flock and fsync",
    errno.EIO: "the device reports errors: check its health, then run: tricord verify",
}


@contextmanager
def in_store(where: Path) -> Generator[None]:
    """An OSError inside is the store's: StorageFull or StoreError."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        place = str(error.filename or where)
        if number in _FULL:
            raise StorageFull(
                f"{_FULL[number]}; nothing was half-written",
                where=place,
                hint="free some space, then do the same again",
            ) from error
        raise StoreError(
            f"the store could not do it: {error.strerror}", where=place, hint=_HINTS.get(number)
        ) from error


@contextmanager
def in_source(where: Path) -> Generator[None]:
    """An OSError inside is about the file that is being added: DataError."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError("no such file or folder", where=str(where)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(where)) from error
