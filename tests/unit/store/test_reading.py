"""Where many blobs are: from the directories of packs, and the same as the index says."""

from tricord.core.artifact import Digest
from tricord.store import digest as digests
from tricord.store import listing, pack
from tricord.store.index import Place
from tricord.store.local import LocalStore
from tricord.store.pack import Shape

ABSENT = digests.of_bytes(b"in no pack")


def many(store: LocalStore, first: int, count: int) -> list[Digest]:
    with store.ingest() as ingest:
        return [ingest.add_bytes(b"%d" % number) for number in range(first, first + count)]


def asked(store: LocalStore, names: list[Digest]) -> dict[Digest, Place]:
    return store.index.find_many(names, Shape.FILE)


def test_many_are_where_the_index_says(store: LocalStore) -> None:
    names = [*many(store, 0, 1500), *many(store, 1500, 1500), *many(store, 3000, 2)]
    assert store.reader.places([*names, ABSENT], Shape.FILE) == asked(store, names)
    assert store.reader.places(names, Shape.TREE) == {}
    small, missing = store.reader.locate([*names, ABSENT])
    assert (small.keys(), missing) == (set(names), {ABSENT})


def test_a_pack_that_is_gone_is_looked_at_no_more(store: LocalStore) -> None:
    stay, go = many(store, 0, 1500), many(store, 1500, 1500)
    pack_of_go = asked(store, go[:1])[go[0]].pack
    next(path for path in listing.pack_files(store.root) if path.stem == pack_of_go).unlink()
    assert store.reader.places([*stay, *go], Shape.FILE) == asked(store, stay)


def test_where_a_directory_is_damaged_the_index_is_asked(store: LocalStore) -> None:
    names = many(store, 0, 2500)
    before = asked(store, names)
    (path,) = listing.pack_files(store.root)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[-pack.TRAILER.size - 1] ^= 1
    path.write_bytes(data)
    assert store.reader.places(names, Shape.FILE) == before


def test_a_huge_directory_is_not_read_for_a_few(store: LocalStore) -> None:
    names = many(store, 0, 10_000)
    (path,) = listing.pack_files(store.root)
    assert pack.read_directory(path, most=9_999) == []
    assert len(pack.read_directory(path, most=10_000)) == 10_000
    some = names[:2000]
    assert store.reader.places(some, Shape.FILE) == asked(store, some)
