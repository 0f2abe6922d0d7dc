"""The work folder: which files it holds, and their digests, read again only where a file may have changed."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from tricord.core.artifact import Digest
from tricord.core.errors import DataError
from tricord.store import digest as digests
from tricord.store.faults import in_source
from tricord.store.progress import Watch, quiet
from tricord.store.state import (
    Kept,
    Mark,
    State,
    Values,
    all_settled,
    joined,
    mark_of,
    pack_mark,
    unpack_mark,
    values_of,
)
from tricord.store.tree import link_target

Ignore = Callable[[str, bool], bool]
"""Whether a file (or, with True, a folder) at this path in the tree is left out."""
LONGEST = 4096
"""Bytes of a path that POSIX systems take (PATH_MAX)."""
_MANY = 512
_OWN = frozenset({".git", ".tricord"})


class Found(NamedTuple):
    """A file of the work folder: its path in the tree, where it is, its mark when it was looked at."""

    path: str
    absolute: str
    mark: Mark


# made as the classes make them, without the call of a function that is not C
_found = cast("Callable[[tuple[str, str, Mark]], Found]", partial(tuple[Any, ...].__new__, Found))
_mark = cast("Callable[[Values], Mark]", partial(tuple[Any, ...].__new__, Mark))


@dataclass(slots=True)
class Folder:
    """The files of one folder, sorted by name. `prefix` is its path in the tree, "" or ending with "/".

    `packed` are their marks as bytes: most often they are only compared. `size` is the bytes of all.
    """

    prefix: str
    absolute: str
    names: list[str]
    packed: list[bytes]
    size: int
    _encoded: bytes = b""

    @property
    def encoded(self) -> bytes:
        """Names and marks as the state keeps them."""
        if not self._encoded:
            self._encoded = joined(self.names, self.packed)
        return self._encoded

    @property
    def paths(self) -> list[str]:
        """The files' paths in the tree."""
        prefix = self.prefix
        return [prefix + name for name in self.names]

    def values(self) -> Iterator[Values]:
        """The values of the files' marks."""
        return values_of(self.encoded)

    def found(self) -> Iterator[Found]:
        base = self.absolute.rstrip("/") + "/"
        places = [base + name for name in self.names]
        return map(_found, zip(self.paths, places, map(_mark, self.values()), strict=True))


@dataclass(slots=True)
class Scan:
    """What a folder holds: those below it that have files, each with its files' marks."""

    top: str
    folders: list[Folder] = field(default_factory=list[Folder])

    def __len__(self) -> int:
        return sum(len(folder.names) for folder in self.folders)

    def __iter__(self) -> Iterator[Found]:
        """Every file, folder by folder."""
        for folder in self.folders:
            yield from folder.found()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(folder.size for folder in self.folders)


def scan(folder: Path, ignore: Ignore | None = None) -> Scan:
    """Every file below a folder with its mark: one `stat` a file, nothing is read.

    DataError for what a tree cannot hold: links that lead outside or to folders, sockets, FIFOs,
    devices, names that are not UTF-8, paths longer than the system takes, and what is Git's or
    Tricord's own.
    """
    with in_source(folder):
        top = folder.resolve(strict=True)
        if not top.is_dir():
            raise DataError("not a folder", where=str(folder))
    made = Scan(str(top))
    waiting = [("", str(top))]
    while waiting:
        prefix, place = waiting.pop()
        here, below = _folder(top, prefix, place, ignore)
        waiting += reversed(below)
        if here.names:
            made.folders.append(here)
    return made


def _folder(
    top: Path, prefix: str, place: str, ignore: Ignore | None
) -> tuple[Folder, list[tuple[str, str]]]:
    files: list[tuple[str, bytes]] = []
    below: list[tuple[str, str]] = []
    size = 0
    base = place.rstrip("/") + "/"
    # by its descriptor, so that the kernel looks up a name for each `stat`, and not the path before it
    with in_source(Path(place)), _opened(place) as descriptor:
        with os.scandir(descriptor) as listed:
            children = list(listed)
        if ignore:
            children = [
                child
                for child in children
                if not ignore(prefix + child.name, child.is_dir(follow_symlinks=False))
            ]
        _check_names(place, [child.name for child in children])
        for child in children:
            name = child.name
            if child.is_file(follow_symlinks=False):
                status = child.stat(follow_symlinks=False)
                size += status.st_size
                packed = pack_mark(
                    status.st_ino,
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    status.st_mode & 0o100 != 0,
                )  # `mark_of`, without the detour
                files.append((name, packed))
            elif child.is_dir(follow_symlinks=False):
                below.append((f"{prefix}{name}/", base + name))
            elif child.is_symlink():
                mark = mark_of(link_target(top, Path(base + name)).stat())
                size += mark.size
                files.append((name, pack_mark(*mark)))
            else:
                raise DataError(
                    "neither a file nor a folder (a socket, FIFO or device), so it has no content to store",
                    where=base + name,
                    hint="remove it, or name it in .tricordignore",
                )
    files.sort()
    below.sort()
    names = [name for name, _ in files]
    return Folder(prefix, place, names, [packed for _, packed in files], size), below


@contextmanager
def _opened(folder: str) -> Generator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check_names(place: str, names: list[str]) -> None:
    for name in names:
        if name in _OWN:
            raise DataError(
                f"{name} is {'Git' if name == '.git' else 'Tricord'}'s own, not data",
                where=os.path.join(place, name),  # noqa: PTH118 - a text, quickly
                hint=f"add another folder, or leave it out: echo '{name}' >> .tricordignore",
            )
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:
        bad = next(name for name in names if not _is_text(name))
        raise DataError(
            "the name is not valid UTF-8",
            where=repr(os.fsencode(f"{place}/{bad}")),
            hint="rename the file",
        ) from error
    if len(place) * 4 + 1024 > LONGEST:
        for name in names:
            if len(os.fsencode(f"{place}/{name}")) >= LONGEST:
                raise DataError(
                    f"the path is longer than {LONGEST} bytes",
                    where=f"{place[:80]}…/{name[:40]}",
                    hint="rename some of its folders",
                )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unchanged(scanned: Scan, kept: Mapping[str, Kept]) -> bool:
    """True if every file is as it was when the state recorded it, none is new and none is gone."""
    return len(kept) == len(scanned.folders) and all(
        (row := kept.get(folder.absolute)) is not None and row.marks == folder.encoded
        for folder in scanned.folders
    )


def look_up(scanned: Scan, kept: Mapping[str, Kept]) -> tuple[dict[str, Digest], list[Found]]:
    """The digests that the state knows, by path in the tree, and the files that have to be read."""
    known: dict[str, Digest] = {}
    unknown: list[Found] = []
    for folder in scanned.folders:
        row = kept.get(folder.absolute)
        if row is None:
            unknown += folder.found()
            continue
        if row.marks == folder.encoded:
            known.update(zip(folder.paths, row.named(), strict=True))
            continue
        files, base = row.packed(), folder.absolute.rstrip("/") + "/"
        for path, name, mark in zip(folder.paths, folder.names, folder.packed, strict=True):
            found = files.get(name)
            if found is not None and found[0] == mark:
                known[path] = found[1]
            else:
                unknown.append(Found(path, base + name, unpack_mark(mark)))
    return known, unknown


def digests_of(scanned: Scan, state: State, watch: Watch = quiet) -> dict[str, Digest]:
    """The digest of every file, by path in the tree. What has not changed is not read, and what was
    read is recorded. DataError for a file that changes meanwhile."""
    seen = state.now()
    kept = state.below(scanned.top)
    known, unknown = look_up(scanned, kept)
    for found in unknown:
        known[found.path] = read_digest(found)
        watch(found.mark.size, 1, found.path)
    if unknown or not kept.keys() <= {folder.absolute for folder in scanned.folders}:
        remember(scanned, known, state, kept, seen)
    return known


def read_digest(found: Found) -> Digest:
    """The digest of a file that has to be the one that was looked at. DataError if it is not."""
    path = Path(found.absolute)
    made = digests.of_file(path)
    with in_source(path):
        if mark_of(path.stat()) != found.mark:
            raise DataError(
                "changed while it was being read",
                where=found.absolute,
                hint="wait until nothing writes to it, then do the same again",
            )
    return made


def remember(
    scanned: Scan,
    known: Mapping[str, Digest],
    state: State,
    kept: Mapping[str, Kept],
    seen: int,
) -> dict[str, Kept] | None:
    """Record the digests of everything scanned; folders whose files are as they were stay untouched.

    What is kept of them then; None where some files have changed too lately to be kept.
    """
    now: dict[str, Kept] = {}
    whole: list[tuple[str, bytes, bytes]] = []
    folders: dict[str, dict[str, tuple[Mark, Digest]]] = {}
    for folder in scanned.folders:
        row = kept.get(folder.absolute)
        if row is not None and row.marks == folder.encoded:
            now[folder.absolute] = row
            continue
        named = [known[path] for path in folder.paths]
        if all_settled(folder.encoded, seen):
            whole.append((folder.absolute, folder.encoded, bytes.fromhex("".join(named))))
        else:
            marks = [Mark(*values) for values in folder.values()]
            each = zip(marks, named, strict=True)
            folders[folder.absolute] = dict(zip(folder.names, each, strict=True))
    now |= state.keep(whole)
    state.record(folders, seen=seen, whole=True)
    gone = kept.keys() - {folder.absolute for folder in scanned.folders}
    if gone:
        state.forget(gone)
    return None if folders else now
