"""Deleting what nobody needs, in the order of deletes of docs/reference/store-format.md.

Trees and recipes go before the files and chunks that they name (S3). Each batch is done while nobody
can put, after a look at what came to be needed since the plan was made.
"""

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import StoreError
from tricord.core.files import sync_folder
from tricord.store import listing
from tricord.store.faults import in_store
from tricord.store.index import Index
from tricord.store.locking import alone, one_collector
from tricord.store.marks import Marks, key
from tricord.store.pack import Row, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.reading import Reader
from tricord.store.rewriting import Keep, rewrite
from tricord.store.waste import (
    DAY,
    Live,
    Rooted,
    Waste,
    alone_bytes,
    clock,
    keep_young,
    modified,
    plan,
    survey,
)
from tricord.store.writing import pack_of, place_of

__all__ = ["DAY", "Waste", "delete", "plan"]

_BATCH = 256 << 20
"""Bytes of packs that are dealt with while puts have to wait: about a second."""
_FILES = 10_000
_AHEAD = 60.0
"""Seconds by which a time may be ahead of the clock before it is taken for wrong."""


def delete(store: Rooted, live: Live, grace: float = DAY, watch: Watch = quiet) -> int:
    """Delete what nobody needs; the bytes that this freed. Puts, readers, other collections may go on.

    `live` is asked again before each batch, while nobody can put. StorageFull, StoreError, and what
    `plan` raises; whatever it is, nothing that is needed is gone.
    """
    with one_collector(store.root):
        collection = _Collection(store.root, live, grace, watch)
        try:
            collection.settle()
            collection.delete_parents()
            collection.delete_rest()
            return collection.freed
        finally:
            collection.close()


class _Collection:
    """One `delete` under way. What is young is so by the time at which it began."""

    def __init__(self, root: Path, live: Live, grace: float, watch: Watch) -> None:
        self.freed = 0
        self._root = root
        self._live = live
        self._watch = watch
        self._index = Index(root)
        self._index.refresh()
        self._reader = Reader(root, self._index)
        self._now = clock(root)
        self._before = self._now - grace
        self._marks = Marks(root, self._index)
        self._young: set[str] = set()

    def close(self) -> None:
        self._index.close()

    def settle(self) -> None:
        """What is from the future (the clock was put back) is from now on: else it never grows old."""
        lists = (listing.plain_objects, listing.old_trees)
        files = [path for each in lists for _, path in each(self._root)]
        with in_store(self._root):
            for path in (*listing.pack_files(self._root), *files):
                if self._now + _AHEAD < modified(path) < float("inf"):
                    os.utime(path, (self._now, self._now))

    def delete_parents(self) -> None:
        """Trees and recipes that nobody needs; of files and chunks nothing yet."""
        with self._alone():
            waste = survey(self._root, self._index, self._marks, self._before)
            self._unlink("trees", waste.trees)
        for names in self._batches(waste.parents):
            with self._alone() as area:
                self._rewrite(area, names, self._needed_or_file)

    def delete_rest(self) -> None:
        """Files and chunks, and merge what is small. Packs that held trees have other names by now."""
        with self._alone():
            waste = survey(self._root, self._index, self._marks, self._before)
        small = set(waste.small)

        def keep(name: str, row: Row) -> bool:
            return name in self._young or (row.digest in self._marks and not self._doubled(waste, name, row))  # fmt: skip

        for names in self._batches((*waste.packs, *waste.small)):
            with self._alone() as area:
                self._rewrite(area, names, keep, small)
        for start in range(0, len(waste.objects), _FILES):
            with self._alone():
                self._unlink("objects", waste.objects[start : start + _FILES])
        with self._alone(), in_store(self._root):
            self._unlink("views", waste.views)
            for path in waste.aside:
                self.freed += alone_bytes(path)
                path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Generator[Path]:
        """Nobody puts meanwhile, and all that was needed or touched until now is marked."""
        with alone(self._root) as area:
            self._index.refresh()
            self._marks.add(self._live())
            self._young |= keep_young(self._root, self._marks, self._before, self._young)
            yield area

    def _rewrite(self, area: Path, names: list[str], keep: Keep, small: Iterable[str] = ()) -> None:
        chosen = [name for name in names if name not in self._young or name in small]
        if len(chosen) > 1 or not set(chosen).issubset(small):
            with in_store(self._root):
                self.freed += rewrite(self._root, self._index, area, chosen, keep)
        self._watch(0, len(names), "packs")

    def _needed_or_file(self, _: str, row: Row) -> bool:
        return row.shape == Shape.FILE or row.digest in self._marks

    def _doubled(self, waste: Waste, name: str, row: Row) -> bool:
        """Whether another copy stays, and is good."""
        other = waste.doubles.get((key(row.digest), row.shape, name))
        if other is None:
            return False
        try:
            self._reader.at(other)
        except (
            StoreError,
            FileNotFoundError,
        ):  # damaged, or moved to another pack: this copy stays too
            return False
        return True

    def _unlink(self, top: str, digests: Iterable[Digest]) -> None:
        """Delete what is not marked meanwhile and still old."""
        folders: set[Path] = set()
        gone: list[tuple[Digest, Path]] = []
        for digest in digests:
            path = place_of(self._root / top, digest)
            needed = digest in self._marks or digest in self._marks.held
            if top == "views" or (not needed and modified(path) <= self._before):
                gone.append((digest, path))
        if top == "objects":
            if self._marks.lost:
                return
            self._index.drop([], [digest for digest, _ in gone])
        with in_store(self._root / top):
            for _, path in gone:
                self.freed += alone_bytes(path)
                path.unlink(missing_ok=True)
                folders.add(path.parent)
            for folder in sorted(folders):
                sync_folder(folder)
        self._watch(0, len(gone), top)

    def _batches(self, names: Iterable[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for name in names:
            path = pack_of(self._root, name)
            size += path.stat().st_size if path.exists() else 0
            batch.append(name)
            if size > _BATCH or len(batch) >= _FILES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
