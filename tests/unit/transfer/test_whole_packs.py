"""A pack that is wanted for the most part comes as it is: in one request, checked, and never with a list whose files are not here."""

import random
from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Digest
from tricord.store import listing
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.remote.receiving import fetch
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send
from tricord.store.tree import Entry

FILES = 120


@pytest.fixture
def data(noise: random.Random, tmp_path: Path) -> Path:
    """Some 5 MB in small files, each tenth of which shrinks."""
    made = tmp_path / "data"
    made.mkdir()
    for number in range(FILES):
        text = b"a row of text\n" * 3000 if number % 10 == 0 else noise.randbytes(45_000)
        (made / f"{number:03}.bin").write_bytes(text + b"%d" % number)
    return made


@pytest.fixture
def tree(here: LocalStore, data: Path, remote: Remote) -> Digest:
    digest = here.put_tree(data)
    send(remote, here, [digest])
    return digest


def same(store: LocalStore, tree: Digest, data: Path) -> None:
    for entry in store.entries(tree):
        assert store.read(entry.digest) == (data / entry.path).read_bytes()
    assert list(store.verify()) == []


def test_it_comes_in_one_request(tree: Digest, there: LocalStore, data: Path, backend: Any) -> None:
    fresh = Remote(backend)
    assert fresh.catalog.contents
    backend.requests.clear()
    came = fetch(fresh, there, [tree])
    assert (came.files, came.lost) == (FILES, {})
    assert backend.requests["get"] == 2  # the list of files, and the pack
    same(there, tree, data)
    packs = listing.pack_files(there.root)
    assert len(packs) == 2
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in packs)
    assert fetch(fresh, there, [tree]).files == 0


def test_lists_in_it_do_not_come_unasked(
    tree: Digest, here: LocalStore, there: LocalStore, remote: Remote, backend: Any
) -> None:
    files = [entry.digest for entry in here.entries(tree)]
    assert remote.catalog.has_blob(Shape.TREE, tree)
    assert fetch(Remote(backend), there, files).lost == {}
    assert there.missing([*files, tree]) == {tree}


def test_a_few_files_come_without_the_others(
    tree: Digest, here: LocalStore, there: LocalStore, backend: Any
) -> None:
    files = [entry.digest for entry in here.entries(tree)]
    assert fetch(Remote(backend), there, files[:101]).lost == {}
    assert there.missing(files) == set(files[101:])


@pytest.mark.parametrize("what", ["one byte", "cut off", "gone at first", "nothing"])
def test_one_that_is_not_what_it_should_be_is_looked_at_blob_by_blob(
    what: str, tree: Digest, here: LocalStore, there: LocalStore, data: Path, backend: Any
) -> None:
    first = True

    def lie(name: str, start: int, found: bytes) -> bytes:
        nonlocal first
        if not name.startswith("packs/") or len(found) < 1 << 20 or not first:
            return found
        first = False
        if what == "one byte":
            return found[:500_000] + bytes([found[500_000] ^ 1]) + found[500_001:]
        return {"cut off": found[: len(found) // 2], "gone at first": b"not a pack"}.get(what, b"")

    backend.lie = lie
    came = fetch(Remote(backend), there, [tree])
    assert not first
    assert (came.files, came.lost) == (FILES, {})
    same(there, tree, data)


def test_one_whose_blob_is_damaged_for_good_gives_the_others(
    tree: Digest, here: LocalStore, there: LocalStore, remote: Remote, backend: Any
) -> None:
    victim: Entry = here.entries(tree)[7]
    spot = remote.catalog.spot(Shape.FILE, victim.digest)
    assert spot is not None
    stored = bytearray(backend.memory.get(spot.place))
    stored[spot.row.offset + 10] ^= 1
    backend.memory.put(spot.place, bytes(stored))
    came = fetch(Remote(backend), there, [tree])
    assert set(came.lost) == {victim.digest}
    assert there.missing([entry.digest for entry in here.entries(tree)]) == {victim.digest}
    assert [digest for digest, _ in there.verify()] == [tree]  # it says which file is not here
