"""kill -9 at every request of a push and of a fetch: R2–R5 of docs/reference/remote-format.md hold, and the same again completes it."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.store.local import LocalStore
from tricord.store.remote import mending, probing, records
from tricord.store.remote.folder import Folder
from tricord.store.remote.receiving import fetch
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send

VICTIM = Path(__file__).parent / "transfer_victim.py"


@pytest.fixture
def tree(tmp_path: Path) -> Digest:
    """A folder with files, a large one among them, in the store FOLDER/here."""
    noise = random.Random(3)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(12):
        (source / str(number)).write_bytes(noise.randbytes(number * 500))
    (source / "large").write_bytes(noise.randbytes(1_200_000))
    store = LocalStore(tmp_path / "here")
    digest = store.put_tree(source)
    store.close()
    (tmp_path / "tree").write_text(digest)
    return digest


def dies(folder: Path, action: str) -> None:
    done = subprocess.run(
        [sys.executable, str(VICTIM), str(folder), action],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_a_killed_push(tree: Digest, tmp_path: Path) -> None:
    for path in range(1, 60):  # what a remote can do was asked before: not what this is about
        place = Folder(tmp_path / f"remote-{path:02}")
        place.put(probing.PROBED, b"conditional writes hold\n")
    dies(tmp_path, "push")
    here = LocalStore(tmp_path / "here")
    rounds = 0
    for place in sorted(tmp_path.glob("remote-*")):
        if not (place / "index").exists() and not (place / "packs").exists() and rounds:
            continue
        rounds += 1
        found = mending.examine(Remote(Folder(place)))
        assert not found.bad  # R2
        record = records.read(Folder(place), "flights")
        if record is not None:  # R3
            there = LocalStore(tmp_path / f"of-{place.name}")
            fetch(Remote(Folder(place)), there, record.held).check("there")
            there.close()
        arrived = {path: path.stat().st_ino for path in place.glob("packs/*")}
        send(Remote(Folder(place)), here, [tree])
        assert all(path.stat().st_ino == number for path, number in arrived.items())  # R5
        fresh = LocalStore(tmp_path / f"after-{place.name}")
        fetch(Remote(Folder(place)), fresh, [tree]).check("there")
        assert list(fresh.verify()) == []
        fresh.close()
    here.close()
    assert rounds >= 10


def test_a_killed_fetch(tree: Digest, tmp_path: Path) -> None:
    here = LocalStore(tmp_path / "here")
    send(Remote(Folder(tmp_path / "remote")), here, [tree])
    here.close()
    dies(tmp_path, "fetch")
    places = sorted(tmp_path.glob("there-*"))
    assert len(places) >= 5
    for place in places:
        there = LocalStore(place)
        assert list(there.verify()) == []  # R4
        cache = tmp_path / place.name.replace("there", "cache")
        fetch(Remote(Folder(tmp_path / "remote"), cache), there, [tree]).check("there")
        there.checkout(tree, tmp_path / f"back-{place.name}")
        for path in (tmp_path / "source").iterdir():
            assert (tmp_path / f"back-{place.name}" / path.name).read_bytes() == path.read_bytes()
        there.close()
