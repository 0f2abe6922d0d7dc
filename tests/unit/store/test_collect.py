"""Collecting waste: what is needed stays, what is young stays, the rest goes, at any time of anybody else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectCorrupt
from tricord.store import collect, listing, pack
from tricord.store.index import Place
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.tree import Entry
from tricord.store.waste import plan

MONTH = 30 * collect.DAY


def folder(tmp_path: Path, name: str, *, files: int = 20, start: int = 0) -> Path:
    made = tmp_path / name
    made.mkdir()
    for number in range(start, start + files):
        (made / f"{number}.txt").write_bytes(os.urandom(10) + b"%d" % number * 500)
    return made


def age(store: LocalStore, seconds: float = MONTH) -> None:
    """Let everything in the store be this much older."""
    then = time.time() - seconds
    objects = [path for _, path in listing.plain_objects(store.root)]
    trees = [path for _, path in listing.old_trees(store.root)]
    for path in (*listing.pack_files(store.root), *objects, *trees):
        os.utime(path, (then, then))


def needing(*digests: Digest):
    return lambda: set(digests)


def clean(store: LocalStore) -> bool:
    return not list(store.verify())


def large(path: Path, size: int = 3 << 20) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def test_what_nobody_needs_goes_and_the_rest_stays(store: LocalStore, tmp_path: Path) -> None:
    kept = store.put_tree(folder(tmp_path, "kept"))
    gone = store.put_tree(folder(tmp_path, "gone"))
    member = next(iter(store.tree(gone).values()))
    age(store)
    waste = plan(store, needing(kept))
    assert waste
    assert waste.count == 21  # its files and the list of them
    freed = collect.delete(store, needing(kept))
    assert freed > 0
    assert not store.has(gone)
    assert not store.has(member)
    assert store.has(kept)
    assert clean(store)
    store.checkout(kept, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 20
    assert not plan(store, needing(kept))


def test_a_plan_changes_nothing(store: LocalStore, tmp_path: Path) -> None:
    store.put_tree(folder(tmp_path, "data"))
    age(store)
    before = sorted(store)
    assert plan(store, needing())
    assert sorted(store) == before


@pytest.mark.parametrize("listed_before", [False, True])
def test_large_files_that_a_tree_counts_on_stay(
    store: LocalStore, tmp_path: Path, listed_before: bool
) -> None:
    """The tree is put without reading them again: in chunks, plain, and in chunks that lie in the plain one."""
    plain = large(tmp_path / "plain")
    edited = tmp_path / "edited"
    edited.write_bytes(plain.read_bytes()[: 2 << 20] + b"x" + os.urandom(1 << 20))
    text = tmp_path / "text"
    text.write_bytes(b"".join(b"%d,%d\n" % (number, number * 7919) for number in range(150_000)))
    files = {path.name: store.put_file(path) for path in (plain, edited, text)}
    entries = [Entry(name, digest, store.size(digest), False) for name, digest in files.items()]
    if listed_before:
        with store.ingest() as ingest:
            ingest.add_tree(entries)
    age(store)
    with store.ingest() as ingest:
        tree = ingest.add_tree(entries)
    collect.delete(store, needing())
    assert not store.missing([tree, *files.values()])
    assert clean(store)
    store.checkout(tree, tmp_path / "out")
    for path in (plain, edited, text):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    age(store)
    collect.delete(store, needing())
    assert not [*store]


def test_what_is_young_stays_with_all_that_it_lists(store: LocalStore, tmp_path: Path) -> None:
    source = folder(tmp_path, "data")
    files = [store.put_file(path) for path in sorted(source.iterdir())]
    age(store)
    tree = store.put_tree(source)  # a young list of files in old packs
    for path in listing.pack_files(store.root):
        assert path.stat().st_mtime > time.time() - collect.DAY  # the put counts on them
    assert not plan(store, needing())
    collect.delete(store, needing())
    assert store.has(tree)
    assert not store.missing(files)


def test_a_young_list_keeps_its_files_even_where_their_packs_are_old(
    store: LocalStore, tmp_path: Path
) -> None:
    source = folder(tmp_path, "data")
    files = [store.put_file(path) for path in sorted(source.iterdir())]
    old = listing.pack_files(store.root)
    tree = store.put_tree(source)
    then = time.time() - MONTH
    for path in old:
        os.utime(path, (then, then))
    collect.delete(store, needing())
    assert store.has(tree)
    assert not store.missing(files)


def test_a_large_file_in_chunks_keeps_its_chunks_and_the_object_that_holds_some(
    store: LocalStore, tmp_path: Path
) -> None:
    first = large(tmp_path / "first")
    plain = store.put_file(first)
    data = first.read_bytes()
    (tmp_path / "second").write_bytes(data[: 1 << 20] + os.urandom(5000) + data[1 << 20 :])
    chunked = store.put_file(tmp_path / "second")
    assert len(list(listing.plain_objects(store.root))) == 1
    age(store)
    collect.delete(store, needing(chunked))
    assert store.read(chunked) == (tmp_path / "second").read_bytes()
    assert clean(store)
    store.close()
    for path in store.root.glob("index.sqlite*"):
        path.unlink()
    assert store.read(chunked) == (tmp_path / "second").read_bytes()
    age(store)
    collect.delete(store, needing(plain))
    assert not store.has(chunked)
    assert store.read(plain) == data
    age(store)
    collect.delete(store, needing())
    assert list(store) == []
    assert listing.pack_files(store.root) == []


def test_it_works_with_an_index_that_was_lost(store: LocalStore, tmp_path: Path) -> None:
    first = large(tmp_path / "first")
    store.put_file(first)
    data = first.read_bytes()
    (tmp_path / "second").write_bytes(b"new" * 3000 + data)
    chunked = store.put_file(tmp_path / "second")
    tree = store.put_tree(folder(tmp_path, "data"))
    store.close()
    for path in store.root.glob("index.sqlite*"):
        path.unlink()
    age(store)
    collect.delete(store, needing(chunked, tree))
    again = LocalStore(store.root)
    assert again.read(chunked) == (tmp_path / "second").read_bytes()
    assert clean(again)


def test_many_small_packs_become_few(store: LocalStore) -> None:
    digests = [store.put_bytes(b"%d" % number) for number in range(30)]
    assert len(listing.pack_files(store.root)) == 30
    collect.delete(store, needing(*digests))
    assert len(listing.pack_files(store.root)) == 1
    assert [store.read(digest) for digest in digests] == [b"%d" % n for n in range(30)]
    # as old as the newest of them: waste among them is not kept longer for it
    assert collect.delete(store, needing(*digests)) == 0


def test_of_two_copies_one_goes_and_only_past_a_look_at_the_other(
    store: LocalStore, tmp_path: Path
) -> None:
    digest = store.put_bytes(b"twice" * 100)
    other = LocalStore(tmp_path / "other")
    other.put_tree(_with(tmp_path / "source", b"twice" * 100))
    copied = listing.pack_files(other.root)
    for path in copied:
        (store.root / "packs" / path.name).write_bytes(path.read_bytes())
    age(store)
    collect.delete(store, needing(digest))
    store.index.refresh()
    assert len(store.index.copies(digest, Shape.FILE)) == 1
    assert store.read(digest) == b"twice" * 100


def _with(source: Path, data: bytes) -> Path:
    source.mkdir()
    (source / "same").write_bytes(data)
    (source / "more").write_bytes(b"more")
    return source


def test_a_damaged_pack_stops_it(store: LocalStore, tmp_path: Path) -> None:
    store.put_tree(folder(tmp_path, "data"))
    needed = store.put_bytes(b"needed")
    age(store)
    path = listing.pack_files(store.root)[0]
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)
    before = sorted((store.root / "packs").iterdir())
    with pytest.raises(ObjectCorrupt, match="damaged") as raised:
        collect.delete(LocalStore(store.root), needing(needed))
    assert raised.value.hint == "tricord verify --repair"
    assert sorted((store.root / "packs").iterdir()) == before


def test_times_in_the_future_are_set_right_and_then_grow_old(store: LocalStore) -> None:
    digest = store.put_bytes(b"from a machine whose clock was ahead")
    age(store, -400 * collect.DAY)
    assert collect.delete(store, needing()) == 0
    assert store.has(digest)
    assert listing.pack_files(store.root)[0].stat().st_mtime < time.time() + 60
    assert collect.delete(store, needing(), grace=-3600) > 0
    assert not store.has(digest)


def test_views_and_what_was_put_aside_go(store: LocalStore) -> None:
    digest = store.put_bytes(b"seen")
    assert store.path(digest).read_bytes() == b"seen"
    (store.root / "damaged").mkdir()
    (store.root / "damaged" / "x.pack").write_bytes(b"?")
    collect.delete(store, needing(digest), grace=-3600)
    assert list(listing.views(store.root)) == []
    assert listing.set_aside(store.root) == []
    assert store.path(digest).read_bytes() == b"seen"


def test_what_came_to_be_needed_after_the_plan_stays(store: LocalStore, tmp_path: Path) -> None:
    tree = store.put_tree(folder(tmp_path, "data"))
    age(store)
    asked = 0

    def live() -> Iterable[Digest]:
        nonlocal asked
        asked += 1
        return {tree} if asked > 1 else set()

    collect.delete(store, live)
    assert asked > 1
    assert store.has(tree)
    assert clean(store)


def test_a_store_of_the_first_format(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    kept, gone = store.put_bytes(b"kept"), store.put_bytes(b"gone")
    for digest, data in ((kept, b"kept"), (gone, b"gone")):
        place = store.root / "objects" / digest[:2] / digest[2:]
        place.parent.mkdir(parents=True)
        place.write_bytes(data)
    store.close()
    for path in (*listing.pack_files(store.root), *store.root.glob("index.sqlite*")):
        path.unlink()
    age(store)
    collect.delete(store, needing(kept))
    assert [digest for digest, _ in listing.plain_objects(store.root)] == [kept]


WORKER = """
import os, random, sys
from pathlib import Path
from tricord.store import collect
from tricord.store.local import LocalStore
from tricord.store.tree import Entry

root, source, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
store = LocalStore(root)
needed = root.parent / "needed"
for round in range(12):
    if what == "add":
        (source / f"{round}").write_bytes(os.urandom(3000))
        digest = store.put_tree(source)
        with needed.open("a") as file:
            file.write(digest + "\\n")
        print(digest, flush=True)
    else:
        collect.delete(store, lambda: needed.read_text().split(), grace=0.0 if what == "all" else 60)
store.close()
"""


def test_two_collections_and_an_add_at_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    source = folder(tmp_path, "source", files=50)
    (tmp_path / "needed").write_text(store.put_tree(source) + "\n")
    waste = [store.put_bytes(b"waste %d" % number) for number in range(30)]
    age(store)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(store.root), str(source), what],
            stdout=subprocess.PIPE,
            text=True,
        )
        for what in ("add", "collect", "collect")
    ]
    outputs = [worker.communicate(timeout=300)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    added = [Digest(line) for line in outputs[0].split()]
    assert len(added) == 12
    assert not store.missing(added)
    assert clean(store)
    assert store.missing(waste) == set(waste)


def test_a_damaged_copy_of_a_recipe_is_not_the_one_that_stays(
    store: LocalStore, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(b"".join(b"%d," % n for n in range(300_000)))
    digest = store.put_file(tmp_path / "large")
    place = store.index.find(digest, Shape.RECIPE)
    assert place is not None
    good = store.reader.at(place)
    bad = good[:-40] + bytes([good[-40] ^ 1]) + good[-39:]
    writer = pack.PackWriter(tmp_path / "other")
    for _ in range(100):  # the larger pack's copy is the one that would stay
        noise = os.urandom(60_000)
        writer.add(Shape.FILE, pack.named(Shape.FILE, noise), noise)
    row = writer.append(Shape.RECIPE, digest, bad, len(bad), compressed=False)
    made = writer.finish()
    made.path.rename(store.root / "packs" / f"{made.name}{pack.SUFFIX}")
    store.index.refresh()
    assert len(store.index.copies(digest, Shape.RECIPE)) == 2
    with pytest.raises(ObjectCorrupt):
        store.reader.at(Place(made.name, row))
    assert store.reader.parts(digest)  # whichever is asked for first
    for file in listing.pack_files(store.root):
        os.utime(file, (1, 1))
    collect.delete(store, needing(digest, *(each.digest for each in made.rows)))
    again = LocalStore(store.root)
    assert again.read(digest) == (tmp_path / "large").read_bytes()
    again.close()


def test_a_tree_that_comes_after_it_was_first_marked_keeps_its_files(
    store: LocalStore, tmp_path: Path
) -> None:
    source = folder(tmp_path, "data")
    large(source / "large")
    (source / "other").write_bytes((source / "large").read_bytes()[: 2 << 20] + os.urandom(5000))
    other = LocalStore(tmp_path / "other")
    for path in sorted(source.iterdir()):
        store.put_file(path)
        other.put_file(path)
    before = listing.pack_files(other.root)
    tree = other.put_tree(source)
    (listed,) = set(listing.pack_files(other.root)).difference(before)
    files = set(other.tree(tree).values())
    other.close()
    age(store)
    asked: list[int] = []

    def live() -> set[Digest]:
        asked.append(1)
        if len(asked) == 2:  # it is brought in between two batches
            (store.root / "packs" / listed.name).write_bytes(listed.read_bytes())
        return {tree}

    collect.delete(store, live)
    assert not store.missing({tree, *files})
    assert clean(store)


def test_what_a_tree_says_of_sizes_deletes_nothing(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"".join(b"%d," % n for n in range(300_000)))
    digest = store.put_file(tmp_path / "large")
    size = store.size(digest)
    with store.ingest() as ingest:
        lying = ingest.add_tree([Entry("a", digest, 0, executable=False)])
        honest = ingest.add_tree([Entry("a", digest, size, executable=False)])
    age(store)
    collect.delete(store, needing(lying, honest))
    assert store.read(digest) == (tmp_path / "large").read_bytes()
    collect.delete(store, needing(lying))
    assert store.read(digest) == (tmp_path / "large").read_bytes()
