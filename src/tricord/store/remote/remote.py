"""A remote: what it holds, by its index objects, and how that is added to. See docs/reference/remote-format.md."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt, ObjectMissing, RemoteError, RemoteRefused, StoreError
from tricord.core.files import replace_bytes
from tricord.store.faults import in_store
from tricord.store.remote import doomed as dooming
from tricord.store.remote import indexing, probing
from tricord.store.remote.backend import Backend
from tricord.store.remote.indexing import Catalog, Contents
from tricord.store.remote.lanes import in_lanes

LISTING = "listing"
_HEAD = "tricord remote 1"
_NAME = re.compile(r"[0-9a-f]{64}")
_TRIES = 8
_MANY = 64
"""Index objects above which the small ones are made one."""
_SMALL = 1 << 20


class Remote:
    """A backend with content in it. `cache` is a folder for index objects that have been read.

    Not for several threads; several processes and machines may use one remote.
    """

    def __init__(self, backend: Backend, cache: Path | None = None) -> None:
        self.backend = backend
        self.damaged: list[str] = []
        """Index objects that could not be read when the catalog was."""
        self.published: set[str] = set()
        """Packs by name and large files by digest that were entered by way of this."""
        self._cache = cache
        self._catalog: Catalog | None = None
        self._sizes: dict[str, int] = {}
        self._tag: str | None = None

    @property
    def where(self) -> str:
        return self.backend.where

    @property
    def cache(self) -> Path | None:
        return self._cache

    @property
    def catalog(self) -> Catalog:
        """What it holds, as of the first time that this was asked, or of `refresh`."""
        return self._catalog or self.refresh()

    def refresh(self) -> Catalog:
        """Read what it holds."""
        self._catalog = Catalog(self._contents(self._names()))
        return self._catalog

    def inspect(self) -> tuple[Catalog, dict[str, int]]:
        """For somebody who is about to count on what is there: a catalog of packs and large files that really
        are there and of their size, aware of what may go soon; and all packs, those without an index too: place → bytes.
        """
        if not self.backend.abilities.writes:
            raise RemoteRefused(
                "this remote can only be read",
                where=self.where,
                hint="tricord push --remote NAME, with one that can be written to",
            )
        self._look_at_listing()
        if self._tag is None:
            probing.require_conditional(self.backend)
        there = {info.name: info.size for info in self.backend.list("packs")}
        found = self._contents(self._names())
        left = self._standing(found, there)
        doomed = dooming.read(self.backend) if self._tag is not None else ()
        self._catalog = Catalog(left, doomed)
        return self._catalog, there

    def _standing(self, named: Contents, packs: Mapping[str, int]) -> Contents:
        """What of it is there and of its size; `packs` says so of packs: place → bytes."""
        objects: dict[str, int] = {}
        if named.objects:
            objects = {info.name: info.size for info in self.backend.list("objects")}
        return Contents(
            {n: pack for n, pack in named.packs.items() if packs.get(pack.place) == pack.size},
            {d: each for d, each in named.objects.items() if objects.get(each.place) == each.size},
        )

    def forget(self, *, packs: Iterable[str] = (), objects: Iterable[Digest] = ()) -> Catalog:
        """Go on as if these were not there, since they turned out not to be."""
        gone, lost = set(packs), set(objects)
        held = self.catalog.contents
        left = Contents(
            {name: pack for name, pack in held.packs.items() if name not in gone},
            {digest: each for digest, each in held.objects.items() if digest not in lost},
        )
        self._catalog = Catalog(left, self.catalog.doomed)
        return self._catalog

    def publish(self, contents: Contents) -> None:
        """Enter what is durably there now, and what it needs is too (R2)."""
        data = indexing.encode(contents)
        name = indexing.name_of(data)
        self.backend.put(indexing.index_place(name), data)
        self._keep(name, data)
        self._sizes[name] = len(data)
        if len(self._sizes) > _MANY:
            self._gather()
        self._list()
        self.published |= contents.packs.keys() | contents.objects.keys()
        merged = Contents()
        merged.add(self.catalog.contents)
        merged.add(contents)
        self._catalog = Catalog(merged, self.catalog.doomed)

    def supersede(self, contents: Contents) -> None:
        """Make `contents` all that is named, in place of the index objects that were read: what a collection does."""
        before = set(self._sizes)
        data = indexing.encode(contents)
        name = indexing.name_of(data)
        if contents:
            self.backend.put(indexing.index_place(name), data)
            self._keep(name, data)
        self._sizes = {name: len(data)} if contents else {}
        self.backend.delete(sorted(indexing.index_place(old) for old in before - {name}))
        self._list()
        self._catalog = Catalog(contents)

    def _names(self) -> list[str]:
        """The index objects, by whichever way the remote can tell them."""
        if self.backend.abilities.lists:
            infos = {info.name: info.size for info in self.backend.list(indexing.FOLDER)}
            places = {place: _NAME.search(place) for place in infos}
            self._sizes = {match[0]: infos[place] for place, match in places.items() if match and place == indexing.index_place(match[0])}  # fmt: skip
        else:
            listed = self._look_at_listing()
            if self._tag is None:
                raise RemoteError(
                    "no remote of tricord is there, or nothing was ever pushed to it",
                    where=self.where,
                    hint="tricord push, from a project that may write to it",
                )
            self._sizes = dict.fromkeys(listed, 0)
        return sorted(self._sizes)

    def _look_at_listing(self) -> list[str]:
        """The index objects that `listing` names; its tag is that of the state before anything that is read from now on."""
        found = self.backend.tagged(LISTING)
        self._tag = found[1] if found else None
        return _listed(found[0], self.where) if found else []

    def _contents(self, names: list[str]) -> Contents:
        for _ in range(_TRIES):
            try:
                return self._read(names)
            except ObjectMissing:  # somebody made one of several in between
                names = self._names()
        raise RemoteError(
            "its index changes faster than it can be read, or names what is not there",
            where=self.where,
            hint="tricord remote check, then the same again",
        )

    def _read(self, names: list[str]) -> Contents:
        merged = Contents()
        self.damaged = []
        for name, data in in_lanes(self._index, names):
            try:
                if data is None:
                    raise ObjectCorrupt("its bytes do not match its name")
                merged.add(indexing.parse(data, indexing.index_place(name)))
            except ObjectCorrupt:
                self.damaged.append(indexing.index_place(name))
        self._drop(set(names))
        return merged

    def _index(self, name: str) -> bytes | None:
        """The bytes of an index object, from the cache or the remote; None where they are not what the name says."""
        kept = None if self._cache is None else self._cache / f"{name}{indexing.SUFFIX}"
        if kept is not None:
            with suppress(OSError):
                data = kept.read_bytes()
                if indexing.name_of(data) == name:
                    return data
        data = self.backend.get(indexing.index_place(name))
        if indexing.name_of(data) != name:
            return None
        self._keep(name, data)
        return data

    def _keep(self, name: str, data: bytes) -> None:
        if self._cache is not None:
            with in_store(self._cache):
                self._cache.mkdir(parents=True, exist_ok=True)
                replace_bytes(self._cache / f"{name}{indexing.SUFFIX}", data)

    def _drop(self, names: set[str]) -> None:
        """Remove what the cache holds of index objects that are gone."""
        if self._cache is not None and self._cache.is_dir():
            for path in self._cache.glob(f"*{indexing.SUFFIX}"):
                if path.name.removesuffix(indexing.SUFFIX) not in names:
                    path.unlink(missing_ok=True)

    def _gather(self) -> None:
        """Make one index object of the small ones. Readers meanwhile find all of it: the new one is there first."""
        self._names()  # not those that a collection has deleted meanwhile, though they are in the cache
        small = sorted(name for name, size in self._sizes.items() if size <= _SMALL)
        merged = Contents()
        read: list[str] = []
        for name in small:
            with suppress(StoreError):
                if data := self._index(name):
                    merged.add(indexing.parse(data, name))
                    read.append(name)
        there = {info.name: info.size for info in self.backend.list("packs")}
        data = indexing.encode(self._standing(merged, there))
        made = indexing.name_of(data)
        self.backend.put(indexing.index_place(made), data)
        self._keep(made, data)
        gone = [name for name in read if name != made]
        self.backend.delete([indexing.index_place(name) for name in gone])
        self._sizes = {name: size for name, size in self._sizes.items() if name not in gone}
        self._sizes[made] = len(data)

    def _list(self) -> None:
        """Write `listing`. Whoever loses the race lists again, so that the last one written is complete."""
        for _ in range(_TRIES):
            if (
                self._tag == ""
            ):  # written by this process: what it is now is read first, then what there is
                self._look_at_listing()
                self._names()
            text = "\n".join([_HEAD, *sorted(self._sizes), ""]).encode()
            if self._tag is None:
                written = self.backend.put_new(LISTING, text)
            else:
                written = self.backend.replace(LISTING, text, self._tag)
            if written:
                self._tag = ""  # unknown now
                return
            self._look_at_listing()
            self._names()
        # derived, and only for readers that cannot list: the next push writes it


def _listed(data: bytes, where: str) -> list[str]:
    head, *names = data.decode("utf-8", "replace").splitlines() or [""]
    if head != _HEAD:
        newer = head.startswith("tricord remote ")
        raise StoreError(
            f"a remote of another version: {head!r}" if newer else "not a remote of tricord",
            where=where,
            hint="pip install --upgrade tricord" if newer else "tricord remote list",
        )
    return [name for name in names if _NAME.fullmatch(name)]
