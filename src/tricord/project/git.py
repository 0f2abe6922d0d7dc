"""What Git says of the project: commit, whether the work tree differs, who works here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

_NO_CODE = (":(exclude,glob)**/*.tricord", ":(exclude,glob)**/.gitignore")

_LITERAL = "--literal-pathspecs"
"""A name may hold the letters that patterns are made of."""
_MISLEADING = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
    "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
})  # fmt: skip


class Said(NamedTuple):
    """What Git answered: its exit code, what it wrote, and what it complained of."""

    code: int
    out: bytes
    error: str


@dataclass(frozen=True, slots=True)
class GitState:
    """`commit` is None outside Git or before the first commit."""

    commit: str | None
    dirty: bool


def state(root: Path) -> GitState:
    """Commit and dirtiness of the part of the work tree below `root`.

    Pointers and the lines that hide data from Git do not count: which data a run read is on record by itself.
    """
    commit = _git(root, "rev-parse", "--verify", "-q", "HEAD")
    if not commit:
        return GitState(None, dirty=False)
    return GitState(commit, dirty=bool(_git(root, "status", "--porcelain", "--", ".", *_NO_CODE)))


def user(root: Path) -> str:
    """Git's user name, else the login's."""
    name = _git(root, "config", "user.name")
    if name:
        return name
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for this user id
        return "unknown"


def is_ignored(root: Path, path: str) -> bool:
    """True if Git leaves a file of the work tree out, by some `.gitignore`."""
    # it takes names as they are, but for a colon at the beginning, and knows no --literal-pathspecs
    said = ask(root, "check-ignore", "-q", "--", f"./{path}")
    return said is not None and not said.code


def is_tracked(root: Path, path: str) -> bool:
    """True if Git keeps a file, or any file below a folder."""
    return bool(_git(root, _LITERAL, "ls-files", "-z", "--", path))


def is_on_another_branch(root: Path, path: str) -> bool:
    """True if a commit of some branch, or of one before, has a file that this branch has not."""
    if is_tracked(root, path):
        return False
    return bool(_git(root, _LITERAL, "log", "--all", "--reflog", "-1", "--format=%h", "--", path))


def ask(
    folder: Path, *words: str, settings: Mapping[str, str] = MappingProxyType({})
) -> Said | None:
    """Run Git in a folder and wait for what it says; None where there is no Git on this machine.

    `settings` are variables of its environment besides `environment()`. What it writes is bytes, as names
    of files may be any.
    """
    import subprocess  # slow to load, and a look at the data needs no Git

    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**environment(), **settings},
        )
    except OSError:
        return None
    return Said(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())


def environment() -> dict[str, str]:
    """The environment without what says which repository Git is to look at, or how it is to read paths.

    Git sets some of it for its hooks, and what is asked there is about the project's own repository.
    """
    return {key: text for key, text in os.environ.items() if key not in _MISLEADING}


def _git(root: Path, *arguments: str) -> str:
    """What Git says; "" where it fails or is not there: a project works without."""
    said = ask(root, *arguments)
    return said.out.decode("utf-8", "replace").strip() if said and not said.code else ""
