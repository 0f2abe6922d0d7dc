"""A repository written by any release opens in this one, whole and with its history."""

import tarfile
from pathlib import Path

import pytest

from tricord.core.event import EventType
from tricord.core.run import Status
from tricord.core.verdict import Verdict
from tricord.project.project import Project

ARCHIVES = sorted(Path(__file__).parent.glob("repository-*.tar.gz"))


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name)
def test_a_golden_repository_opens(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    project = Project.open(tmp_path / "repository")
    assert project.ledger.verify() == project.ledger.last_event() > 0
    assert list(project.store.verify()) == []
    dataset = project.resolve("datasets/numbers@latest")
    assert list(project.store.tree(dataset.digest)) == ["a.csv", "ü.csv"]
    assert project.load("models/numbers@champion") == {"weights": [0.5]}
    (move,) = project.ledger.moves("models/numbers@champion")
    assert move.why == "better"
    assert move.verdict is not None
    assert project.load(move.verdict, Verdict).passed
    (run,) = project.ledger.runs(name="train")
    assert (run.status, run.params, run.metrics) == (Status.FINISHED, {"rate": 0.1}, {"auc": 0.75})
    assert run.inputs["rows"].digest == dataset.digest
    (alert,) = project.ledger.events(types=(EventType.ALERT_RAISED,))
    assert alert.body == {"actions": ["retrain"]}
    if "datasets/large@latest" in project.ledger.refs():  # since version 2
        large = project.store.read(project.resolve("datasets/large@latest").digest)
        assert large.splitlines()[-1] == b"199999,2"
    project.move("datasets/numbers@latest", project.put(1).digest, why="it can be written too")
    assert list(project.store.verify()) == []
    project.close()


def test_there_is_an_archive() -> None:
    assert ARCHIVES
