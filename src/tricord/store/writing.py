"""The order of writes of docs/reference/store-format.md: stage, make durable, give the name, make that durable."""

import os
from pathlib import Path
from typing import NamedTuple

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, StoreError
from tricord.core.files import replace_text, sync_folder
from tricord.store.faults import in_source, in_store

FORMAT = 2
SMALL = 1 << 20
"""Up to this many bytes a file goes into a pack as it is."""
_FORMAT_LINE = "tricord store {}\n"
_FOLDERS = ("objects", "packs", "tmp")
_OWN_NAMES = {"format", "lock", "trees", "views", "users", "damaged", "index.sqlite", *_FOLDERS}


class Source(NamedTuple):
    """A file that was added, as it was when it was read; `mark` changes when it does."""

    path: str | Path
    digest: Digest
    size: int
    executable: bool
    mark: tuple[int, ...]

    def unchanged(self) -> None:
        """DataError if the file is another one than was read."""
        with in_source(Path(self.path)):
            status = os.stat(self.path)  # noqa: PTH116 - often a text
        if mark_of(status) != self.mark:
            raise changed(self.path)


def changed(path: str | Path) -> DataError:
    """What to raise where a file changes while it is being added."""
    return DataError(
        "changed while it was being added",
        where=str(path),
        hint="wait until nothing writes to it, then add it again",
    )


def mark_of(status: os.stat_result) -> tuple[int, ...]:
    """What is different once a file was written to or is another one: (device, inode, bytes, mtime, ctime), times in ns."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def place_of(folder: Path, digest: str) -> Path:
    """Where the object of that digest lies in `objects/`, `trees/` or `views/`."""
    return folder / digest[:2] / digest[2:]


def pack_of(root: Path, name: str) -> Path:
    """Where the pack of that name lies."""
    return root / "packs" / f"{name}.pack"


def open_format(root: Path) -> int:
    """The version of the store at `root`, which is made there if nothing is.

    StoreError for a newer one and where something else is in the folder.
    """
    try:
        with in_store(root):
            line = (root / "format").read_bytes()
    except StoreError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        _create(root)
        return FORMAT
    version = line.decode("ascii", "replace").removeprefix("tricord store ").strip()
    if not version.isdecimal() or line != _FORMAT_LINE.format(int(version)).encode():
        raise StoreError("its file `format` is not one of a store", where=str(root))
    if int(version) > FORMAT:
        raise StoreError(
            f"a store of version {version}, made by a newer release; this one knows up to {FORMAT}",
            where=str(root),
            hint="pip install --upgrade tricord",
        )
    return int(version)


def _create(root: Path) -> None:
    """Make an empty store, or finish making one."""
    with in_store(root):
        root.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in root.iterdir() if not path.name.startswith(("index.", "."))}
        if strangers := sorted(names - _OWN_NAMES):
            raise StoreError(
                f"not a store, and not empty: it holds {strangers[0]!r}",
                where=str(root),
                hint="choose another folder",
            )
        upgrade(root)
        sync_folder(root.parent)


def upgrade(root: Path) -> None:
    """Make a store of version 1, or an empty folder, one of this version."""
    with in_store(root):
        for name in _FOLDERS:
            (root / name).mkdir(exist_ok=True)
        replace_text(root / "format", _FORMAT_LINE.format(FORMAT))


def touch(place: Path, size: int) -> bool:
    """True if a whole object or pack is at `place` and its time of modification is now the present."""
    try:
        if place.stat().st_size != size:
            return False
        os.utime(place)
    except (FileNotFoundError, PermissionError):
        return False
    return True


def give_names(moves: "list[tuple[Path, Path]]", top: Path) -> None:
    """Rename each durable temporary file to its place below `top`, and make the names durable."""
    folders: set[Path] = set()
    for temporary, place in moves:
        if place.parent not in folders:
            place.parent.mkdir(exist_ok=True)
            folders.add(place.parent)
        temporary.rename(place)
    for folder in sorted(folders - {top}):
        sync_folder(folder)
    sync_folder(top)
