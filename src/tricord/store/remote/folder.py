"""A folder as a remote: a disk, a share that several machines mount."""

import errno
import fcntl
import os
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blake3 import blake3

from tricord.core.errors import (
    ObjectMissing,
    RemoteError,
    RemoteRefused,
    RemoteUnreachable,
    StorageFull,
    StoreError,
)
from tricord.core.files import sync, sync_folder, write_all
from tricord.store.clone import copy_rest, reflink
from tricord.store.remote.backend import Abilities, Info, Parts, checked

_AREA = ".tricord"
"""What lies in this folder is not of the remote: unfinished files and the lock of `replace`."""
_STALE = 24 * 3600.0
_FAULTS: dict[int, tuple[type[StoreError], str | None]] = {
    errno.ENOSPC: (StorageFull, "free some space there, then do the same again"),
    errno.EDQUOT: (StorageFull, "free some space there, then do the same again"),
    errno.EACCES: (RemoteRefused, "check who owns the folder, and its permissions"),
    errno.EPERM: (RemoteRefused, "check who owns the folder, and its permissions"),
    errno.EROFS: (RemoteRefused, "mount the file system for writing"),
    errno.ENOLCK: (RemoteRefused, "use a file system with flock: a local one, NFS 4, SMB 3"),
    errno.EIO: (RemoteUnreachable, "check the disk's health"),
    errno.ESTALE: (RemoteUnreachable, "mount the share again"),
    errno.ETIMEDOUT: (RemoteUnreachable, "check the network and the mount"),
    errno.EHOSTDOWN: (RemoteUnreachable, "check the network and the mount"),
    errno.ENOTCONN: (RemoteUnreachable, "mount the share again"),
}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Folder:
    """Objects as files of the same names, read-only. The folder is made at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.where = str(root)
        self.abilities = Abilities()
        self._area_ready = False

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        with self._faults(name), self._place(name).open("rb", buffering=0) as file:
            end = os.fstat(file.fileno()).st_size
            left = max(0, end - start if length is None else min(length, end - start))
            parts: list[bytes] = []
            while left and (part := os.pread(file.fileno(), left, start)):
                parts.append(part)
                start += len(part)
                left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def get_to(self, name: str, file: Path) -> None:
        with self._faults(name):
            source = self._place(name).open("rb", buffering=0)
        there = file.exists() and file.stat().st_size
        with source, file.open("r+b" if there else "wb", buffering=0) as target:
            if there or not reflink(source.fileno(), target.fileno()):
                end = os.lseek(target.fileno(), 0, os.SEEK_END)
                os.lseek(source.fileno(), end, os.SEEK_SET)
                copy_rest(source.fileno(), target.fileno())

    def put(self, name: str, data: bytes) -> None:
        self.put_stream(name, lambda: (data,))

    def put_file(self, name: str, file: Path) -> None:
        with self._written(name, file) as (temporary, place):
            temporary.replace(place)

    def put_stream(self, name: str, parts: Parts) -> None:
        with self._written(name, parts()) as (temporary, place):
            temporary.replace(place)

    def put_new(self, name: str, data: bytes) -> bool:
        if self.size(name) is not None:
            return False
        try:
            with self._written(name, (data,)) as (temporary, place):
                try:
                    os.link(temporary, place)
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    with self._lock():
                        if place.exists():
                            raise FileExistsError(errno.EEXIST, name) from None
                        temporary.replace(place)
        except _Exists:
            return False
        return True

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        with self._written(name, (data,)) as (temporary, place), self._lock():
            found = self.tagged(name)
            if found is None or found[1] != tag:
                return False
            temporary.replace(place)
            sync_folder(place.parent)  # before the next one may read the tag
        return True

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        try:
            data = self.get(name)
        except ObjectMissing:
            return None
        return data, blake3(data).hexdigest()

    def size(self, name: str) -> int | None:
        try:
            with self._faults(name):
                status = self._place(name).stat()
        except ObjectMissing:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def list(self, prefix: str = "") -> Iterator[Info]:
        prefix = prefix.rstrip("/")
        top = self._place(prefix) if prefix else self.root
        self._mounted()
        with self._faults(prefix):
            yield from _walk(top, prefix)

    def delete(self, names: Iterable[str]) -> None:
        folders: set[Path] = set()
        for name in names:
            place = self._place(name)
            with suppress(ObjectMissing), self._faults(name):
                place.unlink()
                folders.add(place.parent)
        for folder in folders:
            with suppress(ObjectMissing), self._faults(""):
                sync_folder(folder)

    def now(self) -> float:
        with self._faults(""):
            temporary = self._area() / os.urandom(12).hex()
            temporary.touch()
            try:
                return temporary.stat().st_mtime
            finally:
                temporary.unlink(missing_ok=True)

    def _place(self, name: str) -> Path:
        return self.root / checked(name, self.where)

    @contextmanager
    def _written(self, name: str, source: Path | Iterable[bytes]) -> Generator[tuple[Path, Path]]:
        """A durable file in the area, and the place it is for; made durable there afterwards."""
        place = self._place(name)
        with self._faults(name, writing=True):
            temporary = self._area() / os.urandom(12).hex()
            try:
                target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)  # fmt: skip
                try:
                    _fill(target, source)
                    os.fchmod(target, 0o444)
                    sync(target)
                finally:
                    os.close(target)
                self._folders(place.parent)
                yield temporary, place
                sync_folder(place.parent)
            finally:
                temporary.unlink(missing_ok=True)

    def _folders(self, folder: Path) -> None:
        """Make a folder, durably, and those above it within the remote."""
        if folder.is_dir():
            return
        if folder != self.root:
            self._folders(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)

    def _area(self) -> Path:
        area = self.root / _AREA
        if not self._area_ready:
            self._mounted()
            self._folders(area)
            _sweep(area)
            self._area_ready = True
        return area

    def _mounted(self) -> None:
        if not self.root.is_dir() and not self.root.parent.is_dir():
            raise RemoteError(
                f"there is no folder {self.root.parent}",
                where=self.where,
                hint=f"mount it, or: mkdir -p {self.root.parent}",
            )

    @contextmanager
    def _lock(self) -> Generator[None]:
        lock = os.open(self._area() / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _faults(self, name: str, *, writing: bool = False) -> Generator[None]:
        """An OSError inside is the remote's."""
        try:
            yield
        except FileExistsError as error:
            raise _Exists(f"there is an object {name}", where=self.where) from error
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            if writing:
                raise RemoteError(
                    f"{name} cannot be written: {error.strerror}", where=str(error.filename)
                ) from error
            self._mounted()
            raise ObjectMissing(f"no object {name}", where=self.where) from error
        except OSError as error:
            kind, hint = _FAULTS.get(error.errno or 0, (RemoteError, None))
            place = str(error.filename or self.where)
            raise kind(f"the remote could not do it: {error.strerror}", where=place, hint=hint) from error  # fmt: skip


class _Exists(RemoteError):
    """`put_new` came second."""


def _fill(target: int, source: Path | Iterable[bytes]) -> None:
    if isinstance(source, Path):
        with source.open("rb", buffering=0) as opened:
            if not reflink(opened.fileno(), target):
                copy_rest(opened.fileno(), target)
        return
    for part in source:
        write_all(target, part)


def _walk(folder: Path, name: str) -> Iterator[Info]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        full = f"{name}/{entry.name}" if name else entry.name
        if entry.is_dir():
            yield from _walk(Path(entry.path), full)
            continue
        with suppress(FileNotFoundError):  # deleted meanwhile
            status = entry.stat()
            if stat.S_ISREG(status.st_mode):
                yield Info(full, status.st_size, status.st_mtime)


def _sweep(area: Path) -> None:
    """Remove what writers that died have left; a day old by the clock of the folder's own machine."""
    probe = area / os.urandom(12).hex()
    probe.touch()
    present = probe.stat().st_mtime
    for left in [probe, *area.iterdir()]:
        with suppress(FileNotFoundError):
            if left == probe or (left.name != "lock" and left.stat().st_mtime < present - _STALE):
                left.unlink()
