"""A program that puts something and dies at the n-th call that changes the disk, for every n.

    store_victim.py FOLDER ACTION HOW

For n = 1, 2, … until the action gets through, a forked process works on FOLDER/n and ends itself by
SIGKILL just before its n-th such call. HOW says what the disk then looks like:

kill        as the process left it: the operating system still has every byte;
power       power was lost: files without a completed fsync are empty, and names that were
            given without a completed fsync of their folder are gone;
power-late  as before, but such names had reached the disk on their own (a file system may write
            in any order, so both have to be survived).

The last folder is the one that got through. What a put returned is written to FOLDER/n.acknowledged.
"""

import itertools
import os
import random
import shutil
import signal
import stat
import sys
from pathlib import Path

from blake3 import blake3

from tricord.store import pack
from tricord.store.local import LocalStore

CALLS = (
    "open",
    "write",
    "fchmod",
    "fsync",
    "rename",
    "mkdir",
    "unlink",
    "rmdir",
    "utime",
    "link",
    "replace",
)


class Disk:
    """Knows which bytes and which names have reached the disk, and when to die."""

    def __init__(self, place: Path, deadline: int, how: str) -> None:
        self.place = place
        self.deadline = deadline
        self.how = how
        self.count = itertools.count(1)
        self.names: set[Path] = set()  # new names that are not yet durable
        self.unsynced: set[int] = set()  # inodes of files with bytes that are not yet durable
        self.real = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            setattr(os, name, self.watched(name))

    def watched(self, name: str):
        real = self.real[name]

        def call(*args, **kwargs):
            makes = name == "open" and bool(args[1] & os.O_CREAT) and not Path(args[0]).exists()
            if (makes or name != "open") and next(self.count) == self.deadline:
                self.die()
            result = real(*args, **kwargs)
            if makes:
                self.unsynced.add(os.fstat(result).st_ino)
                self.names.add(Path(args[0]))
            self.note(name, args)
            return result

        return call

    def note(self, name: str, args: tuple) -> None:
        if name == "write":
            self.unsynced.add(os.fstat(args[0]).st_ino)
        elif name == "mkdir":
            self.names.add(Path(args[0]))
        elif name in ("rename", "replace", "link"):
            self.names.add(Path(args[1]))
        elif name == "fsync":
            status = os.fstat(args[0])
            if stat.S_ISDIR(status.st_mode):
                folder = Path(f"/proc/self/fd/{args[0]}").readlink()
                self.names = {path for path in self.names if path.parent != folder}
            else:
                self.unsynced.discard(status.st_ino)

    def lose_power(self) -> None:
        for path in self.place.rglob("*"):
            if path.is_file() and path.stat().st_ino in self.unsynced:
                path.chmod(0o600)
                os.truncate(path, 0)
        if self.how == "power":
            for path in sorted(self.names, reverse=True):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)

    def die(self) -> None:
        for name, real in self.real.items():
            setattr(os, name, real)
        if self.how != "kill":
            self.lose_power()
        os.kill(os.getpid(), signal.SIGKILL)


def source(place: Path) -> Path:
    folder = place.parent / f"{place.name}.source"
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (folder / f"deep/{number}").write_bytes(b"%d" % number * 100)
    (folder / "large").write_bytes(bytes(range(256)) * (5 << 10))  # more than is held in memory
    (folder / "noise").write_bytes(noise(9))
    (folder / "inserted").write_bytes(noise(9)[: 1 << 19] + b"inserted" + noise(9)[1 << 19 :])
    (folder / "old").write_bytes(b"old")
    return folder


def noise(seed: int) -> bytes:
    """Bytes that do not shrink, so that a file of them is kept plain."""
    return random.Random(seed).randbytes(1100 << 10)


def put_packs(place: Path) -> str:
    """As the tree of a folder that fills several packs."""
    pack.LIMIT = 1 << 20
    return LocalStore(place).put_tree(source(place))


def take_over(place: Path) -> str:
    scratch = place.parent / f"{place.name}.scratch"
    scratch.write_bytes(noise(1))
    return LocalStore(place).put_file(scratch, consume=True)


def write_out(place: Path) -> str:
    """Put a tree, then write its files over a folder in use; every file there is the old one or the new."""
    store = LocalStore(place)
    digest = store.put_tree(source(place))
    out = place.parent / f"{place.name}.files"
    store.write_files([(entry, out / entry.path) for entry in store.entries(digest)])
    return digest


def look(place: Path) -> str:
    """Ask for the path of a file that lies in a pack."""
    store = LocalStore(place)
    digest = store.put_bytes(b"to be looked at")
    store.path(digest).read_bytes()
    return digest


ACTIONS = {
    "create": lambda place: LocalStore(place).put_bytes(b"new"),
    "put_bytes": lambda place: LocalStore(place).put_bytes(b"new"),
    "put_file": lambda place: LocalStore(place).put_file(source(place) / "large"),
    "put_plain": lambda place: LocalStore(place).put_file(source(place) / "noise"),
    "put_tree": lambda place: LocalStore(place).put_tree(source(place)),
    "put_packs": put_packs,
    "take_over": take_over,
    "upgrade": lambda place: LocalStore(place).put_bytes(b"new"),
    "write_out": write_out,
    "look": look,
}


def make_old(place: Path) -> None:
    """Turn a store that holds "old" into one of version 1."""
    digest = blake3(b"old").hexdigest()
    held = place / "objects" / digest[:2] / digest[2:]
    held.parent.mkdir()
    held.write_bytes(b"old")
    held.chmod(0o444)
    shutil.rmtree(place / "packs")
    for name in place.glob("index.sqlite*"):
        name.unlink()
    (place / "trees").mkdir()
    (place / "format").write_text("tricord store 1\n")


def prepare(place: Path, action: str) -> None:
    if action != "create":
        store = LocalStore(place)
        store.put_bytes(b"old")
        store.close()
        if action == "upgrade":
            make_old(place)
        out = place.parent / f"{place.name}.files"
        out.mkdir(exist_ok=True)
        (out / "noise").write_bytes(b"before")
        waste = place / "tmp/waste"  # of a put that was killed earlier
        waste.mkdir()
        (waste / "half").write_text("half")
    source(place)


def main() -> None:
    folder, action, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    for deadline in itertools.count(1):
        place = folder / f"{deadline:03}"
        prepare(place, action)
        if (child := os.fork()) == 0:
            disk = Disk(place, deadline, how)
            digest = ACTIONS[action](place)
            (folder / f"{deadline:03}.acknowledged").write_text(digest)
            disk.die()
        os.waitpid(child, 0)
        if (folder / f"{deadline:03}.acknowledged").exists():
            return


if __name__ == "__main__":
    main()
