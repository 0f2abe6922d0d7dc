"""The index: which pack holds which blob. Derived from the packs, so it may be deleted at any time.

One SQLite file, `index.sqlite`. A row may outlive its pack (a deletion by another process) but never
speaks of other bytes: packs are named after their content. `refresh` brings it in line with the folder.
A damaged file is thrown away and made again; where none can be written, the index is held in memory.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt, StoreError
from tricord.store import pack as packs
from tricord.store import recipe
from tricord.store.faults import in_store
from tricord.store.pack import Row, Shape
from tricord.store.writing import place_of

_VERSION = 2
_TABLES = f"""
CREATE TABLE pack (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL);
CREATE TABLE blob (digest BLOB NOT NULL, shape INTEGER NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, size INTEGER NOT NULL, compressed INTEGER NOT NULL,
    PRIMARY KEY (digest, shape, pack)) WITHOUT ROWID;
CREATE INDEX blob_by_pack ON blob (pack);
CREATE TABLE inside (chunk BLOB PRIMARY KEY, object BLOB NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_REFUSED = {
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOMEM,
}  # fmt: skip
"""What says nothing against the file itself: it may be somebody else's."""
_FEW, _MANY = 16, 500
"""Digests in one query: below SQLite's limit of variables in every release."""
_TICK, _COARSE = 20_000_000, 2_000_000_000
"""Nanoseconds from one time of a file system to the next at most; the second where it keeps milliseconds at best."""
_INSIDE = "SELECT chunk, object, offset FROM inside WHERE chunk IN ({})"
_FIND = """SELECT digest, name, offset, length, blob.size, compressed FROM blob
    JOIN pack ON pack.id = blob.pack WHERE shape = ? AND digest IN ({})"""
_HOLD = "SELECT digest, pack FROM blob WHERE shape = ? AND digest IN ({})"
_STATEMENTS = {
    (text, marks): text.format(",".join("?" * marks))
    for text in (_INSIDE, _FIND, _HOLD)
    for marks in (1, _FEW, _MANY)
}
T = TypeVar("T")


class Place(NamedTuple):
    """Where a blob is: a row of the pack of that name."""

    pack: str
    row: Row


class Index:
    """Look-ups by digest over all packs of a store. Threads and processes may share it."""

    def __init__(self, root: Path) -> None:
        self._path = root / "index.sqlite"
        self._packs = root / "packs"
        self._objects = root / "objects"
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._inherited: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._in_memory = False
        self._seen: tuple[int, ...] = ()

    def __del__(self) -> None:
        self.close()

    def find(self, digest: Digest, shape: Shape) -> Place | None:
        """Where a blob is; None where no pack has it."""
        return self.find_many([digest], shape).get(digest)

    def find_many(
        self, digests: Iterable[Digest], shape: Shape, *, fresh: bool = True
    ) -> dict[Digest, Place]:
        """Where blobs are; those that no pack has are left out.

        Packs that came without their rows (their writer died in between) are looked for if
        something is not found, unless `fresh` is False.
        """
        wanted = list(dict.fromkeys(digests))
        found = self._look_up(wanted, shape)
        if fresh and len(found) < len(wanted) and self._stamp() != self._seen and self.refresh():
            found = self._look_up(wanted, shape)
        return found

    def packs_of(self, digests: Iterable[Digest], shape: Shape) -> dict[str, set[Digest]]:
        """A pack's name → those blobs that it has: much faster than `find_many`, for the many
        that only have to be there."""

        def work(database: sqlite3.Connection) -> dict[str, set[Digest]]:
            database.execute("BEGIN")  # one view of both tables: the number of a pack is used again
            try:
                names = dict(database.execute("SELECT id, name FROM pack").fetchall())
                found = _held(database, wanted, shape) if names else {}
            finally:
                if database.in_transaction:
                    database.rollback()
            return {names[pack]: some for pack, some in found.items()}

        wanted = list(digests)
        return self._run(work)

    def copies(self, digest: Digest, shape: Shape) -> list[Place]:
        """Every place of one blob: two writers at once may have stored it twice."""

        def work(database: sqlite3.Connection) -> list[Place]:
            rows = database.execute(_STATEMENTS[_FIND, 1], (int(shape), bytes.fromhex(digest)))
            return [Place(name, _row(key, shape, *rest)) for key, name, *rest in rows]

        return self._run(work)

    def inside(self, chunks: Sequence[Digest]) -> dict[Digest, tuple[Digest, int]]:
        """Chunks that lie within a plain object: chunk → (object, offset). It may be gone by now."""

        def work(database: sqlite3.Connection) -> dict[Digest, tuple[Digest, int]]:
            found: dict[Digest, tuple[Digest, int]] = {}
            for marks, some in _in_parts(chunks):
                for chunk, held, offset in database.execute(_STATEMENTS[_INSIDE, marks], some):
                    found[Digest(chunk.hex())] = Digest(held.hex()), offset
            return found

        return self._run(work)

    def add(self, name: str, size: int, rows: Sequence[Row]) -> None:
        """Take in a pack that now has its name in the store. Known already: nothing happens."""
        self._change(lambda database: _insert(database, name, size, rows))

    def add_inside(self, held: Digest, parts: Iterable[tuple[Digest, int]]) -> None:
        """Take in where the chunks of a plain object begin in it."""
        rows = [(bytes.fromhex(chunk), bytes.fromhex(held), offset) for chunk, offset in parts]
        self._change(lambda database: _insert_inside(database, rows))

    def drop(self, names: Iterable[str], objects: Iterable[Digest] = ()) -> None:
        """Forget packs, and the chunks of plain objects, that are about to be deleted or are gone."""
        gone, held = list(names), [(bytes.fromhex(name),) for name in objects]

        def work(database: sqlite3.Connection) -> None:
            _drop(database, gone)
            database.executemany("DELETE FROM inside WHERE object = ?", held)

        self._change(work)

    def packs(self) -> Mapping[str, int]:
        """Every pack in the index: name → bytes."""
        return self._run(_packs)

    def rows(self, shape: Shape | None = None) -> Iterator[Place]:
        """Every blob, sorted by digest; of a blob in two packs both."""
        after = b""
        while True:
            some = self._run(lambda database, start=after: _page(database, shape, start))
            for digest, kind, name, *rest in some:
                yield Place(name, _row(digest, kind, *rest))
            if not some:
                return
            after = some[-1][0]

    def refresh(self) -> bool:
        """Bring it in line with the folder `packs/`; True if anything was different.

        A pack whose directory is damaged is left out: `verify` names it.
        """
        with self._lock:
            present, stamp = time.time_ns(), self._stamp()
            known = self.packs()  # first: a pack that comes meanwhile has its name before its rows
            with in_store(self._packs):
                listed = self._listed()
            gone = known.keys() - listed.keys()
            read: list[tuple[str, int, list[Row]]] = []
            for name in sorted(listed.keys() - known.keys()):
                with suppress(ObjectCorrupt, FileNotFoundError, PermissionError, IsADirectoryError):
                    size = listed[name].stat().st_size
                    read.append((name, size, packs.read_directory(listed[name])))
            if gone or read:
                self._change(lambda database: self._take_in(database, gone, read, listed))
            # a pack that comes within the same tick of the clock leaves the folder's time as it is
            self._seen = stamp if stamp and _is_past(stamp[0], present) else ()
            return bool(gone or read)

    def close(self) -> None:
        """Let go of the file; the next look-up opens it again."""
        with self._lock:
            database, self._database = self._database, None
            if database is not None and self._process == os.getpid():
                database.close()

    def _take_in(
        self,
        database: sqlite3.Connection,
        gone: Iterable[str],
        read: Iterable[tuple[str, int, Sequence[Row]]],
        listed: Mapping[str, Path],
    ) -> None:
        _drop(database, gone)
        for name, size, rows in read:
            _insert(database, name, size, rows)
            for row in rows:
                if row.shape == Shape.RECIPE and self._is_plain(row.digest):
                    with suppress(ObjectCorrupt, ValueError, FileNotFoundError):
                        _insert_inside(database, _inside_rows(row, listed[name]))

    def _is_plain(self, digest: Digest) -> bool:
        return place_of(self._objects, digest).exists()

    def _look_up(self, wanted: Sequence[Digest], shape: Shape) -> dict[Digest, Place]:
        def work(database: sqlite3.Connection) -> dict[Digest, Place]:
            found: dict[Digest, Place] = {}
            for marks, some in _in_parts(wanted):
                rows = database.execute(_STATEMENTS[_FIND, marks], (int(shape), *some))
                for digest, name, offset, length, size, compressed in rows:
                    key = Digest(digest.hex())
                    row = Row(shape, key, offset, length, size, bool(compressed))
                    found[key] = Place(name, row)
            return found

        return self._run(work)

    def _stamp(self) -> tuple[int, ...]:
        try:
            status = self._packs.stat()
        except FileNotFoundError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_nlink

    def _listed(self) -> dict[str, Path]:
        with suppress(FileNotFoundError), os.scandir(self._packs) as found:
            return {
                entry.name[: -len(packs.SUFFIX)]: Path(entry.path)
                for entry in found
                if entry.name.endswith(packs.SUFFIX)
            }
        return {}

    def _change(self, work: Callable[[sqlite3.Connection], None]) -> None:
        def transaction(database: sqlite3.Connection) -> None:
            if database.in_transaction:  # a refresh within one
                work(database)
                return
            database.execute("BEGIN IMMEDIATE")
            try:
                work(database)
            except BaseException:
                if database.in_transaction:
                    database.rollback()
                raise
            database.commit()

        self._run(transaction)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; on a damaged file with a new one, and where a file cannot be, in memory."""
        with self._lock, in_store(self._path):
            try:
                return work(self._open())
            except sqlite3.Error as error:
                _raise_if_busy(error, self._path)
                self.close()
                code = getattr(error, "sqlite_errorcode", 0)
                moved = code == sqlite3.SQLITE_READONLY_DBMOVED
                self._in_memory |= code & 0xFF in _REFUSED and not moved
            if not self._in_memory:
                try:
                    if not moved:
                        self._discard()
                    return work(self._open())
                except (sqlite3.Error, OSError) as error:
                    _raise_if_busy(error, self._path)
                    self.close()
                    self._in_memory = True
            return work(self._open())

    def _open(self) -> sqlite3.Connection:
        if self._process != os.getpid():  # after a fork the connection is the parent's
            self._inherited, self._database = self._database, None
            self._process = os.getpid()
        if self._database is None:
            with _one_at_a_time(self._path.parent):
                if not self._in_memory:
                    _make_shared(self._path)
                self._database = _connected(":memory:" if self._in_memory else str(self._path))
            self.refresh()
        return self._database

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)


@contextmanager
def _one_at_a_time(root: Path) -> Generator[None]:
    """Only one process at a time makes or opens the file: SQLite does not wait where two turn it to WAL."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without flock can still be read
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _make_shared(path: Path) -> None:
    """Let whoever may write to the store's folder write to the index too. SQLite gives its other files the same mode."""
    with suppress(OSError):  # another user's, or it cannot be: SQLite says what is the matter
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
        mode = path.parent.stat().st_mode & 0o666
        if path.stat().st_mode & 0o777 != mode:
            path.chmod(mode)


def _connected(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # it can be made again from the packs, so the last of it may be lost, but not parts in between
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA temp_store = MEMORY")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            database.execute("BEGIN IMMEDIATE")  # another process may be making the tables
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _TABLES.split(";\n"):
                    database.execute(statement)
                version = _VERSION
            database.commit()
        if version != _VERSION:
            raise sqlite3.DatabaseError("an index of another version")
        database.execute("SELECT count(*) FROM pack").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _raise_if_busy(error: Exception, path: Path) -> None:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        raise StoreError(
            "the index is in use by another process for more than a minute",
            where=str(path),
            hint="wait for it to end, then do the same again",
        ) from error


def _packs(database: sqlite3.Connection) -> Mapping[str, int]:
    return dict(database.execute("SELECT name, size FROM pack ORDER BY name").fetchall())


def _page(
    database: sqlite3.Connection, shape: Shape | None, after: bytes
) -> list[tuple[bytes, int, str, int, int, int, int]]:
    """Rows of the next some thousand digests; all rows of a digest together."""
    last = database.execute(
        "SELECT max(digest) FROM (SELECT digest FROM blob WHERE digest > ? AND (? IS NULL OR shape = ?) ORDER BY digest LIMIT 10000)",
        (after, shape, shape),
    ).fetchone()[0]
    if last is None:
        return []
    return database.execute(
        """SELECT digest, shape, name, offset, length, blob.size, compressed FROM blob
           JOIN pack ON pack.id = blob.pack
           WHERE digest > ? AND digest <= ? AND (? IS NULL OR shape = ?) ORDER BY digest""",
        (after, last, shape, shape),
    ).fetchall()


def _is_past(modified: int, present: int) -> bool:
    """Whether a later change of a folder would show in its time of modification."""
    return modified < present - (_TICK if modified % 1_000_000 else _COARSE)


def _insert(database: sqlite3.Connection, name: str, size: int, rows: Sequence[Row]) -> None:
    made = database.execute("INSERT OR IGNORE INTO pack (name, size) VALUES (?, ?)", (name, size))
    if not made.rowcount:
        return
    ((number,),) = database.execute("SELECT id FROM pack WHERE name = ?", (name,))
    unhex = bytes.fromhex
    database.executemany(
        "INSERT OR REPLACE INTO blob VALUES (?, ?, ?, ?, ?, ?, ?)",
        sorted(
            (unhex(digest), int(shape), number, offset, length, full, int(compressed))
            for shape, digest, offset, length, full, compressed in rows
        ),
    )


def _held(
    database: sqlite3.Connection, wanted: Sequence[Digest], shape: Shape
) -> dict[int, set[Digest]]:
    """A pack's number → those blobs that it has. What is asked for together mostly came together: the pack of a few
    is read whole, as long as that gives enough, and only the rest is looked up one by one."""
    rest = dict(zip(map(bytes.fromhex, wanted), wanted, strict=True))
    held: dict[int, set[Digest]] = {}
    while len(rest) > 2 * _MANY:
        some = list(islice(rest, _FEW))
        found = database.execute(_STATEMENTS[_HOLD, _FEW], (int(shape), *some))
        before = len(rest)
        for pack in sorted({pack for _, pack in found}):
            ((rows,),) = database.execute("SELECT count(*) FROM blob WHERE pack = ?", (pack,))
            if rows > 4 * len(rest):
                continue
            listed = database.execute(
                "SELECT digest FROM blob WHERE pack = ? AND shape = ?", (pack, int(shape))
            ).fetchall()
            there = rest.keys() & set(chain.from_iterable(listed))
            held[pack] = set(map(rest.pop, there))
        if before - len(rest) < _MANY:
            break
    for marks, some in _in_parts(list(rest.values())):
        for digest, pack in database.execute(_STATEMENTS[_HOLD, marks], (int(shape), *some)):
            held.setdefault(pack, set()).add(rest[digest])
    return held


def _insert_inside(database: sqlite3.Connection, rows: Iterable[tuple[bytes, bytes, int]]) -> None:
    database.executemany("INSERT OR IGNORE INTO inside VALUES (?, ?, ?)", rows)


def _inside_rows(row: Row, path: Path) -> list[tuple[bytes, bytes, int]]:
    """Where the chunks of a plain object lie in it, from its recipe in a pack."""
    with path.open("rb", buffering=0) as file:
        data = packs.decode(row, os.pread(file.fileno(), row.length, row.offset))
    rows: list[tuple[bytes, bytes, int]] = []
    offset = 0
    for part in recipe.parse(data):
        rows.append((bytes.fromhex(part.digest), bytes.fromhex(row.digest), offset))
        offset += part.size
    return rows


def _drop(database: sqlite3.Connection, names: Iterable[str]) -> None:
    gone = [(name,) for name in names]
    database.executemany("DELETE FROM blob WHERE pack = (SELECT id FROM pack WHERE name = ?)", gone)
    database.executemany("DELETE FROM pack WHERE name = ?", gone)


def _row(digest: bytes, shape: int, offset: int, length: int, size: int, compressed: int) -> Row:
    return Row(packs.SHAPES[shape], Digest(digest.hex()), offset, length, size, bool(compressed))


def _in_parts(digests: Sequence[Digest]) -> Iterator[tuple[int, list[bytes | None]]]:
    """As many at a time as a statement has marks; NULL, which equals nothing, fills the last up."""
    for start in range(0, len(digests), _MANY):
        some = [*map(bytes.fromhex, digests[start : start + _MANY])]
        marks = 1 if len(some) == 1 else _FEW if len(some) <= _FEW else _MANY
        yield marks, [*some, *([None] * (marks - len(some)))]
