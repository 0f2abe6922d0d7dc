"""A new version of a dataset starts a pipeline: once a version, and never for its own outputs."""

from pathlib import Path

import pytest

from tricord.core.event import EventType
from tricord.data.versions import add
from tricord.project.project import Project
from tricord.triggers.rules import NewData, due, fire

RULE = NewData("flights came", pipeline="prepare", dataset="flights")
PIPELINE = """
from pathlib import Path
from tricord import Project, dataset, pipeline, step
from tricord.core.artifact import Artifact
from tricord.core.step import GIVEN

@step
def upper(text: Path) -> bytes:
    return text.read_bytes().upper()

@step
def keep(clean: Artifact, *, under: str, project: Project = GIVEN) -> None:
    project.move(f"datasets/{under}@latest", clean.digest, why="cleaned")

@pipeline
def prepare(*, under: str = "clean") -> None:
    keep(upper(dataset("flights")), under=under)
"""


@pytest.fixture
def ready(project: Project) -> Project:
    """A project whose pipelines are in a module that no other test has."""
    (project.root / "new_data_pipelines.py").write_text(PIPELINE)
    (project.root / "tricord.toml").write_text('[project]\npipelines = "new_data_pipelines"\n')
    return Project.open(project.root)


def flights(project: Project, text: str) -> Path:
    file = project.root / "flights.txt"
    file.write_text(text)
    add(project, file)
    return file


def test_a_version_starts_its_pipeline_once(ready: Project) -> None:
    assert due(ready, RULE) is None
    flights(ready, "one")
    event = due(ready, RULE)
    assert event is not None
    result = fire(ready, RULE, event)
    assert ready.load(result.step("upper").outputs["result"]) == b"ONE"
    assert due(ready, RULE) is None
    (fired,) = ready.ledger.events(types=(EventType.TRIGGER_FIRED,))
    assert fired.body["version"] == ready.ledger.ref("datasets/flights@latest")
    assert str(fired.body["why"]).startswith("datasets/flights@latest is new: added from")
    ready.close()


def test_the_same_bytes_added_again_are_no_event(ready: Project) -> None:
    file = flights(ready, "one")
    fire(ready, RULE, due(ready, RULE))
    add(ready, file)
    assert due(ready, RULE) is None
    ready.close()


def test_of_several_versions_the_newest_is_due_and_one_that_comes_back_is_not(
    ready: Project,
) -> None:
    for text in ("one", "two"):
        flights(ready, text)
    event = due(ready, RULE)
    assert event is not None
    assert event.body["new"] == ready.ledger.ref("datasets/flights@latest")
    fire(ready, RULE, event)
    flights(ready, "three")
    fire(ready, RULE, due(ready, RULE))
    flights(ready, "two")  # back to what it fired for
    assert due(ready, RULE) is None
    flights(ready, "four")
    assert due(ready, RULE) is not None
    ready.close()


def test_another_dataset_another_label_and_a_ref_that_is_gone_are_nothing_new(
    ready: Project,
) -> None:
    file = flights(ready, "one")
    assert due(ready, NewData("w", pipeline="prepare", dataset="weather")) is None
    assert due(ready, NewData("r", pipeline="prepare", dataset="flights", label="reviewed")) is None
    fire(ready, RULE, due(ready, RULE))
    ready.move("datasets/flights@latest", None, why="no longer")
    assert due(ready, RULE) is None
    assert file.exists()
    ready.close()


def test_what_the_pipeline_itself_made_does_not_start_it_again(ready: Project) -> None:
    flights(ready, "one")
    own = NewData("own", pipeline="prepare", dataset="clean")
    fire(ready, RULE, due(ready, RULE))
    assert ready.ledger.ref("datasets/clean@latest") is not None
    assert due(ready, own) is None
    other = NewData("next", pipeline="publish", dataset="clean")
    assert due(ready, other) is not None  # but it is news for another one
    fire(ready, RULE, None, params={"under": "flights"})
    assert due(ready, RULE) is None  # it moved its own input
    ready.close()


def test_after_a_kill_the_version_is_due_again(
    ready: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights(ready, "one")
    event = due(ready, RULE)

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tricord.triggers.rules.run_pipeline", killed)
    with pytest.raises(KeyboardInterrupt):
        fire(ready, RULE, event)
    assert due(ready, RULE) == event
    monkeypatch.undo()
    fire(ready, RULE, event)
    assert due(ready, RULE) is None
    ready.close()
