"""Where each dataset stands: pointer against ledger against work folder, and what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.canonical import JSON
from tricord.core.errors import DataError, ObjectMissing
from tricord.core.event import EventType
from tricord.core.pointer import Pointer
from tricord.core.ref import Move, parse_ref
from tricord.core.spelling import quoted
from tricord.data import pointers, worktree
from tricord.data.worktree import Changes
from tricord.project import datasets, lineage
from tricord.project.project import Project


class Standing(StrEnum):
    """How the work folder stands to the version that belongs there."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    PARTLY = "partly checked out"
    OTHER = "another version"  # that of the ledger: the pointer came with `git switch`
    ABSENT = "not checked out"
    MISSING = "not in the store"
    CONFLICT = "conflict"
    UNREADABLE = "unreadable"
    ELSEWHERE = "elsewhere"  # added from outside of this work tree, and not there now


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset. `digest` is what belongs in the work folder: the pointer's, without one the ledger's
    latest; `number` its version, None where this ledger does not know it. Sizes in bytes."""

    name: str
    standing: Standing
    path: str | None = None
    digest: Digest | None = None
    number: int | None = None
    size: int | None = None
    files: int | None = None
    latest: Digest | None = None
    moved: Move | None = None
    moves: int = 0
    tags: Mapping[str, Digest] = field(default_factory=dict[str, Digest])
    changes: Changes | None = None
    problem: str | None = None
    next: str | None = None

    def to_json(self) -> dict[str, JSON]:
        moved = self.moved
        return {
            "name": self.name,
            "ref": datasets.ref_of(self.name),
            "state": str(self.standing),
            "digest": self.digest,
            "version": self.number,
            "size": self.size,
            "files": self.files,
            "source": self.path,
            "latest": self.latest,
            "moves": self.moves,
            "when": moved.when if moved else None,
            "actor": moved.actor if moved else None,
            "why": moved.why if moved else None,
            "tags": dict(self.tags),
            "changed": None if self.changes is None else words(self.changes),
            "changes": None if self.changes is None else {
                "added": self.changes.added,
                "removed": self.changes.removed,
                "changed": self.changes.changed,
                "lacking": self.changes.lacking,
            },
            "problem": self.problem,
            "next": self.next,
        }  # fmt: skip


def words(changes: Changes) -> list[str]:
    """What changed, in a few words.

    >>> words(Changes(added=("a.csv",), changed=("b", "c", "d", "e")))
    ['1 added: a.csv', '4 changed: b, c, d …']
    """
    return [
        f"{len(names)} {word}: {', '.join(names[:3])}{' …' if names[3:] else ''}"
        for word, names in (
            ("added", changes.added),
            ("removed", changes.removed),
            ("changed", changes.changed),
        )
        if names
    ]


def overview(project: Project) -> list[Dataset]:
    """Every dataset of the work tree and of the ledger, by name. Reads only files that may have changed."""
    heads: dict[str, Digest] = {}
    tags: dict[str, dict[str, Digest]] = {}
    for ref, digest in project.ledger.refs(datasets.ROOM).items():
        _, name, label = parse_ref(ref)
        if label == datasets.LATEST:
            heads[name] = digest
        else:
            tags.setdefault(name, {})[label] = digest
    found: list[Dataset] = []
    for file in pointers.files(project.root):
        try:
            pointer = pointers.read(file, project.root)
        except DataError as error:
            found.append(_broken(project, file, error))
            continue
        latest, tagged = heads.pop(pointer.name, None), tags.pop(pointer.name, {})
        found.append(_pointed(project, pointer, latest, {**pointer.tags, **tagged}))
    broken = {each.name for each in found if each.standing == Standing.CONFLICT}
    found += [
        _recorded(project, name, digest, tags.get(name, {}))
        for name, digest in heads.items()
        if name not in broken
    ]
    return sorted(found, key=lambda each: each.name)


def _broken(project: Project, file: Path, error: DataError) -> Dataset:
    unreadable = pointers.unreadable_at(file, project.root, error)
    return Dataset(
        name=unreadable.name,
        standing=Standing.CONFLICT if unreadable.is_conflict else Standing.UNREADABLE,
        path=unreadable.path,
        problem=error.what,
        next=error.hint,
    )


def _pointed(
    project: Project, pointer: Pointer, latest: Digest | None, tags: Mapping[str, Digest]
) -> Dataset:
    moves: Sequence[Move] = ()
    if latest:
        moves = project.ledger.moves(datasets.ref_of(pointer.name))
    standing, changes, step = _standing(project, pointer, latest)
    numbers = lineage.numbers(moves)
    return Dataset(
        name=pointer.name,
        standing=standing,
        path=pointer.path,
        digest=pointer.digest,
        number=numbers.get(pointer.digest),
        size=pointer.size,
        files=pointer.files,
        latest=latest,
        moved=moves[-1] if moves else None,
        moves=len(moves),
        tags=tags,
        changes=changes,
        problem=_problem(standing, pointer.digest, latest, numbers),
        next=step,
    )


def _standing(
    project: Project, pointer: Pointer, latest: Digest | None
) -> tuple[Standing, Changes | None, str | None]:
    try:
        changes = worktree.compare(project, pointer)
    except ObjectMissing:
        return Standing.MISSING, None, f"tricord pull {pointer.name}"
    except DataError as error:
        return Standing.UNREADABLE, None, error.hint
    if changes.absent:
        if not project.store.has(pointer.digest):
            return Standing.MISSING, changes, f"tricord pull {pointer.name}"
        return Standing.ABSENT, changes, f"tricord checkout {pointer.name}"
    if changes.lacking:
        rest = project.store.missing(_lacking(project, pointer, changes))
        if not changes:
            return (
                Standing.PARTLY,
                changes,
                f"tricord {'pull' if rest else 'checkout'} {pointer.name}",
            )
        then = f"tricord add {quoted(pointer.path)}"
        return (
            Standing.CHANGED,
            changes,
            f"tricord fetch {pointer.name}, then {then}" if rest else then,
        )
    if not changes:
        return Standing.UNCHANGED, changes, None
    if latest is not None and latest != pointer.digest and _stands_at(project, pointer, latest):
        return Standing.OTHER, changes, f"tricord checkout {pointer.name}"
    return Standing.CHANGED, changes, f"tricord add {quoted(pointer.path)}"


def _lacking(project: Project, pointer: Pointer, changes: Changes) -> set[Digest]:
    files = project.store.tree(pointer.digest)
    return {files[path] for path in changes.lacking}


def _stands_at(project: Project, pointer: Pointer, version: Digest) -> bool:
    place = project.root / pointer.path
    try:
        return not worktree.against(project, place, version)
    except ObjectMissing:
        return False


def _problem(
    standing: Standing, digest: Digest, latest: Digest | None, numbers: Mapping[Digest, int]
) -> str | None:
    if standing == Standing.OTHER:
        return f"the work folder holds {_named(latest, numbers)}, its pointer names {_named(digest, numbers)}"
    if standing == Standing.MISSING:
        return f"the content of {_named(digest, numbers)} is not in the store"
    if standing == Standing.ABSENT:
        return "its files are not in the work folder"
    return None


def _named(digest: Digest | None, numbers: Mapping[Digest, int]) -> str:
    if digest is None:
        return "nothing"
    return f"v{numbers[digest]}" if digest in numbers else digest[:12]


def _recorded(project: Project, name: str, digest: Digest, tags: Mapping[str, Digest]) -> Dataset:
    """A dataset without a pointer: added from elsewhere, made by a run, or of another branch."""
    ref = datasets.ref_of(name)
    artifact = project.resolve(ref)
    moves = project.ledger.moves(ref)
    source = artifact.meta.get("source")
    place = project.root / source if isinstance(source, str) else None
    if (
        moves
        and isinstance(source, str)
        and Path(source).is_absolute()
        and _learned(project, moves[-1])
    ):
        place = None  # a path of another machine, whatever lies there on this one
    changes = None
    if place is not None and place.exists():
        try:
            changes = worktree.against(project, place, digest)
        except (ObjectMissing, DataError):  # not ours any more
            changes = None
    standing = Standing.ELSEWHERE
    if changes is not None:
        standing = Standing.CHANGED if changes else Standing.UNCHANGED
    return Dataset(
        name=name,
        standing=standing,
        path=source if isinstance(source, str) else None,
        digest=digest,
        number=lineage.numbers(moves).get(digest),
        size=artifact.size,
        latest=digest,
        moved=moves[-1] if moves else None,
        moves=len(moves),
        tags=tags,
        changes=changes,
        next=f"tricord add {quoted(source)}" if changes else None,
    )


def _learned(project: Project, move: Move) -> bool:
    """Whether a move was made on another machine, and came with a fetch."""
    found = project.ledger.events(after=move.seq - 1, types=(EventType.REF_MOVED,), limit=1)
    return any(event.seq == move.seq and "made" in event.body for event in found)
