"""What Git says of the project: commit, whether the work tree differs, who works here."""

from dataclasses import dataclass
from pathlib import Path

_NO_CODE = (":(exclude,glob)**/*.tricord", ":(exclude,glob)**/.gitignore")


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
    return bool(_git(root, "check-ignore", "--", path))


def is_tracked(root: Path, path: str) -> bool:
    """True if Git keeps a file, or any file below a folder."""
    return bool(_git(root, "ls-files", "--", path))


def is_elsewhere(root: Path, path: str) -> bool:
    """True if a commit of some branch, or of one before, has a file that this branch has not."""
    literal = "--literal-pathspecs"  # a name may hold the letters that patterns are made of
    if _git(root, literal, "ls-files", "--", path):
        return False
    return bool(_git(root, literal, "log", "--all", "--reflog", "-1", "--format=%h", "--", path))


def _git(root: Path, *arguments: str) -> str:
    import subprocess  # slow to load, and a look at the data needs no Git

    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:  # no git on this machine: a project works without
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
