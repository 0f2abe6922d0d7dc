"""Collecting waste at a remote, by the records of all projects and the remote's own clock.

The order of deletes is specified in docs/reference/remote-format.md.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tricord.core.artifact import Digest, short
from tricord.core.errors import RemoteError
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store import tree as trees
from tricord.store.pack import PackWriter, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.remote import doomed as dooming
from tricord.store.remote import records
from tricord.store.remote.backend import Info
from tricord.store.remote.indexing import Catalog, Contents, HeldPack, Spot, name_in
from tricord.store.remote.lanes import in_lanes
from tricord.store.remote.receiving import Blob, get, lists, spans
from tricord.store.remote.records import Record
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import LIMIT

DAY = 86400.0
GRACE = 14 * DAY
"""Seconds for which what nobody needs stays, twice: before it is entered as such, and from then on. Longer than any push."""

Live = Callable[[Iterable[Record]], set[Digest]]


@dataclass(slots=True)
class Collected:
    """What a collection found, in bytes at the remote: needed, waste that stays for now, deleted (or would be)."""

    needed: int = 0
    doomed: dict[str, int] = field(default_factory=dict[str, int])
    deleted: dict[str, int] = field(default_factory=dict[str, int])
    rewritten: int = 0


@dataclass(slots=True)
class _Use:
    """What is needed: blobs of packs by pack, and large files."""

    packs: dict[str, list[Blob]] = field(default_factory=dict[str, list[Blob]])
    objects: set[Digest] = field(default_factory=set[Digest])


def collect(
    remote: Remote,
    *,
    live: Live = records.roots,
    grace: float = GRACE,
    delete: bool = False,
    watch: Watch = quiet,
) -> Collected:
    """Find what no record needs, and with `delete` remove what has been known as waste for `grace` seconds.

    Only a remote whose index and lists can be read is collected: RemoteError otherwise, and nothing is changed.
    """
    before = list(records.read_all(remote.backend))
    catalog, _ = remote.inspect()
    if remote.damaged:
        raise RemoteError(
            "an index object of the remote is damaged, so what is there cannot be told",
            where=f"{remote.where}, {remote.damaged[0]}",
            hint="tricord push --repair",
        )
    there = _listed(remote)
    now = remote.backend.now()
    use = _used(catalog, _needed(remote, catalog, live(before)))
    done = Collected()
    if delete:
        done.rewritten = _rewrite(remote, catalog, use, there, now - grace, watch)
    waste: dict[str, Info] = {}
    for place, info in there.items():
        name = name_in(place)
        if name in use.packs or name in use.objects:
            done.needed += info.size
        elif info.modified <= now - grace:
            waste[name] = info
    named = catalog.contents.packs.keys() | catalog.contents.objects.keys()
    unnamed = {name_in(place) for place in there} - named

    def known_as_waste(old: dooming.Doomed) -> dooming.Doomed:
        # what a repair entered stays: it is damaged, and no index names it
        stays = {name: since for name, since in old.items() if name in unnamed}
        return stays | {name: old.get(name, now) for name in waste}

    known = dooming.update(remote.backend, known_as_waste) if delete else dooming.read(remote.backend)  # fmt: skip
    due = {name: info for name, info in waste.items() if known.get(name, now) <= now - grace}
    done.doomed = {info.name: info.size for name, info in waste.items() if name not in due}
    if delete and due:
        due = _delete(remote, due)
    done.deleted = {info.name: info.size for info in due.values()}
    return done


def _needed(remote: Remote, catalog: Catalog, roots: set[Digest]) -> tuple[set[Digest], set[Digest], dict[Digest, bytes]]:  # fmt: skip
    """The trees and files that are needed, and the recipes of those files that are there by their chunks."""
    listed = set(catalog.trees(roots))
    found = _lists(remote, [(Shape.TREE, digest) for digest in sorted(listed)])
    files = {digest for digest in roots if digest not in listed}
    for data in found.values():
        files |= {entry.digest for entry in trees.decode(data)}
    by_chunks = [
        digest
        for digest in sorted(files)
        if not catalog.has_blob(Shape.FILE, digest)
        and not catalog.has_object(digest)
        and catalog.has_blob(Shape.RECIPE, digest)
    ]
    return listed, files, _lists(remote, [(Shape.RECIPE, digest) for digest in by_chunks])


def _lists(remote: Remote, blobs: list[Blob]) -> dict[Digest, bytes]:
    found, lost, _ = lists(remote, blobs)
    if lost:
        digest, why = next(iter(lost.items()))
        raise RemoteError(
            f"what {short(digest)} needs cannot be told: {why}",
            where=remote.where,
            hint="tricord push --repair, from a project that has the content",
        )
    return found


def _used(catalog: Catalog, needed: tuple[set[Digest], set[Digest], dict[Digest, bytes]]) -> _Use:
    """Choose one place for each blob that is needed."""
    listed, files, by_recipe = needed
    use = _Use()
    wanted: set[Blob] = {(Shape.TREE, digest) for digest in listed}
    for digest in files:
        if catalog.has_object(digest):
            use.objects.add(digest)
        elif catalog.has_blob(Shape.FILE, digest):
            wanted.add((Shape.FILE, digest))
    chunks = {part.digest for data in by_recipe.values() for part in recipes.parse(data)}
    wanted |= {(Shape.RECIPE, digest) for digest in by_recipe}
    for held in use.objects:
        chunks -= {part.digest for part in recipes.parse(catalog.contents.objects[held].recipe)}
    wanted |= {(Shape.FILE, chunk) for chunk in chunks}
    places: dict[str, list[Blob]] = defaultdict(list)
    for pack, row in catalog.rows():
        if (row.shape, row.digest) in wanted:
            places[pack.name].append((row.shape, row.digest))
    # the packs with most of what is needed first, so that few are kept
    for name in sorted(places, key=lambda name: (name in catalog.doomed, -len(places[name]), name)):
        chosen = [blob for blob in places[name] if blob in wanted]
        if chosen:
            use.packs[name] = chosen
            wanted.difference_update(chosen)
    for shape, digest in sorted(wanted):
        spot = catalog.spot(shape, digest)
        if spot is not None and spot.place.startswith("objects/"):
            use.objects.add(Digest(name_in(spot.place)))
    return use


def _rewrite(
    remote: Remote, catalog: Catalog, use: _Use, there: Mapping[str, Info], before: float, watch: Watch
) -> int:  # fmt: skip
    """Write packs anew of which more than half is waste, without it; the old ones are waste then. How many."""
    old: list[str] = []
    spots: list[Spot] = []
    for name, blobs in sorted(use.packs.items()):
        pack = catalog.contents.packs[name]
        rows = {(row.shape, row.digest): row for row in pack.rows()}
        live = sum(rows[blob].length for blob in blobs)
        info = there.get(pack.place)
        if live * 2 < pack.size and info is not None and info.modified <= before:
            old.append(name)
            spots += [Spot(pack.place, rows[blob]) for blob in blobs]
    if not old:
        return 0
    made = Contents()
    with tempfile.TemporaryDirectory(prefix="tricord-") as folder:
        writer = PackWriter(Path(folder) / "0")
        for number, (span, data) in enumerate(in_lanes(lambda s: get(remote, s), spans(spots)), 1):
            for row in span.rows:
                at = row.offset - span.start
                stored = (data or b"")[at : at + row.length]
                packs.decode(row, stored)  # ObjectCorrupt: nothing damaged is written anew
                writer.append(row.shape, row.digest, stored, row.size, compressed=row.compressed)
            watch(span.length, len(span.rows), "")
            if writer.size >= LIMIT:
                _put(remote, writer, made)
                writer = PackWriter(Path(folder) / str(number))
        _put(remote, writer, made)
    remote.publish(made)
    for name in old:
        del use.packs[name]
    use.packs |= {name: [] for name in made.packs}
    return len(old)


def _put(remote: Remote, writer: PackWriter, made: Contents) -> None:
    if not writer.rows:
        writer.abandon()
        return
    pack = writer.finish()
    held = HeldPack(pack.name, pack.size, packs.closing(pack.rows)[0])
    remote.backend.put_file(held.place, pack.path)
    made.packs[held.name] = held
    pack.path.unlink()


def _delete(remote: Remote, due: Mapping[str, Info]) -> dict[str, Info]:
    """Nothing names it first; then it goes. What of it went: not what a push has written anew meanwhile."""
    held = remote.catalog.contents
    due = _still(remote, due)
    left = Contents(
        {name: pack for name, pack in held.packs.items() if name not in due},
        {digest: each for digest, each in held.objects.items() if digest not in due},
    )
    remote.supersede(left)
    before, due = due, _still(remote, due)
    anew = Contents(
        {n: pack for n, pack in held.packs.items() if n in before and n not in due},
        {d: each for d, each in held.objects.items() if d in before and d not in due},
    )
    if anew:
        remote.publish(anew)
    remote.backend.delete([info.name for info in due.values()])
    _forget(remote, due)
    return due


def _still(remote: Remote, due: Mapping[str, Info]) -> dict[str, Info]:
    """Those that are as they were when the collection began."""
    there = _listed(remote)
    return {name: info for name, info in due.items() if there.get(info.name) == info}


def _listed(remote: Remote) -> dict[str, Info]:
    return {info.name: info for top in ("packs", "objects") for info in remote.backend.list(top)}


def _forget(remote: Remote, due: Mapping[str, Info]) -> None:
    dooming.update(remote.backend, lambda old: {n: since for n, since in old.items() if n not in due})  # fmt: skip
