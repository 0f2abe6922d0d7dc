"""A remote that fails, loses, damages or lies: clear errors, nothing false in the store (R4), and mended by a push."""

import errno
import fcntl
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import (
    ObjectCorrupt,
    ObjectMissing,
    RemoteRefused,
    RemoteUnreachable,
    StorageFull,
)
from tricord.store import collect
from tricord.store import recipe as recipes
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.remote import indexing, mending, reading, wrapping
from tricord.store.remote.backend import Abilities
from tricord.store.remote.receiving import fetch
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send
from tricord.store.remote.wrapping import Retrying


@pytest.fixture
def tree(here: LocalStore, folder: Path, remote: Remote) -> Digest:
    """A folder that was pushed."""
    digest = here.put_tree(folder)
    send(remote, here, [digest])
    return digest


def whole(store: LocalStore, tree: Digest, folder: Path) -> None:
    for path, digest in store.tree(tree).items():
        assert store.read(digest) == (folder / path).read_bytes()
    assert list(store.verify()) == []


def test_each_tenth_request_fails(
    here: LocalStore, there: LocalStore, folder: Path, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapping, "FIRST_PAUSE", 0.0)
    count = 0

    def fail(what: str, name: str) -> None:
        nonlocal count
        count += 1
        if count % 10 == 0:
            raise RemoteUnreachable("no answer", where=name)

    backend.before = fail
    steady = Retrying(backend, 6)
    digest = here.put_tree(folder)
    send(Remote(steady), here, [digest])
    assert fetch(Remote(steady), there, [digest]).lost == {}
    whole(there, digest, folder)
    assert count > 10


@pytest.mark.parametrize("what", ["every byte", "now and then", "cut off"])
def test_a_remote_that_lies_spoils_no_store(
    what: str, tree: Digest, here: LocalStore, there: LocalStore, folder: Path, backend: Any
) -> None:
    calls = 0

    def lie(name: str, start: int, data: bytes) -> bytes:
        nonlocal calls
        if not name.startswith(("packs/", "objects/")):
            return data
        calls += 1
        if what == "cut off":
            return data[: len(data) // 2]
        if what == "now and then" and calls > 1:
            return data
        return bytes(each ^ 1 for each in data)

    backend.lie = lie
    came = fetch(Remote(backend), there, [tree])
    if what != "now and then":
        assert came.lost
        with pytest.raises(ObjectCorrupt, match="not what the digest says"):
            came.check("there")
    assert list(there.verify()) == []
    backend.be_honest()
    fetch(Remote(backend), there, [tree]).check("there")
    whole(there, tree, folder)


def test_a_recipe_that_makes_another_file_is_refused(
    here: LocalStore, there: LocalStore, remote: Remote, backend: Any, folder: Path
) -> None:
    mine, other = here.put_bytes(b"abc " * 700_000), here.put_bytes(b"xyz " * 700_000)
    send(remote, here, [mine, other])
    found = remote.catalog.spot(Shape.RECIPE, mine)
    wrong = remote.catalog.spot(Shape.RECIPE, other)
    assert found is not None
    assert wrong is not None
    data = backend.memory.get(wrong.place)[wrong.row.offset : wrong.row.offset + wrong.row.length]
    lying = found.row._replace(offset=wrong.row.offset, length=len(data), size=wrong.row.size, compressed=wrong.row.compressed)  # fmt: skip
    spots = {(Shape.RECIPE, mine): indexing.Spot(wrong.place, lying)}
    fresh = Remote(backend)
    honest = fresh.catalog.spot

    def spot(shape: Shape, digest: Digest) -> indexing.Spot | None:
        return spots.get((shape, digest)) or honest(shape, digest)

    fresh.catalog.spot = spot  # pyright: ignore[reportAttributeAccessIssue]
    came = fetch(fresh, there, [mine])
    assert set(came.lost) == {mine}
    assert there.missing([mine]) == {mine}
    assert list(there.verify()) == []


def test_a_pack_that_is_gone_is_told_and_mended_by_a_push(
    tree: Digest, here: LocalStore, there: LocalStore, folder: Path, backend: Any
) -> None:
    backend.memory.delete([info.name for info in backend.memory.list("packs")])
    came = fetch(Remote(backend), there, [tree])
    with pytest.raises((ObjectMissing, ObjectCorrupt), match="tricord push"):
        came.check("there")
    assert list(there.verify()) == []
    assert send(Remote(backend), here, [tree]).packs == 1
    fetch(Remote(backend), there, [tree]).check("there")
    whole(there, tree, folder)


def test_a_blob_that_is_damaged_comes_from_where_else_it_is(
    tree: Digest, here: LocalStore, there: LocalStore, backend: Any, folder: Path
) -> None:
    first = {info.name for info in backend.memory.list("packs")}
    hidden = {name: backend.memory.get(name) for name in first}
    backend.memory.delete(first)
    again = LocalStore(folder.parent / "again")
    again.put_file(folder / "part1" / "4.bin")  # so that the other pack is another one
    again.put_tree(folder)
    send(Remote(backend), again, [tree])
    again.close()
    for name, data in hidden.items():
        backend.memory.put(name, bytes(each ^ 1 for each in data))
    fetch(Remote(backend), there, [tree]).check("there")
    whole(there, tree, folder)


def test_damage_at_the_remote_is_found_and_mended(
    tree: Digest, here: LocalStore, there: LocalStore, folder: Path, backend: Any
) -> None:
    assert not mending.examine(Remote(backend)).bad
    for top in ("packs", "objects", "index"):
        for info in list(backend.memory.list(top)):
            data = bytearray(backend.memory.get(info.name))
            data[len(data) // 2] ^= 8
            backend.memory.put(info.name, bytes(data))
    found = mending.repair(Remote(backend))
    assert {place.split("/")[0] for place in found.bad} == {"packs", "objects", "index"}
    assert not mending.examine(Remote(backend)).bad
    send(Remote(backend), here, [tree])
    fetch(Remote(backend), there, [tree]).check("there")
    whole(there, tree, folder)


def test_an_index_that_is_lost_is_made_again_from_what_is_there(
    tree: Digest, there: LocalStore, folder: Path, backend: Any
) -> None:
    backend.memory.delete([info.name for info in backend.memory.list("index")])
    assert fetch(Remote(backend), there, [tree]).lost
    found = mending.repair(Remote(backend))
    assert not found.bad
    assert len(found.unnamed) == 2
    fetch(Remote(backend), there, [tree]).check("there")
    whole(there, tree, folder)


def test_nothing_that_is_damaged_leaves_the_store(
    here: LocalStore, folder: Path, remote: Remote, backend: Any
) -> None:
    tree = here.put_tree(folder)
    (path,) = (here.root / "packs").glob("*.pack")
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ObjectCorrupt, match="damaged in the store, and was not sent"):
        send(remote, here, [tree])
    assert not list(backend.memory.list("index"))


def test_a_push_that_was_stopped_goes_on(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote, backend: Any
) -> None:
    tree = here.put_tree(folder)

    def stop(what: str, name: str) -> None:
        if what == "put" and name.startswith("index/"):
            raise RemoteUnreachable("no answer", where=name)

    backend.before = stop
    with pytest.raises(RemoteUnreachable):
        send(remote, here, [tree])
    backend.be_honest()
    arrived = backend.memory.get(next(backend.memory.list("packs")).name)
    sent = send(Remote(backend), here, [tree])
    assert sent.bytes == 0
    assert sent.packs == 0
    assert [backend.memory.get(info.name) for info in backend.memory.list("packs")] == [arrived]
    fetch(Remote(backend), there, [tree]).check("there")
    whole(there, tree, folder)


def test_a_large_download_that_was_stopped_goes_on(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote, backend: Any, tmp_path: Path
) -> None:
    digest = here.put_file(folder / "large")
    send(remote, here, [digest])
    cache = tmp_path / "cache-there"
    (cache / "partial").mkdir(parents=True)
    (cache / "partial" / digest).write_bytes((folder / "large").read_bytes()[:2_000_000])
    came = fetch(Remote(backend, cache), there, [digest])
    assert came.bytes == 1_000_000
    assert came.files == 1
    assert there.read(digest) == (folder / "large").read_bytes()
    assert not list((cache / "partial").iterdir())


def test_a_read_of_a_range_is_checked(
    here: LocalStore, remote: Remote, backend: Any, folder: Path
) -> None:
    digest = here.put_file(folder / "large")
    send(remote, here, [digest])

    def zeros(name: str, start: int, data: bytes) -> bytes:
        return data if name.startswith("index/") else bytes(len(data))

    backend.lie = zeros
    with reading.open_file(Remote(backend), digest) as file, pytest.raises(ObjectCorrupt):
        file.read(10)


def test_bytes_that_are_no_index_are_told_by_name() -> None:
    for data in (b"", b"something", indexing.encode(indexing.Contents())[:-3]):
        with pytest.raises(ObjectCorrupt, match="index object"):
            indexing.parse(data, "index/x")
    held = indexing.HeldObject(Digest("ab" * 32), 5, recipes.encode([]))
    wrong = indexing.encode(indexing.Contents({}, {held.digest: held}))
    with pytest.raises(ObjectCorrupt, match="another number of bytes"):
        indexing.parse(wrong, "index/x")


def test_a_remote_for_reading_only_is_not_pushed_to(here: LocalStore, backend: Any) -> None:
    backend.abilities = Abilities(writes=False)
    with pytest.raises(RemoteRefused, match="can only be read"):
        send(Remote(backend), here, [here.put_bytes(b"flights")])


def test_two_pushes_at_once(
    tree: Digest, here: LocalStore, there: LocalStore, folder: Path, backend: Any
) -> None:
    """Each begins before the other one is done, and both are complete in the end."""
    other = LocalStore(folder.parent / "other")
    mine, theirs = here.put_bytes(b"mine" * 50), other.put_bytes(b"theirs" * 50)

    def meanwhile(what: str, name: str) -> None:
        if what == "put" and name.startswith("index/"):
            backend.be_honest()
            send(Remote(backend), other, [theirs])

    backend.before = meanwhile
    send(Remote(backend), here, [mine])
    other.close()
    fetch(Remote(backend), there, [tree, mine, theirs]).check("there")
    names = {info.name for info in backend.memory.list("index")}
    listed = backend.memory.get("listing").decode().splitlines()[1:]
    assert names == {f"index/{name}.index" for name in listed}


def test_what_a_collection_takes_during_a_fetch_is_brought_anew(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote, backend: Any
) -> None:
    """Files that were here already, old, and named by nobody: a tree that comes counts on them."""
    (folder / "text").write_bytes(b"".join(b"%d," % n for n in range(300_000)))
    digest = here.put_tree(folder)
    send(remote, here, [digest])
    known = {there.put_file(path) for path in folder.rglob("*") if path.is_file() and path.name != "text"}  # fmt: skip
    for path in there.root.rglob("*"):
        os.utime(path, (1, 1))
    gets: list[str] = []

    def collect_at_the_recipe(what: str, name: str) -> None:
        with (there.root / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a put of the fetch
                return
        if what == "get" and name.startswith("packs/"):
            gets.append(name)
            if len(gets) == 2:
                collect.delete(there, set[Digest])
                assert there.missing(known) == known

    backend.before = collect_at_the_recipe
    fetch(remote, there, [digest]).check("there")
    assert len(gets) >= 2
    backend.be_honest()
    whole(there, digest, folder)


def test_two_fetches_of_one_large_file_do_not_write_into_one(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote, backend: Any, tmp_path: Path
) -> None:
    """The second one begins, and ends, while the first one has written the beginning."""
    digest = here.put_file(folder / "large")
    send(remote, here, [digest])
    cache = tmp_path / "cache-there"
    other = LocalStore(tmp_path / "other")
    begun: list[Path] = []
    get_to = backend.memory.get_to

    def slowly(name: str, file: Path) -> None:
        begun.append(file)
        if len(begun) == 1:
            with file.open("ab") as opened:
                opened.write((folder / "large").read_bytes()[:1_000_000])
                opened.flush()
                fetch(Remote(backend, cache), other, [digest]).check("there")
        get_to(name, file)

    backend.get_to = slowly
    fetch(Remote(backend, cache), there, [digest]).check("there")
    assert begun[0].parent.name == "partial"
    assert begun[0] != begun[1]
    for store in (there, other):
        assert store.read(digest) == (folder / "large").read_bytes()
    assert not list((cache / "partial").iterdir())
    other.close()


@pytest.mark.parametrize("name", ["large", "many"])
def test_a_full_disk_is_told_as_one(
    name: str, here: LocalStore, there: LocalStore, folder: Path, backend: Any, tmp_path: Path, noise: random.Random
) -> None:  # fmt: skip
    if name == "many":
        (folder / "many").mkdir()
        for number in range(200):
            (folder / "many" / str(number)).write_bytes(noise.randbytes(30_000))
    digest = here.put_file(folder / "large") if name == "large" else here.put_tree(folder / "many")
    send(Remote(backend), here, [digest])

    def full(name: str, file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    backend.get_to = full
    with pytest.raises(StorageFull):
        fetch(Remote(backend, tmp_path / "cache-there"), there, [digest])


def test_a_recipe_of_another_file_is_noticed_by_who_reads_to_the_end(
    here: LocalStore, backend: Any, remote: Remote, noise: random.Random
) -> None:
    mine, other = (here.put_bytes(noise.randbytes(2_000_000)) for _ in range(2))
    send(remote, here, [mine, other])
    fresh = Remote(backend)
    objects = fresh.catalog.contents.objects
    objects[mine] = objects[other]
    with reading.open_file(fresh, mine) as file:
        assert len(file.read(10)) == 10
        with pytest.raises(ObjectCorrupt, match="do not make"):
            file.read()
    with reading.open_file(fresh, other) as file:
        file.seek(1_000_000)
        file.seek(0)
        assert file.read() == here.read(other)
