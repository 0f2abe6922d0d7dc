"""The floor: the least that a Python program can do and still keep what it was given.

python bare.py track|status|restore|push|pull ARGUMENT…, in the folder that has `data/`

One pack with one fsync, a list of marks and digests beside it (one msgpack file), BLAKE3 once over each
file, files written under their own names. No locks, no index, no ledger, no trees, no kill is survived:
what a figure over this one costs is what the promises of the store cost.
"""

import os
import shutil
import sys
from pathlib import Path

import msgspec
from blake3 import blake3

STORE = Path(".bare")
Marks = dict[str, tuple[int, int, int, int, bytes, str, int]]  # …, digest, pack, offset


def look() -> dict[str, os.stat_result]:
    found: dict[str, os.stat_result] = {}
    waiting = ["data"]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for each in entries:
                if each.is_dir(follow_symlinks=False):
                    waiting.append(each.path)
                else:
                    found[each.path] = each.stat()
    return found


def load(name: str) -> Marks:
    path = STORE / name
    return msgspec.msgpack.decode(path.read_bytes(), type=Marks) if path.exists() else {}


def durable(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def changed(marks: Marks) -> tuple[Marks, list[tuple[str, os.stat_result]]]:
    same: Marks = {}
    others: list[tuple[str, os.stat_result]] = []
    for path, status in look().items():
        mark = marks.get(path)
        if mark and mark[:4] == (
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
        ):
            same[path] = mark
        else:
            others.append((path, status))
    return same, others


def track() -> None:
    STORE.mkdir(exist_ok=True)
    marks, others = changed(load("marks"))
    pack = f"{len(list(STORE.glob('*.pack')))}.pack"
    offset = 0
    with (STORE / pack).open("wb", buffering=1 << 20) as file:
        for path, status in others:
            descriptor = os.open(path, os.O_RDONLY)
            data = os.read(descriptor, status.st_size)
            os.close(descriptor)
            file.write(data)
            digest = blake3(data).digest()
            marks[path] = (
                status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest, pack, offset,
            )  # fmt: skip
            offset += len(data)
        file.flush()
        os.fsync(file.fileno())
    versions = len(list(STORE.glob("v*")))
    durable(STORE / "marks", msgspec.msgpack.encode(marks))
    shutil.copyfile(STORE / "marks", STORE / f"v{versions + 1}")


def restore(version: str) -> None:
    held: dict[str, bytes] = {}
    for path, (size, *_, digest, pack, offset) in load(version).items():
        if pack not in held:
            held[pack] = (STORE / pack).read_bytes()
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        data = held[pack][offset : offset + size]
        if blake3(data).digest() != digest:
            raise SystemExit(f"{path} is damaged")
        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(target, data)
        os.close(target)


def copy(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        shutil.copyfile(path, target / path.name)
        descriptor = os.open(target / path.name, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "track":
        track()
    elif what == "status":
        changed(load("marks"))
    elif what == "restore":
        restore(rest[0])
    elif what == "push":
        copy(STORE, Path(rest[0]))
    else:
        copy(Path(rest[0]), STORE)
        restore("marks")


if __name__ == "__main__":
    main()
