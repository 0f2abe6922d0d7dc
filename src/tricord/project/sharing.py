"""What a project and its remotes know of each other: facts and refs, out to a record and in from one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.ref import Move, parse_ref
from tricord.core.release import Release
from tricord.core.run import Run
from tricord.project.project import Project
from tricord.store.remote.records import Record, Step, added, covers, keeps_both

_DIGEST = re.compile(r"[0-9a-f]{64}")
ROOMS = ("datasets", "features", "models", "releases", "statistics", "schemas")
"""Rooms whose refs are shared. What an endpoint answers with is its own machine's matter."""


@dataclass(slots=True)
class Learned:
    """What a project took in from a record."""

    moved: dict[str, Digest] = field(default_factory=dict[str, Digest])
    """Refs that went on, and to where."""
    apart: dict[str, tuple[Digest | None, Digest | None]] = field(
        default_factory=dict[str, "tuple[Digest | None, Digest | None]"]
    )
    """Refs that were moved on both sides and stay: where they stand here, and there."""


def shared_refs(project: Project) -> list[str]:
    """Every ref that is shared, sorted."""
    return [ref for ref in project.ledger.refs() if ref.partition("/")[0] in ROOMS]


def record_of(
    project: Project, refs: Iterable[str], held: Iterable[Digest], more: Iterable[Artifact] = ()
) -> Record:
    """The record of these refs, with all their history, and of content that is about to be kept there."""
    histories = {ref: tuple(Step.of(move) for move in project.ledger.moves(ref)) for ref in refs}
    named = {
        digest
        for steps in histories.values()
        for step in steps
        for digest in (step.new, step.verdict)
        if digest is not None
    }
    # the evidence for a move goes with it, where it is here
    verdicts = {step.verdict for steps in histories.values() for step in steps if step.verdict}
    kept = frozenset(held) | (verdicts - project.store.missing(verdicts))
    found = {(each.digest, each.kind): each for each in more}
    for digest in named | kept:
        artifact = project.ledger.artifact(digest)
        if artifact is not None:
            found[artifact.digest, artifact.kind] = artifact
    return Record(project.name, tuple(found.values()), histories, kept)


def learn(project: Project, record: Record, *, theirs: bool = False) -> Learned:
    """Take in the facts and refs of a record. A ref that was moved on both sides stays where it is here
    and is told, unless it is to go where it is there (`theirs`); of a dataset both versions are kept."""
    learned = Learned()
    with project.ledger.together():  # who waits for new data is told of the newest version only
        for artifact in record.artifacts:
            if project.ledger.artifact(artifact.digest, artifact.kind) is None:
                project.ledger.add_artifact(artifact)
        for ref, steps in sorted(record.moves.items()):
            if parse_ref(ref)[0] in ROOMS and steps:
                _learn_ref(project, ref, steps, learned, theirs=theirs)
    return learned


def _learn_ref(
    project: Project, ref: str, steps: Sequence[Step], learned: Learned, *, theirs: bool
) -> None:
    own = [Step.of(move) for move in project.ledger.moves(ref)]
    new = added(own, steps)
    if not new:
        return
    here, there = own[-1].new if own else None, steps[-1].new
    if covers(steps, own) or (theirs and not covers(own, steps)):
        last = _replay(project, ref, here, new)
        if last != there:
            last = _replay(project, ref, last, steps[-1:])
        if last is not None and last != here:
            learned.moved[ref] = last
    elif keeps_both(ref):
        last = _replay(project, ref, here, new)
        if last != here:
            project.ledger.move_ref(
                ref, old=last, new=here, actor=project.actor, why="as it was here before a fetch"
            )
    elif not covers(own, steps):
        learned.apart[ref] = (here, there)


def _replay(
    project: Project, ref: str, here: Digest | None, steps: Iterable[Step]
) -> Digest | None:
    """Make moves of another machine here too. They went past their verdicts there."""
    for step in steps:
        if step.new != here:
            project.ledger.move_ref(
                ref,
                old=here,
                new=step.new,
                actor=step.actor,
                why=step.why,
                verdict=step.verdict,
                made=step.when,
            )
            here = step.new
    return here


def settle(project: Project, ref: str, record: Record) -> Move | None:
    """Say that a ref that was moved on both sides stands where it stands here: their moves are taken in, and then
    this one again, so that a push goes on from theirs."""
    here = project.ledger.ref(ref)
    steps = record.moves.get(ref, ())
    own = [Step.of(move) for move in project.ledger.moves(ref)]
    new = added(own, steps)
    if not new or keeps_both(ref) or covers(own, steps) or covers(steps, own):
        return None
    last = _replay(project, ref, here, new)
    if last == here:
        return None
    return project.ledger.move_ref(ref, old=last, new=here, actor=project.actor, why="decided for this one, with theirs at hand")  # fmt: skip


def verdicts_on(project: Project, digest: Digest) -> set[Digest]:
    """The verdicts past which refs moved to this content."""
    return {
        move.verdict
        for ref, at in project.ledger.refs().items()
        if at == digest
        for move in project.ledger.moves(ref)
        if move.new == digest and move.verdict
    }


def content_of(project: Project, artifact: Artifact, *, data: bool = True) -> set[Digest]:
    """An artifact with what its own content names: of a release its model, verdicts and records and, with
    `data`, what it was trained on and the release before it."""
    found = {artifact.digest}
    if artifact.kind == Kind.RELEASE and project.store.has(artifact.digest):
        release = project.load(artifact, Release)
        named = (release.model, release.code, release.environment, release.lock, release.feature_set, release.reference)  # fmt: skip
        found |= {Digest(each) for each in named if each and _DIGEST.fullmatch(each)}
        found |= set(release.verdicts)
        found |= {Digest(each) for each in release.features.values() if "@" not in each}
        found |= set(release.data.values()) if data else set()
        if release.previous and data:
            earlier = project.ledger.artifact(release.previous, Kind.RELEASE)
            found |= content_of(project, earlier) if earlier else {release.previous}
    for run in project.ledger.producers(artifact.digest) if artifact.kind == Kind.MODEL else ():
        found |= records_of(run)
    return found


def records_of(run: Run) -> set[Digest]:
    """The records that say what a run's code, environment and lock file were."""
    origin = run.origin
    named = (origin.code, origin.environment, origin.lock)
    return {Digest(each) for each in named if each and _DIGEST.fullmatch(each)}
