"""A version is read by path or as a stream, and whoever writes to it harms nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import tricord
from tricord.core.artifact import Kind
from tricord.core.errors import DataError, NotRecorded, ObjectMissing
from tricord.core.pointer import Pointer
from tricord.data import pointers, views
from tricord.data.attached import attach, schema_of
from tricord.data.parts import parts
from tricord.data.versions import add
from tricord.project import datasets
from tricord.project.project import Project
from tricord.project.transfer import push


@pytest.fixture
def flights(project: Project) -> Project:
    """Two versions of a folder."""
    folder = project.root / "flights"
    (folder / "2013").mkdir(parents=True)
    (folder / "2013" / "jan.csv").write_text("a\n1\n")
    (folder / "run.sh").write_text("exit\n")
    (folder / "run.sh").chmod(0o755)
    add(project, folder)
    (folder / "2013" / "jan.csv").write_text("a\n2\n")
    add(project, folder)
    return project


def test_each_version_has_its_own_folder_which_is_read_only(flights: Project) -> None:
    one, two = (views.path(flights, f"flights@v{number}") for number in (1, 2))
    assert (one / "2013" / "jan.csv").read_text() == "a\n1\n"
    assert (two / "2013" / "jan.csv").read_text() == "a\n2\n"
    assert views.path(flights, "flights") == two
    assert (one / "2013" / "jan.csv").stat().st_mode & 0o777 == 0o444
    assert (one / "run.sh").stat().st_mode & 0o777 == 0o555


def test_it_is_laid_out_once(flights: Project) -> None:
    first = views.path(flights, "flights@v1") / "run.sh"
    inode = first.stat().st_ino
    views.path(flights, "flights@v1")
    assert first.stat().st_ino == inode


def test_one_file_comes_alone_under_its_own_name(flights: Project) -> None:
    file = views.path(flights, "flights@v1", "2013/jan.csv")
    assert file.name == "jan.csv"
    assert not (file.parent.parent / "run.sh").exists()
    assert (views.path(flights, "flights@v1") / "run.sh").exists()
    with pytest.raises(DataError, match=r"did you mean '2013/jan\.csv'"):
        views.path(flights, "flights@v1", "2013/jan.cvs")


def test_an_edit_of_it_never_reaches_the_store_and_is_mended(flights: Project) -> None:
    file = views.path(flights, "flights@v1", "2013/jan.csv")
    file.chmod(0o644)
    file.write_text("a\n9\n")
    digest = flights.store.tree(flights.ledger.moves("datasets/flights@latest")[0].new or "")  # pyright: ignore[reportArgumentType]
    assert flights.store.read(digest["2013/jan.csv"]) == b"a\n1\n"
    assert views.path(flights, "flights@v1", "2013/jan.csv").read_text() == "a\n1\n"


def test_a_large_file_is_not_the_stores_own(project: Project) -> None:
    file = project.root / "large.bin"
    file.write_bytes(bytes(range(256)) * 8192)  # 2 MiB: kept as an object of its own, or in chunks
    add(project, file)
    seen = views.path(project, "large")
    assert seen.name == "large.bin"
    assert seen.read_bytes() == file.read_bytes()
    inodes = {path.stat().st_ino for path in project.store.root.rglob("*") if path.is_file()}
    assert seen.stat().st_ino not in inodes


def test_the_folder_may_be_deleted_at_any_time(flights: Project) -> None:
    views.path(flights, "flights@v1")
    shutil.rmtree(flights.folder / views.FOLDER)
    assert (views.path(flights, "flights@v1") / "run.sh").exists()


def test_a_stream_reads_what_is_asked_for(
    flights: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with views.open_file("flights@v1", "2013/jan.csv", project=flights) as stream:
        stream.seek(2)
        assert stream.read() == b"1\n"
    monkeypatch.chdir(flights.root)
    with tricord.open_file("flights", "2013/jan.csv") as stream:  # of the working folder's project
        assert stream.readline() == b"a\n"
    with pytest.raises(DataError, match="2 files: which one"):
        views.open_file("flights", project=flights)
    with pytest.raises(NotRecorded, match="no dataset 'fligths'"):
        views.open_file("fligths", project=flights)


def test_the_only_file_of_a_dataset_needs_no_name(project: Project) -> None:
    file = project.root / "weather.csv"
    file.write_text("a\n")
    add(project, file)
    with views.open_file("weather", project=project) as stream:
        assert stream.read() == b"a\n"


def test_content_that_is_not_here_says_how_to_bring_it(flights: Project) -> None:
    shutil.rmtree(flights.store.root / "packs")
    (flights.store.root / "index.sqlite").unlink()
    flights.store.close()
    fresh = Project.open(flights.root)
    with pytest.raises(ObjectMissing, match="tricord pull"):
        views.path(fresh, "flights@v1")
    fresh.close()


def test_in_a_clone_the_pointer_says_which_version(flights: Project, tmp_path: Path) -> None:
    clone = Project.init(tmp_path / "clone")
    shutil.copy(flights.root / "flights.tricord", clone.root)
    shutil.copytree(flights.store.root, clone.store.root, dirs_exist_ok=True)
    again = Project.open(clone.root)
    assert (views.path(again, "flights") / "2013" / "jan.csv").read_text() == "a\n2\n"
    again.close()
    clone.close()


def test_a_branch_is_answered_by_its_own_pointer(
    flights: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = pointers.get(flights.root, "flights")
    first = datasets.resolve(flights, "flights@v1")
    pointers.write(flights.root, replace(here, digest=first.digest))  # as `git switch` does
    assert (views.path(flights, "flights") / "2013" / "jan.csv").read_text() == "a\n1\n"
    assert (views.path(flights, "flights@v2") / "2013" / "jan.csv").read_text() == "a\n2\n"
    (part,) = parts(flights, "flights", "**/*.csv")
    assert flights.store.read(part.artifact.digest) == b"a\n1\n"
    monkeypatch.chdir(flights.root)
    with views.open_file("flights", "2013/jan.csv") as stream:
        assert stream.read() == b"a\n1\n"


def test_in_a_clone_parts_and_schema_are_those_of_the_pointer(
    flights: Project, tmp_path: Path
) -> None:
    clone = Project.init(tmp_path / "clone")
    shutil.copy(flights.root / "flights.tricord", clone.root)
    clone.store.put_tree(flights.root / "flights")
    assert [part.name for part in parts(clone, "flights", "**/*.csv")] == ["2013/jan.csv"]
    (clone.root / "a.csv").write_text("a\n1\n")
    artifact = clone.put_path(clone.root / "a.csv", kind=Kind.DATASET)
    pointers.write(clone.root, Pointer("one", "one.csv", artifact.digest, "csv", 4, 1))
    schema, is_attached = schema_of(clone, "one")
    assert ([rule.name for rule in schema.columns], is_attached) == (["a"], False)
    attach(clone, "one")
    assert schema_of(clone, "one")[1]
    clone.close()


def test_what_is_not_here_is_read_at_the_remote_without_keeping_it(
    flights: Project, tmp_path: Path
) -> None:
    large = flights.root / "flights" / "large.bin"
    large.write_bytes(bytes(range(256)) * 8192)
    add(flights, flights.root / "flights")
    remote = str(tmp_path / "remote")
    push(flights, remote=remote)
    clone = Project.init(tmp_path / "clone")
    shutil.copy(flights.root / "flights.tricord", clone.root)
    with views.open_file("flights", "large.bin", project=clone, remote=remote) as stream:
        stream.seek(256 * 4096 + 7)
        assert stream.read(3) == b"\x07\x08\x09"
    with views.open_file("flights", "2013/jan.csv", project=clone, remote=remote) as stream:
        assert stream.read() == b"a\n2\n"
    assert list(clone.store.missing(flights.store.tree(flights.ledger.ref("datasets/flights@latest") or "").values()))  # fmt: skip  # pyright: ignore[reportArgumentType]
    clone.store.close()
    clone.close()
