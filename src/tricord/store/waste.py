"""What a store holds that nobody needs. Planning only: nothing here changes anything.

Whatever is younger than the period of grace stays, with all that it names: whoever put it may not have
said yet what for.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Protocol

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.store import listing, pack
from tricord.store.index import Index, Place
from tricord.store.marks import Marks, key
from tricord.store.pack import ROW, Row, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.writing import pack_of

DAY = 86400.0
SMALL = pack.LIMIT // 8
"""Packs below this many bytes are merged once there are `_MANY` of them."""
_MANY = 8
_SHARE = 5
"""A pack is written anew once a fifth of it is waste: else the work is more than the gain."""

Live = Callable[[], Iterable[Digest]]
Copy = tuple[int, Shape, str]
"""A blob in a certain pack."""


class Rooted(Protocol):
    """A store in a folder, as LocalStore is."""

    @property
    def root(self) -> Path: ...


@dataclass(slots=True)
class Use:
    """How much of a pack is needed: stored bytes; `blobs` and `parents` count what is not."""

    size: int
    modified: float
    live: int = 0
    dead: int = 0
    blobs: int = 0
    parents: int = 0
    """Trees and recipes that nobody needs."""

    @property
    def doomed(self) -> bool:
        """Whether it is worth to be deleted, or written anew without its waste."""
        worth = not self.live or self.dead * _SHARE >= self.size or self.size < SMALL
        return bool(self.parents) or (self.dead > 0 and worth)


@dataclass(frozen=True, slots=True)
class Waste:
    """What a collection would do. Sizes in bytes."""

    packs: tuple[str, ...]
    """Packs with waste in them: deleted, or written anew without it."""
    parents: tuple[str, ...]
    """Those of them with trees or recipes that nobody needs: their turn comes first."""
    small: tuple[str, ...]
    """Small packs that become few large ones."""
    objects: tuple[Digest, ...]
    trees: tuple[Digest, ...]
    views: tuple[Digest, ...]
    aside: tuple[Path, ...]
    """Damaged files that a repair has put aside."""
    size: int
    """What is freed, leaving out what merging small packs brings."""
    count: int
    """Files, chunks, trees and recipes that go."""
    young: int
    """Not needed by anybody who is known, and younger than the period of grace."""
    left: int
    """Waste in packs that it does not pay to write anew yet."""
    total: int
    """All of the store."""
    marks: Marks = field(repr=False, compare=False)
    doubles: dict[Copy, Place] = field(repr=False, compare=False)
    """Copies of needed blobs that are not needed themselves, and the copy that stays."""

    def __bool__(self) -> bool:
        return bool(self.packs or self.objects or self.trees or self.views or self.aside)


def plan(store: Rooted, live: Live, grace: float = DAY, watch: Watch = quiet) -> Waste:
    """What nobody needs. `live` names what somebody does: files and trees, whatever they consist of.

    `grace` is in seconds. ObjectCorrupt where a pack or a needed tree is damaged: nobody knows then
    what it needs. Time and memory grow with the blobs: some 5 s and 200 MB for a million.
    """
    index = Index(store.root)
    try:
        index.refresh()
        marks = Marks(store.root, index)
        before = clock(store.root) - grace
        marks.add(live())
        keep_young(store.root, marks, before, known=set())
        watch(0, len(marks), "needed")
        return survey(store.root, index, marks, before)
    finally:
        index.close()


def survey(root: Path, index: Index, marks: Marks, before: float) -> Waste:
    """What is neither marked nor modified after `before` (seconds since the epoch)."""
    uses = _packs(root, index)
    doubles = _count(index, uses, marks, before)
    young = {name for name, use in uses.items() if use.modified > before}
    doomed = {name: use for name, use in uses.items() if use.doomed and name not in young}
    objects, gone, late = _objects(root, marks, before)
    trees = [(each, path) for each, path in listing.old_trees(root) if each not in marks]
    views = [(each, path) for each, path in listing.views(root) if _made(path) <= before]
    aside = [path for path in listing.set_aside(root) if modified(path) <= before]
    other = [path for _, path in (*trees, *views)] + aside
    small = [name for name, use in uses.items() if use.size < SMALL and name not in doomed]
    freed = gone + sum(use.dead if use.live else use.size for use in doomed.values())
    old = [use for name, use in uses.items() if name not in doomed and name not in young]
    return Waste(
        packs=tuple(sorted(doomed)),
        parents=tuple(sorted(name for name, use in doomed.items() if use.parents)),
        small=tuple(sorted(small)) if len(small) >= _MANY else (),
        objects=tuple(objects),
        trees=tuple(each for each, _ in trees),
        views=tuple(each for each, _ in views),
        aside=tuple(aside),
        size=freed + sum(map(alone_bytes, other)),
        count=len(objects) + len(trees) + sum(use.blobs for use in doomed.values()),
        young=late + sum(uses[name].dead for name in young),
        left=sum(use.dead for use in old),
        total=stored_bytes(root),
        marks=marks,
        doubles=doubles,
    )


def keep_young(root: Path, marks: Marks, before: float, known: Collection[str]) -> set[str]:
    """Mark what the trees and recipes of young packs name, those in `known` left out; the young packs.

    ObjectCorrupt where a pack is damaged."""
    young = {
        listing.pack_name(file)
        for file in listing.pack_files(root)
        if modified(file) > before
    }  # fmt: skip
    new = sorted(young.difference(known))
    marks.add(row.digest for name in new for row in _rows(pack_of(root, name)) if row.shape != Shape.FILE)  # fmt: skip
    marks.add(digest for digest, path in listing.old_trees(root) if modified(path) > before)
    return young


def clock(root: Path) -> float:
    """Now, as the file system that keeps the times of modification has it."""
    probe = root / "tmp" / os.urandom(12).hex()
    try:
        probe.mkdir()
        try:
            return probe.stat().st_mtime
        finally:
            with suppress(FileNotFoundError):  # a put swept the folder meanwhile
                probe.rmdir()
    except OSError:  # not ours to write: whoever only looks does well with the machine's
        return time.time()


def modified(path: Path) -> float:
    """Seconds since the epoch; of a file that is gone, the end of time: it is nobody's business."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def stored_bytes(root: Path) -> int:
    """Bytes of all that a store holds: packs, plain objects, old trees, views, what was put aside."""
    lists = (listing.plain_objects, listing.old_trees, listing.views)
    files = [path for each in lists for _, path in each(root)]
    return sum(map(alone_bytes, (*listing.pack_files(root), *files, *listing.set_aside(root))))


def _packs(root: Path, index: Index) -> dict[str, Use]:
    uses: dict[str, Use] = {}
    known = index.packs()
    for file in listing.pack_files(root):
        name = listing.pack_name(file)
        if name in known:
            uses[name] = Use(known[name], modified(file))
        else:
            _rows(file)
    return uses


def _rows(file: Path) -> list[Row]:
    """What a pack says that it holds; nothing where another collection has just written it anew."""
    try:
        return pack.read_directory(file)
    except FileNotFoundError:
        return []
    except ObjectCorrupt as error:
        raise ObjectCorrupt(
            "a pack is damaged, so what it holds and needs is not known",
            where=str(file),
            hint="tricord verify --repair",
        ) from error


def _count(index: Index, uses: dict[str, Use], marks: Marks, before: float) -> dict[Copy, Place]:
    """Add up what of each pack is needed; of a blob in several packs one copy is."""
    doubles: dict[Copy, Place] = {}
    for (digest, shape), group in groupby(index.rows(), lambda place: (place.row.digest, place.row.shape)):  # fmt: skip
        copies = [place for place in group if place.pack in uses]
        needed = digest in marks
        best = copies[0] if copies else None
        if needed and len(copies) > 1:
            best = max(copies, key=lambda place: (uses[place.pack].modified > before, uses[place.pack].size, place.pack))  # fmt: skip
        for place in copies:
            use = uses[place.pack]
            size = place.row.length + ROW.size
            if needed and place is best:
                use.live += size
                continue
            use.dead += size
            use.blobs += 1
            use.parents += shape != Shape.FILE and not needed
            if needed and best is not None:
                doubles[key(digest), shape, place.pack] = best
    return doubles


def _objects(root: Path, marks: Marks, before: float) -> tuple[list[Digest], int, int]:
    """Plain objects that go, their bytes, and the bytes of those that are only too young to go."""
    gone: list[Digest] = []
    size = late = 0
    for digest, path in listing.plain_objects(root):
        if digest in marks or digest in marks.held or marks.lost:
            continue
        if modified(path) > before:
            late += alone_bytes(path)
        else:
            gone.append(digest)
            size += alone_bytes(path)
    return gone, size, late


def alone_bytes(path: Path) -> int:
    """Bytes that are free once a file is deleted: none, where it has another name or is gone."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_size if status.st_nlink == 1 else 0


def _made(view: Path) -> float:
    """Seconds since the epoch. All views have one time of modification."""
    try:
        return view.stat().st_ctime
    except FileNotFoundError:
        return float("inf")
