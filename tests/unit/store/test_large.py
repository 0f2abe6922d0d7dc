"""Large files: plain while they are new, by chunks afterwards; cut by content, read by parts."""

import errno
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt, ObjectMissing
from tricord.store import chunks, large, recipe
from tricord.store.digest import of_bytes
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.recipe import Part

NOISE = random.Random(1).randbytes(12 << 20)
INSERTED = NOISE[: 5 << 20] + b"inserted" * 1000 + NOISE[5 << 20 :]


def stored(root: Path) -> int:
    """Bytes of all packs and objects."""
    return sum(path.stat().st_size for top in ("packs", "objects") for path in (root / top).rglob("*") if path.is_file())  # fmt: skip


def put(store: LocalStore, data: bytes) -> Digest:
    path = store.root.parent / "source"
    path.write_bytes(data)
    return store.put_file(path)


def test_a_new_one_that_does_not_shrink_is_kept_as_it_is(store: LocalStore):
    digest = put(store, NOISE)
    assert store.path(digest) == store.root / "objects" / digest[:2] / digest[2:]
    assert store.path(digest).read_bytes() == NOISE
    assert list(store.blobs(digest)) == [(Shape.FILE, digest), (Shape.RECIPE, digest)]


def test_an_insertion_stores_its_surroundings(store: LocalStore):
    put(store, NOISE)
    before = stored(store.root)
    digest = put(store, INSERTED)
    assert stored(store.root) - before < 600_000
    assert store.read(digest) == INSERTED
    assert store.size(digest) == len(INSERTED)
    named = list(store.blobs(digest))
    assert named[0] == (Shape.RECIPE, digest)
    assert len(named) == len(set(named)) > 100
    assert list(store.verify()) == []


def test_one_that_shrinks_is_kept_by_compressed_chunks(store: LocalStore):
    text = b"".join(b"%d,%d\n" % (number, number * number) for number in range(200_000))
    digest = put(store, text)
    assert store.reader.plain(digest) is None
    assert stored(store.root) < len(text) * 0.7
    assert store.read(digest) == text


@pytest.mark.parametrize("kept", ["plain", "by chunks"])
def test_a_stream_reads_any_range(store: LocalStore, kept: str):
    first, second = put(store, NOISE), put(store, INSERTED)
    digest, data = (first, NOISE) if kept == "plain" else (second, INSERTED)
    with store.open(digest) as file:
        assert file.seekable()
        for start, length in ((0, 10), (5 << 20, 300_000), (len(data) - 5, 100), (7, 0)):
            file.seek(start)
            assert file.read(length) == data[start : start + length]
        assert file.seek(-3, os.SEEK_END) == len(data) - 3
        assert file.read() == data[-3:]
        assert file.read(1) == b""


def test_small_ones_are_streams_too(store: LocalStore):
    with store.open(store.put_bytes(b"small")) as file:
        file.seek(2)
        assert file.read() == b"all"
    with pytest.raises(ObjectMissing):
        store.open(Digest("0" * 64))


def test_a_path_of_one_in_chunks_is_a_view_that_is_made_again_once_it_was_edited(store: LocalStore):
    put(store, NOISE)
    digest = put(store, INSERTED)
    path = store.path(digest)
    assert path.is_relative_to(store.root / "views")
    assert path.read_bytes() == INSERTED
    assert store.path(digest).stat().st_ino == path.stat().st_ino
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"EDIT")
    assert store.path(digest).read_bytes() == INSERTED


def test_damage_within_a_plain_object_is_found_where_it_is_read(store: LocalStore, packed):
    plain = put(store, NOISE)
    chunked = put(store, INSERTED)
    path = store.path(plain)
    packed.overwrite(path, NOISE[:100] + bytes([NOISE[100] ^ 1]) + NOISE[101:])
    with store.open(plain) as file:
        file.seek(-100, os.SEEK_END)
        assert file.read() == NOISE[-100:]
        file.seek(0)
        with pytest.raises(ObjectCorrupt):
            file.read(1000)
    for ask in (store.read, lambda digest: store.checkout(digest, store.root.parent / "out")):
        for digest in (plain, chunked):
            with pytest.raises(ObjectCorrupt, match="damaged"):
                ask(digest)
    assert not (store.root.parent / "out").exists()
    assert {digest for digest, _ in store.verify()} >= {plain}


def test_a_chunk_that_is_gone_makes_the_file_missing(store: LocalStore, packed):
    put(store, NOISE)
    digest = put(store, INSERTED)
    new = next(part.digest for part in store.reader.parts(digest) or () if part.digest in set(store.index.find_many([part.digest], Shape.FILE)))  # fmt: skip
    packed.lose(new)
    assert not store.has(digest)
    with pytest.raises(ObjectMissing, match=new[:12]) as raised:
        store.read(digest)
    assert raised.value.hint
    assert put(store, INSERTED) == digest
    assert store.read(digest) == INSERTED


def test_a_hundred_gigabytes_of_nothing_are_cut_like_any_other_bytes():
    few = bytes(3 << 20) + b"end"
    lengths = [len(chunk) for chunk in chunks.cut([few])]
    assert lengths[:-1] == [chunks.LARGEST] * 12
    assert recipe.parse(recipe.encode([recipe.Part(Digest("ab" * 32), 3)]))[0].size == 3


def test_a_sparse_file_takes_no_space_on_its_way_in_and_out(store: LocalStore, tmp_path: Path):
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.truncate(300 << 20)
        file.seek(170 << 20)
        file.write(b"something")
    digest = store.put_file(source)
    assert store.size(digest) == 300 << 20
    assert stored(store.root) < 1 << 20
    store.checkout(digest, tmp_path / "out")
    assert (tmp_path / "out").stat().st_size == 300 << 20
    # no more than the file that was put, which some file systems do not keep sparse
    taken = [path.stat().st_blocks * 512 for path in (tmp_path / "out", source)]
    assert taken[0] < taken[1] + (64 << 20)
    with store.open(digest) as stream:
        stream.seek((170 << 20) - 2)
        assert stream.read(13) == b"\0\0something\0\0"


def test_however_a_stream_is_blocked_it_is_cut_alike():
    data = NOISE[: 2 << 20] + bytes(1 << 20) + NOISE[2 << 20 : 3 << 20]
    whole = [bytes(chunk) for chunk in chunks.cut([data])]
    assert b"".join(whole) == data
    for size in (len(data), 1 << 20, 300_001, 70_000):
        blocks = [data[start : start + size] for start in range(0, len(data), size)]
        assert [bytes(chunk) for chunk in chunks.cut(blocks)] == whole


MIB = 1 << 20
DATA = st.tuples(st.integers(0, 60 * MIB), st.sampled_from([1, 5000, 300_000, 9 * MIB]), st.booleans())  # fmt: skip


@given(st.integers(MIB + 1, 64 * MIB), st.lists(DATA, max_size=4))
@settings(max_examples=12)
def test_a_file_with_holes_is_cut_as_the_same_bytes_without(size: int, written: list[Any]) -> None:
    """Where anything was written, also zeros, wherever it begins and ends."""
    with TemporaryDirectory() as folder:
        source = Path(folder) / "sparse"
        with source.open("wb") as file:
            file.truncate(size)
            for at, length, zeros in written:
                file.seek(at)
                file.write((bytes(length) if zeros else NOISE[:length])[: max(0, size - at)])
        data = source.read_bytes()
        hasher = large.Hasher()
        found: list[Part] = []
        descriptor = os.open(source, os.O_RDONLY)
        try:
            for region, names in large.hashed(descriptor, hasher):
                found += map(Part, names, region.lengths)
        finally:
            os.close(descriptor)
        assert hasher.digest() == of_bytes(data)
        assert found == [Part(of_bytes(chunk), len(chunk)) for chunk in chunks.cut([data])]


def test_a_hole_of_gigabytes_is_known_and_not_read(store: LocalStore, tmp_path: Path):
    source = tmp_path / "sparse"
    size = (2 << 30) + 12_345
    with source.open("wb") as file:
        file.write(b"first")
        file.truncate(size)
        file.seek(size - 4)
        file.write(b"last")
    digest = store.put_file(source)
    hasher = blake3(b"first", max_threads=blake3.AUTO)
    for start in range(5, size - 4, 64 * MIB):
        hasher.update(bytes(min(64 * MIB, size - 4 - start)))
    assert digest == hasher.update(b"last").hexdigest()
    assert store.size(digest) == size
    assert stored(store.root) < 2 * MIB
    with store.open(digest) as opened:
        assert opened.read(6) == b"first\0"
        opened.seek(size - 5)
        assert opened.read() == b"\0last"


def test_where_the_file_system_knows_of_no_holes_all_is_read(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.truncate(40 * MIB)
    digest = store.put_file(source)
    seek = os.lseek

    def cannot(descriptor: int, at: int, how: int) -> int:
        if how == os.SEEK_DATA:
            raise OSError(errno.EINVAL, "no such thing")
        return seek(descriptor, at, how)

    monkeypatch.setattr(os, "lseek", cannot)
    assert LocalStore(tmp_path / "another").put_file(source) == digest == of_bytes(bytes(40 * MIB))
