"""Lineage: from an artifact back to what it was made from. A reader of the ledger's rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from tricord.core.artifact import Artifact, Digest
from tricord.core.errors import NotRecorded
from tricord.core.ref import Move
from tricord.core.run import Run
from tricord.project.project import Project


@dataclass(frozen=True, slots=True)
class Made:
    """One station on the way back: the artifact, and the run that made it (None: it was added)."""

    artifact: Artifact
    run: Run | None
    depth: int


def upstream(project: Project, artifact: Artifact) -> Iterator[Made]:
    """The artifact and everything that it was made from, nearest first, each once."""
    seen: set[tuple[str, str]] = set()
    waiting = [(artifact, 0)]
    while waiting:
        here, depth = waiting.pop(0)
        if (here.digest, here.kind) in seen:
            continue
        seen.add((here.digest, here.kind))
        runs = [run for run in project.ledger.producers(here.digest) if run.parent]
        made = Made(here, runs[0] if runs else None, depth)
        yield made
        if made.run:
            waiting += [(found, depth + 1) for found in made.run.inputs.values()]


def versions(project: Project, ref: str) -> list[Move]:
    """The move that first brought each content to a ref, in order: version n is the nth of them."""
    first: dict[Digest, Move] = {}
    for move in project.ledger.moves(ref):
        if move.new is not None:
            first.setdefault(move.new, move)
    return list(first.values())


def version_of(project: Project, digest: Digest) -> tuple[str, int, Move] | None:
    """The dataset that content is a version of: name, version number and the move that made it so."""
    for ref in project.ledger.refs("datasets/"):
        for number, move in enumerate(versions(project, ref), 1):
            if move.new == digest:
                return ref.partition("/")[2].partition("@")[0], number, move
    return None


def find(project: Project, text: str) -> Artifact:
    """The artifact that a ref, a digest or a unique beginning of one names."""
    if "@" in text:
        return project.resolve(text)
    found = project.ledger.artifacts(text)
    if not found:
        raise NotRecorded(f"nothing is recorded under {text!r}", hint="tricord status")
    if len({artifact.digest for artifact in found}) > 1:
        shown = ", ".join(artifact.digest[:16] for artifact in found[:5])
        raise NotRecorded(f"{text!r} begins several digests: {shown}", hint="give more digits")
    return found[0]
