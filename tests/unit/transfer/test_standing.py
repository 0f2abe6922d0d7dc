"""What is named and not there, said and not true: a push, a collection and a reader go by what there is."""

from pathlib import Path
from typing import Any

import pytest

from tricord.core.errors import ObjectCorrupt
from tricord.store import pack as packs
from tricord.store.local import LocalStore
from tricord.store.pack import ROW
from tricord.store.remote import indexing
from tricord.store.remote.indexing import Contents, HeldPack
from tricord.store.remote.receiving import fetch
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send


def test_a_large_file_that_is_gone_is_sent_again(
    here: LocalStore, there: LocalStore, folder: Path, backend: Any
) -> None:
    digest = here.put_file(folder / "large")
    send(Remote(backend), here, [digest])
    backend.memory.delete([info.name for info in backend.memory.list("objects")])
    assert send(Remote(backend), here, [digest]).objects == 1
    fetch(Remote(backend), there, [digest]).check("there")


def test_a_gathered_index_names_nothing_that_is_gone(
    here: LocalStore, backend: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Index objects that a collection deleted are still in the cache of who pushes."""
    remote = Remote(backend, tmp_path / "cache")
    first = here.put_bytes(b"first")
    send(remote, here, [first])
    gone = [info.name for top in ("packs", "index") for info in backend.memory.list(top)]
    monkeypatch.setattr("tricord.store.remote.remote._MANY", 0)

    def collected(what: str, name: str) -> None:
        if what == "put" and name.startswith("index/"):
            backend.be_honest()
            backend.memory.delete(gone)

    backend.before = collected
    send(remote, here, [here.put_bytes(b"second")])
    named = Remote(backend).catalog.contents.packs.values()
    assert [pack.place for pack in named] == [info.name for info in backend.memory.list("packs")]


def test_a_listing_is_written_twice_with_the_tag_that_it_has(
    here: LocalStore, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags: list[str] = []
    replace = backend.memory.replace

    def kept(name: str, data: bytes, tag: str) -> bool:
        tags.append(tag)
        return bool(replace(name, data, tag))

    monkeypatch.setattr(backend.memory, "replace", kept)
    remote = Remote(backend)
    for content in (b"first", b"second"):
        send(remote, here, [here.put_bytes(content)])
    remote.supersede(remote.catalog.contents)
    assert "" not in tags
    listed = backend.memory.get("listing").decode().splitlines()[1:]
    assert {f"index/{name}.index" for name in listed} == {
        info.name for info in backend.memory.list("index")
    }


def test_an_index_with_a_shape_that_is_none_is_told_by_name() -> None:
    directory = ROW.pack(3, 0, *(0 for _ in range(len(ROW.unpack(bytes(ROW.size))) - 3)), bytes(32))
    held = HeldPack(packs.name_of(directory), 100, directory)
    data = indexing.encode(Contents({held.name: held}))
    with pytest.raises(ObjectCorrupt, match="index object"):
        indexing.parse(data, "index/x")
