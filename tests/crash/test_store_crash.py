"""kill -9 and loss of power at every point of a put: S1–S6 of docs/reference/store-format.md hold."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.store import pack, recipe, tree
from tricord.store.local import LocalStore

VICTIM = Path(__file__).parent / "store_victim.py"


def holds(store: LocalStore) -> None:
    """The invariants, checked without the index and the code that reads by it."""
    files, trees, recipes = set[str](), dict[str, bytes](), dict[str, bytes]()
    for path in (store.root / "objects").glob("??/*"):
        files.add(path.parent.name + path.name)
        assert blake3(path.read_bytes()).hexdigest() == path.parent.name + path.name  # S1 S2
        assert path.stat().st_mode & 0o777 == 0o444  # S1
    for path in (store.root / "packs").glob("*"):
        data = path.read_bytes()
        rows = pack.read_directory(path)
        assert path.name == f"{pack.name_of(pack.closing(rows)[0])}.pack"  # S1
        assert path.stat().st_mode & 0o777 == 0o444  # S1
        for row in rows:
            blob = pack.decode(row, data[row.offset : row.offset + row.length])  # S1 S2
            kinds = {pack.Shape.TREE: trees, pack.Shape.RECIPE: recipes}
            kinds.get(row.shape, {})[row.digest] = blob
            if row.shape == pack.Shape.FILE:
                files.add(row.digest)
    inside = {
        part.digest for digest in recipes.keys() & files for part in recipe.parse(recipes[digest])
    }
    for blob in recipes.values():
        assert {part.digest for part in recipe.parse(blob)} <= files | inside  # S3
    for blob in trees.values():
        assert {entry.digest for entry in tree.decode(blob)} <= files | recipes.keys()  # S3
    assert list(store.verify()) == []
    everything = {path.name for path in store.root.iterdir() if not path.name.startswith("index.")}
    strangers = everything - {"format", "lock", "objects", "packs", "trees", "views", "tmp"}
    # a file that was to replace `format` keeps a name of its own if its writer dies
    assert not [name for name in strangers if not name.endswith(".tmp")]  # S5


POINTS = {
    "create": 15, "put_bytes": 10, "put_file": 10, "put_plain": 15, "put_tree": 15, "put_packs": 20,
    "take_over": 12, "upgrade": 15, "write_out": 30, "look": 18,
}  # fmt: skip
"""Actions of the victim, each with a number of points at which it has to have died at least."""
DURABLE = [action for action in POINTS if action not in ("write_out", "look")]


@pytest.mark.parametrize(
    ("action", "how"),
    [(action, "kill") for action in POINTS]
    + [(action, how) for action in DURABLE for how in ("power", "power-late")],
)
def test_a_put_that_dies_anywhere_does_no_harm(memory: Path, action: str, how: str):
    subprocess.run([sys.executable, str(VICTIM), str(memory), action, how], check=True)
    (last,) = memory.glob("*.acknowledged")
    assert int(last.stem) > POINTS[action]  # it did die at many points
    for number in range(1, int(last.stem) + 1):
        place = memory / f"{number:03}"  # gone, if its own name was lost: then it is made again
        store = LocalStore(place)
        holds(store)
        if action != "create":
            assert store.read(Digest(blake3(b"old").hexdigest())) == b"old"  # S4, of an earlier put
        acknowledged = place.with_suffix(".acknowledged")
        if acknowledged.exists():
            digest = Digest(acknowledged.read_text())
            assert store.has(digest)  # S4
        # and the work goes on
        folder = place.with_suffix(".source")
        digest = store.put_tree(folder)
        store.checkout(digest, place.with_suffix(".out"))
        assert store.put_tree(place.with_suffix(".out")) == digest
        holds(store)
        assert list((place / "tmp").iterdir()) == []  # S6
        for path in place.with_suffix(".files").rglob("*"):  # whole: the old one or the new
            if path.is_file() and not path.name.startswith("."):
                new = (folder / path.relative_to(place.with_suffix(".files"))).read_bytes()
                assert path.read_bytes() in (new, b"before")
        store.close()


ENDLESS = """
import os, sys
from pathlib import Path
from tricord.store.local import LocalStore

store = LocalStore(Path(sys.argv[1]))
source = Path(sys.argv[2])
for number in range(1_000_000):
    (source / "changing").write_text(str(number) * 100)
    for digest in (store.put_bytes(b"%d" % number), store.put_tree(source)):
        os.write(1, digest.encode() + b"\\n")
"""


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int):
    source = tmp_path / "source"
    source.mkdir()
    for number in range(20):
        (source / f"{number}").write_text(f"{seed} {number}" * 50)
    store = LocalStore(tmp_path / "store")
    command = [sys.executable, "-c", ENDLESS, str(store.root), str(source)]
    for kill in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(random.Random(seed * 10 + kill).uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            acknowledged = [first, *process.stdout.read().splitlines()]
        holds(store)
        for line in acknowledged:
            text = line.decode().strip()
            if len(text) == 64:  # the last line may be cut off
                assert store.has(Digest(text))  # S4
