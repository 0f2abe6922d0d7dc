"""From one served prediction back to the release, the model, the code commit and the data versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tricord.core.artifact import Artifact, Digest
from tricord.core.ref import Move
from tricord.core.release import Release
from tricord.core.run import Run
from tricord.core.verdict import Verdict
from tricord.models.release import training_run
from tricord.project.lineage import version_of
from tricord.project.project import Project
from tricord.serving.log import find
from tricord.serving.state import plan_ref


@dataclass(frozen=True, slots=True)
class DataVersion:
    """A dataset version that a model was trained on; `number` is None where no ref names it."""

    name: str
    digest: Digest
    number: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything behind one prediction. `rows` are its lines of the log, `timelines` say for each
    view of features which artifact was looked up, `plan_move` when and why the plan went live."""

    rows: list[dict[str, Any]]
    plan_move: Move | None
    release_digest: Digest
    release: Release
    gate: Verdict | None
    timelines: Mapping[str, str]
    run: Run
    pipeline: Run | None
    data: tuple[DataVersion, ...]
    model: Artifact


def trace(project: Project, prediction: str) -> Trace:
    """The chain behind a prediction id. NotRecorded where the log has none of that id."""
    rows = find(project.folder / "predictions", prediction)
    digest = Digest(rows[0]["release"])
    release = project.load(digest, Release)
    run = training_run(project, release.model)
    moves = project.ledger.moves(plan_ref(rows[0]["endpoint"]))
    return Trace(
        rows=rows,
        plan_move=next(
            (m for m in reversed(moves) if m.new == rows[0]["plan"] and m.when <= rows[0]["time"]),
            None,
        ),
        release_digest=digest,
        release=release,
        gate=project.load(release.verdicts[0], Verdict) if release.verdicts else None,
        timelines={
            view: _stood_at(project, source, rows[0]["time"])
            for view, source in release.features.items()
        },
        run=run,
        pipeline=project.ledger.run(run.parent) if run.parent else None,
        data=tuple(data_version(project, name, at) for name, at in release.data.items()),
        model=project.resolve(release.model),
    )


def data_version(project: Project, name: str, digest: Digest) -> DataVersion:
    """A dataset version by its content."""
    found = version_of(project, digest)
    if found is None:
        return DataVersion(name, digest, None, "")
    return DataVersion(name, digest, found[1], found[2].why)


def _stood_at(project: Project, source: str, when: float) -> str:
    """Where a ref stood at a moment; a digest that a view is pinned to stays as it is."""
    if "@" not in source:
        return source
    before = [move for move in project.ledger.moves(source) if move.when <= when]
    return (before[-1].new if before else None) or source
