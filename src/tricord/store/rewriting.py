"""Packs written anew: without what is not kept, several small ones as one."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.core.files import sync_folder
from tricord.store import listing, pack
from tricord.store.index import Index
from tricord.store.pack import Pack, PackWriter, Row, Shape
from tricord.store.writing import pack_of

Keep = Callable[[str, Row], bool]


@dataclass
class _Written:
    """The packs that are being written: one for files and chunks, one for trees and recipes."""

    area: Path
    finished: list[Pack] = field(default_factory=list[Pack])
    known: set[tuple[Shape, Digest]] = field(default_factory=set[tuple[Shape, Digest]])
    open: dict[bool, PackWriter] = field(default_factory=dict[bool, PackWriter])

    def append(self, row: Row, stored: bytes) -> None:
        if (row.shape, row.digest) in self.known:
            return
        self.known.add((row.shape, row.digest))
        parent = row.shape != Shape.FILE
        writer = self.open.get(parent)
        if writer is not None and writer.size + len(stored) > pack.LIMIT:
            self.finished.append(writer.finish())
            del self.open[parent]
            writer = None
        if writer is None:
            writer = self.open[parent] = PackWriter(self.area / os.urandom(8).hex())
        writer.append(row.shape, row.digest, stored, row.size, compressed=row.compressed)

    def finish(self) -> list[Pack]:
        for parent in list(self.open):
            self.finished.append(self.open.pop(parent).finish())
        return self.finished

    def abandon(self) -> None:
        for writer in self.open.values():
            writer.abandon()
        self.open.clear()


def rewrite(root: Path, index: Index, area: Path, names: Iterable[str], keep: Keep) -> int:
    """Replace packs by ones that hold what `keep` says, durably before the old ones go; bytes freed.

    To be called by whoever has the store alone. A pack with a damaged blob that is to be kept stays
    as it is. The new packs are as old as the newest that they replace.
    """
    written = _Written(area)
    gone: list[Path] = []
    newest, before = 0, 0
    try:
        for name in names:
            file = pack_of(root, name)
            found = _kept(file, name, keep)
            if found is None:
                continue
            status = file.stat()
            newest, before = max(newest, status.st_mtime_ns), before + status.st_size
            gone.append(file)
            for row, stored in found:
                written.append(row, stored)
        made = written.finish()
    finally:
        written.abandon()
    places = {pack_of(root, each.name) for each in made}
    for each in made:
        os.utime(each.path, ns=(newest, newest))
        each.path.rename(pack_of(root, each.name))
    if made:
        sync_folder(root / "packs")
        for each in made:
            index.add(each.name, each.size, each.rows)
    remove(root, index, [file for file in gone if file not in places])
    return before - sum(each.size for each in made)


def remove(root: Path, index: Index, files: list[Path]) -> None:
    """Delete packs: first what the index says of them, then the files, durably."""
    if files:
        index.drop([listing.pack_name(file) for file in files])
        for file in files:
            file.unlink(missing_ok=True)
        sync_folder(root / "packs")


def _kept(file: Path, name: str, keep: Keep) -> list[tuple[Row, bytes]] | None:
    """What is to be kept of a pack; None if it is gone, or damaged in a part that is to be kept."""
    found: list[tuple[Row, bytes]] = []
    try:
        rows = pack.read_directory(file)
        with file.open("rb", buffering=0) as source:
            for row in sorted(rows, key=lambda row: row.offset):
                if keep(name, row):
                    stored = os.pread(source.fileno(), row.length, row.offset)
                    pack.decode(row, stored)
                    found.append((row, stored))
    except (FileNotFoundError, ObjectCorrupt):
        return None
    return found
