"""One SQLite connection for all threads of a process: opening, migrating, transactions, errors."""

import os
import sqlite3
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from tricord.core.errors import LedgerCorrupt, LedgerError, LedgerFormatError, StorageFull
from tricord.ledger.schema import APPLICATION_ID, FORMAT, MIGRATIONS

PATIENCE = 60.0
"""Seconds that a writer waits for the others."""
_abandoned: list[sqlite3.Connection] = []
"""Connections inherited through a fork. SQLite forbids to use them, and closing is a use."""


class Connection:
    """Queries and transactions. Its errors are Tricord's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = _open(path)
        self._pid = os.getpid()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, _translated(self.path):
            return self._current().execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query, None where it has none."""
        with self._lock, _translated(self.path):
            return self._current().execute(sql, values).fetchone()

    @contextmanager
    def reading(self) -> Generator[None]:
        """Several queries that see the same commit."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Generator[None]:
        """A transaction that holds the write lock from its start. Committed, or nothing happened."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    def insert(self, table: str, values: Mapping[str, object]) -> None:
        """Add a row; only inside `writing`."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - names from the code
        with _translated(self.path):
            self._database.execute(sql, tuple(values.values()))

    def close(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                self._database.close()

    def _current(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            _abandoned.append(self._database)
            self._database = _open(self.path)
            self._pid = os.getpid()
        return self._database

    @contextmanager
    def _transaction(self, begin: str) -> Generator[None]:
        with self._lock:
            database = self._current()
            if database.in_transaction:
                yield  # part of the one around it
                return
            with _translated(self.path):
                database.execute(begin)
            try:
                yield
                with _translated(self.path):
                    database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA recursive_triggers = ON")  # REPLACE fires the triggers too
        if _version(database, path) < FORMAT:
            _use_wal(database)
            _migrate(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _version(database: sqlite3.Connection, path: Path) -> int:
    """The version of the file: 0 where it is new. LedgerFormatError for what this release cannot read."""
    if database.in_transaction:
        return _read_version(database, path)
    database.execute("BEGIN")  # one view of it: another process may be making the ledger just now
    try:
        return _read_version(database, path)
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _read_version(database: sqlite3.Connection, path: Path) -> int:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        if application == 0 and database.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            return 0
        raise LedgerFormatError("a SQLite database, but not a ledger", where=str(path))
    row = database.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    version = int(row["value"])
    if version > FORMAT:
        raise LedgerFormatError(
            f"a ledger of version {version}, made by a newer release; this one knows up to {FORMAT}",
            where=str(path),
            hint="pip install --upgrade tricord",
        )
    return version


def _use_wal(database: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for others here as it does elsewhere."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            if mode != "wal":
                raise LedgerError(
                    f"SQLite offers no WAL here, only {mode!r}",
                    hint="put the project on a local file system",
                )
            return


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        version = _version(database, path)  # another process may have been faster
        for migration in MIGRATIONS[version:]:
            for statement in migration.statements:
                database.execute(statement)
            database.execute(
                "UPDATE meta SET value = ? WHERE key = 'format'", (str(migration.number),)
            )
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


@contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _meaning(error, path) from error
    except OSError as error:
        raise LedgerError(
            f"the ledger could not be opened: {error.strerror}", where=str(path)
        ) from error


_MEANINGS: dict[int, Callable[[str], LedgerError | StorageFull]] = {
    sqlite3.SQLITE_FULL: lambda where: StorageFull(
        "no space is left for the ledger; nothing was half-written",
        where=where,
        hint="free some space, then do the same again",
    ),
    sqlite3.SQLITE_BUSY: lambda where: LedgerError(
        f"other processes have been writing for {PATIENCE:.0f} seconds",
        where=where,
        hint="try again when they are done",
    ),
    sqlite3.SQLITE_NOTADB: lambda where: LedgerFormatError(
        "not a ledger: not even a SQLite database", where=where
    ),
    sqlite3.SQLITE_CORRUPT: lambda where: LedgerCorrupt(
        "the database file is damaged",
        where=where,
        hint="restore it from a backup, or try: sqlite3 FILE .recover",
    ),
    sqlite3.SQLITE_READONLY: lambda where: LedgerError(
        "the ledger cannot be written", where=where, hint="check who owns it, and its permissions"
    ),
    sqlite3.SQLITE_CANTOPEN: lambda where: LedgerError(
        "the ledger cannot be opened", where=where, hint="check who owns it, and its permissions"
    ),
}


def _meaning(error: sqlite3.Error, path: Path) -> LedgerError | StorageFull:
    """What an error of SQLite means here, by its primary result code (sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _MEANINGS:
        return _MEANINGS[code](str(path))
    return LedgerError(f"the ledger could not do it: {error}", where=str(path))
