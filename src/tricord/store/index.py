"""The index: which pack holds which blob. Derived from the packs, so it may be deleted at any time.

One SQLite file, `index.sqlite`. A row may outlive its pack (a deletion by another process) but never
speaks of other bytes: packs are named after their content. `refresh` brings it in line with the folder.
"""

import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.store import pack as packs
from tricord.store.faults import in_store
from tricord.store.pack import Row, Shape

_VERSION = 1
_TABLES = f"""
CREATE TABLE pack (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL);
CREATE TABLE blob (digest BLOB NOT NULL, shape INTEGER NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, size INTEGER NOT NULL, compressed INTEGER NOT NULL,
    PRIMARY KEY (digest, shape, pack)) WITHOUT ROWID;
CREATE INDEX blob_by_pack ON blob (pack);
CREATE TABLE inside (chunk BLOB PRIMARY KEY, object BLOB NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_MANY = 500
"""Digests in one query: below SQLite's limit of variables in every release."""
_MARKS = ",".join("?" * _MANY)
_INSIDE = f"SELECT chunk, object, offset FROM inside WHERE chunk IN ({_MARKS})"  # noqa: S608
_FIND = f"""SELECT digest, name, offset, length, blob.size, compressed FROM blob
    JOIN pack ON pack.id = blob.pack WHERE shape = ? AND digest IN ({_MARKS})"""  # noqa: S608


class Place(NamedTuple):
    """Where a blob is: a row of the pack of that name."""

    pack: str
    row: Row


class Index:
    """Look-ups by digest over all packs of a store. Threads and processes may share it."""

    def __init__(self, root: Path) -> None:
        self._path = root / "index.sqlite"
        self._packs = root / "packs"
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._seen: tuple[int, ...] = ()

    def find(self, digest: Digest, shape: Shape) -> Place | None:
        """Where a blob is; None where no pack has it."""
        return self.find_many([digest], shape).get(digest)

    def find_many(self, digests: Iterable[Digest], shape: Shape) -> dict[Digest, Place]:
        """Where blobs are; those that no pack has are left out."""
        wanted = list(dict.fromkeys(digests))
        found = self._look_up(wanted, shape)
        if len(found) < len(wanted) and self._stale():
            self.refresh()
            found = self._look_up(wanted, shape)
        return found

    def inside(self, chunks: Sequence[Digest]) -> dict[Digest, tuple[Digest, int]]:
        """Chunks that lie within a plain object: chunk → (object, offset). It may be gone by now."""
        found: dict[Digest, tuple[Digest, int]] = {}
        with self._reading() as database:
            for some in _in_parts(chunks):
                for chunk, held, offset in database.execute(_INSIDE, some):
                    found[Digest(chunk.hex())] = Digest(held.hex()), offset
        return found

    def add(self, name: str, size: int, rows: Sequence[Row]) -> None:
        """Take in a pack that now has its name in the store. Known already: nothing happens."""
        with self._changing() as database:
            _insert(database, name, size, rows)

    def add_inside(self, held: Digest, parts: Iterable[tuple[Digest, int]]) -> None:
        """Take in where the chunks of a plain object begin in it."""
        name = bytes.fromhex(held)
        with self._changing() as database:
            database.executemany(
                "INSERT OR IGNORE INTO inside VALUES (?, ?, ?)",
                [(bytes.fromhex(chunk), name, offset) for chunk, offset in parts],
            )

    def drop(self, names: Iterable[str], objects: Iterable[Digest] = ()) -> None:
        """Forget packs, and the chunks of plain objects, that are about to be deleted or are gone."""
        with self._changing() as database:
            _drop(database, names)
            database.executemany(
                "DELETE FROM inside WHERE object = ?", [(bytes.fromhex(name),) for name in objects]
            )

    def packs(self) -> Mapping[str, int]:
        """Every pack in the index: name → bytes."""
        with self._reading() as database:
            return dict(database.execute("SELECT name, size FROM pack ORDER BY name").fetchall())

    def rows(self, shape: Shape | None = None) -> Iterator[Place]:
        """Every blob, sorted by digest; of a blob in two packs both."""
        with self._reading() as database:
            found = database.execute(
                """SELECT digest, shape, name, offset, length, blob.size, compressed FROM blob
                   JOIN pack ON pack.id = blob.pack WHERE ? IS NULL OR shape = ? ORDER BY digest""",
                (shape, shape),
            )
            while some := found.fetchmany(10_000):
                for digest, kind, name, offset, length, size, compressed in some:
                    yield Place(name, _row(digest, kind, offset, length, size, compressed))

    def refresh(self) -> bool:
        """Bring it in line with the folder `packs/`; True if anything was different.

        A pack whose directory is damaged is left out: `verify` names it.
        """
        with self._lock:
            stamp = self._stamp()
            listed = {path.name[: -len(packs.SUFFIX)]: path for path in self._listed()}
            known = self.packs()
            gone = known.keys() - listed.keys()
            new = listed.keys() - known.keys()
            read: list[tuple[str, int, list[Row]]] = []
            for name in sorted(new):
                with suppress(ObjectCorrupt, FileNotFoundError):
                    read.append((name, listed[name].stat().st_size, packs.read_directory(listed[name])))  # fmt: skip
            if gone or read:
                with self._changing() as database:
                    _drop(database, gone)
                    for name, size, rows in read:
                        _insert(database, name, size, rows)
            self._seen = stamp
            return bool(gone or read)

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _look_up(self, wanted: Sequence[Digest], shape: Shape) -> dict[Digest, Place]:
        found: dict[Digest, Place] = {}
        with self._reading() as database:
            for some in _in_parts(wanted):
                for digest, name, offset, length, size, compressed in database.execute(
                    _FIND, [int(shape), *some]
                ):
                    row = _row(digest, shape, offset, length, size, compressed)
                    found[row.digest] = Place(name, row)
        return found

    def _stale(self) -> bool:
        return self._stamp() != self._seen

    def _stamp(self) -> tuple[int, ...]:
        try:
            status = self._packs.stat()
        except FileNotFoundError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_nlink

    def _listed(self) -> list[Path]:
        with suppress(FileNotFoundError), os.scandir(self._packs) as found:
            return [Path(entry.path) for entry in found if entry.name.endswith(packs.SUFFIX)]
        return []

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with self._lock, in_store(self._path):
            yield self._open()

    @contextmanager
    def _changing(self) -> Generator[sqlite3.Connection]:
        with self._lock, in_store(self._path):
            database = self._open()
            with database:
                database.execute("BEGIN IMMEDIATE")
                yield database

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            try:
                self._database = self._connected()
            except sqlite3.DatabaseError as error:
                if "locked" in str(error):
                    raise
                self._discard()
                self._database = self._connected()
            self.refresh()
        return self._database

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self._path, timeout=60, isolation_level=None, check_same_thread=False
        )
        try:
            # it can be made again from the packs, so it need not be durable itself
            database.execute("PRAGMA synchronous = OFF")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA temp_store = MEMORY")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                with suppress(sqlite3.OperationalError):  # another process made the tables
                    database.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
            elif version != _VERSION:
                raise sqlite3.DatabaseError("an index of another version")
            database.execute("SELECT count(*) FROM pack").fetchone()
        except BaseException:
            database.close()
            raise
        return database


def _insert(database: sqlite3.Connection, name: str, size: int, rows: Sequence[Row]) -> None:
    made = database.execute("INSERT OR IGNORE INTO pack (name, size) VALUES (?, ?)", (name, size))
    if not made.rowcount:
        return
    ((number,),) = database.execute("SELECT id FROM pack WHERE name = ?", (name,))
    database.executemany(
        "INSERT OR REPLACE INTO blob VALUES (?, ?, ?, ?, ?, ?, ?)",
        sorted(
            (bytes.fromhex(row.digest), int(row.shape), number, row.offset, row.length, row.size, int(row.compressed))
            for row in rows
        ),
    )  # fmt: skip


def _drop(database: sqlite3.Connection, names: Iterable[str]) -> None:
    gone = [(name,) for name in names]
    database.executemany(
        "DELETE FROM blob WHERE pack = (SELECT id FROM pack WHERE name = ?)",
        gone,
    )
    database.executemany("DELETE FROM pack WHERE name = ?", gone)


def _row(digest: bytes, shape: int, offset: int, length: int, size: int, compressed: int) -> Row:
    return Row(Shape(shape), Digest(digest.hex()), offset, length, size, bool(compressed))


def _in_parts(digests: Sequence[Digest]) -> Iterator[list[bytes | None]]:
    """As many at a time as the statements have marks; NULL, which equals nothing, fills the last up."""
    for start in range(0, len(digests), _MANY):
        some = digests[start : start + _MANY]
        yield [*map(bytes.fromhex, some), *([None] * (_MANY - len(some)))]
