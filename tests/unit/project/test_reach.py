"""What is needed of a store, and what a collection therefore leaves alone."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tricord.core.artifact import Digest, Kind
from tricord.core.errors import ProjectError, StoreError
from tricord.core.pointer import Pointer
from tricord.project import collection, neighbours, pointers, usage, verification
from tricord.project.project import Project
from tricord.project.reach import Policy, live
from tricord.store import listing

GIT = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false",
       "-c", "core.hooksPath=/dev/null", "-c", "init.defaultBranch=main")  # fmt: skip


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", *GIT, "-C", str(root), *words], check=True, capture_output=True)


def age(project: Project) -> None:
    """Let the store be a month older."""
    then = time.time() - 30 * 86400
    objects = [path for _, path in listing.plain_objects(project.store.root)]
    for path in (*listing.pack_files(project.store.root), *objects):
        os.utime(path, (then, then))


def dataset(project: Project, text: str, name: str = "parcels") -> Digest:
    """A new version of a dataset."""
    file = project.root / "scratch.csv"
    file.write_text(text)
    digest = project.put_path(file, kind=Kind.DATASET).digest
    project.move(f"datasets/{name}@latest", digest, why="added")
    return digest


def point(project: Project, digest: Digest) -> None:
    pointers.write(project.root, Pointer("parcels", "parcels.csv", digest, "csv", 4, 1))


def collected(project: Project, policy: Policy | None = None) -> None:
    age(project)
    collection.collect(project, policy or Policy())


def test_all_that_a_ref_ever_named_is_needed(project: Project) -> None:
    versions = [dataset(project, f"x\n{number}\n") for number in range(3)]
    waste = project.store.put_bytes(b"nobody's")
    collected(project)
    assert not project.store.missing(versions)
    assert not project.store.has(waste)
    assert not collection.look(project)


def test_of_a_dataset_the_newest_versions_only(project: Project) -> None:
    versions = [dataset(project, f"x\n{number}\n") for number in range(4)]
    project.move("datasets/parcels@paper", versions[0], why="tagged")
    collected(project, Policy(versions=2))
    assert project.store.missing(versions) == {versions[1]}
    found = verification.verify(project)
    assert found.findings == ()
    assert found.let_go == 1


def test_old_runs_need_nothing_if_told_so_but_a_release_does(project: Project) -> None:
    kept = project.put({"weights": [1.0]}, kind=Kind.MODEL)
    project.move("models/small@champion", kept.digest, why="signed", signed=True)
    origin = project.origin(code="code", packages={})
    with project.recording("train", "0" * 64, origin=origin) as run:
        run.outputs["0"] = project.encode([1, 2, 3])
    output = run.outputs["0"].digest
    collected(project)
    assert project.store.has(output)
    collected(project, Policy(runs=-1.0))
    assert not project.store.has(output)
    assert project.store.has(kept.digest)


def test_a_pointer_of_any_branch_is_needed(project: Project) -> None:
    root = project.root
    git(root, "init", "-q")
    put = project.store.put_bytes
    first, second, staged, loose = (put(b"%d" % number) for number in range(4))
    git(root, "checkout", "-q", "-b", "one")
    point(project, first)
    git(root, "add", "-f", "parcels.csv.tricord")
    git(root, "commit", "-qm", "first")
    git(root, "checkout", "-q", "-b", "two")
    point(project, second)
    git(root, "commit", "-qam", "second")
    git(root, "checkout", "-q", "one")
    git(root, "branch", "-D", "two")  # the reflog still reaches it
    point(project, staged)
    git(root, "add", "parcels.csv.tricord")
    point(project, loose)
    waste = put(b"waste")
    collected(project)
    assert project.store.missing([first, second, staged, loose, waste]) == {waste}


def test_a_pointer_in_conflict_needs_both_sides(project: Project) -> None:
    ours, theirs = project.store.put_bytes(b"ours"), project.store.put_bytes(b"theirs")
    (project.root / "parcels.csv.tricord").write_text(
        f'<<<<<<< HEAD\ndigest = "{ours}"\n=======\ndigest = "{theirs}"\n>>>>>>> two\n'
    )
    collected(project)
    assert not project.store.missing([ours, theirs])


def test_a_git_that_cannot_be_read_stops_it(project: Project) -> None:
    (project.root / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(ProjectError, match="Git cannot say"):
        live(project)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Project, Project]]:
    """Two projects with one store."""
    made: list[Project] = []
    for name in ("one", "two"):
        root = tmp_path / name
        root.mkdir()
        (root / "tricord.toml").write_text('[store]\npath = "../store"\n')
        made.append(Project.init(root))
    yield made[0], made[1]
    for project in made:
        project.close()


def test_projects_that_share_a_store_leave_each_other_alone(
    shared: tuple[Project, Project],
) -> None:
    one, two = shared
    mine, theirs = dataset(one, "x\n1\n"), dataset(two, "x\n2\n")
    both = dataset(one, "x\n3\n"), dataset(two, "x\n3\n")
    assert both[0] == both[1]
    assert neighbours.neighbours(one) == [two.root]
    collected(one)
    assert not one.store.missing([mine, theirs, *both])
    lines = {line.name: line.usage for line in usage.by_project(one).lines}
    assert lines[str(one.root)].own == lines[str(two.root)].own == 4
    assert lines[str(one.root)].shared == 4


def test_a_project_that_is_gone_is_told_and_only_forgotten_by_name(
    shared: tuple[Project, Project],
) -> None:
    one, two = shared
    theirs = dataset(two, "x\n2\n")
    two.close()
    two.root.rename(two.root.with_name("moved"))
    with pytest.raises(ProjectError, match="not there") as raised:
        collected(one)
    assert raised.value.hint is not None
    assert f"tricord gc --forget {two.root}" in raised.value.hint
    assert one.store.has(theirs)
    with pytest.raises(StoreError, match="not known"):
        collection.forget(one, one.root / "elsewhere")
    collection.forget(one, two.root)
    collected(one)
    assert not one.store.has(theirs)


def test_what_takes_how_much(project: Project) -> None:
    dataset(project, "x\n" + "1\n" * 9)
    dataset(project, "y\n" + "2\n" * 99, name="letters")
    project.store.put_bytes(b"waste")
    age(project)
    report = usage.by_name(project)
    assert {line.name: line.content for line in report.lines} == {
        "datasets/parcels": 20,
        "datasets/letters": 200,
    }
    before = sum(path.stat().st_size for path in listing.pack_files(project.store.root))
    assert report.waste.total == before
    assert report.waste.size == collection.collect(project)
    after = sum(path.stat().st_size for path in listing.pack_files(project.store.root))
    assert before - after == report.waste.size
    names = [line.name for line in usage.by_name(project, versions=True).lines]
    assert sorted(names) == ["datasets/letters@v1", "datasets/parcels@v1"]


def test_verify_mends_from_the_work_tree(project: Project) -> None:
    file = project.root / "parcels.csv"
    file.write_text("x\n" + "1\n" * 500)
    digest = project.put_path(file, kind=Kind.DATASET).digest
    project.move("datasets/parcels@latest", digest, why="added")
    point(project, digest)
    for path in listing.pack_files(project.store.root):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:15] + b"?" + path.read_bytes()[16:])
    (finding,) = verification.verify(project).findings
    assert finding.digest == digest
    assert "datasets/parcels@latest" in finding.used_by
    assert finding.source == str(file)
    found = verification.verify(project, mend=True)
    assert found.findings == ()
    assert found.repaired is not None
    assert found.repaired.restored == {digest}
    assert project.store.read(digest) == file.read_bytes()


def test_a_policy_is_that_of_its_project_alone(shared: tuple[Project, Project]) -> None:
    one, two = shared
    mine = [dataset(one, f"x\n1{number}\n") for number in range(3)]
    theirs = [dataset(two, f"x\n2{number}\n") for number in range(3)]
    collected(one, Policy(versions=1))
    assert one.store.missing([*mine, *theirs]) == set(mine[:2])
