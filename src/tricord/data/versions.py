"""Versions of datasets: each `add` of other bytes is one, and a ref move in the ledger."""

import re
from dataclasses import dataclass
from pathlib import Path

from tricord.core.artifact import Artifact, Kind
from tricord.core.canonical import JSON
from tricord.core.errors import DataError
from tricord.project.lineage import versions
from tricord.project.project import Project
from tricord.store import digest, tree


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset. `number` counts its distinct contents from 1, oldest first."""

    name: str
    number: int
    artifact: Artifact
    changed: bool

    def to_json(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "version": self.number,
            "digest": self.artifact.digest,
            "format": self.artifact.format,
            "size": self.artifact.size,
            "changed": self.changed,
        }


def add(project: Project, path: Path, *, name: str | None = None, why: str = "") -> Version:
    """Store a file or folder as the newest version of a dataset. The same bytes change nothing."""
    if not path.exists():
        raise DataError("no such file or folder", where=str(path), hint="tricord add PATH")
    name = name or re.sub(r"[^\w.-]+", "-", path.stem if path.is_file() else path.resolve().name)
    ref = f"datasets/{name}@latest"
    files = [path] if path.is_file() else [found for found in path.rglob("*") if found.is_file()]
    if not any(found.stat().st_size for found in files):
        raise DataError("nothing in it", where=str(path), hint="add a file with rows in it")
    artifact = project.put_path(path, kind=Kind.DATASET, source=_place(project, path))
    move = project.move(ref, artifact.digest, why=why or f"added from {path}")
    number = [found.new for found in versions(project, ref)].index(artifact.digest) + 1
    return Version(name, number, artifact, changed=move is not None)


@dataclass(frozen=True, slots=True)
class Changes:
    """How the files that a version was added from differ from it now. Paths are relative to them."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def changes(project: Project, artifact: Artifact) -> Changes | None:
    """What changed since a version was added; None where its files are not known or not there."""
    source = artifact.meta.get("source")
    place = project.root / source if isinstance(source, str) else None
    if place is None or not place.exists():
        return None
    if place.is_file():
        same = digest.of_file(place) == artifact.digest
        return Changes() if same else Changes(changed=(place.name,))
    then = project.store.tree(artifact.digest)
    now = {name: digest.of_file(path) for name, path in tree.scan(place)}
    return Changes(
        added=tuple(sorted(now.keys() - then.keys())),
        removed=tuple(sorted(then.keys() - now.keys())),
        changed=tuple(sorted(n for n in now.keys() & then.keys() if now[n] != then[n])),
    )


def _place(project: Project, path: Path) -> str:
    """The path as the project sees it: relative to its root where it lies below it."""
    full = path.resolve()
    return str(full.relative_to(project.root)) if full.is_relative_to(project.root) else str(full)
