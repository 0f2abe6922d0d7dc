"""The store as a local folder. What it promises is specified in docs/reference/store-format.md."""

import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tricord.core.artifact import Digest, parse_digest, short
from tricord.core.errors import DataError, StoreError
from tricord.store import digest as digests
from tricord.store import listing, locking, writing
from tricord.store import tree as trees
from tricord.store.checkout import Writer, fill_any
from tricord.store.faults import in_store
from tricord.store.index import Index, Place
from tricord.store.ingest import Ingest
from tricord.store.pack import Shape
from tricord.store.progress import Watch, quiet
from tricord.store.reading import Reader, corrupt
from tricord.store.state import Mark
from tricord.store.views import make_view, view

_AT_ONCE = 10_000
"""Blobs that are looked up together."""


class LocalStore:
    """Bytes by digest in a folder. Threads and processes may share it without further locks.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = LocalStore(Path(folder.name) / "store")
    >>> store.read(store.put_bytes(b"flights"))
    b'flights'
    >>> store.close(); folder.cleanup()
    """

    def __init__(self, root: Path) -> None:
        """Open the store at `root`, or make one there. StoreError if that folder is something else."""
        self.root = root.absolute()
        self._version = writing.open_format(self.root)
        self.index = Index(self.root)
        self.reader = Reader(self.root, self.index)
        self._swept = False

    def close(self) -> None:
        """Let go of the index's file. The store may be used on: it opens it again."""
        self.index.close()

    # -- putting -----------------------------------------------------------------------------

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes as a file. Durable when it returns. StorageFull, StoreError."""
        with self.ingest() as ingest:
            return ingest.add_bytes(data)

    def put_file(self, source: Path, *, consume: bool = False) -> Digest:
        """Store a file's content. Durable when it returns. `consume`: a scratch file, which may be taken over.

        DataError if it cannot be read, is no regular file, or changes meanwhile; StorageFull, StoreError.
        """
        with self.ingest() as ingest:
            return ingest.add_file(source, consume=consume).digest

    def put_tree(self, source: Path) -> Digest:
        """Store a folder: every file below it, and a tree that lists them. Durable when it returns.

        Empty sub-folders are dropped. DataError for what a tree cannot hold (see `tree.scan`) and
        for a folder that changes meanwhile; StorageFull, StoreError.
        """
        if self.root.resolve().is_relative_to(source.resolve()):
            raise DataError(
                "the folder contains the store itself", where=str(source), hint="add a folder in it"
            )
        files = trees.walk(source)
        with self.ingest() as ingest:
            added = ingest.add_files([Path(place) for _, place in files])
            for found in added:
                found.unchanged()
            if trees.walk(source) != files:
                raise writing.changed(source)
            return ingest.add_tree(
                trees.Entry(path, found.digest, found.size, found.executable)
                for (path, _), found in zip(files, added, strict=True)
            )

    @contextmanager
    def ingest(self) -> Generator[Ingest]:
        """Many puts with one lock, durable together when the block ends well; nothing is kept when it raises."""
        if not self._swept:
            self._swept = True
            if self._version < writing.FORMAT:
                writing.upgrade(self.root)
                self._version = writing.FORMAT
            locking.sweep(self.root)
        with locking.working_area(self.root) as area:
            ingest = Ingest(self.reader, area)
            try:
                yield ingest
                ingest.publish()
            finally:
                ingest.close()

    # -- asking ------------------------------------------------------------------------------

    def has(self, digest: Digest) -> bool:
        """True if a file or tree of that digest is stored, a large file with all its chunks."""
        return not self.missing([digest])

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Of these, those that are not stored: a large file is if all its chunks are, a tree if its list is."""
        return self.reader.missing(digests)

    def is_tree(self, digest: Digest) -> bool:
        """False for a file, True for a tree. ObjectMissing where there is neither."""
        parse_digest(digest)
        reader = self.reader
        if reader.places([digest], Shape.FILE) or reader.plain(digest) or reader.places([digest], Shape.RECIPE):  # fmt: skip
            return False
        if reader.places([digest], Shape.TREE) or reader.old_tree(digest):
            return True
        raise reader.lost(digest)

    def size(self, digest: Digest) -> int:
        """Bytes of a file's content, or of all files of a tree. ObjectMissing, ObjectCorrupt."""
        if self.is_tree(digest):
            return sum(entry.size for entry in self.entries(digest))
        return self._file_size(digest)

    def read(self, digest: Digest) -> bytes:
        """The bytes of a file, checked against the digest. ObjectMissing, ObjectCorrupt."""
        data = self.reader.blob(parse_digest(digest), Shape.FILE)
        if data is not None:
            return data
        if self.is_tree(digest):
            raise _not_a_file(digest)
        if path := self.reader.plain(digest):
            with in_store(path):
                data = path.read_bytes()
        else:
            path = self.root
            data = b"".join(self.reader.chunks(digest, self.reader.parts(digest) or ()))
        if digests.of_bytes(data) != digest:
            raise corrupt(digest, path, "its bytes do not match its digest")
        return data

    def open(self, digest: Digest) -> BinaryIO:
        """A file as a seekable stream that is checked part by part, as it is read. ObjectMissing, ObjectCorrupt."""
        if self.is_tree(digest):
            raise _not_a_file(digest)
        return self.reader.open(digest)

    def path(self, digest: Digest) -> Path:
        """A file's own place in the store: to be read, never written; valid until a `gc`. ObjectMissing.

        What lies in a pack is written out for it, once.
        """
        if self.is_tree(digest):
            raise _not_a_file(digest)
        if not self.reader.places([digest], Shape.FILE) and (plain := self.reader.plain(digest)):
            return plain
        seen = view(self.root, digest, self._file_size(digest))
        if seen is None:
            seen = make_view(self.root, digest, lambda to: fill_any(self.reader, digest, to))
        return seen

    def tree(self, digest: Digest) -> Mapping[str, Digest]:
        """The files of a tree: relative POSIX path → digest, sorted. ObjectMissing, ObjectCorrupt."""
        return {entry.path: entry.digest for entry in self.entries(digest)}

    def entries(self, digest: Digest) -> tuple[trees.Entry, ...]:
        """The files of a tree, sorted by path. ObjectMissing, ObjectCorrupt."""
        if not self.is_tree(digest):
            raise StoreError(
                f"{short(digest)} is a file, not a tree", hint="read() or path() give it"
            )
        data = self.reader.blob(digest, Shape.TREE)
        path = self.root
        if data is None:
            path = writing.place_of(self.root / "trees", digest)
            with in_store(path):
                data = path.read_bytes()
            if digests.of_tree_bytes(data) != digest:
                raise corrupt(digest, path, "its bytes do not match its digest")
        try:
            return trees.decode(data)
        except ValueError as error:
            raise corrupt(digest, path, str(error)) from error

    def blobs(self, digest: Digest, *, deep: bool = True) -> Iterator[tuple[Shape, Digest]]:
        """What a file or tree consists of here.

        A small file: itself. A large one that is kept plain: (FILE, itself), and (RECIPE, itself)
        where its chunks are known. Another large one: (RECIPE, itself), then its chunks. A tree: itself
        and, if `deep`, what its files consist of. Nothing is named twice. ObjectMissing, ObjectCorrupt.
        """
        if not self.is_tree(digest):
            yield from self._blobs_of_files([digest])
            return
        yield Shape.TREE, digest
        if deep:
            files = list(dict.fromkeys(entry.digest for entry in self.entries(digest)))
            yield from self._blobs_of_files(files)

    def __iter__(self) -> Iterator[Digest]:
        """Every file and tree; chunks of large files too, which are files like others. Sorted by digest."""
        self.index.refresh()
        found = {place.row.digest for place in self.index.rows()}
        found.update(digest for digest, _ in listing.plain_objects(self.root))
        found.update(digest for digest, _ in listing.old_trees(self.root))
        yield from sorted(found)

    def verify(self) -> Iterator[tuple[Digest | None, str]]:
        """Read everything; yield each object that is not what its digest says (None: a pack or the index), with what is wrong."""
        from tricord.store import checking  # all of it, for the one call that reads everything

        for problem in checking.problems(self):
            yield problem.digest, problem.what

    # -- writing out -------------------------------------------------------------------------

    def checkout(self, digest: Digest, target: Path) -> None:
        """Make `target`, which must not exist, that file or tree: writable, by reflink or copy.

        The bytes are checked on the way, and `target` appears at once and whole.
        ObjectMissing, ObjectCorrupt, StorageFull, StoreError.
        """
        is_tree = self.is_tree(digest)
        target = target.absolute()
        with in_store(target):
            if os.path.lexists(target):
                raise _exists(target)
            target.parent.mkdir(parents=True, exist_ok=True)
        building = target.parent / f".{target.name[:50]}.{os.urandom(6).hex()}"
        writer = Writer(self.reader, link="auto", replace=False, watch=quiet)
        try:
            if is_tree:
                entries = self.entries(digest)
                with in_store(building):
                    building.mkdir()
                writer.write([(entry, f"{building}/{entry.path}") for entry in entries], {})
                with in_store(target):
                    building.rename(target)  # fails on a file, and on a folder that is not empty
            else:
                entry = trees.Entry(target.name, digest, self._file_size(digest), executable=False)
                writer.write([(entry, str(building))], {})
                with in_store(target):
                    _move_file(building, target)
        except StoreError as error:
            if isinstance(error.__cause__, FileExistsError):
                raise _exists(target) from error
            raise
        finally:
            if building.is_dir():
                shutil.rmtree(building, ignore_errors=True)
            else:
                building.unlink(missing_ok=True)

    def write_files(
        self,
        files: Iterable[tuple[trees.Entry, Path | str]],
        *,
        known: Mapping[Digest, Place] | None = None,
        link: str = "auto",
        fresh: bool = False,
        watch: Watch = quiet,
    ) -> list[Mark]:
        """Write many files to places of their own: each appears whole and replaces what was there.

        With `fresh` they are in a folder that nobody else looks at yet, where nothing is: they are written
        under their own names, and one of them may be half-written if this does not come to its end.

        `link`: "reflink" or "copy" make files of their own; "hardlink" makes read-only ones that share
        their bytes with a view, never with what the store relies on; "auto" takes the reflink where the file
        system has it. Parent folders are made. `known` are places that `reader.locate` gave. The answer are the marks
        that the files have where they were written: without `fresh` a rename comes after, which may set the time of
        change. ObjectMissing before anything is written; ObjectCorrupt, StorageFull.
        """
        writer = Writer(self.reader, link=link, replace=not fresh, watch=watch)
        return writer.write([(entry, _absolute(path)) for entry, path in files], known or {})

    # -- within ------------------------------------------------------------------------------

    def _file_size(self, digest: Digest) -> int:
        if place := self.reader.places([digest], Shape.FILE).get(digest):
            return place.row.size
        if plain := self.reader.plain(digest):
            with in_store(plain):
                return plain.stat().st_size
        parts = self.reader.parts(digest)
        if parts is None:
            raise self.reader.lost(digest)
        return sum(part.size for part in parts)

    def _blobs_of_files(self, files: list[Digest]) -> Iterator[tuple[Shape, Digest]]:
        given: set[Digest] = set()
        for start in range(0, len(files), _AT_ONCE):
            some = files[start : start + _AT_ONCE]
            small = self.reader.places(some, Shape.FILE)
            large = self.reader.places([one for one in some if one not in small], Shape.RECIPE)
            for one in some:
                plain = one not in small and self.reader.plain(one) is not None
                if (one in small or plain) and one not in given:
                    given.add(one)
                    yield Shape.FILE, one
                if one in large:
                    yield Shape.RECIPE, one
                if plain or one in small:
                    continue
                parts = self.reader.parts(one) if one in large else None
                if parts is None:
                    raise self.reader.lost(one)
                for part in parts:
                    if part.digest not in given:
                        given.add(part.digest)
                        yield Shape.FILE, part.digest


def _absolute(path: Path | str) -> str:
    text = path if isinstance(path, str) else str(path)
    return text if text.startswith("/") else str(Path(text).absolute())


def _move_file(source: Path, target: Path) -> None:
    """Rename without overwriting: only a link refuses to, a rename replaces."""
    try:
        os.link(source, target)  # the caller removes the other name
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        source.rename(target)


def _not_a_file(digest: Digest) -> StoreError:
    return StoreError(
        f"{short(digest)} is a tree, not a file",
        hint="take its files from tree(), or checkout()",
    )


def _exists(target: Path) -> StoreError:
    return StoreError(
        "there is something already, and it is not overwritten",
        where=str(target),
        hint="move it away, or choose another place",
    )
