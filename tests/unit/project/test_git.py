"""What Git is asked, whatever a hook's environment says and whatever letters a name is made of."""

import os
import subprocess
from pathlib import Path

import pytest

from tricord.core.artifact import Digest
from tricord.core.pointer import Pointer
from tricord.project import conflicts, git, hooks, pointers, reach
from tricord.project.project import Project

DIGEST = "ab" * 32


def type_git(folder: Path, *words: str) -> None:
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")  # fmt: skip
    subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Git repository with one committed file and a rule to ignore another."""
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    type_git(folder, "init", "-q", "-b", "main")
    (folder / "data" / "a.csv").write_text("a\n")
    (folder / ".gitignore").write_text("/data/\\[b\\].csv\n/data/Köln.csv\n")
    type_git(folder, "add", "-A")
    type_git(folder, "commit", "-qm", "start")
    return folder


def test_a_name_is_a_name_and_no_pattern(repository: Path) -> None:
    assert git.is_tracked(repository, "data/a.csv")
    assert git.is_tracked(repository, "data")
    assert not git.is_tracked(repository, "data/*.csv")
    assert not git.is_tracked(repository, "data/[a].csv")
    assert not git.is_tracked(repository, ":(top)data")
    assert git.is_ignored(repository, "data/[b].csv")
    assert git.is_ignored(repository, "data/Köln.csv")
    assert not git.is_ignored(repository, "data/b.csv")
    assert not git.is_ignored(repository, ":!data")
    (repository / "data" / "?.csv").write_text("?\n")
    assert not git.is_on_another_branch(repository, "data/?.csv")


def test_names_in_any_letters_are_found_in_conflict(repository: Path) -> None:
    for branch, size in (("one", 1), ("two", 2)):
        type_git(repository, "checkout", "-q", "-b", branch, "main")
        pointers.write(repository, Pointer("flug", "data/Flüge 飛", Digest(DIGEST), "tree", size, 1))  # fmt: skip
        type_git(repository, "add", "-A")
        type_git(repository, "commit", "-qm", branch)
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "merge", "-q", "one"], cwd=repository, check=False, capture_output=True)  # fmt: skip
    (found,) = conflicts.find_all(repository)
    assert found.file == repository / "data" / "Flüge 飛.tricord"
    assert conflicts.mark_resolved(repository, found.file)


def test_what_git_sets_for_a_hook_of_another_repository_does_not_mislead(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    type_git(other, "init", "-q", "-b", "main")
    project = Project.init(repository)
    pointers.write(repository, Pointer("a", "data/a", Digest(DIGEST), "tree", 1, 1))
    type_git(repository, "add", "-A")
    type_git(repository, "commit", "-qm", "pointer")
    pointers.pointer_file(repository, "data/a").unlink()
    was = git.state(repository).commit
    for name, text in {
        "GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_PREFIX": "x/",
        "GIT_INDEX_FILE": str(tmp_path / "index"), "GIT_LITERAL_PATHSPECS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, text)
    assert git.state(repository).commit == was
    assert git.is_tracked(repository, "data/a.csv")
    assert hooks.show(repository)[0].path.is_relative_to(repository)
    found = {need.digest for need in reach.own_needs(project) if need.place == "git"}
    project.close()
    assert DIGEST in found
    assert "GIT_DIR" in os.environ


def test_without_git_nothing_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git.ask(repository, "status") is None
    assert git.state(repository) == git.GitState(None, dirty=False)
