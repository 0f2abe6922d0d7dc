"""Views: a file of a pack written out, because somebody asked for its path. Expendable at any time."""

import os
from collections.abc import Callable
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.files import sync
from tricord.store.faults import in_store
from tricord.store.locking import working_area
from tricord.store.writing import place_of

_STAMP = 1_000_000_000 * 10**9
"""Every view has this time of modification (ns). One that was edited, through a hard link say, has another."""


def view(root: Path, digest: Digest, size: int) -> Path | None:
    """The view of a file, if there is one and nobody has edited it."""
    path = place_of(root / "views", digest)
    with in_store(path):
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
    return path if (status.st_size, status.st_mtime_ns) == (size, _STAMP) else None


def make_view(root: Path, digest: Digest, fill: Callable[[int], None]) -> Path:
    """Write a view: `fill` is given an empty file, as a descriptor, and checks what it writes."""
    path = place_of(root / "views", digest)
    with working_area(root) as area, in_store(area):
        temporary = area / digest
        target = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fill(target)
            os.fchmod(target, 0o444)
            os.utime(target, ns=(_STAMP, _STAMP))
            sync(target)
        finally:
            os.close(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.rename(path)
    return path
