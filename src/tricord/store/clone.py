"""Copies of files: by reflink where the file system can, else byte by byte."""

import errno
import fcntl
import os

from tricord.core.files import write_all
from tricord.store.digest import CHUNK

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CANNOT = {
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.ENOSYS,
    errno.EXDEV,
    errno.EINVAL,
    errno.EPERM,
    errno.ETXTBSY,
}


def reflink(source: int, target: int) -> bool:
    """Make `target` share the blocks of `source`; False where the file system cannot."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def copy_rest(source: int, target: int) -> None:
    """Append what `source` holds from its position on to `target`, without a way through this process where that can be."""
    in_kernel = getattr(os, "copy_file_range", None)
    if in_kernel is not None:
        try:
            while in_kernel(source, target, 1 << 30):
                pass
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    while block := os.read(source, CHUNK):  # all of it, or only a look whether that was the end
        write_all(target, block)
