"""The versions that Git's history knows of a DVC project's outputs."""

import os
import posixpath
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tricord.core.errors import DataError
from tricord.data.dvc import files
from tricord.data.dvc.files import Contents
from tricord.project import git

_NOT_ENTERED = frozenset({".git", ".dvc", ".tricord", ".venv", "node_modules", "__pycache__"})
_LINE = "\x01%H%x00%ct%x00%an%x00%s"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its id, its time in seconds since the epoch, who made it and the first line of why."""

    id: str
    when: int
    author: str
    subject: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file declared in a commit; None for the work tree of now."""

    commit: Commit | None
    file: str
    contents: Contents


def now(root: Path) -> Iterator[Seen]:
    """What the files of the work tree declare."""
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(set(inner) - _NOT_ENTERED)
        for name in sorted(filter(files.is_ours, names)):
            place = Path(folder) / name
            if not place.is_file():
                continue
            beside = place.with_name(files.STAGES)
            try:
                text = place.read_bytes()
                stages = beside.read_bytes() if name == files.LOCK and beside.is_file() else None
            except OSError as error:
                raise DataError(f"cannot be read: {error.strerror}", where=str(place)) from error
            path = place.relative_to(root).as_posix()
            yield Seen(None, path, files.parse(path, text, stages))


def before(root: Path, *, every_commit: bool) -> Iterator[Seen]:
    """What they declared, oldest first: at the tips of all branches, or in every commit of every branch
    and tag. Nothing outside Git. A file that cannot be read in an old commit is passed over."""
    changed = _every_change(root) if every_commit else _tips(root)
    with _Blobs(root) as blobs:
        for commit, path, blob in changed:
            text = blobs.read(blob)
            stages = None
            if posixpath.basename(path) == files.LOCK:
                beside = posixpath.join(posixpath.dirname(path), files.STAGES)
                stages = blobs.read(f"{commit.id}:./{beside}")
            if text is None:
                continue
            try:
                yield Seen(commit, path, files.parse(path, text, stages))
            except DataError:  # a merge conflict that somebody committed: it named no version
                continue


def head(root: Path) -> str:
    """The commit that the work tree is at; "" outside Git or before the first."""
    return _git(root, "rev-parse", "--verify", "-q", "HEAD").decode().strip()


def _every_change(root: Path) -> Iterator[tuple[Commit, str, str]]:
    out = _git(
        root, "log", "--branches", "--remotes", "--tags", "HEAD", "--reverse", "--date-order", "-z", "-m",
        "--relative", "--raw", "--no-abbrev", "--no-renames", "--diff-filter=AMT", f"--format={_LINE}",
        "--", ":(glob)**/*.dvc", ":(glob)**/dvc.lock",
    )  # fmt: skip
    fields = iter(out.decode("utf-8", "surrogateescape").split("\0"))
    commit = Commit("", 0, "", "")
    for each in fields:
        text = each.lstrip("\n")
        if text.startswith("\x01"):
            commit = Commit(text[1:], int(next(fields)), next(fields), next(fields))
        elif text.startswith(":"):
            path = next(fields)
            if files.is_ours(path):
                yield commit, path, text.split(" ")[3]


def _tips(root: Path) -> Iterator[tuple[Commit, str, str]]:
    form = "%(objectname)%00%(committerdate:unix)%00%(authorname)%00%(subject)"
    lines = _git(root, "for-each-ref", "--sort=committerdate", f"--format={form}", "refs/heads", "refs/remotes")  # fmt: skip
    for line in dict.fromkeys(filter(None, lines.decode("utf-8", "replace").split("\n"))):
        tip, when, author, subject = line.split("\0")
        commit = Commit(tip, int(when), author, subject)
        listed = _git(root, "ls-tree", "-r", "-z", tip).decode("utf-8", "surrogateescape")
        for row in filter(None, listed.split("\0")):
            about, _, path = row.partition("\t")
            if files.is_ours(path):
                yield commit, path, about.split(" ")[2]


def _git(root: Path, *words: str) -> bytes:
    """What Git says; nothing where it fails or is not there: then there is no history to read either."""
    said = git.ask(root, *words)
    return said.out if said and not said.code else b""


class _Blobs:
    """Reads Git's objects through one process."""

    def __init__(self, root: Path) -> None:
        command: Sequence[str] = ("git", "-C", str(root), "cat-file", "--batch")
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=git.environment()
            )
        except OSError as error:
            raise DataError(
                "git is not installed, and the history is Git's", hint="apt install git"
            ) from error

    def __enter__(self) -> "_Blobs":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def read(self, name: str) -> bytes | None:
        """The bytes of an object; None where there is none."""
        asked, answered = self._process.stdin, self._process.stdout
        if asked is None or answered is None or "\n" in name:
            return None
        asked.write(name.encode("utf-8", "surrogateescape") + b"\n")
        asked.flush()
        words = answered.readline().split(b" ")
        if len(words) < 3 or not words[-1].strip().isdigit():
            return None  # "NAME missing"
        data = answered.read(int(words[-1]))
        answered.read(1)
        return data
