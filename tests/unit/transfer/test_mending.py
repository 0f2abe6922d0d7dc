"""A repair of a remote deletes nothing and names nothing that lacks what it needs."""

from pathlib import Path
from typing import Any

import pytest

from tricord.core.errors import ObjectCorrupt
from tricord.store.local import LocalStore
from tricord.store.remote import doomed, mending
from tricord.store.remote.collecting import DAY, collect
from tricord.store.remote.receiving import fetch
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send


def flip(backend: Any, top: str) -> dict[str, bytes]:
    """One bit of each object below `top`; what they are now."""
    for info in list(backend.memory.list(top)):
        data = bytearray(backend.memory.get(info.name))
        data[len(data) // 2] ^= 8
        backend.memory.put(info.name, bytes(data))
    return {info.name: backend.memory.get(info.name) for info in backend.memory.list(top)}


@pytest.mark.parametrize("top", ["objects", "packs"])
def test_damaged_bytes_stay_until_they_are_replaced(
    top: str, here: LocalStore, there: LocalStore, folder: Path, backend: Any
) -> None:
    digest = here.put_file(folder / ("large" if top == "objects" else "part0/27.bin"))
    send(Remote(backend), here, [digest])
    damaged = flip(backend, top)
    (own,) = (path for path in (here.root / top).rglob("*") if path.is_file())
    whole = own.read_bytes()
    own.chmod(0o644)
    own.write_bytes(bytes([*whole[:99], whole[99] ^ 1, *whole[100:]]))
    remote = Remote(backend)
    assert mending.repair(remote).bad.keys() == damaged.keys()
    with pytest.raises(ObjectCorrupt, match="was not sent"):
        send(remote, here, [digest])
    collect(Remote(backend), grace=DAY, delete=True)
    assert {name: backend.memory.get(name) for name in damaged} == damaged
    own.write_bytes(whole)
    remote = Remote(backend)
    sent = send(remote, here, [digest])
    assert sent.packs + sent.objects == 1
    mending.settle(remote, mending.Examined(bad=dict.fromkeys(damaged, "")))
    assert not doomed.read(backend)
    assert send(Remote(backend), here, [digest]).bytes == 0
    assert not mending.examine(Remote(backend)).bad
    fetch(Remote(backend), there, [digest]).check("there")


def test_a_tree_whose_files_never_arrived_is_not_named(
    here: LocalStore, there: LocalStore, folder: Path, backend: Any, tmp_path: Path
) -> None:
    """A push was killed when the pack with the tree was there, and that with the files was not."""
    other = LocalStore(tmp_path / "other")
    tree = here.put_tree(folder)
    with other.ingest() as ingest:
        ingest.add_files([path for path in folder.rglob("*") if path.is_file()])
    send(Remote(backend), other, [entry.digest for entry in here.entries(tree)])
    before = {info.name for top in ("packs", "objects", "index") for info in backend.memory.list(top)}  # fmt: skip
    send(Remote(backend), here, [tree])
    backend.memory.delete(before)
    backend.memory.delete([info.name for info in backend.memory.list("index")])
    other.close()
    found = mending.repair(Remote(backend))
    assert not found.bad
    assert not found.unnamed
    assert not Remote(backend).catalog.trees([tree])
    send(Remote(backend), here, [tree])
    fetch(Remote(backend), there, [tree]).check("there")
