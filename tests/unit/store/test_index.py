"""The index is derived: whatever happens to it, the store answers."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectMissing
from tricord.store.chunks import cut
from tricord.store.digest import of_bytes
from tricord.store.index import Index
from tricord.store.local import LocalStore
from tricord.store.pack import Row, Shape

NOISE = os.urandom(2 << 20)


@pytest.fixture
def filled(store: LocalStore) -> dict[Digest, bytes]:
    contents = [b"one", b"two" * 1000, NOISE, NOISE[: 1 << 20] + b"!" + NOISE[1 << 20 :]]
    return {store.put_bytes(data): data for data in contents}


def index_files(store: LocalStore) -> list[Path]:
    return sorted(store.root.glob("index.sqlite*"))


def answers(root: Path, contents: dict[Digest, bytes]) -> None:
    store = LocalStore(root)
    assert store.missing(contents) == set()
    assert {digest: store.read(digest) for digest in contents} == contents
    assert list(store.verify()) == []
    store.put_bytes(b"and it can be written")
    store.close()


def test_it_may_be_deleted(store: LocalStore, filled: dict[Digest, bytes]):
    store.close()
    for path in index_files(store):
        path.unlink()
    answers(store.root, filled)


@pytest.mark.parametrize("damage", ["text", "zeros", "half", "folder", "version"])
def test_a_damaged_one_is_made_again(store: LocalStore, filled: dict[Digest, bytes], damage: str):
    store.close()
    (path,) = index_files(store)
    data = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        damaged = {
            "text": b"not a database\n" * 1000,
            "zeros": data[:100] + bytes(len(data) - 100),
            "half": data[: len(data) // 2],
            "version": data[:60] + b"\0\0\0\x63" + data[64:],
        }
        path.write_bytes(damaged[damage])
    answers(store.root, filled)


def test_it_may_go_while_the_store_is_open(store: LocalStore, filled: dict[Digest, bytes]):
    for path in index_files(store):
        path.unlink()
    added = store.put_bytes(b"added")
    answers(store.root, filled | {added: b"added"})
    assert store.read(added) == b"added"


def test_rows_that_are_wrong_are_found_out(store: LocalStore, filled: dict[Digest, bytes]):
    store.close()
    database = sqlite3.connect(store.root / "index.sqlite")
    with database:
        database.execute("UPDATE blob SET offset = offset + 1, size = size + 1")
    database.close()
    for digest, data in filled.items():
        if len(data) < 1 << 20:
            assert store.read(digest) == data


def test_a_pack_that_came_without_its_rows_is_taken_in(store: LocalStore, tmp_path: Path):
    other = LocalStore(tmp_path / "other")
    digest = other.put_bytes(b"from a writer that died in between")
    assert not store.has(digest)
    (path,) = (other.root / "packs").iterdir()
    path.rename(store.root / "packs" / path.name)
    assert store.read(digest) == b"from a writer that died in between"
    assert not other.has(digest)
    with pytest.raises(ObjectMissing):
        other.read(digest)
    other.close()


def test_a_pack_that_came_within_the_tick_of_a_look_at_the_folder_is_found(
    store: LocalStore, tmp_path: Path
):
    other = LocalStore(tmp_path / "other")
    digest = other.put_bytes(b"from a writer that died in between")
    other.close()
    (path,) = (other.root / "packs").iterdir()
    folder = store.root / "packs"
    tick = folder.stat().st_mtime_ns + 3600 * 10**9  # to the clock of now, nothing is as late
    os.utime(folder, ns=(tick, tick))
    assert not store.has(digest)
    path.rename(folder / path.name)
    os.utime(folder, ns=(tick, tick))
    assert store.has(digest)


def test_one_that_cannot_be_written_is_held_in_memory(
    store: LocalStore, filled: dict[Digest, bytes]
):
    store.close()
    for path in index_files(store):
        path.unlink()
    (store.root / "index.sqlite").mkdir()
    (store.root / "index.sqlite/in the way").write_text("")
    answers(store.root, filled)


def test_rows_come_in_order_and_by_shape(store: LocalStore, filled: dict[Digest, bytes]):
    index = Index(store.root)
    every = [place.row.digest for place in index.rows()]
    assert every == sorted(every)
    recipes = {place.row.digest for place in index.rows(Shape.RECIPE)}
    assert recipes == {digest for digest, data in filled.items() if len(data) > 1 << 20}
    assert set(every) >= filled.keys()
    index.close()


FORKED = """
import os, sys
from pathlib import Path
from tricord.store.local import LocalStore

store = LocalStore(Path(sys.argv[1]))
digest = store.put_bytes(b"of the parent")
child = os.fork()
if child == 0:
    assert store.read(digest) == b"of the parent"
    store.put_bytes(b"of the child")
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0
store.put_bytes(b"of the parent again")
assert len(list(store)) == 3
assert not list(store.verify())
store.close()
"""


def test_a_forked_process_opens_its_own(tmp_path: Path):
    subprocess.run([sys.executable, "-c", FORKED, str(tmp_path / "store")], check=True)


def test_many_are_found_in_the_packs_that_have_them(tmp_path: Path):
    (tmp_path / "packs").mkdir()
    index = Index(tmp_path)
    names = [Digest(f"{number:064x}") for number in range(4000)]
    packs = {"large": names[:1500], "other": names[1500:1600], "wide": names[1550:2700]}
    packs["mostly others"] = [Digest(f"{number:064x}") for number in range(9000, 40000)] + names[
        2700:2900
    ]
    for pack, some in packs.items():
        rows = [Row(Shape.FILE, digest, 16 + at, 1, 1, False) for at, digest in enumerate(some)]
        rows.append(Row(Shape.TREE, names[3000], 0, 1, 1, False))
        index.add(pack, 1, rows)
    for asked in (names, names[::-1], names[::7], names[1560:1563], []):
        found = index.packs_of(asked, Shape.FILE)
        assert set().union(*found.values()) == set(asked) & set(names[:2900])
        assert all(some <= set(packs[pack]) for pack, some in found.items())
    assert set(index.packs_of(names, Shape.TREE)) == set(packs)
    index.close()


def test_a_pack_that_comes_during_a_look_at_the_folder_stays_in_the_index(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
):
    other = LocalStore(store.root)
    asked = store.index.packs
    added: list[Digest] = []

    def packs() -> Mapping[str, int]:
        if not added:
            added.append(Digest(""))
            added[0] = other.put_bytes(b"comes in between")
        return asked()

    monkeypatch.setattr(store.index, "packs", packs)
    store.index.refresh()
    assert store.index.packs_of(added, Shape.FILE)
    other.close()


def test_whoever_may_write_to_the_store_may_write_to_the_index(tmp_path: Path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o770)
    store = LocalStore(tmp_path / "shared")
    store.put_bytes(b"one")
    assert {path.stat().st_mode & 0o777 for path in index_files(store)} == {0o660}
    store.close()


def test_an_index_that_is_refused_is_nobodys_to_throw_away(
    store: LocalStore, filled: dict[Digest, bytes], monkeypatch: pytest.MonkeyPatch
):
    connect = sqlite3.connect

    def refused(path: str, **options: Any) -> sqlite3.Connection:
        if path == ":memory:":
            return connect(path, **options)
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    store.close()
    before = (store.root / "index.sqlite").stat().st_ino
    monkeypatch.setattr(sqlite3, "connect", refused)
    again = LocalStore(store.root)
    again.put_bytes(b"added")
    assert {digest: again.read(digest) for digest in filled} == filled
    again.close()
    assert (store.root / "index.sqlite").stat().st_ino == before


def test_a_put_believes_a_pack_and_not_the_index(store: LocalStore, filled: dict[Digest, bytes]):
    """Bytes that are not kept because the index says that they are there would be lost."""
    data, large = b"nowhere" * 9, os.urandom(2 << 20)
    digest = of_bytes(data)
    chunk = of_bytes(next(iter(cut([large]))))
    store.close()
    database = sqlite3.connect(store.root / "index.sqlite")
    with database:
        database.execute(
            "INSERT INTO blob SELECT ?, shape, pack, offset, length, size, compressed FROM blob WHERE shape = 0 LIMIT 1",
            (bytes.fromhex(digest),),
        )
        database.execute(
            "INSERT INTO inside SELECT ?, object, offset FROM inside LIMIT 1",
            (bytes.fromhex(chunk),),
        )
    database.close()
    assert store.put_bytes(data) == digest
    assert store.read(digest) == data
    assert store.read(store.put_bytes(large)) == large
    store.close()
    answers(store.root, filled | {digest: data})
