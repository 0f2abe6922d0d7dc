"""Trees: a folder's files as one object. The encoding is specified in docs/reference/store-format.md."""

import json
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

from tricord.core import canonical
from tricord.core.artifact import Digest, check_digests
from tricord.core.errors import DataError, TricordError
from tricord.store.faults import in_source

HEADER = b"tricord tree/1\n"
_KEPT = 8 << 20
"""Bytes of the largest tree that is kept decoded."""
_OUTSIDE = frozenset({"", ".", ".."})


class Entry(NamedTuple):
    """One file of a tree: relative POSIX path, digest, size in bytes, owner's execute bit."""

    path: str
    digest: Digest
    size: int
    executable: bool


def encode(entries: Iterable[Entry]) -> bytes:
    """The bytes of a tree; the order of `entries` does not matter.

    >>> encode([])
    b'tricord tree/1\\n[]'
    """
    return HEADER + canonical.encode(sorted(entries))


def decode(data: bytes) -> tuple[Entry, ...]:
    """The files of a tree, sorted by path. ValueError where the bytes are not those of one."""
    return _kept(data) if len(data) <= _KEPT else _decode(data)


def _decode(data: bytes) -> tuple[Entry, ...]:
    if not data.startswith(HEADER):
        raise ValueError("not a tree of version 1")
    try:
        rows = cast("object", json.loads(data.removeprefix(HEADER)))
        if not isinstance(rows, list):
            raise ValueError("no list")
        entries = _entries(cast("list[object]", rows))
        paths = [entry.path for entry in entries]
        encoded = HEADER + canonical.encode(cast("list[canonical.JSON]", rows))
    except (ValueError, RecursionError, TricordError) as error:
        raise ValueError(f"malformed tree: {error}") from error
    check_paths(paths)
    if encoded != data or sorted(paths) != paths:
        raise ValueError("malformed tree: not in canonical form")
    return entries


_kept = lru_cache(maxsize=1)(_decode)
"""Whoever reads a tree often reads it again: what was fetched is checked out."""


def _entries(rows: list[object]) -> tuple[Entry, ...]:
    """The rows as entries. What has to hold of each is asked column by column: ten times as fast."""
    if not rows:
        return ()
    if set(map(type, rows)) == {list}:
        listed = cast("list[list[object]]", rows)
        if set(map(len, listed)) == {4}:
            columns = [list(column) for column in zip(*listed, strict=True)]
            if [set(map(type, column)) for column in columns] == [{str}, {str}, {int}, {bool}]:
                paths, names, sizes, bits = cast(
                    "tuple[list[str], list[str], list[int], list[bool]]", columns
                )
                check_digests(names)
                return tuple(map(Entry, paths, cast("list[Digest]", names), sizes, bits))
    raise ValueError("not rows of [path, digest, size, executable]")


def check_paths(paths: Sequence[str]) -> None:
    """ValueError where these cannot be the paths of one tree."""
    known = set(paths)
    if len(known) != len(paths):
        raise ValueError("malformed tree: a path is given twice")
    folders: set[str] = set()
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in _OUTSIDE or "\0" in name or (path[0] == "/" and not folder):
            raise ValueError(f"malformed tree: a path leads outside: {path!r}")
        folders.add(folder)
    folders.discard("")
    for folder in folders:
        parts = folder.split("/")
        if "\0" in folder or not _OUTSIDE.isdisjoint(parts):
            raise ValueError(f"malformed tree: a path leads outside: {folder + '/'!r}")
        if any("/".join(parts[:end]) in known for end in range(1, len(parts) + 1)):
            raise ValueError(f"malformed tree: a file is the folder of another: {folder!r}")


def scan(folder: Path) -> list[tuple[str, Path]]:
    """Every file below a folder: its path in the tree and where to read it, sorted by path.

    DataError for what a tree cannot hold: links that lead outside or to folders, sockets, FIFOs,
    devices, names that are not UTF-8.
    """
    return [(name, Path(place)) for name, place in walk(folder)]


def walk(folder: Path) -> list[tuple[str, str]]:
    """As `scan`, with the places as text: for many files the faster way."""
    with in_source(folder):
        top = folder.resolve(strict=True)
        if not stat.S_ISDIR(top.stat().st_mode):
            raise DataError("not a folder", where=str(folder))
    return sorted(_walk(top, str(top), ""))


def _walk(top: Path, folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    below: list[tuple[str, str]] = []
    with in_source(Path(folder)), os.scandir(folder) as found:
        for child in found:
            name = child.name
            if not name.isascii():
                _check_name(child)
            if child.is_symlink():
                yield prefix + name, str(link_target(top, Path(child.path)))
            elif child.is_dir(follow_symlinks=False):
                below.append((child.path, f"{prefix}{name}/"))
            elif child.is_file(follow_symlinks=False):
                yield prefix + name, child.path
            else:
                raise DataError(
                    "neither a file nor a folder (a socket, FIFO or device), so it has no content to store",
                    where=child.path,
                    hint="remove it, or add another folder",
                )
    for path, start in below:
        yield from _walk(top, path, start)


def _check_name(child: "os.DirEntry[str]") -> None:
    try:
        child.name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            "the name is not valid UTF-8",
            where=repr(os.fsencode(child.path)),
            hint="rename the file",
        ) from error


def link_target(top: Path, link: Path) -> Path:
    """The file that a symbolic link in a tree leads to. DataError unless it is one below `top`."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise DataError(
            "a symbolic link that leads nowhere", where=str(link), hint="remove the link"
        ) from error
    if not target.is_relative_to(top):
        raise DataError(
            f"a symbolic link that leads outside the folder, to {target}",
            where=str(link),
            hint="copy the content in: cp -L",
        )
    if not target.is_file():
        raise DataError(
            "a symbolic link to something other than a file",
            where=str(link),
            hint="replace the link by what it points at: cp -rL",
        )
    return target
