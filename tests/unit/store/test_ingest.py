"""Many puts as one: all of it is there at the end, or none. S1–S6: docs/reference/store-format.md."""

import os
import stat
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, ObjectCorrupt, StoreError
from tricord.store import digest as digests
from tricord.store import pack, recipe
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.tree import Entry

NOISE = os.urandom(3 << 20)


def test_nothing_is_there_before_the_end_and_all_of_it_afterwards(store: LocalStore, packed):
    (store.root.parent / "file").write_bytes(b"of a file")
    with store.ingest() as ingest:
        small = ingest.add_bytes(b"small")
        large = ingest.add_bytes(NOISE)
        source = ingest.add_file(store.root.parent / "file")
        assert store.missing([small, large, source.digest]) == {small, large, source.digest}
        digest = ingest.add_tree(
            [Entry("a/b", small, 5, False), Entry("c", large, len(NOISE), True)]
        )
    assert store.missing([small, large, source.digest, digest]) == set()
    assert store.tree(digest) == {"a/b": small, "c": large}
    assert (source.size, source.executable) == (9, False)
    assert len(packed.paths()) == 1
    assert list((store.root / "tmp").iterdir()) == []


def test_nothing_is_kept_when_it_raises(store: LocalStore, packed):
    def half() -> None:
        with store.ingest() as ingest:
            ingest.add_bytes(b"small")
            ingest.add_bytes(NOISE)
            raise KeyError("enough")

    with pytest.raises(KeyError):
        half()
    assert list(store) == []
    assert packed.paths() == list(store.root.glob("objects/*/*")) == []
    assert list((store.root / "tmp").iterdir()) == []


def test_a_tree_of_files_that_are_not_there_is_refused(store: LocalStore):  # S3
    known, unknown = store.put_bytes(b"known"), Digest("ab" * 32)
    with (
        pytest.raises(StoreError, match="lists 1 files that are not in the store") as raised,
        store.ingest() as ingest,
    ):
        ingest.add_tree([Entry("a", known, 5, False), Entry("b", unknown, 5, False)])
    assert raised.value.where is not None
    assert raised.value.where.startswith("b, abab")


@pytest.mark.parametrize("path", ["../a", "/a", "a//b", "."])
def test_a_tree_with_paths_that_lead_outside_is_refused(store: LocalStore, path: str):
    digest = store.put_bytes(b"x")
    with pytest.raises(DataError, match="leads outside"), store.ingest() as ingest:
        ingest.add_tree([Entry(path, digest, 1, False)])


def test_what_comes_from_elsewhere_is_checked(store: LocalStore):
    good = digests.of_bytes(b"good")
    parts = recipe.encode([recipe.Part(good, 4)])
    with store.ingest() as ingest:
        for add in (
            lambda: ingest.add_blob(Shape.FILE, good, b"evil"),
            lambda: ingest.add_blob(Shape.TREE, good, b"tricord tree/1\n[]"),
            lambda: ingest.add_blob(Shape.RECIPE, good, parts[:-1] + b"?"),
        ):
            with pytest.raises(ObjectCorrupt):
                add()
        for compressed in (False, True):
            row = pack.Row(Shape.FILE, good, 0, 4, 4, compressed)
            assert ingest.add_stored([(row, b"evil")]) == {good}
        broken = pack.Row(Shape.RECIPE, good, 0, len(parts), len(parts), False)
        assert ingest.add_stored([(broken, parts[:-1] + b"?")]) == {good}
        (ingest.area / "download").write_bytes(b"evil")
        with pytest.raises(ObjectCorrupt, match="has other bytes"):
            ingest.add_plain(good, ingest.area / "download")
    assert list(store) == []


def test_a_frame_that_would_fill_the_memory_is_refused(store: LocalStore):
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    row = pack.Row(Shape.FILE, digests.of_bytes(b"x"), 0, len(bomb), 1, True)
    with store.ingest() as ingest:
        with pytest.raises(ObjectCorrupt, match="another size"):
            pack.decode(row, bomb)
        assert ingest.add_stored([(row, bomb)]) == {row.digest}
    assert list(store) == []


def test_blobs_move_between_stores_as_they_are_stored(store: LocalStore, packed, tmp_path: Path):
    digest = store.put_bytes(b"again and again " * 100)
    path, row = packed.find(digest)
    assert row.compressed
    other = LocalStore(tmp_path / "other")
    with other.ingest() as ingest:
        stored = path.read_bytes()[row.offset : row.offset + row.length]
        assert ingest.add_stored([(row, stored), (row, stored)]) == set()
        (ingest.area / "download").write_bytes(NOISE)
        ingest.add_plain(digests.of_bytes(NOISE), ingest.area / "download")
    assert other.read(digest) == b"again and again " * 100
    assert other.read(digests.of_bytes(NOISE)) == NOISE
    assert list(other.verify()) == []
    other.close()


def test_a_scratch_file_is_taken_over(store: LocalStore, tmp_path: Path):
    scratch = tmp_path / "scratch"
    scratch.write_bytes(NOISE)
    inode = scratch.stat().st_ino
    digest = store.put_file(scratch, consume=True)
    kept = store.path(digest).stat()
    assert kept.st_ino == inode
    assert stat.S_IMODE(kept.st_mode) == 0o444
    assert not scratch.exists()
    assert store.read(digest) == NOISE


def test_many_packs_are_one_put(store: LocalStore, packed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pack, "LIMIT", 10_000)
    with store.ingest() as ingest:
        names = [ingest.add_bytes(os.urandom(4000)) for _ in range(20)]
        digest = ingest.add_tree(
            Entry(str(number), name, 4000, False) for number, name in enumerate(names)
        )
    assert len(packed.paths()) > 5
    assert set(store.tree(digest).values()) == set(names)
    assert list(store.verify()) == []


def test_what_a_put_found_cannot_be_collected_and_what_is_gone_is_not_counted_on(
    store: LocalStore, packed
):
    digest = store.put_bytes(b"x")
    (path,) = packed.paths()
    assert store.has(digest)
    path.unlink()  # a collection in another process; the index still has the row
    assert store.put_bytes(b"x") == digest
    assert store.read(digest) == b"x"
    large = store.put_bytes(NOISE)
    store.path(large).unlink()
    changed = store.put_bytes(NOISE[: 1 << 20] + b"!" + NOISE[1 << 20 :])
    assert store.read(changed) == NOISE[: 1 << 20] + b"!" + NOISE[1 << 20 :]
    assert store.put_bytes(NOISE) == large
    assert store.read(large) == NOISE


def test_a_link_that_leads_in_a_circle_or_a_folder_cannot_be_read(
    store: LocalStore, tmp_path: Path
):
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(DataError, match="cannot be read"):
        store.put_file(tmp_path / "circle")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be read") as raised:
        store.put_file(tmp_path / "file/below")
    assert raised.value.where == str(tmp_path / "file/below")


@pytest.mark.parametrize("name", ["new\nline", "✈ 🛫", "a" * 255, "-rf", " ", "\u00e9", "quo\"te'"])
def test_odd_names_come_back(store: LocalStore, tmp_path: Path, name: str):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_text("x")
    digest = store.put_tree(tmp_path / "in")
    store.checkout(digest, tmp_path / "out")
    store.write_files([(entry, tmp_path / "o2" / entry.path) for entry in store.entries(digest)])
    for folder in (tmp_path / "out", tmp_path / "o2"):
        assert [path.name for path in folder.iterdir()] == [name]


def test_names_that_look_alike_stay_two(store: LocalStore):
    one, other = "\u00e9", "e\u0301"
    digest = store.put_bytes(b"x")
    with store.ingest() as ingest:
        made = ingest.add_tree([Entry(one, digest, 1, False), Entry(other, digest, 1, False)])
    assert set(store.tree(made)) == {one, other}


def test_permission_denied_is_a_clear_error(store: LocalStore, tmp_path: Path):
    (store.root / "tmp").rmdir()
    (store.root / "tmp").write_text("in the way")  # as good as a permission that is missing
    with pytest.raises(StoreError) as raised:
        store.put_bytes(b"x")
    assert raised.value.where


def test_a_blob_that_no_writer_makes_is_neither_read_nor_written(store: LocalStore, tmp_path: Path):
    import zstandard

    large = bytes((1 << 20) + 1)
    packed = zstandard.ZstdCompressor().compress(large)
    row = pack.Row(Shape.FILE, digests.of_bytes(large), 0, len(packed), len(large), compressed=True)
    with store.ingest() as ingest:
        assert ingest.add_stored([(row, packed)]) == {row.digest}
    for shape in Shape:
        huge = pack.Row(shape, row.digest, 0, 0, (1 << 30) + 1, compressed=False)
        with pytest.raises(ObjectCorrupt, match="larger"):
            pack.decode(huge, b"")
    writer = pack.PackWriter(tmp_path / "pack")
    with pytest.raises(StoreError, match="longer"):
        writer.append(Shape.FILE, row.digest, packed, len(large), compressed=True)
    writer.abandon()


def test_nothing_is_left_of_a_pack_that_cannot_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tricord.core.files.sync", full)
    writer = pack.PackWriter(tmp_path / "pack")
    with pytest.raises(OSError, match="No space"):
        writer.finish()
    assert list(tmp_path.iterdir()) == []
