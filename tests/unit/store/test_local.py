"""The store's promises, one by one. S1–S6 are the invariants of docs/reference/store-format.md."""

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, ObjectCorrupt, ObjectMissing, StoreError, TricordError
from tricord.store import digest as digests
from tricord.store import tree
from tricord.store.local import LocalStore
from tricord.store.pack import Shape

ABSENT = Digest("0" * 64)


def place(store: LocalStore, digest: str, top: str = "objects") -> Path:
    return store.root / top / digest[:2] / digest[2:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "a/b").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a/b/deep.txt").write_text("deep")
    (folder / "Überflug ✈.csv").write_text("x,y\n")
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    (folder / "none").write_bytes(b"")
    (folder / "again").write_text("deep")
    return folder


def test_a_new_store_is_empty(store: LocalStore):
    assert list(store) == []


def test_bytes_come_back(store: LocalStore):
    digest = store.put_bytes(b"flights")
    assert store.read(digest) == b"flights"
    assert store.has(digest)
    assert store.size(digest) == 7
    assert store.path(digest).read_bytes() == b"flights"


def test_the_digest_is_plain_blake3_and_the_object_read_only(store: LocalStore):  # S1
    noise = os.urandom(2 << 20)
    digest = store.put_bytes(noise)
    assert digest == blake3(noise).hexdigest()
    assert place(store, digest).read_bytes() == noise
    assert place(store, digest).stat().st_mode & 0o777 == 0o444


def test_a_pack_is_as_specified_and_read_only(store: LocalStore, packed):  # S1
    digest = store.put_bytes(b"flights")
    (path,) = packed.paths()
    data = path.read_bytes()
    directory = data[22:-64]
    assert data[:22] == b"tricord pack 2\nflights"
    assert directory == struct.pack("<BBHIQQ32s", 0, 0, 0, 7, 15, 7, bytes.fromhex(digest))
    assert data[-64:-48] == struct.pack("<QQ", 1, 56)
    assert data[-48:-16] == blake3(directory).digest()
    assert data[-16:] == b"tricord pack end"
    assert path.name == blake3(directory).hexdigest() + ".pack"
    assert path.stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("size", [0, 1, 4 << 20, (4 << 20) + 1, 9_000_001])
def test_a_file_has_the_digest_of_its_bytes(store: LocalStore, tmp_path: Path, size: int):
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    digest = store.put_file(tmp_path / "file")
    assert digest == digests.of_bytes(data) == digests.of_file(tmp_path / "file")
    assert store.read(digest) == data
    assert store.put_file(tmp_path / "file") == store.put_bytes(data) == digest
    assert list(store) == [digest]


def test_what_is_put_twice_is_written_once_and_looks_new_to_a_gc(store: LocalStore, packed):
    noise = os.urandom(2 << 20)
    for data in (b"flights", noise):
        store.put_bytes(data)
        held = [*packed.paths(), *store.root.glob("objects/*/*")]
        for path in held:
            os.utime(path, (0, 0))
        before = {path: path.stat().st_ino for path in held}
        store.put_bytes(data)
        assert {
            path: path.stat().st_ino for path in [*packed.paths(), *store.root.glob("objects/*/*")]
        } == before
        path = (
            place(store, digests.of_bytes(noise))
            if data == noise
            else packed.find(digests.of_bytes(data))[0]
        )
        assert path.stat().st_mtime > 1e9


def test_an_object_or_pack_of_another_size_is_replaced(store: LocalStore, packed):
    noise = os.urandom(2 << 20)
    for data in (b"flights", noise):
        digest = store.put_bytes(data)
        path = place(store, digest) if data == noise else packed.find(digest)[0]
        packed.overwrite(path, path.read_bytes()[:9])
        assert store.put_bytes(data) == digest
        assert store.read(digest) == data
    assert list(store.verify()) == []


def test_nothing_is_left_in_tmp(store: LocalStore, folder: Path):  # S5
    store.put_bytes(b"x")
    store.put_tree(folder)
    with pytest.raises(DataError):
        store.put_file(folder)
    assert list((store.root / "tmp").iterdir()) == []


def test_missing_objects_are_named(store: LocalStore, tmp_path: Path):
    for ask in (store.read, store.path, store.size, store.tree):
        with pytest.raises(ObjectMissing, match="000000000000"):
            ask(ABSENT)
    with pytest.raises(ObjectMissing):
        store.checkout(ABSENT, tmp_path / "out")
    assert not store.has(ABSENT)


def test_a_path_is_not_a_digest(store: LocalStore):
    with pytest.raises(TricordError, match="not a digest"):
        store.has(Digest("../../etc/passwd"))


def test_a_tree_comes_back(store: LocalStore, folder: Path, tmp_path: Path):
    digest = store.put_tree(folder)
    assert list(store.tree(digest)) == [
        "a/b/deep.txt",
        "again",
        "none",
        "tool.sh",
        "Überflug ✈.csv",
    ]
    assert store.tree(digest)["again"] == store.tree(digest)["a/b/deep.txt"]
    assert store.size(digest) == 4 + 4 + 0 + 10 + 4
    store.checkout(digest, tmp_path / "new/out")
    out = tmp_path / "new/out"
    assert (out / "Überflug ✈.csv").read_text() == "x,y\n"
    assert os.access(out / "tool.sh", os.X_OK)
    assert not (out / "again").stat().st_mode & 0o111
    assert not (out / "empty").exists()
    assert store.put_tree(out) == digest


def test_a_checkout_can_be_edited_without_harm(store: LocalStore, folder: Path, tmp_path: Path):
    digest = store.put_tree(folder)
    store.checkout(digest, tmp_path / "out")
    store.checkout(store.tree(digest)["again"], tmp_path / "file")
    for path in (tmp_path / "out/again", tmp_path / "file"):
        with path.open("r+b") as file:
            file.write(b"EDIT")
    assert list(store.verify()) == []


def test_a_checkout_overwrites_nothing(store: LocalStore, folder: Path, tmp_path: Path):
    target = tmp_path / "mine"
    target.write_text("precious")
    for digest in (store.put_bytes(b"x"), store.put_tree(folder)):
        with pytest.raises(StoreError, match="not overwritten"):
            store.checkout(digest, target)
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(StoreError, match="not overwritten"):
        store.checkout(digest, tmp_path / "dangling")
    assert target.read_text() == "precious"


def test_a_failed_checkout_leaves_nothing(store: LocalStore, folder: Path, tmp_path: Path, packed):
    digest = store.put_tree(folder)
    packed.lose(store.tree(digest)["tool.sh"])
    with pytest.raises(ObjectMissing, match=r"tool\.sh"):
        store.checkout(digest, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "store"]


def test_the_empty_tree(store: LocalStore, tmp_path: Path):
    (tmp_path / "none/of/it").mkdir(parents=True)
    digest = store.put_tree(tmp_path / "none")
    assert store.tree(digest) == {}
    assert store.size(digest) == 0
    store.checkout(digest, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_with_the_bytes_of_a_tree_is_a_file(store: LocalStore, folder: Path):
    digest = store.put_tree(folder)
    data = tree.encode(store.entries(digest))
    assert digest == blake3(data, derive_key_context="tricord store tree/1").hexdigest()
    twin = store.put_bytes(data)
    assert twin != digest
    assert store.read(twin) == data
    with pytest.raises(StoreError, match="is a file"):
        store.tree(twin)
    for ask in (store.read, store.path):
        with pytest.raises(StoreError, match="is a tree"):
            ask(digest)


def test_links_inside_a_tree_are_stored_as_files(store: LocalStore, folder: Path):
    (folder / "a/link").symlink_to("../again")
    files = store.tree(store.put_tree(folder))
    assert files["a/link"] == files["again"]


def test_trees_refuse_what_they_cannot_hold(store: LocalStore, tmp_path: Path):
    (tmp_path / "outside").write_text("secret")
    cases = {
        "outside the folder": lambda path: path.symlink_to("../outside"),
        "nowhere": lambda path: path.symlink_to("absent"),
        "other than a file": lambda path: path.symlink_to("."),
        "neither a file nor a folder": os.mkfifo,
    }
    for number, (message, make) in enumerate(cases.items()):
        folder = tmp_path / f"folder{number}"
        folder.mkdir()
        make(folder / "odd")
        with pytest.raises(DataError, match=message) as raised:
            store.put_tree(folder)
        assert raised.value.where
        assert raised.value.where.endswith("odd")
        assert raised.value.hint
    assert list(store) == []


def test_a_link_to_itself_is_refused(store: LocalStore, tmp_path: Path):
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop/odd").symlink_to("odd")
    with pytest.raises(DataError, match="nowhere"):
        store.put_tree(tmp_path / "loop")


def test_a_socket_is_refused(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "s").mkdir()
    monkeypatch.chdir(tmp_path)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s/odd")
        with pytest.raises(DataError, match="socket"):
            store.put_tree(tmp_path / "s")


def test_a_name_that_is_not_utf8_is_refused(store: LocalStore, tmp_path: Path):
    (tmp_path / "s").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "s") + b"/\xff")).write_text("x")
    with pytest.raises(DataError, match="not valid UTF-8"):
        store.put_tree(tmp_path / "s")


def test_sources_that_are_no_files_are_refused(store: LocalStore, tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DataError, match="not a regular file"):
        store.put_file(tmp_path / "fifo")  # and it does not wait for a writer
    with pytest.raises(DataError, match="not a regular file"):
        store.put_file(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        store.put_file(tmp_path / "absent")
    with pytest.raises(DataError, match="not a folder"):
        store.put_tree(Path(__file__))
    with pytest.raises(DataError, match="no such file or folder"):
        store.put_tree(tmp_path / "absent")


def test_the_store_does_not_add_itself(store: LocalStore, tmp_path: Path):
    with pytest.raises(DataError, match="contains the store"):
        store.put_tree(tmp_path)


@pytest.mark.parametrize("size", [1000, 6 << 20])
@pytest.mark.parametrize("mode", ["ab", "r+b"])  # it grows, it is changed in place
@pytest.mark.parametrize("when", ["before it is read", "while it is read", "once it was read"])
def test_a_file_that_changes_meanwhile_is_noticed(
    store: LocalStore,
    tmp_path: Path,
    mode: str,
    size: int,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """Somebody writes to it between the first look at it and the last."""
    source = tmp_path / "log"
    source.write_bytes(os.urandom(size))
    os.utime(source, (0, 0))  # a change shows, however slowly the file system's clock ticks
    inode = source.stat().st_ino
    looks: list[str] = []
    reads: list[str] = []

    def change() -> None:
        with source.open(mode, buffering=0) as file:
            file.write(b"line\n")

    look, read, pread = os.fstat, os.read, os.pread

    def looking(descriptor: int) -> os.stat_result:
        seen = look(descriptor)
        if seen.st_ino != inode:
            return seen
        looks.append("look")
        if when == "once it was read" and len(looks) == 2:
            change()
            return look(descriptor)
        if when == "before it is read" and len(looks) == 1:
            change()
        return seen

    def reading(descriptor: int, *arguments: int) -> bytes:
        data = pread(descriptor, *arguments) if len(arguments) > 1 else read(descriptor, *arguments)
        if when == "while it is read" and look(descriptor).st_ino == inode:
            reads.append("read")
            if len(reads) == 1:
                change()
        return data

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", looking)
        patch.setattr(os, "read", reading)
        patch.setattr(os, "pread", reading)
        with pytest.raises(DataError, match="changed while it was being added") as raised:
            store.put_file(source)
    assert raised.value.hint
    assert list(store) == []
    assert list(store.verify()) == []
    assert store.put_file(source) == digests.of_file(source)


def test_a_flipped_bit_is_found(store: LocalStore, folder: Path, tmp_path: Path, packed):
    digest = store.put_tree(folder)
    member = store.tree(digest)["again"]
    path = packed.flip(member)
    assert [found for found, _ in store.verify()] == [member, digest]
    with pytest.raises(ObjectCorrupt, match=member[:12]) as raised:
        store.read(member)
    assert raised.value.where == str(path)
    with pytest.raises(ObjectCorrupt):
        store.checkout(digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_trees_are_found(store: LocalStore, folder: Path, packed):
    digest = store.put_tree(folder)
    path, _ = packed.find(digest, Shape.TREE)
    whole = path.read_bytes()
    packed.flip(digest, Shape.TREE)
    with pytest.raises(ObjectCorrupt):
        store.tree(digest)
    assert [found for found, _ in store.verify()] == [digest]
    packed.overwrite(path, whole)
    packed.lose(store.tree(digest)["none"])
    assert list(store.verify()) == [
        (digest, "1 of the 5 files of this folder are not here, first 'none'")
    ]


def test_a_tree_that_leads_outside_is_not_checked_out(store: LocalStore, tmp_path: Path):
    data = tree.encode([tree.Entry("../evil", store.put_bytes(b"evil"), 4, False)])
    digest = digests.of_tree_bytes(data)
    with store.ingest() as ingest:
        ingest.add_blob(Shape.TREE, digest, data)
    with pytest.raises(ObjectCorrupt, match="leads outside"):
        store.checkout(digest, tmp_path / "deep/out")
    assert not (tmp_path / "deep/evil").exists()


def test_strangers_among_the_objects_are_left_alone(store: LocalStore):
    small, large = store.put_bytes(b"x"), store.put_bytes(os.urandom(2 << 20))
    (place(store, large).parent / ".nfs0001").write_text("?")
    (store.root / "objects/README").write_text("?")
    (store.root / "packs/README").write_text("?")
    assert {small, large} <= set(store)
    assert list(store.verify()) == []


def test_waste_of_killed_puts_is_swept_once_nobody_writes(store: LocalStore):  # S6
    waste = store.root / "tmp/killed"
    waste.mkdir()
    (waste / "half").write_text("half")
    LocalStore(store.root).put_bytes(b"x")
    assert not waste.exists()


def test_a_put_at_work_is_not_swept(store: LocalStore):  # S6
    from tricord.store.locking import working_area

    with working_area(store.root) as area:
        LocalStore(store.root).put_bytes(b"x")
        assert area.exists()


def test_a_store_opens_again_and_nothing_else_does(store: LocalStore, tmp_path: Path):
    digest = store.put_bytes(b"x")
    assert LocalStore(store.root).read(digest) == b"x"
    assert (store.root / "format").read_text() == "tricord store 2\n"
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter").write_text("dear")
    with pytest.raises(StoreError, match="letter"):
        LocalStore(tmp_path / "home")
    (store.root / "format").chmod(0o644)
    (store.root / "format").write_text("tricord store 3\n")
    with pytest.raises(StoreError, match="newer release") as raised:
        LocalStore(store.root)
    assert raised.value.hint == "pip install --upgrade tricord"
    (store.root / "format").write_text("something else\n")
    with pytest.raises(StoreError, match="not one of a store"):
        LocalStore(store.root)


def test_a_store_whose_making_was_killed_is_finished(tmp_path: Path):
    (tmp_path / "store/objects").mkdir(parents=True)
    assert LocalStore(tmp_path / "store").put_bytes(b"x")


def test_threads_share_it(store: LocalStore):
    def put(number: int) -> None:
        for shared in range(10):
            store.put_bytes(b"shared %d" % shared)
            store.put_bytes(b"own %d %d" % (number, shared))

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store)) == 10 + 80
    assert list(store.verify()) == []


def test_processes_share_it(store: LocalStore):
    program = """
import sys
from pathlib import Path
from tricord.store.local import LocalStore
for shared in range(20):
    store = LocalStore(Path(sys.argv[1]))
    store.put_bytes(b"shared %d" % shared)
    store.put_bytes(b"own %s %d" % (sys.argv[2].encode(), shared))
"""
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(store.root), str(number)])
        for number in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    assert len(list(store)) == 20 + 80
    assert list(store.verify()) == []
