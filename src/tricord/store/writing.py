"""The order of writes of docs/reference/store-format.md: stage, make durable, give the name, make that durable."""

import fcntl
import os
import shutil
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, StoreError
from tricord.store import digest as digests
from tricord.store.clone import clone, write_all
from tricord.store.faults import in_source, in_store

FORMAT = 1
_FORMAT_LINE = "tricord store {}\n"
_OWN_NAMES = {"format", "lock", "objects", "trees", "tmp"}
_SMALL = 4 * digests.CHUNK
"""Up to this many bytes a file is held in memory, so that nothing is written if it is stored already."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is being added, as it was when it was read; `mark` changes when it does."""

    path: Path
    mark: tuple[int, ...]
    executable: bool

    def unchanged(self) -> None:
        """DataError if the file is another one than was read."""
        with in_source(self.path):
            status = self.path.stat()
        if mark_of(status) != self.mark:
            raise changed(self.path)


@dataclass(frozen=True, slots=True)
class Staged:
    """Content that is durable in `tmp/` and awaits its name; `temporary` is None if it has it already."""

    digest: Digest
    size: int
    place: Path
    temporary: Path | None


def changed(path: Path) -> DataError:
    return DataError(
        "changed while it was being added",
        where=str(path),
        hint="wait until nothing writes to it, then add it again",
    )


def mark_of(status: os.stat_result) -> tuple[int, ...]:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def place_of(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest[2:]


def sync(descriptor: int) -> None:
    """Make a file's bytes durable, past the drive's own cache too where that takes another call (macOS)."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def create(root: Path) -> None:
    """Make an empty store, or finish making one. StoreError where something else is in the folder."""
    with in_store(root):
        root.mkdir(parents=True, exist_ok=True)
        strangers = sorted({path.name for path in root.iterdir()} - _OWN_NAMES)
        if strangers:
            raise StoreError(
                f"not a store, and not empty: it holds {strangers[0]!r}",
                where=str(root),
                hint="choose another folder",
            )
        for name in ("objects", "trees", "tmp"):
            (root / name).mkdir(exist_ok=True)
        with working_area(root) as area:
            temporary = area / "format"
            _write_file(temporary, _FORMAT_LINE.format(FORMAT).encode())
            temporary.rename(root / "format")
        sync_folder(root)
        sync_folder(root.parent)


def check_format(root: Path) -> bool:
    """True for a store of a known version, False where there is none; StoreError for a newer one."""
    try:
        with in_store(root):
            line = (root / "format").read_bytes()
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return False
        raise
    version = line.decode("ascii", "replace").removeprefix("tricord store ").strip()
    if not version.isdecimal() or line != _FORMAT_LINE.format(int(version)).encode():
        raise StoreError("its file `format` is not one of a store", where=str(root))
    if int(version) > FORMAT:
        raise StoreError(
            f"a store of version {version}, made by a newer release; this one knows up to {FORMAT}",
            where=str(root),
            hint="pip install --upgrade tricord",
        )
    return True


@contextmanager
def working_area(root: Path) -> Generator[Path]:
    """A folder for one put, with the store's lock held; gone afterwards, whatever happened."""
    with in_store(root):
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            area = root / "tmp" / os.urandom(12).hex()
            area.mkdir()
            try:
                yield area
            finally:
                shutil.rmtree(area, ignore_errors=True)
        finally:
            os.close(lock)


def sweep(root: Path) -> None:
    """Empty `tmp/` if nobody is writing; do nothing if somebody is, and never wait."""
    with in_store(root):
        if not any((root / "tmp").iterdir()):
            return
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for area in (root / "tmp").iterdir():
                shutil.rmtree(area, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def stage_bytes(data: bytes, digest: Digest, place: Path, area: Path) -> Staged:
    """Make the bytes durable under a temporary name, unless the store has them."""
    with in_store(area):
        if _there(place, len(data)):
            return Staged(digest, len(data), place, None)
        temporary = area / os.urandom(12).hex()
        _write_file(temporary, data)
        return Staged(digest, len(data), place, temporary)


def stage_file(path: Path, objects: Path, area: Path) -> tuple[Staged, Source]:
    """Make a file's content durable under a temporary name. DataError if it changes meanwhile."""
    with in_source(path):
        # O_NONBLOCK: opening a FIFO must not wait for somebody who writes to it
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(source)
        if not stat.S_ISREG(before.st_mode):
            raise DataError("not a regular file", where=str(path))
        origin = Source(path, mark_of(before), bool(before.st_mode & 0o100))
        if before.st_size <= _SMALL:
            staged = _stage_small(source, path, before.st_size, objects, area)
        else:
            staged = _stage_large(source, objects, area)
        if staged.size != before.st_size:
            raise changed(path)
        origin.unchanged()
        return staged, origin
    finally:
        os.close(source)


def _stage_small(source: int, path: Path, size: int, objects: Path, area: Path) -> Staged:
    parts: list[bytes] = []
    left = size + 1  # one more than there should be, to notice a file that grows
    with in_source(path):
        while left and (part := os.read(source, left)):
            parts.append(part)
            left -= len(part)
    data = b"".join(parts)
    digest = digests.of_bytes(data)
    return stage_bytes(data, digest, place_of(objects, digest), area)


def _stage_large(source: int, objects: Path, area: Path) -> Staged:
    temporary = area / os.urandom(12).hex()
    with in_store(area):
        target = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            digest = clone(source, target)
            size = os.fstat(target).st_size
            place = place_of(objects, digest)
            if _there(place, size):
                temporary.unlink()
                return Staged(digest, size, place, None)
            os.fchmod(target, 0o444)
            sync(target)
        finally:
            os.close(target)
        return Staged(digest, size, place, temporary)


def publish(staged: Iterable[Staged], top: Path) -> None:
    """Give all of it its name in `top` ("objects" or "trees"), and make the names durable."""
    with in_store(top):
        folders: set[Path] = set()
        for item in staged:
            folder = item.place.parent
            if folder not in folders:
                folder.mkdir(exist_ok=True)
                folders.add(folder)
            if item.temporary is not None:
                item.temporary.rename(item.place)
        for folder in sorted(folders):
            sync_folder(folder)
        sync_folder(top)


def _there(place: Path, size: int) -> bool:
    """True if a whole object is at `place` and its time of modification is now the present."""
    try:
        if place.stat().st_size != size:
            return False
        os.utime(place)
    except (FileNotFoundError, PermissionError):
        return False
    return True


def _write_file(path: Path, data: bytes) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(target, data)
        os.fchmod(target, 0o444)
        sync(target)
    finally:
        os.close(target)
