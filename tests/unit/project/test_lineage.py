"""From an artifact back to what it was made from, and from a few digits to an artifact."""

import pytest

from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import NotRecorded
from tricord.project.lineage import downstream, find, upstream, version_of
from tricord.project.project import Project


def made_by(project: Project, name: str, value: object, **inputs: Artifact) -> Artifact:
    """What a step of that name made of its inputs."""
    origin = project.origin(code={}, packages={})
    with project.recording("pipeline", "p", origin=origin) as whole:
        with project.recording(name, name, origin=origin, parent=whole.id, inputs=inputs) as step:
            step.outputs["result"] = project.encode(value)
        whole.outputs[f"{name}.result"] = step.outputs["result"]
    return step.outputs["result"]


def test_everything_behind_an_artifact_comes_once_and_nearest_first(project: Project) -> None:
    raw = project.put("raw", kind=Kind.DATASET)
    left = made_by(project, "left", "l", rows=raw)
    right = made_by(project, "right", "r", rows=raw)
    model = made_by(project, "join", "m", left=left, right=right)
    stations = list(upstream(project, model))
    assert [(made.artifact.digest, made.depth) for made in stations] == [
        (model.digest, 0),
        (left.digest, 1),
        (right.digest, 1),
        (raw.digest, 2),
    ]
    assert [made.run.name if made.run else None for made in stations] == [
        "join", "left", "right", None,
    ]  # fmt: skip


def test_a_value_that_is_made_of_itself_does_not_go_round_for_ever(project: Project) -> None:
    value = project.put("same")
    again = made_by(project, "copy", "same", it=value)
    assert [made.artifact.digest for made in upstream(project, again)] == [value.digest]


def test_versions_count_contents_and_keep_their_move(project: Project) -> None:
    first, second = (project.put(text, kind=Kind.DATASET) for text in ("one", "two"))
    for artifact, why in ((first, "january"), (second, "february"), (first, "back again")):
        project.move("datasets/rows@latest", artifact.digest, why=why)
    for artifact, number, why in ((first, 1, "january"), (second, 2, "february")):
        found = version_of(project, artifact.digest)
        assert found is not None
        assert (found[0], found[1], found[2].why) == ("rows", number, why)
    assert version_of(project, project.put("three").digest) is None


def test_a_beginning_is_enough_where_only_one_digest_has_it(project: Project) -> None:
    artifacts = [project.put(number) for number in range(40)]  # 16 first digits: some share one
    digests = [artifact.digest for artifact in artifacts]
    shared = next(d[0] for d in digests if sum(e.startswith(d[0]) for e in digests) > 1)
    assert find(project, digests[0][:16]).digest == digests[0]
    with pytest.raises(NotRecorded, match="begins several digests"):
        find(project, shared)
    with pytest.raises(NotRecorded, match="nothing is recorded"):
        find(project, "0123456789abcdef" * 4)
    project.move("datasets/rows@latest", digests[3], why="x")
    assert find(project, "datasets/rows@latest").digest == digests[3]


def test_everything_that_came_of_an_artifact_comes_once_and_nearest_first(project: Project) -> None:
    raw = project.put("raw", kind=Kind.DATASET)
    left = made_by(project, "left", "l", rows=raw)
    right = made_by(project, "right", "r", rows=raw)
    model = made_by(project, "join", "m", left=left, right=right)
    made_by(project, "alone", "a")
    used = list(downstream(project, raw))
    assert [(found.run.name, found.depth) for found in used] == [
        ("left", 0), ("right", 0), ("join", 1),
    ]  # fmt: skip
    assert [made.digest for made in used[-1].made] == [model.digest]
    assert list(downstream(project, model)) == []
