"""What goes to a remote comes back the same, with few requests; docs/reference/remote-format.md."""

import random
from pathlib import Path
from typing import Any

import pytest

from tricord.core.errors import ObjectMissing
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.remote import reading
from tricord.store.remote.folder import Folder
from tricord.store.remote.memory import Memory
from tricord.store.remote.receiving import fetch
from tricord.store.remote.remote import Remote
from tricord.store.remote.sealing import sealed
from tricord.store.remote.sending import Sent, send


def content(folder: Path) -> dict[str, tuple[bytes, bool]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["folder", "memory", "sealed"])
def test_a_folder_goes_there_and_comes_back(
    kind: str, here: LocalStore, there: LocalStore, folder: Path, tmp_path: Path
) -> None:
    memory = Memory()
    backend = {
        "folder": lambda: Folder(tmp_path / "remote"),
        "memory": lambda: memory,
        "sealed": lambda: sealed(memory, "ab" * 32),
    }[kind]
    tree = here.put_tree(folder)
    sent = send(Remote(backend()), here, [tree])
    assert sent.files == 32
    assert sent.objects == 1
    assert fetch(Remote(backend()), there, [tree]).lost == {}
    there.checkout(tree, tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)
    assert list(there.verify()) == []
    assert send(Remote(backend()), there, [tree]) == Sent(files=32)


def test_only_what_is_new_is_sent_and_brought(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote, tmp_path: Path
) -> None:
    first = here.put_tree(folder)
    send(remote, here, [first])
    fetch(Remote(remote.backend), there, [first])
    data = (folder / "large").read_bytes()
    (folder / "large").write_bytes(data[:1_500_000] + b"inserted" * 100 + data[1_500_000:])
    (folder / "part0" / "3.bin").write_bytes(b"changed")
    second = here.put_tree(folder)
    sent = send(Remote(remote.backend), here, [second])
    assert sent.objects == 0
    assert 0 < sent.bytes < 600_000
    came = fetch(Remote(remote.backend), there, [second])
    assert came.files == 2
    assert came.bytes < 600_000
    there.checkout(second, tmp_path / "back")
    assert content(tmp_path / "back") == content(folder)
    # from the remote alone, where the new version's chunks lie within the old one's object
    fresh = LocalStore(tmp_path / "fresh")
    assert fetch(Remote(remote.backend), fresh, [second]).lost == {}
    fresh.checkout(second, tmp_path / "again")
    assert content(tmp_path / "again") == content(folder)
    fresh.close()


def test_two_thousand_small_files_are_ten_requests_at_most(
    here: LocalStore, there: LocalStore, remote: Remote, backend: Any, tmp_path: Path, noise: random.Random
) -> None:  # fmt: skip
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2000):
        (folder / str(number)).write_bytes(noise.randbytes(4000))
    send(remote, here, [here.put_bytes(b"the first push asks what the remote can do")])
    backend.requests.clear()
    tree = here.put_tree(folder)
    send(Remote(backend, tmp_path / "cache"), here, [tree])
    assert backend.requests.total() <= 8  # a record is two more
    backend.requests.clear()
    assert fetch(Remote(backend), there, [tree]).files == 2000
    assert backend.requests.total() <= 9
    backend.requests.clear()
    fetch(Remote(backend), there, [tree])
    assert backend.requests.total() == 0  # what is here is not asked for


def test_index_objects_are_kept_and_checked(
    here: LocalStore, there: LocalStore, remote: Remote, backend: Any, tmp_path: Path
) -> None:
    digest = here.put_bytes(b"flights")
    send(remote, here, [digest])
    (kept,) = (tmp_path / "cache").glob("*.index")
    backend.requests.clear()
    assert Remote(backend, tmp_path / "cache").catalog.has_blob(Shape.FILE, digest)
    assert backend.requests == {"list": 1}
    kept.chmod(0o644)
    kept.write_bytes(b"something else")
    assert Remote(backend, tmp_path / "cache").catalog.has_blob(Shape.FILE, digest)


def test_many_pushes_leave_few_index_objects(
    here: LocalStore, remote: Remote, backend: Any
) -> None:
    digests = [here.put_bytes(b"version %d" % number) for number in range(70)]
    for digest in digests:
        send(remote, here, [digest])
    assert len(list(backend.memory.list("index"))) <= 64
    fresh = Remote(backend).catalog
    assert all(fresh.has_blob(Shape.FILE, digest) for digest in digests)
    listed = backend.memory.get("listing").decode().split()[3:]
    assert sorted(listed) == sorted(
        info.name.removeprefix("index/").removesuffix(".index") for info in backend.memory.list("index")
    )  # fmt: skip


def test_a_range_is_read_without_the_whole(
    here: LocalStore, remote: Remote, backend: Any, noise: random.Random
) -> None:
    data = noise.randbytes(6_000_000)
    digests = [here.put_bytes(some) for some in (data, b"small", b"", b"text " * 900_000)]
    send(remote, here, digests)
    fresh = Remote(backend)
    with reading.open_file(fresh, digests[0]) as file:
        assert file.seekable()
        assert file.read(10) == data[:10]
        file.seek(4_000_000)
        assert file.read(70_000) == data[4_000_000:4_070_000]
        file.seek(-5, 2)
        assert file.read() == data[-5:]
        assert file.tell() == len(data)
        file.seek(0)
        assert file.read() == data
    for digest, wanted in zip(digests[1:], (b"small", b"", b"text " * 900_000), strict=True):
        with reading.open_file(fresh, digest) as file:
            assert file.read() == wanted
    with pytest.raises(ObjectMissing, match="not at the remote"):
        reading.open_file(fresh, here.put_bytes(b"never pushed"))


def test_of_a_tree_a_part(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote
) -> None:
    tree = here.put_tree(folder)
    send(remote, here, [tree])
    fetch(remote, there, [], heads=[tree])
    wanted = there.tree(tree)["part1/4.bin"]
    assert there.missing([wanted]) == {wanted}
    fetch(remote, there, [wanted])
    assert there.read(wanted) == (folder / "part1" / "4.bin").read_bytes()
    assert there.missing(there.tree(tree).values())


def test_what_neither_side_has_is_an_error(
    here: LocalStore, there: LocalStore, folder: Path, remote: Remote
) -> None:
    tree = here.put_tree(folder)
    with pytest.raises(ObjectMissing, match="neither here nor at the remote"):
        send(remote, there, [tree])
    came = fetch(remote, there, [tree])
    assert set(came.lost) == {tree}
    with pytest.raises(ObjectMissing, match="tricord push"):
        came.check("memory:")


def test_a_store_of_format_1_is_sent(
    here: LocalStore, there: LocalStore, remote: Remote, tmp_path: Path, noise: random.Random
) -> None:
    from tricord.store import digest as digests
    from tricord.store import tree as trees

    old = tmp_path / "old"
    (old / "tmp").mkdir(parents=True)
    (old / "format").write_text("tricord store 1\n")
    blobs = [b"small", noise.randbytes(2_000_000)]
    entries = [trees.Entry(str(len(blob)), digests.of_bytes(blob), len(blob), executable=False) for blob in blobs]  # fmt: skip
    listed = trees.encode(entries)
    named = [("objects", digests.of_bytes(blob), blob) for blob in blobs]
    tree = digests.of_tree_bytes(listed)
    for top, digest, data in (*named, ("trees", tree, listed)):
        path = old / top / digest[:2] / digest[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    store = LocalStore(old)
    send(remote, store, [tree])
    store.close()
    assert fetch(remote, there, [tree]).lost == {}
    assert {there.read(digest) for digest in there.tree(tree).values()} == set(blobs)
