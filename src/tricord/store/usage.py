"""How much of a store each of several users takes: alone, and together with others."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tricord.core.artifact import Digest
from tricord.store import listing
from tricord.store.index import Index
from tricord.store.marks import Marks, key
from tricord.store.waste import Rooted, alone_bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in the store, compressed as they lie there: `own` are needed by this user only, `shared` by
    others too. `blobs` counts files, chunks and lists."""

    own: int
    shared: int
    blobs: int

    @property
    def stored(self) -> int:
        return self.own + self.shared


def measure(store: Rooted, users: Mapping[str, Iterable[Digest]]) -> dict[str, Usage]:
    """What each user takes, given the files and trees that it needs. What is not in the store takes nothing.

    Time and memory grow with the blobs of all users together: 100 bytes each.
    """
    index = Index(store.root)
    try:
        index.refresh()
        sizes: dict[int, int] = {}
        for place in index.rows():
            number = key(place.row.digest)
            sizes[number] = sizes.get(number, 0) + place.row.length
        for digest, path in (*listing.plain_objects(store.root), *listing.old_trees(store.root)):
            sizes[key(digest)] = sizes.get(key(digest), 0) + alone_bytes(path)
        needed: dict[str, set[int]] = {}
        for name, roots in users.items():
            marks = Marks(store.root, index)
            marks.add(roots)
            needed[name] = {number for number in marks.numbers() if number in sizes}
    finally:
        index.close()
    shares = Counter[int]()
    for numbers in needed.values():
        shares.update(numbers)
    found: dict[str, Usage] = {}
    for name, numbers in needed.items():
        own = sum(sizes[number] for number in numbers if shares[number] == 1)
        found[name] = Usage(own, sum(sizes[number] for number in numbers) - own, len(numbers))
    return found
