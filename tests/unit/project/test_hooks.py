"""Git's hooks: ours are added and taken out, and nobody else's is ever lost."""

import subprocess
from pathlib import Path

import pytest

from tricord.core.errors import ProjectError
from tricord.project import hooks


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository; Git takes none of this machine's settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("GIT_DIR", raising=False)
    made = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", str(made)], check=True)
    (made / ".git" / "hooks").mkdir(exist_ok=True)
    return made


def write(root: Path, name: str, text: bytes, mode: int = 0o755) -> Path:
    path = root / ".git" / "hooks" / name
    path.write_bytes(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (b"#!/bin/sh\necho mine\n", 0o755),
        (b"#!/usr/bin/env bash\nset -e\nexit 0", 0o755),
        (b"#!/bin/sh\n", 0o700),
        (b"#!/usr/bin/env python3\nprint('mine')\n", 0o755),
        (b"\x7fELF\x00\xff binary", 0o755),
        (b"#!/bin/sh\necho switched off\n", 0o644),
        (b"echo no first line\n", 0o755),
    ],
    ids=["sh", "bash", "empty", "python", "binary", "off", "bare"],
)
def test_what_was_there_comes_back_as_it_was(root: Path, text: bytes, mode: int) -> None:
    path = write(root, "post-checkout", text, mode)
    assert hooks.install(root)[0].installed
    assert hooks.install(root)[0].installed
    assert path.read_bytes().count(b">>> tricord") == 1
    hooks.remove(root)
    if text.strip() != b"#!/bin/sh":
        assert path.read_bytes() == text
        assert path.stat().st_mode & 0o777 == mode
    assert not (root / ".git" / "hooks" / "post-merge").exists()
    assert not list((root / ".git" / "hooks").glob("*.before-tricord"))


def test_a_hook_that_was_moved_away_before_is_not_overwritten(root: Path) -> None:
    write(root, "post-checkout", b"#!/usr/bin/python3\n")
    kept = write(root, "post-checkout.before-tricord", b"somebody's")
    with pytest.raises(ProjectError, match="there is one already"):
        hooks.install(root)
    assert kept.read_bytes() == b"somebody's"


def test_two_projects_of_one_repository_have_their_own_lines(root: Path) -> None:
    for name in ("one", "it's two"):
        (root / name).mkdir()
        assert hooks.install(root / name)[0].installed
    hooks.remove(root / "one")
    assert not hooks.show(root / "one")[0].installed
    assert hooks.show(root / "it's two")[0].installed


def test_a_hook_that_is_a_link_stays_one(root: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared-hook"
    shared.write_text("#!/bin/sh\necho shared\n")
    shared.chmod(0o755)
    link = root / ".git" / "hooks" / "post-merge"
    link.symlink_to(shared)
    hooks.install(root)
    assert link.is_symlink()
    assert b">>> tricord" in shared.read_bytes()
    hooks.remove(root)
    assert shared.read_text() == "#!/bin/sh\necho shared\n"


def test_outside_git_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "here").mkdir()
    with pytest.raises(ProjectError, match="not in a Git work tree") as caught:
        hooks.install(tmp_path / "here")
    assert caught.value.hint == "git init"


def test_the_lines_are_shell_that_any_sh_reads(root: Path) -> None:
    for hook in hooks.install(root, push=True):
        subprocess.run(["sh", "-n", str(hook.path)], check=True)
