"""Who shares a store: each project that keeps its content in it leaves its place in `users/`.

A collector asks every one of them what it needs. One that is gone is told, never taken for one that
needs nothing: it may be on a disk that is not mounted just now.
"""

import os
from pathlib import Path

from tricord.core.errors import StoreError
from tricord.core.files import replace_bytes
from tricord.store import digest
from tricord.store.faults import in_store

_HEADER = b"tricord user/1\n"


def register(root: Path, project: Path) -> None:
    """Leave word that the project at `project` uses the store at `root`. Doing it twice changes nothing."""
    file = _file(root, project)
    if file.exists():
        return
    with in_store(file):
        file.parent.mkdir(exist_ok=True)
        replace_bytes(file, _HEADER + os.fsencode(project.absolute()))


def forget(root: Path, project: Path) -> None:
    """Take a project's word back: what only it needs becomes waste. StoreError where it left none."""
    file = _file(root, project)
    if not file.exists():
        known = ", ".join(str(place) for place in others(root)) or "none"
        raise StoreError(
            f"{project} is not known to use this store",
            where=f"{root}, used by: {known}",
            hint="tricord du --shared",
        )
    with in_store(file):
        file.unlink()


def others(root: Path) -> list[Path]:
    """Every project that left its word, sorted. StoreError where one cannot be read."""
    folder = root / "users"
    found: list[Path] = []
    with in_store(folder):
        files = sorted(folder.glob("*.user")) if folder.is_dir() else []
        for file in files:
            data = file.read_bytes()
            if not data.startswith(_HEADER) or file.name != _name(data.removeprefix(_HEADER)):
                raise StoreError(
                    "says not which project uses the store",
                    where=str(file),
                    hint="run tricord status in each project that shares it, then delete this file",
                )
            found.append(Path(os.fsdecode(data.removeprefix(_HEADER))))
    return sorted(found)


def _file(root: Path, project: Path) -> Path:
    return root / "users" / _name(os.fsencode(project.absolute()))


def _name(place: bytes) -> str:
    return f"{digest.of_bytes(place)[:32]}.user"
