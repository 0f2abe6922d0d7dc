"""Pointer files as the room `data` and the doors above it use them; the room `project` reads them too."""

from tricord.core.pointer import SUFFIX, Pointer, check_path, is_conflicted
from tricord.project.pointers import (
    at,
    by_name,
    files,
    find_all,
    get,
    pointer_file,
    read,
    read_all,
    unreadable_at,
    write,
)

__all__ = [
    "SUFFIX",
    "Pointer",
    "at",
    "by_name",
    "check_path",
    "files",
    "find_all",
    "get",
    "is_conflicted",
    "pointer_file",
    "read",
    "read_all",
    "unreadable_at",
    "write",
]
