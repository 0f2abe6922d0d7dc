"""kill -9 and loss of power at every point of a collection and of a repair: S1-S6 hold, what is needed stays."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.store import collect, listing
from tricord.store.checking import Checked, problems
from tricord.store.local import LocalStore
from tricord.store.pack import Shape
from tricord.store.repair import repair
from tricord.store.writing import pack_of

VICTIM = Path(__file__).parent / "collect_victim.py"


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def filled(folder: Path, seed: int, names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(noise(seed * 100 + ord(name), 300))
    return folder


def template(folder: Path) -> tuple[LocalStore, set[Digest]]:
    """A store with what is needed and with waste, across packs, chunks and plain objects; all of it is old."""
    store = LocalStore(folder / "template")
    needed = {store.put_tree(filled(folder / "source", 1, "abcd"))}
    large = folder / "large"
    for number, whole in enumerate((noise(7, 2 << 20), noise(8, 2 << 20))):
        large.write_bytes(whole)
        plain = store.put_file(large)  # as it is
        large.write_bytes(noise(number, 999) + whole)
        chunked = store.put_file(large)  # chunks, of which most lie in the other
        if number:
            needed.add(chunked)
    assert plain not in needed
    # lists of files that lie in packs of other lists, crosswise, needed and not
    waste = filled(folder / "waste", 1, "ab")
    filled(waste, 2, "xy")
    store.put_tree(waste)
    filled(waste, 3, "z")
    (waste / "a").unlink()
    store.put_tree(waste)
    for number in range(9):  # many small packs
        needed.add(store.put_bytes(b"small %d" % number))
        store.put_bytes(b"waste %d" % number)
    then = time.time() - 30 * collect.DAY
    for path in (
        *listing.pack_files(store.root),
        *(path for _, path in listing.plain_objects(store.root)),
    ):
        os.utime(path, (then, then))
    store.close()
    (folder / "needed").write_text("\n".join(needed))
    return store, needed


def places(folder: Path) -> list[Path]:
    (last,) = folder.glob("*.done")
    return [folder / f"{number:03}" for number in range(1, int(last.stem) + 1)]


@pytest.mark.parametrize("how", ["kill", "power", "power-late"])
def test_a_collection_that_dies_anywhere_does_no_harm(memory: Path, how: str) -> None:
    _, needed = template(memory)
    subprocess.run([sys.executable, str(VICTIM), str(memory), "collect", how], check=True)
    tried = places(memory)
    assert len(tried) > 30  # it did die at many points
    for place in tried:
        store = LocalStore(place)
        assert [problem.what for problem in problems(store)] == []  # S1-S3, also of the waste
        assert not store.missing(needed)  # S4
        collect.delete(store, lambda: needed)  # and the work goes on
        assert [problem.what for problem in problems(store)] == []
        assert not store.missing(needed)
        assert not collect.plan(store, lambda: needed)
        store.put_bytes(b"new")
        assert list((place / "tmp").iterdir()) == []  # S6
        store.close()


@pytest.mark.parametrize("how", ["kill", "power"])
def test_a_repair_that_dies_anywhere_can_be_done_again(memory: Path, how: str) -> None:
    store, needed = template(memory)
    tree = next(digest for digest in needed if store.is_tree(digest))
    lost = store.tree(tree)["b"]
    for place in store.index.copies(lost, Shape.FILE):
        path = pack_of(store.root, place.pack)
        path.chmod(0o644)
        content = bytearray(path.read_bytes())
        content[place.row.offset] ^= 1
        path.write_bytes(content)
        path.chmod(0o444)
    store.close()
    subprocess.run([sys.executable, str(VICTIM), str(memory), "repair", how], check=True)
    tried = places(memory)
    assert len(tried) > 10
    for place in tried:
        one = LocalStore(place)
        assert one.missing(needed) <= {lost, tree}
        assert one.missing(one.tree(tree).values()) <= {lost}
        seen = Checked()
        found = list(problems(one, seen=seen))
        assert {each.digest for each in found if not each.absent} <= {lost}
        repair(one, found, seen, [lambda _, one=one: one.put_tree(memory / "source")])
        assert [each.what for each in problems(one)] == []
        assert not one.missing(needed)
        one.close()
