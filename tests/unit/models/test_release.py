"""Releasing: past a verdict about this very model, once, and whole after a kill."""

from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import Refused
from tricord.core.release import Release
from tricord.core.step import pipeline, step
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.models.release import release
from tricord.pipelines.execute import run_pipeline
from tricord.project.project import Project


class Weights:
    """Stands for a model: all that releasing asks of one is that it is of the kind."""

    kind = Kind.MODEL

    def __init__(self, number: int) -> None:
        self.number = number

    def to_json(self) -> dict[str, int]:
        return {"number": self.number}

    @classmethod
    def from_json(cls, data: Any) -> "Weights":
        return cls(data["number"])


@step
def fit(number: int) -> Weights:
    return Weights(number)


@step
def judge(model: Weights, outcome: str, again: int) -> Verdict:
    return Verdict("m", "gate", (Check("auc", Outcome(outcome), f"{model.number} {again}"),))


@pipeline
def training(*, number: int = 1, outcome: str = "pass", again: int = 0):
    model = fit(number)
    release(model, name="m", on=judge(model, outcome, again))


@pipeline
def cheating():
    release(fit(1), name="m", on=judge(fit(2), "pass", 0))


def refs(project: Project) -> tuple[Any, Any]:
    return project.ledger.ref("releases/m@latest"), project.ledger.ref("models/m@champion")


def test_a_release_names_what_it_rests_on(project: Project) -> None:
    result = run_pipeline(project, training)
    latest, champion = refs(project)
    found = project.load(latest, Release)
    assert champion == found.model == result.step("fit").outputs["result"].digest
    assert found.verdicts == (result.step("judge").outputs["result"].digest,)
    assert found.code == project.ledger.run(result.run).origin.code
    assert found.lock is not None
    run_pipeline(project, training, {"number": 2})
    assert project.load(refs(project)[0], Release).previous == latest


def test_no_release_past_a_verdict_that_failed_or_is_about_another_model(project: Project) -> None:
    for body, params in (
        (training, {"outcome": "fail"}),
        (training, {"outcome": "undecided"}),
        (cheating, {}),
    ):
        result = run_pipeline(project, body, params)
        assert result.refused is not None
        assert refs(project) == (None, None)
    assert "not about the model" in str(result.refused.error)


def test_the_same_model_judged_again_is_no_new_release(project: Project) -> None:
    run_pipeline(project, training)
    before = refs(project)
    run_pipeline(project, training, {"again": 1})
    assert refs(project) == before
    assert len(project.ledger.moves("releases/m@latest")) == 1


def test_a_release_killed_between_its_moves_is_made_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Project.move

    def dies(self: Project, ref: str, *args: Any, **kwargs: Any) -> Any:
        if ref.startswith("models/"):
            raise KeyboardInterrupt
        return move(self, ref, *args, **kwargs)

    monkeypatch.setattr(Project, "move", dies)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(project, training)
    assert refs(project)[1] is None
    monkeypatch.undo()
    run_pipeline(project, training)
    latest, champion = refs(project)
    assert champion == project.load(latest, Release).model


def test_outside_a_pipeline_it_says_what_is_missing(tmp_path: Path) -> None:
    project = Project.init(tmp_path)
    model: Artifact = project.put(Weights(1))
    verdict = project.put(Verdict("m", "gate", (Check("auc", Outcome.PASS, "good"),)))
    with pytest.raises(Refused, match="not about the model"):
        release(model, name="m", on=verdict, project=project)
