"""Records: what a project knows about its datasets, models and releases, shared at a remote by compare-and-swap."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tricord.core import canonical
from tricord.core.artifact import Artifact, Digest, Kind, parse_digest, short
from tricord.core.canonical import JSON
from tricord.core.errors import ObjectMissing, RefConflict, RemoteError, TricordError
from tricord.core.ref import Move, parse_ref
from tricord.store.digest import of_bytes
from tricord.store.remote.backend import Backend

VERSION = "records/1"
FOLDER = "records"
_TRIES = 16
_LONGEST = 135
"""With `.json` the longest that a part of a name may be."""
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class Step(NamedTuple):
    """One move of a ref as a record keeps it."""

    old: Digest | None
    new: Digest | None
    actor: str
    when: float
    why: str
    verdict: Digest | None

    @classmethod
    def of(cls, move: Move) -> "Step":
        return cls(move.old, move.new, move.actor, move.when, move.why, move.verdict)


@dataclass(frozen=True, slots=True)
class Record:
    """What a project shares: facts, histories of refs, and which content it keeps at the remote."""

    project: str
    artifacts: tuple[Artifact, ...] = ()
    moves: Mapping[str, tuple[Step, ...]] = field(default_factory=dict[str, tuple[Step, ...]])
    held: frozenset[Digest] = frozenset()

    def to_bytes(self) -> bytes:
        rows: list[JSON] = [
            [each.digest, str(each.kind), each.format, each.size, dict(each.meta)]
            for each in sorted(self.artifacts, key=_identity)
        ]
        moves: dict[str, JSON] = {
            ref: [list(step) for step in steps] for ref, steps in self.moves.items()
        }
        return canonical.encode(
            {"tricord": VERSION, "project": self.project, "artifacts": rows, "moves": moves, "held": sorted(self.held)}
        )  # fmt: skip

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> "Record":
        """RemoteError where the bytes are not those of a record."""
        try:
            found: dict[str, Any] = json.loads(data)
            if found.get("tricord") != VERSION:
                raise ValueError(f"it is of version {found.get('tricord')!r}")
            moves = {ref: tuple(_step(row) for row in rows) for ref, rows in found["moves"].items()}
            for ref in moves:
                parse_ref(ref)
            return cls(
                str(found["project"]),
                tuple(_artifact(*row) for row in found["artifacts"]),
                moves,
                frozenset(parse_digest(digest) for digest in found["held"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, TricordError) as error:
            raise RemoteError(
                f"a record of the remote cannot be read: {error}",
                where=where,
                hint="pip install --upgrade tricord, or tricord push --repair",
            ) from error

    @property
    def by_digest(self) -> dict[Digest, Artifact]:
        return {each.digest: each for each in self.artifacts}


def _identity(artifact: Artifact) -> tuple[str, str, str]:
    return artifact.digest, str(artifact.kind), artifact.format


def _step(row: Any) -> Step:
    old, new, actor, when, why, verdict = row
    digests = [None if each is None else parse_digest(each) for each in (old, new, verdict)]
    return Step(digests[0], digests[1], str(actor), float(when), str(why), digests[2])


def _artifact(digest: str, kind: str, form: str, size: int, meta: Mapping[str, JSON]) -> Artifact:
    return Artifact(parse_digest(digest), Kind(kind), str(form), int(size), dict(meta))


def place(project: str) -> str:
    """Where a project's record is. Characters that a name cannot have are written as ~ and two digits;
    of a name that is too long then, the rest is a digest.

    >>> place("flights"), place("Flüge")
    ('records/flights.json', 'records/Fl~c3~bcge.json')
    """
    name = "".join(chr(each) if each in _PLAIN else f"~{each:02x}" for each in project.encode())
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 34]}~-{of_bytes(project.encode())[:32]}"
    return f"{FOLDER}/{name}.json"


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as it was read, for a compare-and-swap; `record` is None where there is none."""

    record: Record | None
    data: bytes
    tag: str


def see(backend: Backend, project: str) -> Seen:
    """A project's record, to be changed. RemoteError."""
    found = backend.tagged(place(project))
    if found is None:
        return Seen(None, b"", "")
    return Seen(Record.from_bytes(found[0], f"{backend.where}, {place(project)}"), *found)


def read(backend: Backend, project: str) -> Record | None:
    """A project's record; None where nothing was pushed from it. RemoteError."""
    try:
        return Record.from_bytes(backend.get(place(project)), f"{backend.where}, {place(project)}")
    except ObjectMissing:
        return None


def read_all(backend: Backend) -> Iterator[Record]:
    """The records of all projects. RemoteError for one that cannot be read."""
    for info in backend.list(FOLDER):
        yield Record.from_bytes(backend.get(info.name), f"{backend.where}, {info.name}")


def update(backend: Backend, ours: Record, seen: Seen | None = None) -> Record:
    """Join `ours` with what is there, by compare-and-swap; what is there then. RefConflict, RemoteError."""
    return change(backend, ours.project, lambda theirs: join(theirs, ours) if theirs else ours, seen)  # fmt: skip


def change(
    backend: Backend,
    project: str,
    make: Callable[[Record | None], Record],
    seen: Seen | None = None,
) -> Record:
    """Compare-and-swap of a project's record; `make` may be called again with a newer one."""
    name = place(project)
    for _ in range(_TRIES):
        seen = seen or see(backend, project)
        after = make(seen.record)
        data = after.to_bytes()
        if seen.record is None:
            written = backend.put_new(name, data)
        elif seen.data == data:
            return after
        else:
            written = backend.replace(name, data, seen.tag)
        if written:
            return after
        seen = None
    raise RemoteError(
        f"others change the record of {project} all the time",
        where=backend.where,
        hint="the same again, or tricord remote check",
    )


def join(theirs: Record, ours: Record) -> Record:
    """Both. RefConflict where a ref other than a dataset's latest went two ways."""
    known = {_identity(each): each for each in (*ours.artifacts, *theirs.artifacts)}
    moves = dict(theirs.moves)
    for ref, steps in ours.moves.items():
        moves[ref] = joined(ref, theirs.moves.get(ref, ()), steps)
    return Record(theirs.project, tuple(known.values()), moves, theirs.held | ours.held)


def joined(ref: str, theirs: Sequence[Step], ours: Sequence[Step]) -> tuple[Step, ...]:
    """One history of a ref out of two: theirs, then what ours adds. RefConflict where it went two ways."""
    new = added(theirs, ours)
    if not new:
        return tuple(theirs)
    head = ours[-1]
    if not covers(ours, theirs) and covers(theirs, ours):
        if not keeps_both(ref):
            return tuple(theirs)
        head = theirs[-1]
    elif not covers(ours, theirs) and not keeps_both(ref):
        raise RefConflict(
            f"{ref} stands at {_at(theirs)} at the remote and at {_at(ours)} here: it was moved on both sides",
            where=f"there by {theirs[-1].actor}: {theirs[-1].why}",
            hint="tricord push --ours, or tricord fetch --theirs",
        )
    before = theirs[-1].new if theirs else None
    both = (*theirs, new[0]._replace(old=before), *new[1:])
    return both if both[-1].new == head.new else (*both, head._replace(old=both[-1].new))


def keeps_both(ref: str) -> bool:
    """Is it a dataset's latest version? Which one a branch means is said by its pointer, in Git."""
    return ref.startswith("datasets/") and ref.endswith("@latest")


def covers(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Does the first history know where the second one ends?"""
    if not other:
        return True
    seen = {_mark(step) for step in one}
    if any(_mark(step) in seen for step in other):
        return _mark(other[-1]) in seen
    # nothing in common: but the same content may have been added on both machines
    return other[-1].new in {step.new for step in one}


def added(known: Sequence[Step], other: Sequence[Step]) -> tuple[Step, ...]:
    """The moves of `other` that `known` does not have, in their order."""
    seen = {_mark(step) for step in known}
    return tuple(step for step in other if _mark(step) not in seen)


def _mark(step: Step) -> tuple[object, ...]:
    """What makes it the same move on two machines: a ledger keeps the time of a move that it learns of."""
    return step.new, step.actor, step.when


def _at(steps: Sequence[Step]) -> str:
    where = steps[-1].new if steps else None
    return "nothing" if where is None else short(where)


def roots(found: Iterable[Record]) -> set[Digest]:
    """All that is kept on account of these records."""
    return {digest for record in found for digest in record.held}
