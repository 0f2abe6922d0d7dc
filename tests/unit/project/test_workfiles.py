"""Files of the work folder on their way into the store."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.project.workfiles import store_path
from tricord.store import collect
from tricord.store.local import LocalStore
from tricord.store.state import State, mark_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    made = LocalStore(tmp_path / "store")
    yield made
    made.close()


@pytest.mark.parametrize("kind", ["small", "plain", "chunks"])
def test_a_file_that_is_known_is_not_collected_before_somebody_names_it(
    store: LocalStore, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "data"
    contents = {"small": b"flights", "plain": os.urandom(2 << 20), "chunks": b"flights," * 300_000}
    path.write_bytes(contents[kind])
    digest = store.put_file(path)
    state = State(tmp_path / "state.sqlite")
    state.put(os.path.realpath(path), mark_of(path.stat()), digest, seen=state.now() + 10**12)
    for file in store.root.rglob("*"):
        os.utime(file, (1, 1))
    assert store_path(store, state, path).digest == digest
    collect.delete(store, set[Digest])
    assert store.read(digest) == contents[kind]
    state.close()
