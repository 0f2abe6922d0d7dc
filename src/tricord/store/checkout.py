"""Files out of the store: many at a time, each whole or not at all, by reflink, hard link or copy."""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import StoreError
from tricord.core.files import write_all
from tricord.store import digest as digests
from tricord.store.chunks import ZEROS
from tricord.store.clone import reflink
from tricord.store.faults import in_store
from tricord.store.index import Place
from tricord.store.pack import Shape
from tricord.store.progress import Watch
from tricord.store.reading import Reader, corrupt
from tricord.store.recipe import Part
from tricord.store.state import Mark, mark_of
from tricord.store.tree import Entry
from tricord.store.views import make_view, view

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
LINKS = ("auto", "reflink", "hardlink", "copy")


class Writer:
    """Writes files of one store to places outside it. `replace`: over what is there, by a temporary name and rename."""

    def __init__(self, reader: Reader, *, link: str, replace: bool, watch: Watch) -> None:
        if link not in LINKS:
            raise StoreError(f"no way to link {link!r}", hint=f"one of {', '.join(LINKS)}")
        self._reader = reader
        self._link = link
        self._replace = replace
        self._watch = watch
        self._made: set[str] = set()
        self._tag = f".{os.urandom(6).hex()}.tmp"

    def write(
        self, files: Sequence[tuple[Entry, str]], known: Mapping[Digest, Place]
    ) -> list[Mark]:
        """Write them all; the marks that the files then have. `known` are places that were looked up
        just now. ObjectMissing before anything is written; ObjectCorrupt, StorageFull, StoreError."""
        targets: defaultdict[Digest, list[int]] = defaultdict(list)
        for number, (entry, _) in enumerate(files):
            targets[entry.digest].append(number)
        places = {digest: known[digest] for digest in targets if digest in known}
        rest = [digest for digest in targets if digest not in places]
        places |= self._reader.places(rest, Shape.FILE)
        large = [digest for digest in rest if digest not in places]
        for digest in self._reader.missing(large):
            raise self._reader.lost(digest, f"for {files[targets[digest][0]][1]}")
        for folder in {path.rpartition("/")[0] for _, path in files} - self._made:
            with in_store(Path(folder)):
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            self._made.add(folder)
        if self._link == "hardlink":
            for digest, numbers in targets.items():
                self._link_all(digest, [files[number] for number in numbers])
            return [mark_of(os.stat(path)) for _, path in files]  # noqa: PTH116
        marks: dict[int, Mark] = {}
        for place, data in self._reader.many(places.values()):
            for number in targets[place.row.digest]:
                entry, path = files[number]
                marks[number] = self._put_small(path, entry, data)
                self._watch(len(data), 1, path.rpartition("/")[2])
        for digest in large:
            for number in targets[digest]:
                entry, path = files[number]
                marks[number] = self._write_large(digest, entry, path)
        return [marks[number] for number in range(len(files))]

    def _write_large(self, digest: Digest, entry: Entry, path: str) -> Mark:
        label = path.rpartition("/")[2]

        def fill(target: int) -> None:
            fill_large(self._reader, digest, target, self._told(label))

        mark = self._put(path, entry, fill)
        self._watch(0, 1, label)
        return mark

    def _told(self, label: str) -> Callable[[int], None]:
        return lambda done: self._watch(done, 0, label)

    def _link_all(self, digest: Digest, some: Sequence[tuple[Entry, str]]) -> None:
        root = self._reader.root
        for entry, path in some:
            seen = view(root, digest, entry.size)
            if seen is None:
                seen = make_view(
                    root, digest, lambda target: fill_any(self._reader, digest, target)
                )
            if entry.executable or not self._linked(seen, Path(path)):
                self._put(path, entry, lambda target: fill_any(self._reader, digest, target))
            self._watch(entry.size, 1, path.rpartition("/")[2])

    def _linked(self, source: Path, path: Path) -> bool:
        """Make `path` another name of a view; False where that cannot be (another file system, too many links)."""
        temporary = Path(self._temporary(str(path))) if self._replace else path
        try:
            os.link(source, temporary)
        except OSError:
            return False
        if self._replace:
            self._settle(temporary, path)
        return True

    def _put_small(self, path: str, entry: Entry, data: bytes) -> Mark:
        """As `_put`; for the many, so with as few calls as can be."""
        if self._replace:
            return self._put(path, entry, partial(write_all, data=data))
        try:
            target = os.open(path, _NEW, 0o777 if entry.executable else 0o666)
            try:
                if os.write(target, data) < len(data):
                    os.lseek(target, 0, os.SEEK_SET)
                    write_all(target, data)
                return mark_of(os.fstat(target))
            finally:
                os.close(target)
        except OSError:
            with in_store(Path(path)):
                raise

    def _put(self, path: str, entry: Entry, fill: Callable[[int], None]) -> Mark:
        temporary = self._temporary(path) if self._replace else path
        mode = 0o777 if entry.executable else 0o666  # less the process's umask
        with in_store(Path(path)):
            target = os.open(temporary, _NEW, mode)
            try:
                try:
                    fill(target)
                    mark = mark_of(os.fstat(target))
                finally:
                    os.close(target)
                if self._replace:
                    os.rename(temporary, path)  # noqa: PTH104
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        return mark

    def _temporary(self, path: str) -> str:
        return f"{path.rpartition('/')[0]}/.{threading.get_ident():x}{self._tag}"

    def _settle(self, temporary: Path, path: Path) -> None:
        try:
            with in_store(path):
                temporary.rename(path)
        finally:
            temporary.unlink(
                missing_ok=True
            )  # a rename onto another name of the same file does nothing


def fill_any(reader: Reader, digest: Digest, target: int) -> None:
    """Fill an empty file with the bytes of any file of the store."""
    data = reader.blob(digest, Shape.FILE)
    if data is None:
        fill_large(reader, digest, target)
    else:
        write_all(target, data)


def fill_large(
    reader: Reader, digest: Digest, target: int, told: Callable[[int], None] = lambda _: None
) -> None:
    """Fill an empty file with the bytes of a large one: by reflink or from the plain object, else by its chunks."""
    parts, path = reader.parts(digest), reader.plain(digest)
    if path is None:
        if parts is None:
            raise reader.lost(digest)
        _fill_by_chunks(reader, digest, parts, target, told)
        return
    with in_store(path):
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = _copied(source, target, told)
    finally:
        os.close(source)
    if found != digest:
        raise corrupt(digest, path, "its bytes do not match its digest")


def _copied(source: int, target: int, told: Callable[[int], None]) -> Digest:
    if reflink(source, target):
        told(os.fstat(source).st_size)
        return digests.of_descriptor(target)
    hasher = blake3(max_threads=blake3.AUTO)
    from concurrent.futures import ThreadPoolExecutor  # slow to load, and most files are small

    with ThreadPoolExecutor(1, thread_name_prefix="copy") as pool:
        waiting = pool.submit(os.read, source, 4 << 20)
        while block := waiting.result():
            waiting = pool.submit(os.read, source, 4 << 20)
            hasher.update(block)
            write_all(target, block)
            told(len(block))
    return Digest(hasher.hexdigest())


def _fill_by_chunks(
    reader: Reader, digest: Digest, parts: Sequence[Part], target: int, told: Callable[[int], None]
) -> None:
    for data in reader.chunks(digest, parts):
        if len(data) == len(ZEROS) and data == ZEROS:
            os.lseek(target, len(data), os.SEEK_CUR)  # a hole
        else:
            write_all(target, data)
        told(len(data))
    os.ftruncate(target, sum(part.size for part in parts))
