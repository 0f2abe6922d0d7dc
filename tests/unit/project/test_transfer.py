"""push and fetch between projects: content, versions, tags, models, and refs that two people moved."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tricord.core.artifact import Digest, Kind
from tricord.core.errors import NotRecorded, ObjectMissing, RefConflict, RemoteError
from tricord.core.release import Release
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.project import datasets, transfer
from tricord.project.project import Project


def opened(folder: Path, remote: Path) -> Project:
    folder.mkdir()
    (folder / "tricord.toml").write_text(
        f'[project]\nname = "delays"\nactor = "{folder.name}"\n\n[remote.origin]\nurl = "{remote}"\n'
    )
    return Project.init(folder)


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Project]:
    made = opened(tmp_path / "ann", tmp_path / "remote")
    yield made
    made.close()


@pytest.fixture
def bea(tmp_path: Path) -> Iterator[Project]:
    made = opened(tmp_path / "bea", tmp_path / "remote")
    yield made
    made.close()


def version(project: Project, name: str, text: str) -> Digest:
    """A new version of a dataset of two files."""
    folder = project.root / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text(text)
    (folder / "about.txt").write_text("what it is")
    artifact = project.put_path(folder, kind=Kind.DATASET, source=f"data/{name}")
    return datasets.record(project, name, artifact, why=f"rows {text}").digest


def test_versions_come_with_who_when_and_why(ann: Project, bea: Project) -> None:
    digests = [version(ann, "flights", text) for text in ("one", "two", "three")]
    datasets.tag(ann, datasets.resolve(ann, "flights@v2"), "reviewed")
    pushed = transfer.push(ann)
    assert {item.name for item in pushed.new} == {"flights", "flights@reviewed"}
    assert not transfer.push(ann).new
    pulled = transfer.fetch(bea)
    assert pulled.learned.moved["datasets/flights@latest"] == digests[2]
    mine, theirs = datasets.versions(ann, "flights"), datasets.versions(bea, "flights")
    assert [(v.number, v.digest, v.when, v.actor, v.why, v.tags) for v in mine] == [
        (v.number, v.digest, v.when, v.actor, v.why, v.tags) for v in theirs
    ]
    assert bea.store.has(digests[2])
    assert not bea.store.has(digests[0])  # known, and not pushed
    assert bea.ledger.verify()
    with pytest.raises(ObjectMissing):
        transfer.fetch(bea, ["flights@v1"])
    transfer.push(ann, everything=True)
    transfer.fetch(bea, ["flights@v1"])
    assert bea.store.read(bea.store.tree(digests[0])["rows.csv"]) == b"one"
    assert not transfer.fetch(bea, everything=True).learned.moved


def test_a_part_of_a_dataset(ann: Project, bea: Project) -> None:
    digest = version(ann, "flights", "one")
    transfer.push(ann)
    pulled = transfer.fetch(bea, ["flights", "rows.*"])
    assert pulled.items[0].paths == ("rows.*",)
    assert pulled.fetched.files == 1
    files = bea.store.tree(digest)
    assert bea.store.missing(files.values()) == {files["about.txt"]}
    with pytest.raises(NotRecorded, match="no file"):
        transfer.fetch(bea, ["flights", "nothing.csv"])
    with pytest.raises(NotRecorded, match="nothing is named"):
        transfer.fetch(bea, ["nothing"])


def test_two_who_add_versions_at_once_keep_both(ann: Project, bea: Project) -> None:
    version(ann, "flights", "one")
    transfer.push(ann)
    transfer.fetch(bea)
    by_ann, by_bea = version(ann, "flights", "ann's"), version(bea, "flights", "bea's")
    transfer.push(ann)
    transfer.push(bea)
    for project, own in ((ann, by_ann), (bea, by_bea)):
        transfer.fetch(project)
        known = {found.digest for found in datasets.versions(project, "flights")}
        assert {by_ann, by_bea} <= known
        assert project.ledger.ref("datasets/flights@latest") in (own, by_bea)
        transfer.push(project)
    assert not transfer.push(ann).sent.bytes


def champion(project: Project, weights: bytes) -> Digest:
    """A model that passed, and its release. The model's digest."""
    model = project.put(weights, kind=Kind.MODEL)
    records = [project.store.put_bytes(name) for name in (b"code", b"environment")]
    passed = project.put(Verdict("better?", "delay", (Check("auc", Outcome.PASS, "0.8"),)))
    data = version(project, "trained-on", "rows")
    release = Release("delay", model.digest, *records, data={"trained-on": data})
    project.move("models/delay@champion", model.digest, why="better", verdict=passed)
    project.move("releases/delay@latest", project.put(release).digest, why="ok", verdict=passed)
    return model.digest


def test_models_and_releases_go_too_with_what_they_name(ann: Project, bea: Project) -> None:
    model = champion(ann, b"weights")
    transfer.push(ann, ["releases/delay@latest"])
    transfer.fetch(bea, ["releases/delay@latest"])
    release = bea.load("releases/delay@latest", Release)
    assert not bea.store.missing([model, release.code, release.environment])  # type: ignore[list-item]
    assert bea.store.missing(release.data.values())  # comes where it is asked for
    verdict = bea.ledger.moves("releases/delay@latest")[0].verdict
    assert verdict is not None
    assert bea.load(verdict, Verdict).passed
    transfer.fetch(bea, everything=True)
    assert not bea.store.missing(release.data.values())


def test_a_release_whose_model_did_not_come_is_not_reported_as_fetched(
    ann: Project, bea: Project, tmp_path: Path
) -> None:
    model = champion(ann, random.Random(3).randbytes(2_000_000))
    transfer.push(ann, ["releases/delay@latest"])
    (tmp_path / "remote" / "objects" / model[:2] / model[2:]).unlink()
    with pytest.raises(ObjectMissing, match="did not come"):
        transfer.fetch(bea, ["releases/delay@latest"])
    transfer.fetch(ann)


def test_one_that_did_not_come_is_told_beside_those_that_did(
    ann: Project, bea: Project, tmp_path: Path
) -> None:
    kept, gone = ann.root / "kept", ann.root / "gone"
    kept.write_text("kept")
    gone.write_bytes(random.Random(3).randbytes(2_000_000))
    for path in (kept, gone):
        artifact = ann.put_path(path, kind=Kind.DATASET, source=path.name)
        datasets.record(ann, path.name, artifact, why="new")
    transfer.push(ann)
    for path in (tmp_path / "remote" / "objects").glob("*/*"):
        path.unlink()
    pulled = transfer.fetch(bea, ["kept", "gone"], partial=True)
    assert pulled.lost.keys() == {"gone@v1"}
    assert pulled.lost["gone@v1"].what.startswith("gone@v1 did not come")
    assert bea.store.has(pulled.items[0].digest)
    with pytest.raises(ObjectMissing):
        transfer.fetch(bea, ["gone"], partial=True)


def test_refs_that_two_people_moved_are_told_and_settled(ann: Project, bea: Project) -> None:
    first = ann.put(b"first", kind=Kind.MODEL)
    ann.move("models/delay@champion", first.digest, why="first", signed=True)
    transfer.push(ann)
    transfer.fetch(bea)
    assert bea.load("models/delay@champion", bytes) == b"first"
    for project in (ann, bea):
        model = project.put(project.root.name.encode(), kind=Kind.MODEL)
        project.move("models/delay@champion", model.digest, why="mine", signed=True)
    transfer.push(ann)
    before = bea.ledger.ref("models/delay@champion")
    with pytest.raises(RefConflict, match="moved on both sides"):
        transfer.push(bea)
    apart = transfer.fetch(bea).learned.apart
    assert apart == {"models/delay@champion": (before, ann.ledger.ref("models/delay@champion"))}
    assert bea.ledger.ref("models/delay@champion") == before
    transfer.push(bea, ours=True)
    transfer.fetch(ann)
    assert ann.load("models/delay@champion", bytes) == b"bea"


def test_theirs_is_taken_where_it_is_asked_for(ann: Project, bea: Project) -> None:
    for project in (ann, bea):
        model = project.put(project.root.name.encode(), kind=Kind.MODEL)
        project.move("models/delay@champion", model.digest, why="mine", signed=True)
    transfer.push(ann)
    transfer.fetch(bea, theirs=True)
    assert bea.load("models/delay@champion", bytes) == b"ann"
    transfer.push(bea)


def test_endpoints_are_not_shared(ann: Project, bea: Project) -> None:
    plan = ann.put(b"plan", kind=Kind.ROUTING_PLAN)
    ann.move("endpoints/delay@live", plan.digest, why="go", signed=True)
    version(ann, "flights", "one")
    transfer.push(ann)
    transfer.fetch(bea, everything=True)
    assert not bea.ledger.refs("endpoints/")


def test_a_repair_asks_for_digests(ann: Project, bea: Project) -> None:
    digest = version(ann, "flights", "one")
    unknown = Digest("ab" * 32)
    transfer.push(ann)
    assert transfer.fetch_objects(bea, {digest, unknown}, "origin") == {unknown}
    assert bea.store.has(digest)


def test_projects_share_a_remote_under_names_of_their_own(ann: Project, tmp_path: Path) -> None:
    version(ann, "flights", "one")
    transfer.push(ann)
    other = opened(tmp_path / "other", tmp_path / "remote")
    (other.root / "tricord.toml").write_text(
        f'[project]\nname = "other"\n\n[remote.origin]\nurl = "{tmp_path / "remote"}"\n'
    )
    other.close()
    other = Project.open(other.root)
    digest = version(other, "flights", "one")
    assert not transfer.push(other).sent.bytes  # the content is there, from the other project
    assert datasets.versions(other, "flights")[0].digest == digest
    assert len(list((tmp_path / "remote" / "records").iterdir())) == 2
    other.close()


def test_which_remote(ann: Project, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="no remote 'nowhere'"):
        transfer.open_remote(ann, "nowhere")
    assert transfer.open_remote(ann, str(tmp_path / "elsewhere")).where == str(
        tmp_path / "elsewhere"
    )
    bare = Project.init(tmp_path / "bare")
    with pytest.raises(RemoteError, match="no remote"):
        transfer.open_remote(bare)
    bare.close()
