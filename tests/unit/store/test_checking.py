"""What is damaged is found and named; a repair keeps what is good and brings the rest anew."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.store import listing, pack
from tricord.store.checking import Checked, problems
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.repair import Bring, Repair, repair


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    made.mkdir()
    for number in range(10):
        (made / f"{number}").write_bytes(os.urandom(400))
    return made


def spoil(path: Path, offset: int) -> None:
    """Change one byte of a file."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def spoil_blob(store: LocalStore, digest: Digest, shape: Shape = Shape.FILE) -> Path:
    place = store.index.find(digest, shape)
    assert place is not None
    path = store.root / "packs" / f"{place.pack}{pack.SUFFIX}"
    spoil(path, place.row.offset + place.row.length // 2)
    return path


def mended(store: LocalStore, *sources: Bring) -> Repair:
    seen = Checked()
    return repair(store, list(problems(store, seen=seen)), seen, sources)


def putting(store: LocalStore, source: Path) -> Callable[[set[Digest]], object]:
    return lambda wanted: store.put_tree(source) if source.is_dir() else store.put_file(source)


def test_a_whole_store_has_no_problems(store: LocalStore, source: Path) -> None:
    store.put_tree(source)
    seen = Checked()
    assert list(problems(store, seen=seen)) == []
    assert seen.blobs == 11


def test_a_flipped_bit_is_named_and_mended(store: LocalStore, source: Path) -> None:
    tree = store.put_tree(source)
    digest = store.tree(tree)["3"]
    path = spoil_blob(store, digest)
    found = list(problems(store))
    assert [(each.digest, each.where, each.absent) for each in found] == [
        (digest, path, False),
        (tree, path, True),
    ]
    assert found[1].missing == (digest,)
    done = mended(store, putting(store, source))
    assert done.rescued == 10
    assert done.lost == done.restored == {digest}
    assert [each.parent for each in done.aside] == [store.root / "damaged"]
    assert list(problems(store)) == []
    assert store.read(digest) == (source / "3").read_bytes()


def test_what_nobody_has_stays_lost_and_the_rest_is_kept(store: LocalStore, source: Path) -> None:
    tree = store.put_tree(source)
    digest = store.tree(tree)["3"]
    spoil_blob(store, digest)
    done = mended(store)
    assert done.lost == {digest}
    assert not done.restored
    assert store.has(store.tree(tree)["4"])
    assert [each.digest for each in problems(store)] == [tree]


def test_a_damaged_list_comes_back_with_the_folder(store: LocalStore, source: Path) -> None:
    tree = store.put_tree(source)
    spoil_blob(store, tree, Shape.TREE)
    assert [each.digest for each in problems(store)] == [tree]
    assert mended(store, putting(store, source)).restored == {tree}
    assert list(problems(store)) == []


@pytest.mark.parametrize("cut", [1, 40, 100])
def test_a_pack_without_its_end_is_read_by_what_the_index_remembers(
    store: LocalStore, source: Path, cut: int
) -> None:
    tree = store.put_tree(source)
    (path,) = listing.pack_files(store.root)
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size - cut)
    assert [each.where for each in problems(LocalStore(store.root))] == [path]
    done = mended(store)
    assert done.rescued == 11
    assert not done.lost
    store.checkout(tree, source.parent / "out")
    assert list(problems(store)) == []


def test_a_damaged_chunk_brings_its_file_anew(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(
        b"".join(b"%d," % n for n in range(400_000))
    )  # shrinks: chunks
    digest = store.put_file(tmp_path / "first")
    parts = store.reader.parts(digest)
    assert parts is not None
    spoil_blob(store, parts[5].digest)
    assert {each.digest for each in problems(store)} == {parts[5].digest, digest}
    done = mended(store, putting(store, tmp_path / "first"))
    assert done.lost == done.restored == {parts[5].digest, digest}
    assert list(problems(store)) == []
    assert store.read(digest) == (tmp_path / "first").read_bytes()


def test_a_damaged_plain_object_is_put_aside(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(3 << 20))
    digest = store.put_file(tmp_path / "large")
    ((_, path),) = listing.plain_objects(store.root)
    spoil(path, 1 << 20)
    assert {each.digest for each in problems(store)} == {digest}
    done = mended(store, putting(store, tmp_path / "large"))
    assert done.restored == {digest}
    assert list(problems(store)) == []
    assert store.read(digest) == (tmp_path / "large").read_bytes()


def test_a_good_copy_elsewhere_is_enough(store: LocalStore, source: Path, tmp_path: Path) -> None:
    tree = store.put_tree(source)
    digest = store.tree(tree)["3"]
    other = LocalStore(tmp_path / "other")
    other.put_file(source / "3")
    for path in listing.pack_files(other.root):
        (store.root / "packs" / path.name).write_bytes(path.read_bytes())
    store.index.refresh()
    for place in store.index.copies(digest, Shape.FILE):
        file = store.root / "packs" / f"{place.pack}.pack"
        if len(pack.read_directory(file)) > 1:
            spoil(file, place.row.offset)
    assert [each.digest for each in problems(store)] == [digest]
    assert not mended(store).lost
    assert list(problems(store)) == []
    assert store.read(digest) == (source / "3").read_bytes()


def test_an_index_that_is_wrong_is_made_anew(store: LocalStore, source: Path) -> None:
    tree = store.put_tree(source)
    digest = store.tree(tree)["3"]
    place = store.index.find(digest, Shape.FILE)
    assert place is not None
    rows = [place.row._replace(offset=place.row.offset + 1)]
    size = store.index.packs()[place.pack]
    store.index.drop([place.pack])
    store.index.add(place.pack, size, rows)
    assert "index" in [each.where.name.partition(".")[0] for each in problems(store)]
    mended(store)
    assert list(problems(store)) == []
    assert store.read(digest) == (source / "3").read_bytes()


def test_repairing_twice_is_repairing_once(store: LocalStore, source: Path) -> None:
    tree = store.put_tree(source)
    spoil_blob(store, store.tree(tree)["3"])
    mended(store)
    again = mended(store)
    assert again.aside == ()
    assert again.lost == {store.tree(tree)["3"]}


@pytest.mark.parametrize("recipe_too", [False, True])
def test_what_others_have_in_a_damaged_plain_object_is_kept(
    store: LocalStore, tmp_path: Path, recipe_too: bool
) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "first").write_bytes(data)
    first = store.put_file(tmp_path / "first")
    (tmp_path / "second").write_bytes(data[: 2 << 20] + os.urandom(5000))
    second = store.put_file(tmp_path / "second")
    ((_, path),) = listing.plain_objects(store.root)
    spoil(path, (3 << 20) - 100)  # where the second does not look
    if recipe_too:
        spoil_blob(store, first, Shape.RECIPE)
    done = mended(store)
    assert path not in [place for _, place in listing.plain_objects(store.root)]
    assert done.rescued
    assert done.lost == {first}
    assert store.read(second) == (tmp_path / "second").read_bytes()
    done = mended(store, putting(store, tmp_path / "first"))
    assert not store.missing([second])
    assert store.put_file(tmp_path / "first") == first
    assert store.read(first) == data
    assert list(problems(store)) == []
