"""The store as a local folder. What it promises is specified in docs/reference/store-format.md."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from tricord.core.artifact import Digest, parse_digest, short
from tricord.core.errors import DataError, ObjectCorrupt, ObjectMissing, StoreError
from tricord.store import digest as digests
from tricord.store import tree as trees
from tricord.store import writing
from tricord.store.clone import clone
from tricord.store.faults import in_store

_AT_ONCE = 10_000
"""Files of a tree that are staged before they get their names: bounds what a killed put has to redo."""
_THREADS = 8
"""They wait for `fsync`: the file system commits its journal once for several that wait together."""
_PREFIX, _REST = re.compile(r"[0-9a-f]{2}"), re.compile(r"[0-9a-f]{62}")


class LocalStore:
    """Bytes by digest in a folder. Threads and processes may share it without further locks.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = LocalStore(Path(folder.name) / "store")
    >>> store.read(store.put_bytes(b"flights"))
    b'flights'
    >>> folder.cleanup()
    """

    def __init__(self, root: Path) -> None:
        """Open the store at `root`, or make one there. StoreError if that folder is something else."""
        self.root = root.absolute()
        self._objects = self.root / "objects"
        self._trees = self.root / "trees"
        self._swept = False
        if not writing.check_format(self.root):
            writing.create(self.root)

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes as a file. Durable when it returns. StorageFull, StoreError."""
        self._sweep()
        digest = digests.of_bytes(data)
        with writing.working_area(self.root) as area:
            place = writing.place_of(self._objects, digest)
            writing.publish([writing.stage_bytes(data, digest, place, area)], self._objects)
        return digest

    def put_file(self, source: Path) -> Digest:
        """Store a file's content. Durable when it returns.

        DataError if it cannot be read, is no regular file, or changes meanwhile; StorageFull, StoreError.
        """
        self._sweep()
        with writing.working_area(self.root) as area:
            staged, _ = writing.stage_file(source, self._objects, area)
            writing.publish([staged], self._objects)
        return staged.digest

    def put_tree(self, source: Path) -> Digest:
        """Store a folder: every file below it, and a tree that lists them. Durable when it returns.

        Empty sub-folders are dropped. DataError for what a tree cannot hold (see `tree.scan`) and
        for a folder that changes meanwhile; StorageFull, StoreError.
        """
        if self.root.resolve().is_relative_to(source.resolve()):
            raise DataError(
                "the folder contains the store itself", where=str(source), hint="add a folder in it"
            )
        self._sweep()
        files = trees.scan(source)
        entries: list[trees.Entry] = []
        origins: list[writing.Source] = []
        with writing.working_area(self.root) as area:
            for start in range(0, len(files), _AT_ONCE):
                batch = files[start : start + _AT_ONCE]
                with ThreadPoolExecutor(_THREADS) as pool:
                    paths = [path for _, path in batch]
                    staged = list(
                        pool.map(writing.stage_file, paths, repeat(self._objects), repeat(area))
                    )
                writing.publish([item for item, _ in staged], self._objects)
                for (path, _), (item, origin) in zip(batch, staged, strict=True):
                    entries.append(trees.Entry(path, item.digest, item.size, origin.executable))
                    origins.append(origin)
            for origin in origins:
                origin.unchanged()
            if trees.scan(source) != files:
                raise writing.changed(source)
            data = trees.encode(entries)
            digest = digests.of_tree_bytes(data)
            place = writing.place_of(self._trees, digest)
            writing.publish([writing.stage_bytes(data, digest, place, area)], self._trees)
        return digest

    def has(self, digest: Digest) -> bool:
        """True if a file or tree of that digest is stored."""
        return self._file(digest).exists() or self._tree(digest).exists()

    def size(self, digest: Digest) -> int:
        """Bytes of a file's content, or of all files of a tree. ObjectMissing, ObjectCorrupt."""
        if self._is_tree(digest):
            return sum(entry.size for entry in self._entries(digest))
        with in_store(self.root):
            return self._file(digest).stat().st_size

    def read(self, digest: Digest) -> bytes:
        """The bytes of a file, checked against the digest. ObjectMissing, ObjectCorrupt."""
        path = self.path(digest)
        with in_store(path):
            data = path.read_bytes()
        if digests.of_bytes(data) != digest:
            raise _corrupt(digest, path, "its bytes do not match its digest")
        return data

    def path(self, digest: Digest) -> Path:
        """A file's own place in the store: to be read, never written. ObjectMissing."""
        if self._is_tree(digest):
            raise StoreError(
                f"{short(digest)} is a tree, not a file",
                hint="take its files from tree(), or checkout()",
            )
        return self._file(digest)

    def tree(self, digest: Digest) -> Mapping[str, Digest]:
        """The files of a tree: relative POSIX path → digest, sorted. ObjectMissing, ObjectCorrupt."""
        if not self._is_tree(digest):
            raise StoreError(
                f"{short(digest)} is a file, not a tree", hint="read() or path() give it"
            )
        return {entry.path: entry.digest for entry in self._entries(digest)}

    def checkout(self, digest: Digest, target: Path) -> None:
        """Make `target`, which must not exist, that file or tree: writable, by reflink or copy.

        The bytes are checked on the way, and `target` appears at once and whole.
        ObjectMissing, ObjectCorrupt, StorageFull, StoreError.
        """
        is_tree = self._is_tree(digest)
        target = target.absolute()
        with in_store(target):
            if os.path.lexists(target):
                raise _exists(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            building = target.parent / f".{target.name[:100]}.{os.urandom(6).hex()}"
            try:
                if is_tree:
                    self._build_tree(digest, building)
                    building.rename(target)  # fails on a file, and on a folder that is not empty
                else:
                    self._build_file(digest, building, executable=False)
                    _move_file(building, target)
            except FileExistsError as error:
                raise _exists(target) from error
            finally:
                if building.is_dir():
                    shutil.rmtree(building, ignore_errors=True)
                else:
                    building.unlink(missing_ok=True)

    def verify(self) -> Iterator[tuple[Digest, str]]:
        """Read everything; yield each object that is not what its digest says, with what is wrong."""
        for digest in _names(self._objects):
            problem = self._problem_of_file(digest)
            if problem:
                yield digest, problem
        for digest in _names(self._trees):
            problem = self._problem_of_tree(digest)
            if problem:
                yield digest, problem

    def __iter__(self) -> Iterator[Digest]:
        """Every file and tree, sorted within each of the two."""
        yield from _names(self._objects)
        yield from _names(self._trees)

    def _sweep(self) -> None:
        if not self._swept:
            self._swept = True
            writing.sweep(self.root)

    def _file(self, digest: Digest) -> Path:
        return writing.place_of(self._objects, parse_digest(digest))

    def _tree(self, digest: Digest) -> Path:
        return writing.place_of(self._trees, parse_digest(digest))

    def _is_tree(self, digest: Digest) -> bool:
        """False for a file; ObjectMissing where there is neither."""
        if self._file(digest).exists():
            return False
        if self._tree(digest).exists():
            return True
        raise ObjectMissing(
            f"no object {short(digest)} in the store", where=str(self.root), hint="tricord verify"
        )

    def _entries(self, digest: Digest) -> tuple[trees.Entry, ...]:
        path = self._tree(digest)
        with in_store(path):
            data = path.read_bytes()
        if digests.of_tree_bytes(data) != digest:
            raise _corrupt(digest, path, "its bytes do not match its digest")
        try:
            return trees.decode(data)
        except ValueError as error:
            raise _corrupt(digest, path, str(error)) from error

    def _build_tree(self, digest: Digest, folder: Path) -> None:
        folder.mkdir()
        made = {folder}
        for entry in self._entries(digest):
            path = folder / entry.path
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            self._build_file(entry.digest, path, executable=entry.executable)

    def _build_file(self, digest: Digest, path: Path, *, executable: bool) -> None:
        origin = self._file(digest)
        try:
            source = os.open(origin, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise ObjectMissing(
                f"no object {short(digest)} in the store",
                where=f"{self.root}, for {path.name}",
                hint="tricord verify",
            ) from error
        try:
            mode = 0o777 if executable else 0o666  # less the process's umask
            target = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            try:
                found = clone(source, target)
            finally:
                os.close(target)
        finally:
            os.close(source)
        if found != digest:
            raise _corrupt(digest, origin, "its bytes do not match its digest")

    def _problem_of_file(self, digest: Digest) -> str | None:
        try:
            found = digests.of_file(self._file(digest))
        except DataError as error:
            return error.what
        return None if found == digest else f"its bytes have the digest {short(found)}"

    def _problem_of_tree(self, digest: Digest) -> str | None:
        try:
            entries = self._entries(digest)
        except StoreError as error:
            return error.what
        missing = [entry.path for entry in entries if not self._file(entry.digest).exists()]
        return f"{len(missing)} of its files missing, first {missing[0]!r}" if missing else None


def _names(top: Path) -> Iterator[Digest]:
    with in_store(top):
        folders = sorted(path for path in top.iterdir() if _PREFIX.fullmatch(path.name))
    for folder in folders:
        with in_store(folder):
            names = sorted(path.name for path in folder.iterdir() if _REST.fullmatch(path.name))
        for name in names:
            yield Digest(folder.name + name)


def _move_file(source: Path, target: Path) -> None:
    """Rename without overwriting: only a link refuses to, a rename replaces."""
    try:
        os.link(source, target)  # the caller removes the other name
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        source.rename(target)


def _exists(target: Path) -> StoreError:
    return StoreError(
        "there is something already, and it is not overwritten",
        where=str(target),
        hint="move it away, or choose another place",
    )


def _corrupt(digest: Digest, path: Path, what: str) -> ObjectCorrupt:
    return ObjectCorrupt(
        f"object {short(digest)} is damaged: {what}", where=str(path), hint="tricord verify"
    )
