"""State: the digests of work files as they were last seen, so that what has not changed is not read again.

A file is taken for unchanged while inode, size, time of modification, time of change and execute bit are
what they were: one `stat`. A cache: it may be deleted at any time, and one that is damaged is made anew.

*Within the clock's grain.* A file may be changed twice in one tick of the file system's clock, and looks the
same after the second change as after the first. So a digest is only kept if the file's times were older than
that clock's present *before* the file was read (as Git does it: "racy" entries). Every later change then bears
a later time of change, which no program can set back.
"""

import os
import sqlite3
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from blake3 import blake3

from tricord.core.artifact import Digest

_VERSION = 1
_TABLES = f"""
CREATE TABLE folder (path BLOB PRIMARY KEY, marks BLOB NOT NULL, digests BLOB NOT NULL, seal BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE whole (path BLOB PRIMARY KEY, seal BLOB NOT NULL, tree TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_MARK = struct.Struct("<QQqq?")
pack_mark = _MARK.pack
"""A mark's values → the bytes that it is kept as: two marks are equal where these are."""
Values = tuple[int, int, int, int, bool]
"""What a mark consists of, without its names: quicker to make."""
_TICK = 20_000_000
"""Nanoseconds: the clock of file systems ticks each 1 to 10 ms, and is read here a little before it is used."""
_FINE, _COARSE = 1_000_000, 2_000_000_000
"""The same where times are kept to the millisecond at best (FAT: 2 s, HFS+ and some servers: 1 s)."""
_WAIT = 5.0


class Mark(NamedTuple):
    """What a file's `stat` says of whether it is still the same. Times in ns since the epoch."""

    inode: int
    size: int
    modified: int
    changed: int
    executable: bool


def mark_of(status: os.stat_result) -> Mark:
    return Mark(
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        bool(status.st_mode & 0o100),
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one folder: its files' marks, encoded, and their digests, 32 bytes each."""

    marks: bytes
    digests: bytes
    seal: bytes

    def files(self) -> dict[str, tuple[Mark, Digest]]:
        """Name → mark and digest."""
        names, marks = decode(self.marks)
        return dict(zip(names, zip(marks, self.named(), strict=True), strict=True))

    def packed(self) -> dict[str, tuple[bytes, Digest]]:
        """Name → mark as it is kept, and digest."""
        names, end = _names(self.marks)
        size = _MARK.size
        marks = [self.marks[at : at + size] for at in range(end, len(self.marks), size)]
        return dict(zip(names, zip(marks, self.named(), strict=True), strict=True))

    def named(self) -> list[Digest]:
        """The digests, in the order of the names."""
        text = self.digests.hex()
        return [Digest(text[at : at + 64]) for at in range(0, len(text), 64)]


def encode(names: Sequence[str], marks: Sequence[Mark]) -> bytes:
    """A folder's files as bytes: equal where nothing changed, which is what is asked most often.

    >>> decode(encode(["a"], [Mark(7, 1, 2, 3, False)]))
    (['a'], [Mark(inode=7, size=1, modified=2, changed=3, executable=False)])
    """
    return joined(names, [pack_mark(*mark) for mark in marks])


def joined(names: Sequence[str], packed: Sequence[bytes]) -> bytes:
    """The same of marks that are bytes already."""
    head = "\0".join(names).encode("utf-8", "surrogateescape")
    return b"".join([len(head).to_bytes(8, "little"), head, *packed])


def decode(data: bytes) -> tuple[list[str], list[Mark]]:
    """Names and marks of a folder's files."""
    names, _ = _names(data)
    return names, [Mark(*values) for values in values_of(data)]


def values_of(data: bytes) -> Iterator[Values]:
    """The marks of a folder's files."""
    start = 8 + int.from_bytes(data[:8], "little")
    return cast("Iterator[Values]", _MARK.iter_unpack(data[start:]))


def unpack_mark(packed: bytes) -> Mark:
    return Mark(*_MARK.unpack(packed))


def _names(data: bytes) -> tuple[list[str], int]:
    """Names of a folder's files, and where their marks begin."""
    end = 8 + int.from_bytes(data[:8], "little")
    head = data[8:end].decode("utf-8", "surrogateescape")
    return head.split("\0") if len(data) > end else [], end


class State:
    """Marks and digests by folder in one SQLite file. Threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        """Open the state at `path`; it is made when something is recorded."""
        self.path = path
        self._database: sqlite3.Connection | None = None
        self._process = 0
        self._lock = threading.RLock()

    def now(self) -> int:
        """The present in ns, by the clock of the file system and by our own, whichever is earlier:
        to be asked *before* files are read, and given to `record`."""
        import tempfile  # slow to load, and not needed where nothing changed

        here = time.time_ns()
        with suppress(OSError), tempfile.TemporaryFile(dir=self.path.parent) as probe:
            here = min(here, os.fstat(probe.fileno()).st_mtime_ns)
        return here

    def below(self, top: str) -> dict[str, Kept]:
        """What is kept of a folder and those below it, by absolute path. Damaged rows are left out."""
        first, last = os.fsencode(top), os.fsencode(top.rstrip("/"))
        rows = self._rows(
            "SELECT path, marks, digests, seal FROM folder WHERE path = ? OR (path > ? AND path < ?)",
            (first, last + b"/", last + b"0"),
        )
        return {
            os.fsdecode(path): Kept(marks, digests, seal)
            for path, marks, digests, seal in rows
            if _seal(path, marks, digests) == seal
        }

    def folder(self, path: str) -> Kept | None:
        """What is kept of the files of one folder, without those below it."""
        place = os.fsencode(path)
        rows = self._rows("SELECT marks, digests, seal FROM folder WHERE path = ?", (place,))
        for marks, digests, seal in rows:
            if _seal(place, marks, digests) == seal:
                return Kept(marks, digests, seal)
        return None

    def get(self, file: str, mark: Mark) -> Digest | None:
        """The digest of a file that is as it was when it was recorded; None if it has to be read."""
        folder, name = os.path.split(file)
        kept = self.folder(folder)
        found = kept.files().get(name) if kept else None
        return found[1] if found and found[0] == mark else None

    def record(
        self, folders: Mapping[str, Mapping[str, tuple[Mark, Digest]]], *, seen: int, whole: bool
    ) -> None:
        """Keep the digests of files: folder → name → mark and digest.

        `seen` is `now()` from before the files were read (for files that this process wrote: from after
        they were written). A file that changed at that moment or later is left out and will be read again.
        With `whole`, what was kept of other files of these folders is forgotten; without it, it stays.
        """
        rows: list[tuple[str, bytes, bytes]] = []
        for folder, files in folders.items():
            kept = {name: each for name, each in files.items() if settled(each[0], seen)}
            if not whole and (before := self.folder(folder)):
                others = before.files()
                for name in files:
                    others.pop(name, None)
                kept |= others
            names = sorted(kept)
            marks = encode(names, [kept[name][0] for name in names])
            rows.append((folder, marks, bytes.fromhex("".join(kept[name][1] for name in names))))
        self.keep(rows)

    def keep(self, rows: Iterable[tuple[str, bytes, bytes]]) -> dict[str, Kept]:
        """Keep folders that have been encoded: path, marks, digests. All files must have been `settled`."""
        made = {
            folder: Kept(marks, digests, _seal(os.fsencode(folder), marks, digests))
            for folder, marks, digests in rows
        }
        if made:
            self._change(
                "INSERT OR REPLACE INTO folder VALUES (?, ?, ?, ?)",
                [(os.fsencode(p), row.marks, row.digests, row.seal) for p, row in made.items()],
            )
        return made

    def put(self, file: str, mark: Mark, digest: Digest, *, seen: int) -> None:
        """Keep one file's digest; see `record`."""
        folder, name = os.path.split(file)
        self.record({folder: {name: (mark, digest)}}, seen=seen, whole=False)

    def forget(self, folders: Iterable[str]) -> None:
        """Folders that are gone."""
        self._change(
            "DELETE FROM folder WHERE path = ?", [(os.fsencode(path),) for path in folders]
        )

    def keep_tree(self, top: str, kept: Mapping[str, Kept], tree: Digest) -> None:
        """Note that what is kept below `top` makes this tree, so that comparing needs no look at it."""
        row = os.fsencode(top), _seal_of_all(kept), tree
        self._change("INSERT OR REPLACE INTO whole VALUES (?, ?, ?)", [row])

    def tree_of(self, top: str, kept: Mapping[str, Kept]) -> Digest | None:
        """The tree that these files make, if that has been noted."""
        for seal, tree in self._rows(
            "SELECT seal, tree FROM whole WHERE path = ?", (os.fsencode(top),)
        ):
            if seal == _seal_of_all(kept):
                return Digest(tree)
        return None

    def close(self) -> None:
        with self._lock:
            if self._database is not None and self._process == os.getpid():
                self._database.close()
            self._database = None

    def __enter__(self) -> "State":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, statement: str, values: tuple[bytes, ...]) -> list[tuple[Any, ...]]:
        if self._database is None and not self.path.exists():
            return []
        try:
            with self._lock:
                return self._open().execute(statement, values).fetchall()
        except sqlite3.OperationalError:  # locked for long
            return []
        except sqlite3.DatabaseError:
            self._discard()
            return []

    def _change(self, statement: str, rows: Iterable[tuple[bytes | str, ...]]) -> None:
        """A change that may fail to be kept: then files are read once more, and no harm is done."""
        try:
            with self._lock, self._open() as database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(statement, rows)
        except sqlite3.OperationalError:  # locked for long, or no right or room to write
            return
        except sqlite3.DatabaseError:
            self._discard()

    def _open(self) -> sqlite3.Connection:
        if self._database is None or self._process != os.getpid():  # SQLite does not survive a fork
            self._database = self._connected()
            self._process = os.getpid()
        return self._database

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )
        try:
            # rows are sealed, and what is lost is computed again: no need to wait for the disk
            database.execute("PRAGMA synchronous = OFF")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                with suppress(sqlite3.OperationalError):  # another process made the tables
                    database.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
            elif version != _VERSION:
                raise sqlite3.DatabaseError("a state of another version")
        except BaseException:
            database.close()
            raise
        return database

    def _discard(self) -> None:
        self.close()
        for suffix in ("", "-journal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def settled(mark: Mark, seen: int) -> bool:
    """True if every later change of the file will show: its times are older than `seen`, the moment
    before it was read, by more than the clock's grain.

    >>> second = 10**9
    >>> settled(Mark(1, 1, 5 * second, 5 * second, False), 6 * second)
    False
    """
    latest = max(mark.changed, mark.modified)
    return latest < seen - (_TICK if latest % _FINE else _COARSE)


def all_settled(encoded: bytes, seen: int) -> bool:
    """The same of all files of a folder; most were not touched for long, which is told quickly."""
    old = seen - _COARSE
    return all(
        (values[2] < old and values[3] < old) or settled(Mark(*values), seen)
        for values in values_of(encoded)
    )


def _seal(path: bytes, marks: bytes, digests: bytes) -> bytes:
    return blake3(b"%d %d " % (len(path), len(marks)) + path + marks + digests).digest()


def _seal_of_all(kept: Mapping[str, Kept]) -> bytes:
    return blake3(b"".join(kept[path].seal for path in sorted(kept))).digest()
