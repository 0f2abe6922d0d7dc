"""A rule fires once for an alert that asks for its action, and says in the journal for which."""

import pytest

from tricord.core.errors import PlanError
from tricord.core.event import Event, EventType
from tricord.project.project import Project
from tricord.triggers.rules import Rule, due, fire

RULE = Rule("retrain delay", pipeline="pause", subject="delay")
PIPELINE = """
from tricord import pipeline, step

@step
def twice(n: int) -> int:
    return 2 * n

@pipeline
def pause(*, n: int = 1) -> None:
    twice(n)
"""


@pytest.fixture
def ready(project: Project) -> Project:
    """A project whose pipelines are in a module that no other test has."""
    (project.root / "rule_pipelines.py").write_text(PIPELINE)
    (project.root / "tricord.toml").write_text('[project]\npipelines = "rule_pipelines"\n')
    return Project.open(project.root)


def alert(project: Project, subject: str = "delay", *actions: str) -> Event:
    body = {"actions": list(actions), "summary": "fail: too many are late", "verdict": "v"}
    return project.append_event(EventType.ALERT_RAISED, subject, body)


def test_only_an_alert_about_its_subject_that_asks_for_its_action_is_due(project: Project) -> None:
    assert due(project, RULE) is None
    alert(project, "delay", "warn")
    alert(project, "other", "retrain")
    alert(project, "delay")
    assert due(project, RULE) is None
    wanted = alert(project, "delay", "stop", "retrain")
    alert(project, "delay", "warn")
    assert due(project, RULE) == wanted
    assert due(project, RULE, after=wanted.seq - 1) == wanted
    assert due(project, RULE, after=wanted.seq) is None


def test_an_alert_fires_once_and_the_next_one_again(ready: Project) -> None:
    first = alert(ready, "delay", "retrain")
    result = fire(ready, RULE, due(ready, RULE))
    assert ready.load(result.step("twice").outputs["result"]) == 2
    assert due(ready, RULE) is None
    second = alert(ready, "delay", "retrain")
    assert due(ready, RULE) == second
    fire(ready, RULE, second, params={"n": 4}, reason="again")
    assert due(ready, RULE) is None
    fired = ready.ledger.events(types=(EventType.TRIGGER_FIRED,))
    assert [(e.subject, e.body["event"], e.body["why"]) for e in fired] == [
        ("retrain delay", first.seq, "fail: too many are late"),
        ("retrain delay", second.seq, "again"),
    ]
    assert [run.params["n"] for run in ready.ledger.runs(name="pause")] == [4, 1]


def test_another_rule_is_still_due(ready: Project) -> None:
    event = alert(ready, "delay", "retrain")
    fire(ready, RULE, event)
    assert due(ready, Rule("another", pipeline="pause", subject="delay")) == event


def test_on_demand_needs_no_alert(ready: Project) -> None:
    fire(ready, RULE, None)
    (fired,) = ready.ledger.events(types=(EventType.TRIGGER_FIRED,))
    assert (fired.body["event"], fired.body["why"]) == (None, "on demand")


def test_a_pipeline_that_is_not_there_is_named_and_nothing_has_fired(ready: Project) -> None:
    event = alert(ready, "delay", "retrain")
    missing = Rule("r", pipeline="paus", subject="delay")
    with pytest.raises(PlanError, match="no pipeline 'paus'"):
        fire(ready, missing, event)
    assert due(ready, missing) == event


def test_a_firing_whose_run_was_killed_is_due_again(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = alert(ready, "delay", "retrain")

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tricord.triggers.rules.run_pipeline", killed)
    with pytest.raises(KeyboardInterrupt):
        fire(ready, RULE, event)
    assert due(ready, RULE) == event
    monkeypatch.undo()
    fire(ready, RULE, event)
    assert due(ready, RULE) is None


def test_a_thousand_alerts_hide_none(project: Project) -> None:
    for _ in range(1001):
        alert(project, "other", "retrain")
    assert due(project, RULE) is None
    last = alert(project, "delay", "retrain")
    assert due(project, RULE) == last
