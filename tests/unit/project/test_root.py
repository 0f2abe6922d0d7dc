"""Where a project is, and that clones and linked work trees of one are usable at once."""

import shutil
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tricord.core.errors import ProjectError
from tricord.project import root
from tricord.project.project import Project


def git(folder: Path, *words: str) -> None:
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Git repository with a project in a folder of it, committed."""
    top = tmp_path / "repository"
    Project.init(top / "team").close()
    git(top, "init", "-b", "main")
    git(top, "add", ".")
    git(top, "commit", "-m", "start")
    return top


def test_a_clone_is_a_project_at_its_first_command(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repository), "clone")
    clone = tmp_path / "clone" / "team"
    assert not (clone / ".tricord").exists()
    project = Project.open(clone)
    project.close()
    assert project.root == clone
    assert (clone / ".tricord" / ".gitignore").read_text() == "*\n"
    assert not list(clone.glob(".tricord-*"))


def test_settings_in_pyproject_make_a_project_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tricord.project]\nname = "x"\n')
    (tmp_path / "src").mkdir()
    project = Project.open(tmp_path / "src")
    project.close()
    assert (project.root, project.name) == (tmp_path, "x")


def test_a_linked_work_tree_shares_the_store_and_has_a_ledger_of_its_own(
    repository: Path,
) -> None:
    project = Project.open(repository / "team")
    digest = project.store.put_bytes(b"x")
    git(repository, "worktree", "add", "-b", "other", "../other")
    linked = Project.open(repository.parent / "other" / "team")

    assert linked.store.read(digest) == b"x"
    assert project.store.has(linked.store.put_bytes(b"y"))
    assert (linked.folder / "ledger.sqlite").is_file()
    assert root.main_work_tree(linked.root) == project.root
    assert root.main_work_tree(project.root) is None
    project.close()
    linked.close()


def test_a_linked_work_tree_follows_the_main_one_that_was_moved(repository: Path) -> None:
    with closing(Project.open(repository / "team")) as project:
        digest = project.store.put_bytes(b"x")
    git(repository, "worktree", "add", "-b", "other", "../other")
    linked = repository.parent / "other" / "team"
    Project.open(linked).close()
    moved = repository.rename(repository.with_name("moved"))
    with pytest.raises(ProjectError, match="is not where it was") as caught:
        Project.open(linked)
    assert "git worktree repair" in (caught.value.hint or "")
    git(moved, "worktree", "repair", str(linked.parent))
    with closing(Project.open(linked)) as project:
        assert project.store.read(digest) == b"x"
    assert sorted(each.name for each in (linked / ".tricord").glob("store*")) == ["store"]


def test_many_that_open_a_clone_at_once_find_one_project(repository: Path) -> None:
    shutil.rmtree(repository / "team" / ".tricord")
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.append(root.prepare(repository / "team")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [repository / "team" / ".tricord"] * 8
    assert sorted(path.name for path in made[0].iterdir()) == [".gitignore"]
    assert not list((repository / "team").glob(".tricord-*"))


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "tricord.toml").write_text("[project]\n")
    (tmp_path / ".tricord").write_text("")
    with pytest.raises(ProjectError, match="cannot make a project"):
        Project.open(tmp_path)
