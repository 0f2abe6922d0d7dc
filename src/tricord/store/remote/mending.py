"""Mending: read all that a remote holds, leave out what is damaged, and take in what no index names.

What was damaged is then missing, and the next push from a store that has the content brings it again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import chunks as cutting
from tricord.store import pack as packs
from tricord.store import recipe as recipes
from tricord.store.pack import ROW, TRAILER, Shape
from tricord.store.progress import Watch, quiet
from tricord.store.recipe import Part
from tricord.store.remote.indexing import Contents, HeldObject, HeldPack, object_place
from tricord.store.remote.lanes import in_lanes
from tricord.store.remote.receiving import SPAN
from tricord.store.remote.remote import Remote


@dataclass(slots=True)
class Examined:
    """What was found at a remote: `good` is whole, `bad` says of a place what is wrong with it."""

    good: Contents = field(default_factory=Contents)
    bad: dict[str, str] = field(default_factory=dict[str, str])
    unnamed: list[str] = field(default_factory=list[str])


def examine(remote: Remote, watch: Watch = quiet) -> Examined:
    """Read every pack and large file of a remote and compare it with what it is named after. RemoteError."""
    found = Examined()
    remote.refresh()
    held = remote.catalog.contents
    there = {info.name: info.size for top in ("packs", "objects") for info in remote.backend.list(top)}  # fmt: skip
    found.bad |= dict.fromkeys(remote.damaged, "an index object whose bytes are not what they were")  # fmt: skip
    for pack in held.packs.values():
        if pack.place not in there:
            found.bad[pack.place] = "it is gone"
    for each in held.objects.values():
        if each.place not in there:
            found.bad[each.place] = "it is gone"
    named = {pack.place: pack for pack in held.packs.values()}
    wanted = [(place, size) for place, size in sorted(there.items()) if place.startswith("packs/")]
    for (place, size), answer in in_lanes(lambda each: _pack(remote, *each), wanted, lanes=4):
        watch(size, 1, place)
        if isinstance(answer, str):
            found.bad[place] = answer
        else:
            found.good.packs[answer.name] = answer
            if place not in named:
                found.unnamed.append(place)
    for place, size in sorted(there.items()):
        if place.startswith("objects/"):
            _object(remote, place, size, found, watch)
    return found


def repair(remote: Remote, watch: Watch = quiet) -> Examined:
    """Make the index name what is whole, and nothing else; delete what is damaged."""
    found = examine(remote, watch)
    if found.bad or found.unnamed:
        remote.supersede(found.good)
        remote.backend.delete([place for place in found.bad if not place.startswith("index/")])
    return found


def _pack(remote: Remote, place: str, size: int) -> HeldPack | str:
    """A pack whose blobs are all what they should be, or what is wrong with it."""
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
                recipes.parse(blob)
    except ObjectMissing:
        return "it is gone"
    except (ObjectCorrupt, ValueError, KeyError) as error:
        return (
            error.what if isinstance(error, ObjectCorrupt) else f"its directory is damaged: {error}"
        )
    return held


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
