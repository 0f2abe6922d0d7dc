"""What lies in a store's folders. The only place that lists them.

Names that are not those of a pack or an object are left out: they are not the store's.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.store.faults import in_store
from tricord.store.pack import SUFFIX

_PREFIX, _REST = re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{62}")
_PACK = re.compile(rf"[0-9a-f]{{64}}{re.escape(SUFFIX)}")


def pack_files(root: Path) -> list[Path]:
    """Every pack, sorted by name."""
    folder = root / "packs"
    return [folder / name for name in _names(folder) if _PACK.fullmatch(name)]


def pack_name(file: Path) -> str:
    """The name of the pack in a file."""
    return file.name.removesuffix(SUFFIX)


def plain_objects(root: Path) -> Iterator[tuple[Digest, Path]]:
    """Every file that is kept as it is, sorted by digest."""
    yield from _by_digest(root / "objects")


def old_trees(root: Path) -> Iterator[tuple[Digest, Path]]:
    """Every tree of a store of format 1, sorted by digest."""
    yield from _by_digest(root / "trees")


def views(root: Path) -> Iterator[tuple[Digest, Path]]:
    """Every file that was written out of packs for a reader, sorted by digest."""
    yield from _by_digest(root / "views")


def set_aside(root: Path) -> list[Path]:
    """Damaged files that a repair has put aside, sorted by name."""
    folder = root / "damaged"
    return [folder / name for name in _names(folder)]


def _by_digest(top: Path) -> Iterator[tuple[Digest, Path]]:
    for prefix in _names(top):
        if _PREFIX.fullmatch(prefix):
            folder = top / prefix
            for rest in _names(folder):
                if _REST.fullmatch(rest):
                    yield Digest(prefix + rest), folder / rest


def _names(folder: Path) -> list[str]:
    with in_store(folder), suppress(FileNotFoundError, NotADirectoryError):
        return sorted(os.listdir(folder))  # noqa: PTH208 - names only: a store may hold a million
    return []
