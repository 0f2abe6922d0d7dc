"""Which of DVC's objects the store has: so that a takeover that was stopped goes on where it was."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tricord.core.artifact import Digest
from tricord.core.errors import DataError

_SCHEMA = "CREATE TABLE IF NOT EXISTS taken (md5 TEXT PRIMARY KEY, digest TEXT, size INTEGER) WITHOUT ROWID"


class Taken(NamedTuple):
    """An object in the store."""

    digest: Digest
    size: int


class Record:
    """MD5 → what it is in the store. Expendable: without it the objects are read once more."""

    def __init__(self, file: Path) -> None:
        try:
            self._connection = sqlite3.connect(file, timeout=60)
            self._connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise DataError(
                f"not a record of objects: {error}", where=str(file), hint="remove it"
            ) from error

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def all(self) -> dict[str, Taken]:
        rows = self._connection.execute("SELECT md5, digest, size FROM taken")
        return {md5: Taken(Digest(digest), size) for md5, digest, size in rows}

    def note(self, found: Iterable[tuple[str, Taken]]) -> None:
        """Keep what a put has made durable."""
        rows = [(md5, taken.digest, taken.size) for md5, taken in found]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO taken VALUES (?, ?, ?)", rows)
