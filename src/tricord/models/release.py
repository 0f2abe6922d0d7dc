"""Releasing a model: one artifact that names code, data, model, environment and verdicts."""

from collections.abc import Mapping
from dataclasses import replace

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.errors import NotRecorded, Refused
from tricord.core.release import Release
from tricord.core.run import Run
from tricord.core.step import GIVEN, step
from tricord.core.verdict import Verdict
from tricord.project.project import Project


@step
def release(
    model: Artifact,
    *,
    name: str,
    on: Artifact,
    feature_set: Artifact | None = None,
    features: dict[str, str] | None = None,
    reference: Artifact | None = None,
    project: Project = GIVEN,
) -> Release:
    """Release a model past the verdict `on`; Refused, with its evidence, where it did not pass.

    `feature_set` is the definition that serving applies to a request, `features` maps each of its
    views to the ref that serving follows (default "features/VIEW@online") or to a digest to pin it
    to, and `reference` is the profile of the training rows that monitoring compares with.
    Moves `models/NAME@champion` and `releases/NAME@latest`.
    """
    verdict = project.load(on, Verdict)
    if not verdict.passed:
        raise Refused(
            f"no release of {name}: {verdict.summary()}",
            where=f"verdict {on.digest}",
            hint=f"tricord show {on.digest[:12]}",
        )
    _judged(project, model, on)
    latest = project.ledger.ref(f"releases/{name}@latest")
    made = replace(
        _made(project, model, name, features or {}),
        feature_set=feature_set.digest if feature_set else None,
        reference=reference.digest if reference else None,
        verdicts=(on.digest,),
        previous=latest,
    )
    if latest is not None:
        standing = project.load(latest, Release)
        if replace(made, previous=standing.previous, verdicts=standing.verdicts) == standing:
            made = standing  # judged once more, but the same in all that is released
    digest = project.put(made).digest
    why = f"release of {name} past its gate"
    # each of the two is a no-op where it is done: a run that was killed between them is made whole
    project.move(f"releases/{name}@latest", digest, why=why, verdict=on, old=latest)
    project.move(f"models/{name}@champion", model.digest, why=why, verdict=on)
    return made


def _judged(project: Project, model: Artifact, on: Artifact) -> None:
    """Refused unless the verdict came of a run that was given this very model."""
    for run in project.ledger.producers(on.digest):
        if any(found.digest == model.digest for found in run.inputs.values()):
            return
    raise Refused(
        f"the verdict {on.digest[:12]} is not about the model {model.digest[:12]}",
        hint="pass release() the verdict of evaluate() on the same model",
    )


def _made(project: Project, model: Artifact, name: str, features: Mapping[str, str]) -> Release:
    run = training_run(project, model.digest)
    origin = (project.ledger.run(run.parent) if run.parent else run).origin
    return Release(
        name=name,
        model=model.digest,
        code=origin.code,  # of the whole pipeline: it reaches every step
        commit=origin.commit,
        environment=origin.environment,
        lock=origin.lock,
        data=datasets_of(project, run),
        features=features,
    )


def training_run(project: Project, model: Digest) -> Run:
    """The run of the step that made a model. NotRecorded where it came from outside."""
    runs = project.ledger.producers(model)
    if not runs:
        raise NotRecorded(f"no run made the model {model[:12]}", hint="tricord runs")
    # a pipeline has its steps' outputs among its own
    return next((run for run in runs if run.parent), runs[0])


def datasets_of(project: Project, run: Run) -> dict[str, Digest]:
    """The dataset versions that the pipeline of a run was given: name → digest."""
    pipeline = project.ledger.run(run.parent) if run.parent else run
    return {
        ref.partition("/")[2].partition("@")[0]: artifact.digest
        for ref, artifact in pipeline.inputs.items()
        if artifact.kind == Kind.DATASET and ref.startswith("datasets/")
    }
