"""Processes that put, read and delete in one store at once."""

import subprocess
import sys
from pathlib import Path

from tricord.store.local import LocalStore

PUTTING = """
import sys
from pathlib import Path
from tricord.store.local import LocalStore
from tricord.store.tree import Entry

root, number = Path(sys.argv[1]), sys.argv[2].encode()
store = LocalStore(root)
for turn in range(15):
    with store.ingest() as ingest:
        shared = ingest.add_bytes(b"shared %d" % turn)
        own = ingest.add_bytes(b"own %s %d" % (number, turn))
        large = ingest.add_bytes(bytes(range(256)) * 5000 + b"%d" % turn)
        tree = ingest.add_tree([Entry("shared", shared, 9, False), Entry("own", own, 9, False), Entry("large", large, 9, False)])
    assert store.read(own) == b"own %s %d" % (number, turn)
    print(tree, flush=True)
store.close()
"""
DELETING = """
import sys
from pathlib import Path
from tricord.store import pack
from tricord.store.locking import alone
from tricord.store.local import LocalStore

# a collection of waste without a period of grace: every pack goes that no tree needs anything of
root = Path(sys.argv[1])
store = LocalStore(root)
for turn in range(15):
    with alone(root):
        rows = {path: pack.read_directory(path) for path in (root / "packs").glob("*.pack")}
        live = set()
        for path, held in rows.items():
            for row in held:
                if row.shape == pack.Shape.TREE:
                    live.add(row.digest)
                    for entry in store.entries(row.digest):
                        live.update(digest for _, digest in store.blobs(entry.digest))
        for path, held in rows.items():
            if not any(row.digest in live for row in held):
                path.unlink()
                print("deleted")
    if turn == 7:
        for path in root.glob("index.sqlite*"):
            path.unlink(missing_ok=True)
store.close()
"""
WASTE = """
import sys
from pathlib import Path
from tricord.store.local import LocalStore

store = LocalStore(Path(sys.argv[1]))
for turn in range(60):
    digest = store.put_bytes(b"shared %d" % (turn % 15))
    assert len(digest) == 64
store.close()
"""


def test_puts_with_the_same_content_at_once_lose_nothing(tmp_path: Path):
    root = tmp_path / "store"
    running = [
        subprocess.Popen([sys.executable, "-c", PUTTING, str(root), str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]  # fmt: skip
    said = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    store = LocalStore(root)
    trees = {line for lines in said for line in lines}
    assert len(trees) == 4 * 15
    assert store.missing(trees) == set()
    assert list(store.verify()) == []
    assert list((root / "tmp").iterdir()) == []
    store.close()


def test_what_is_put_while_packs_go_away_is_whole(tmp_path: Path):
    """Whoever deduplicates against a pack that another process has deleted builds a tree with holes."""
    root = tmp_path / "store"
    LocalStore(root).close()
    commands = [
        [WASTE, str(root)],
        [DELETING, str(root)],
        [PUTTING, str(root), "1"],
        [PUTTING, str(root), "2"],
    ]
    running = [
        subprocess.Popen([sys.executable, "-c", *command], stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [process.communicate()[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    store = LocalStore(root)
    assert store.missing({line for lines in said for line in lines if line != "deleted"}) == set()
    assert list(store.verify()) == []
    store.close()
