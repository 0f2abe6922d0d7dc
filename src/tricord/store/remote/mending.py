"""Mending: read all that a remote holds, leave out what is damaged, and take in what no index names.

What was damaged is then missing, and the next push from a store that has the content writes it anew. Nothing
is deleted: damaged bytes may be the last ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import chunks as cutting
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store import tree as trees
from tricord.store.pack import ROW, TRAILER, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.recipe import Part
from tricord.store.remote import doomed as dooming
from tricord.store.remote.indexing import (
    Catalog,
    Contents,
    HeldObject,
    HeldPack,
    name_in,
    object_place,
)
from tricord.store.remote.lanes import in_lanes
from tricord.store.remote.receiving import SPAN
from tricord.store.remote.remote import Remote


@dataclass(slots=True)
class Examined:
    """What was found at a remote: `good` is whole, `bad` says of a place what is wrong with it."""

    good: Contents = field(default_factory=Contents)
    bad: dict[str, str] = field(default_factory=dict[str, str])
    unnamed: list[str] = field(default_factory=list[str])
    there: set[str] = field(default_factory=set[str])
    """The packs and large files that are there at all."""


def examine(remote: Remote, watch: Watch = quiet) -> Examined:
    """Read every pack and large file of a remote and compare it with what it is named after. RemoteError.

    What no index names is left out where it is known as waste: nobody counts on it.
    """
    found = Examined()
    remote.refresh()
    held = remote.catalog.contents
    there = {info.name: info.size for top in ("packs", "objects") for info in remote.backend.list(top)}  # fmt: skip
    waste = dooming.read(remote.backend).keys() - held.packs.keys() - held.objects.keys()
    there = {place: size for place, size in there.items() if name_in(place) not in waste}
    found.there = set(there)
    found.bad |= dict.fromkeys(remote.damaged, "an index object whose bytes are not what they were")  # fmt: skip
    for pack in held.packs.values():
        if pack.place not in there:
            found.bad[pack.place] = "it is gone"
    for each in held.objects.values():
        if each.place not in there:
            found.bad[each.place] = "it is gone"
    named = {pack.place: pack for pack in held.packs.values()}
    unnamed: dict[str, _Needs] = {}
    wanted = [(place, size) for place, size in sorted(there.items()) if place.startswith("packs/")]
    for (place, size), answer in in_lanes(lambda each: _pack(remote, *each), wanted, lanes=4):
        watch(size, 1, place)
        if isinstance(answer, str):
            found.bad[place] = answer
            continue
        pack, needs = answer
        found.good.packs[pack.name] = pack
        if place not in named:
            found.unnamed.append(place)
            unnamed[pack.name] = needs
    for place, size in sorted(there.items()):
        if place.startswith("objects/"):
            _object(remote, place, size, found, watch)
    _leave_out(found, unnamed)
    return found


@dataclass(slots=True)
class _Needs:
    """What the trees and recipes of a pack need: files, chunks."""

    files: set[Digest] = field(default_factory=set[Digest])
    chunks: set[Digest] = field(default_factory=set[Digest])


def _leave_out(found: Examined, unnamed: dict[str, _Needs]) -> None:
    """Take no pack in whose trees and recipes need what is not there: a push that was killed left it (R2)."""
    while unnamed:
        catalog = Catalog(found.good)
        lacking = [
            name
            for name, needs in unnamed.items()
            if any(not catalog.has_chunk(each) for each in needs.chunks)
            or any(
                not (catalog.has_blob(Shape.FILE, each) or catalog.has_object(each) or catalog.has_blob(Shape.RECIPE, each))
                for each in needs.files
            )
        ]  # fmt: skip
        if not lacking:
            return
        for name in lacking:
            del unnamed[name]
            found.unnamed.remove(found.good.packs.pop(name).place)


def repair(remote: Remote, watch: Watch = quiet) -> Examined:
    """Make the index name what is whole, and nothing else; nobody counts on what is damaged then."""
    found = examine(remote, watch)
    if found.bad or found.unnamed:
        bad = {name_in(place) for place in found.bad if place in found.there}
        now = remote.backend.now()
        dooming.update(remote.backend, lambda old: {**dict.fromkeys(bad, now), **old})
        remote.supersede(found.good)
    return found


def settle(remote: Remote, mended: Examined) -> None:
    """After a push: what was damaged and is named again was written anew, and may be counted on."""
    held = remote.catalog.contents
    names = {name_in(place) for place in mended.bad}
    anew = names & remote.published & (held.packs.keys() | held.objects.keys())
    if anew:
        dooming.update(
            remote.backend, lambda old: {n: since for n, since in old.items() if n not in anew}
        )


def _pack(remote: Remote, place: str, size: int) -> tuple[HeldPack, _Needs] | str:
    """A pack whose blobs are all what they should be, with what it needs; or what is wrong with it."""
    needs = _Needs()
    try:
        data = memoryview(remote.backend.get(place))
        if len(data) < len(packs.MAGIC) + TRAILER.size:
            return "it is cut off"
        count, length, check, end = TRAILER.unpack(data[-TRAILER.size :])
        directory = bytes(data[len(data) - TRAILER.size - length : -TRAILER.size])
        if end != packs.END or blake3(directory).digest() != check or count * ROW.size != length:
            return "its directory is damaged"
        held = HeldPack(packs.name_of(directory), size, directory)
        if held.place != place:
            return "it is another pack than its name says"
        for row in held.rows():
            blob = packs.decode(row, bytes(data[row.offset : row.offset + row.length]))
            if row.shape == Shape.RECIPE:
                needs.chunks.update(part.digest for part in recipes.parse(blob))
            elif row.shape == Shape.TREE:
                needs.files.update(entry.digest for entry in trees.decode(blob))
    except ObjectMissing:
        return "it is gone"
    except (ObjectCorrupt, ValueError, KeyError) as error:
        return (
            error.what if isinstance(error, ObjectCorrupt) else f"its directory is damaged: {error}"
        )
    return held, needs


def _object(remote: Remote, place: str, size: int, found: Examined, watch: Watch) -> None:
    digest = Digest(place.removeprefix("objects/").replace("/", ""))
    hasher = blake3()
    parts: list[Part] = []
    try:
        for chunk in cutting.cut(_blocks(remote, place, size, watch)):
            hasher.update(chunk)
            parts.append(Part(packs.named(Shape.FILE, chunk), len(chunk)))
    except ObjectMissing:
        found.bad[place] = "it is gone"
        return
    if hasher.hexdigest() != digest or place != object_place(digest):
        found.bad[place] = "its bytes do not match its digest"
        return
    known = remote.catalog.contents.objects.get(digest)
    if known is None:
        found.unnamed.append(place)
    found.good.objects[digest] = known or HeldObject(digest, size, recipes.encode(parts))


def _blocks(remote: Remote, place: str, size: int, watch: Watch) -> Iterator[bytes]:
    starts = range(0, size, SPAN)
    for _, block in in_lanes(lambda at: remote.backend.get(place, at, SPAN), starts, lanes=4):
        watch(len(block), 0, place)
        yield block
