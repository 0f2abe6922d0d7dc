"""Lineage: from an artifact back to what it was made from, and on to what came of it. A reader of the ledger's rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.errors import NotRecorded, StoreError
from tricord.core.ref import Move
from tricord.core.run import Run
from tricord.project.project import Project


@dataclass(frozen=True, slots=True)
class Made:
    """One station on the way back: the artifact, and the run that made it (None: it was added)."""

    artifact: Artifact
    run: Run | None
    depth: int


@dataclass(frozen=True, slots=True)
class Used:
    """One station on the way on: a step's run that was given the artifact, or what came of it."""

    run: Run
    depth: int

    @property
    def made(self) -> tuple[Artifact, ...]:
        """What the run made: models, releases, verdicts."""
        return tuple(self.run.outputs.values())


def upstream(project: Project, artifact: Artifact) -> Iterator[Made]:
    """The artifact and everything that it was made from, nearest first, each once. Behind a part
    of a dataset comes the version that the run was given."""
    files = _Files(project)
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
            for found in made.run.inputs.values():
                waiting.append((found, depth + 1))
                waiting += [
                    (whole, depth + 2) for whole in _wholes(project, made.run, found, files)
                ]


def downstream(project: Project, artifact: Artifact) -> Iterator[Used]:
    """The steps' runs that were given an artifact, or a part of it, and all that followed, nearest
    first, each once: which models and releases came of a version of a dataset."""
    files = _Files(project)
    seen: set[str] = set()
    waiting = [(artifact, 0)]
    asked: set[Digest] = set()
    while waiting:
        here, depth = waiting.pop(0)
        if here.digest in asked:
            continue
        asked.add(here.digest)
        for run in _users(project, here, files):
            if run.id in seen:
                continue
            seen.add(run.id)
            used = Used(run, depth)
            yield used
            waiting += [(made, depth + 1) for made in used.made]


def _users(project: Project, artifact: Artifact, files: "_Files") -> Iterator[Run]:
    """The steps' runs that were given an artifact; of a folder, also those that were given parts of it."""
    consumers = project.ledger.consumers(artifact.digest)
    yield from (run for run in consumers if run.parent)
    if artifact.format != "tree":
        return
    for pipeline in consumers:
        for run in _steps(project, pipeline) if not pipeline.parent else ():
            if any(files.within(found, artifact) for found in run.inputs.values()):
                yield run


def _steps(project: Project, pipeline: Run) -> Iterator[Run]:
    """The runs that a pipeline's run is made of, those that it found in the cache among them."""
    if "steps" not in pipeline.outputs:  # failed, or under way: what it ran is there
        yield from project.ledger.runs(parent=pipeline.id, limit=1_000_000)
        return
    try:
        steps = cast("list[Mapping[str, Any]]", project.load(pipeline.outputs["steps"]))
    except StoreError:  # collected since
        return
    for step in steps:
        if step["run"]:
            yield project.ledger.run(step["run"])


def _wholes(project: Project, run: Run, part: Artifact, files: "_Files") -> Iterator[Artifact]:
    """The datasets that a run was given a part of."""
    if part.kind != Kind.DATASET or not run.parent:
        return
    for whole in project.ledger.run(run.parent).inputs.values():
        if whole.format == "tree" and files.within(part, whole):
            yield whole


class _Files:
    """Which files folders hold, each looked at once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[Digest, frozenset[Digest]] = {}

    def within(self, part: Artifact, whole: Artifact) -> bool:
        if part.digest == whole.digest or part.kind != Kind.DATASET:
            return False
        inside = self._of(part.digest) if part.format == "tree" else {part.digest}
        return bool(inside) and inside <= self._of(whole.digest)

    def _of(self, tree: Digest) -> frozenset[Digest]:
        if tree not in self._known:
            try:
                found = frozenset(self._project.store.tree(tree).values())
            except StoreError:  # its content is not here: nothing can be said of its parts
                found = frozenset[Digest]()
            self._known[tree] = found
        return self._known[tree]


def versions(project: Project, ref: str) -> list[Move]:
    """The move that first brought each content to a ref, in order: version n is the nth of them."""
    return list(_first(project.ledger.moves(ref)).values())


def numbers(moves: Iterable[Move]) -> dict[Digest, int]:
    """Content → the number of the version that it is, from all the moves of a ref."""
    return {digest: number for number, digest in enumerate(_first(moves), 1)}


def _first(moves: Iterable[Move]) -> dict[Digest, Move]:
    first: dict[Digest, Move] = {}
    for move in moves:
        if move.new is not None:
            first.setdefault(move.new, move)
    return first


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
