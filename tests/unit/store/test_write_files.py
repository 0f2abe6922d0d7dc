"""Files out of the store: whole, over what was there, never a way back into the store."""

import os
import random
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectMissing, StoreError
from tricord.store.local import LocalStore
from tricord.store.tree import Entry

NOISE = random.Random(2).randbytes(2 << 20)
CONTENTS = {"a": b"a", "deep/er/b": b"b" * 5000, "large": NOISE, "twice": b"a", "none": b""}


@pytest.fixture
def entries(store: LocalStore) -> list[Entry]:
    return [
        Entry(path, store.put_bytes(data), len(data), path == "a")
        for path, data in CONTENTS.items()
    ]


@pytest.mark.parametrize("link", ["auto", "reflink", "hardlink", "copy"])
def test_files_replace_what_is_there(
    store: LocalStore, entries: list[Entry], tmp_path: Path, link: str
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "large").write_text("what was there")
    (out / "stays").write_text("stays")
    told: list[tuple[int, int, str]] = []
    files = [(entry, out / entry.path) for entry in entries]
    for _ in range(2):
        store.write_files(files, link=link, watch=lambda *more: told.append(more))
    assert {path: (out / path).read_bytes() for path in CONTENTS} == CONTENTS
    assert (out / "stays").read_text() == "stays"
    assert os.access(out / "a", os.X_OK)
    assert not (out / "twice").stat().st_mode & 0o111
    assert sum(items for _, items, _ in told) == 2 * len(CONTENTS)
    assert sum(size for size, _, _ in told) == 2 * sum(map(len, CONTENTS.values()))
    names = {path.name for path in out.rglob("*") if path.is_file()}
    assert names == {"a", "b", "large", "twice", "none", "stays"}


@pytest.mark.parametrize("link", ["auto", "hardlink"])
def test_an_edit_never_reaches_the_store(
    store: LocalStore, entries: list[Entry], tmp_path: Path, link: str
):
    files = [(entry, tmp_path / "out" / entry.path) for entry in entries]
    store.write_files(files, link=link)
    for _, path in files:
        if link == "hardlink" and path.name != "a":
            assert not path.stat().st_mode & 0o222
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.write(b"EDIT")
    assert list(store.verify()) == []
    for entry, _ in files:
        assert store.read(entry.digest) == CONTENTS[entry.path]
        assert store.path(entry.digest).read_bytes() == CONTENTS[entry.path]
    store.write_files(files, link=link)
    assert {entry.path: path.read_bytes() for entry, path in files} == CONTENTS


def test_a_missing_file_is_named_before_anything_is_written(
    store: LocalStore, entries: list[Entry], tmp_path: Path
):
    absent = Entry("absent", Digest("0" * 64), 1, False)
    files = [(entry, tmp_path / "out" / entry.path) for entry in [*entries, absent]]
    with pytest.raises(ObjectMissing, match="absent") as raised:
        store.write_files(files)
    assert raised.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_in_the_way_is_a_clear_error(
    store: LocalStore, entries: list[Entry], tmp_path: Path
):
    (tmp_path / "out/a/full").mkdir(parents=True)
    with pytest.raises(StoreError) as raised:
        store.write_files([(entries[0], tmp_path / "out/a")])
    assert raised.value.where
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_an_unknown_way_to_link_is_refused(store: LocalStore):
    with pytest.raises(StoreError, match="symlink"):
        store.write_files([], link="symlink")
