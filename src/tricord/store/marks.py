"""What is needed: from the digests that somebody names to every blob and object that they consist of."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.store import digest as digests
from tricord.store import listing, recipe
from tricord.store.faults import in_store
from tricord.store.index import Index, Place
from tricord.store.pack import Shape
from tricord.store.reading import Reader
from tricord.store.writing import pack_of, place_of

_AT_ONCE = 10_000
_ENTRY = re.compile(rb'"([0-9a-f]{64})",[0-9]+,(?:true|false)\]')
"""A file of an encoded tree: its digest. A quote within a path is escaped, so a path is no match."""


def key(digest: str) -> int:
    """The first 64 bits of a digest: a million of them fit into some 70 MB. Two digests that share
    them keep each other; nothing is ever lost by it: what was expanded is known by its whole digest.

    >>> key("00000000000000ff" + "0" * 48)
    255
    """
    return int(digest[:16], 16)


class Marks:
    """The needed content of a store. It only grows.

    `held` are plain objects that are needed for chunks within them. `lost` counts chunks of needed
    files that are nowhere: then nobody can tell which plain object had them.
    """

    def __init__(self, root: Path, index: Index) -> None:
        self.root = root
        self.held: set[Digest] = set()
        self.lost = 0
        self._index = index
        self._reader = Reader(root, index)
        self._keys: set[int] = set()
        self._expanded: set[Digest] = set()
        """Trees and large files whose lists were found. What is marked and not here yet may still come."""
        self._old_trees = dict(listing.old_trees(root))

    def __contains__(self, digest: Digest) -> bool:
        return key(digest) in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def numbers(self) -> set[int]:
        """The keys of all that is marked, and of the plain objects that are held."""
        return self._keys | {key(digest) for digest in self.held}

    def add(self, roots: Iterable[Digest]) -> None:
        """Mark files and trees, with all that they consist of. What is not in the store is marked too.

        ObjectCorrupt for a tree or recipe that cannot be read: what it needs is not known then.
        """
        for some in _batches(iter(set(roots) - self._expanded)):
            self._keys.update(map(key, some))
            large = set(some)
            recipes: set[int] | None = None
            for data in self._trees(some):
                if recipes is None:  # no matter what a tree says of sizes
                    recipes = {key(place.row.digest) for place in self._index.rows(Shape.RECIPE)}
                names = _ENTRY.findall(data)
                numbers = [int(name[:16], 16) for name in names]
                self._keys.update(numbers)
                if not recipes.isdisjoint(numbers):
                    pairs = zip(numbers, names, strict=True)
                    large.update(Digest(n.decode()) for number, n in pairs if number in recipes)
            for part in _batches(iter(large - self._expanded)):
                self._add_chunks(part)

    def _trees(self, roots: list[Digest]) -> Iterator[bytes]:
        for root, place in self._index.find_many(roots, Shape.TREE).items():
            yield self._reader.sound(place)
            self._expanded.add(root)
        for root in roots if self._old_trees else ():
            path = self._old_trees.get(root)
            if path is not None:
                with in_store(path):
                    data = path.read_bytes()
                if digests.of_tree_bytes(data) != root:
                    raise damaged(root, path)
                yield data
                self._expanded.add(root)

    def _add_chunks(self, files: list[Digest]) -> None:
        for digest, place in self._index.find_many(files, Shape.RECIPE).items():
            if place_of(self.root / "objects", digest).exists():
                continue  # the file itself is there, and its chunks lie in it
            chunks = [part.digest for part in self._parts(place)]
            for some in _batches(iter(chunks)):
                self._keys.update(map(key, some))
                packed = self._index.find_many(some, Shape.FILE)
                rest = [chunk for chunk in some if chunk not in packed]
                inside = self._index.inside(rest)
                held = {held for held, _ in inside.values()}
                self.held |= held
                self._keys.update(map(key, held))  # their recipes say where the chunks lie
                self.lost += sum(
                    chunk not in inside and not place_of(self.root / "objects", chunk).exists()
                    for chunk in rest
                )
            self._expanded.add(digest)

    def _parts(self, place: Place) -> list[recipe.Part]:
        try:
            return self._reader.parts_at(place)
        except ObjectCorrupt as error:
            raise damaged(place.row.digest, pack_of(self.root, place.pack)) from error


def damaged(digest: Digest, where: Path) -> ObjectCorrupt:
    return ObjectCorrupt(
        f"{digest[:12]} is damaged, so what it consists of is not known",
        where=str(where),
        hint="tricord verify --repair",
    )


def _batches(items: Iterator[Digest]) -> Iterator[list[Digest]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some
