"""Values in and out, runs on record, and the law: a ref moves only past a verdict."""

import os
from pathlib import Path

import pytest

from tricord.core.artifact import Kind
from tricord.core.errors import CodecError, NotRecorded, ObjectCorrupt, ProjectError, Refused
from tricord.core.run import Status
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.project.project import Project

GOOD = Verdict("m", "gate", (Check("a", Outcome.PASS, "fine"),))
BAD = Verdict("m", "gate", (Check("a", Outcome.FAIL, "worse"),))


@pytest.mark.parametrize(
    "value", [None, True, 3, 2.5, "é\n", [1, [2]], {"a": {"b": None}}, b"\0\xff"]
)
def test_values_come_back_as_they_were(project: Project, value: object) -> None:
    artifact = project.put(value)
    assert project.load(artifact) == value
    assert project.load(artifact, type(value)) == value
    assert project.put(value).digest == artifact.digest


def test_paths_come_back_as_files_and_folders(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "ü.txt").write_text("x")
    artifact = project.put_path(folder, kind=Kind.DATASET)
    assert (artifact.format, artifact.size) == ("tree", 1)
    with project.scratch() as scratch:
        found = project.decode(artifact, Path, scratch)
        assert (found / "sub" / "ü.txt").read_text() == "x"
    assert not scratch.exists()


def test_unknown_types_say_what_to_do(project: Project) -> None:
    with pytest.raises(CodecError, match=r"no codec knows the type .*object"):
        project.put(object())
    with pytest.raises(CodecError, match="JSON"):
        project.put(float("nan"))


def test_open_looks_upwards_and_says_where_it_looked(project: Project, tmp_path: Path) -> None:
    below = project.root / "a" / "b"
    below.mkdir(parents=True)
    assert Project.open(below).root == project.root
    with pytest.raises(ProjectError, match="no project here"):
        Project.open(tmp_path)


def test_guarded_refs_move_only_past_a_verdict_or_a_signature(project: Project) -> None:
    model = project.put({"m": 1}, kind=Kind.MODEL)
    with pytest.raises(Refused, match="only past a verdict"):
        project.move("models/m@champion", model.digest, why="because")
    with pytest.raises(Refused, match="worse"):
        project.move("models/m@champion", model.digest, why="x", verdict=project.put(BAD))
    assert project.ledger.ref("models/m@champion") is None
    good = project.put(GOOD)
    move = project.move("models/m@champion", model.digest, why="better", verdict=good)
    assert move is not None
    assert (move.old, move.new, move.verdict, move.why) == (
        None,
        model.digest,
        good.digest,
        "better",
    )
    assert project.move("models/m@champion", model.digest, why="again", verdict=good) is None
    other = project.put({"m": 2}, kind=Kind.MODEL)
    signed = project.move("models/m@champion", other.digest, why="urgent", signed=True)
    assert signed is not None
    assert "signed for by" in signed.why


def test_roll_back_goes_where_the_ref_stood_before(project: Project) -> None:
    good = project.put(GOOD)
    first, second = (project.put({"m": n}, kind=Kind.MODEL).digest for n in (1, 2))
    project.move("models/m@champion", first, why="first", verdict=good)
    with pytest.raises(Refused, match="nowhere to go back to"):
        project.roll_back("models/m@champion", why="no")
    project.move("models/m@champion", second, why="second", verdict=good)
    project.roll_back("models/m@champion", why="it was bad")
    assert project.ledger.ref("models/m@champion") == first
    assert [move.why for move in project.ledger.moves("models/m@champion")] == [
        "first", "second", "it was bad",
    ]  # fmt: skip


def test_a_run_is_recorded_whichever_way_it_ends(project: Project) -> None:
    origin = project.origin(code={}, packages={})
    with project.recording("good", "f1", origin=origin) as recording:
        recording.outputs["out"] = project.encode(1)
        recording.metrics["auc"] = 0.5
    run = project.ledger.run(recording.id)
    assert (run.status, run.metrics) == (Status.FINISHED, {"auc": 0.5})
    assert project.load(run.outputs["out"]) == 1
    cases = (
        (ValueError("x"), Status.FAILED),
        (Refused("no"), Status.REFUSED),
        (KeyboardInterrupt(), Status.INTERRUPTED),
    )
    for failure, status in cases:
        with (
            pytest.raises(type(failure)),
            project.recording("bad", "f2", origin=origin) as recording,
        ):
            raise failure
        assert project.ledger.run(recording.id).status == status
    assert project.ledger.finished("f1") is not None
    assert project.ledger.finished("f2") is None


def test_what_is_not_recorded_is_named(project: Project) -> None:
    with pytest.raises(NotRecorded, match="no ref datasets/x@latest"):
        project.load("datasets/x@latest")


def test_sweep_leaves_the_folders_of_the_living(project: Project) -> None:
    dead = project.folder / "scratch" / "dead"
    with project.scratch() as living:
        dead.mkdir()
        (dead / "half").write_text("x")
        project.sweep()
        assert living.exists()
    assert not dead.exists()


def test_a_guarded_ref_points_to_its_kind_and_no_other(project: Project) -> None:
    value = project.put({"m": 1})
    with pytest.raises(Refused, match="points to a model"):
        project.move("models/m@champion", value.digest, why="x", verdict=project.put(GOOD))
    with pytest.raises(Refused, match="points to a release"):
        project.move("releases/m@latest", value.digest, why="x", signed=True)


def test_a_changed_byte_is_never_read(project: Project) -> None:
    small, large = project.put({"a": 1}), project.put(os.urandom(2 << 20))
    (pack,) = [
        path for path in project.store.root.glob("packs/*") if b'{"a":1}' in path.read_bytes()
    ]
    for artifact, path in ((small, pack), (large, project.store.path(large.digest))):
        whole = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(
            whole.replace(b'{"a":1}', b'{"a":2}') if path == pack else whole[:-1] + b"?"
        )
        with pytest.raises(ObjectCorrupt) as caught:
            project.load(artifact)
        assert caught.value.hint == "tricord verify"
