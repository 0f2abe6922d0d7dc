"""Git hooks: after a switch, a merge or a rebase the data follows, before a push it may go along.

Ours is a marked block at the beginning of a hook, so that it runs whatever the rest of the file ends with;
what else the hook holds stays as it is. A hook that is no shell script is kept under another name and called.
The folder is the one that Git uses: that of the repository for all its work trees, or `core.hooksPath`.
"""

import os
import shlex
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from tricord.core.errors import ProjectError
from tricord.core.files import replace_bytes
from tricord.project import git

ALWAYS = ("post-checkout", "post-merge", "post-rewrite")
PUSH = "pre-push"
_KEPT = ".before-tricord"
_SHELLS = (b"sh", b"bash", b"dash", b"ksh", b"zsh")
_RUN = {
    # a switch of branches ($3 is 1), also the one that a rebase begins with if it has nothing more to do
    "post-checkout": '[ "$3" = 1 ] && ! grep -q "^[a-z]" "$own/rebase-merge/git-rebase-todo" 2>/dev/null',
    "post-merge": ":",
    "post-rewrite": '[ "$1" = rebase ]',  # else it is an amended commit: nothing else was brought
    "pre-push": ":",
}
_COMMAND = {**dict.fromkeys(ALWAYS, "checkout"), PUSH: "push"}


@dataclass(frozen=True, slots=True)
class Hook:
    """One of Git's hooks: where it is, whether our block for this project is in it, whether more is."""

    name: str
    path: Path
    installed: bool
    others: bool


def show(root: Path) -> list[Hook]:
    """The hooks that can be installed for the project at `root`. ProjectError outside Git."""
    folder, prefix = _places(root)
    found: list[Hook] = []
    for name in (*ALWAYS, PUSH):
        path = folder / name
        data = _read(path)
        rest = _without(data, prefix)
        others = rest.strip() not in (b"", b"#!/bin/sh")
        found.append(Hook(name, path, rest != data, others))
    return found


def install(root: Path, *, push: bool = False) -> list[Hook]:
    """Install the hooks that run `tricord checkout`, and with `push` the one that runs `tricord push`.

    Doing it twice changes nothing. ProjectError outside Git, or where a hook cannot be written.
    """
    folder, prefix = _places(root)
    with_names = (*ALWAYS, PUSH) if push else ALWAYS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in with_names:
            _install(folder / name, name, prefix)
    except OSError as error:
        raise ProjectError(
            f"the hook cannot be written: {error.strerror}", where=str(error.filename or folder)
        ) from error
    return show(root)


def remove(root: Path) -> list[Hook]:
    """Take our blocks out again; what else the hooks hold stays, and a hook that was moved comes back."""
    folder, prefix = _places(root)
    try:
        for name in (*ALWAYS, PUSH):
            _remove(folder / name, name, prefix)
    except OSError as error:
        raise ProjectError(
            f"the hook cannot be written: {error.strerror}", where=str(error.filename or folder)
        ) from error
    return show(root)


def shared_folder(root: Path) -> Path | None:
    """The folder of the hooks, if other repositories may use it too: one that `core.hooksPath` names, outside
    of this one."""
    folder, _ = _places(root)
    own = Path(_git(root, "--show-toplevel")), root / _git(root, "--git-common-dir")
    inside = any(folder.resolve().is_relative_to(each.resolve()) for each in own)
    return None if inside else folder


def _places(root: Path) -> tuple[Path, str]:
    """The folder of the hooks, and the project's path within the work tree."""
    top = Path(_git(root, "--show-toplevel"))
    # from the top: a relative core.hooksPath is meant from there
    folder = top / _git(top, "--git-path", "hooks")
    return folder, root.resolve().relative_to(top.resolve()).as_posix()


def _git(folder: Path, *asked: str) -> str:
    said = git.ask(folder, "rev-parse", *asked)
    if said is None:
        raise ProjectError("there is no git on this machine", hint="install git")
    if said.code:
        raise ProjectError("not in a Git work tree", where=str(folder), hint="git init")
    return os.fsdecode(said.out.removesuffix(b"\n"))


def _block(name: str, prefix: str) -> bytes:
    """The lines of one hook. Git's own variables are unset, since the project may lie below the top."""
    place = shlex.quote(prefix)
    python = shlex.quote(sys.executable)
    failed = "exit 1" if name == PUSH else 'echo "the data was not brought: tricord status" >&2'
    return f"""{_begin(prefix)}
(
  top=$(git rev-parse --show-toplevel) && own=$(git rev-parse --absolute-git-dir) || exit 0
  {{ {_RUN[name]}; }} || exit 0
  unset $(git rev-parse --local-env-vars)
  cd "$top"/{place} 2>/dev/null || exit 0
  [ -e tricord.toml ] || grep -q '^.tool.tricord' pyproject.toml 2>/dev/null || exit 0
  if command -v tricord >/dev/null 2>&1; then tricord {_COMMAND[name]}
  elif [ -x {python} ]; then {python} -m tricord {_COMMAND[name]}
  else echo "tricord is not on the PATH: run tricord {_COMMAND[name]} yourself" >&2
  fi
) </dev/null || {failed}
{_end(prefix)}
""".encode()


def _begin(prefix: str) -> str:
    return f"# >>> tricord {shlex.quote(prefix)} >>>"


def _end(prefix: str) -> str:
    return f"# <<< tricord {shlex.quote(prefix)} <<<"


def _calls(name: str) -> bytes:
    kept = f'"$(dirname "$0")/{name}{_KEPT}"'
    return f'#!/bin/sh\n[ -x {kept} ] || exit 0\nexec {kept} "$@"\n'.encode()


def _install(path: Path, name: str, prefix: str) -> None:
    data = _read(path)
    if data and not (_is_shell(data) and os.access(path, os.X_OK)):  # or it is switched off
        kept = path.with_name(name + _KEPT)
        if kept.exists():
            raise ProjectError(
                "a hook would be moved away, and there is one already",
                where=str(kept),
                hint=f"look at both, then delete or rename {kept.name}",
            )
        path.rename(kept)
        data = _calls(name)
    rest = _without(data, prefix) or b"#!/bin/sh\n"
    first, newline, below = rest.partition(b"\n")
    made = first + (newline or b"\n") + _block(name, prefix) + below
    if made != data or not os.access(path, os.X_OK):
        _write(path, made)


def _remove(path: Path, name: str, prefix: str) -> None:
    data = _read(path)
    rest = _without(data, prefix)
    kept = path.with_name(name + _KEPT)
    if rest == data:
        return
    if rest == _calls(name) and kept.exists():
        kept.rename(path)
    elif rest.strip() == b"#!/bin/sh":
        path.unlink()
    else:
        _write(path, rest)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _write(path: Path, data: bytes) -> None:
    """The file appears whole; a link to a hook that is shared stays one."""
    target = path.resolve()
    mode = target.stat().st_mode if target.exists() else 0o755
    if not target.exists():
        target.touch(mode=0o755)
    replace_bytes(target, data)
    target.chmod(stat.S_IMODE(mode) | 0o111)


def _without(data: bytes, prefix: str) -> bytes:
    """The hook without our block for this project."""
    start = data.find(_begin(prefix).encode() + b"\n")
    end_line = _end(prefix).encode() + b"\n"
    end = data.find(end_line, start)
    return data if start < 0 or end < 0 else data[:start] + data[end + len(end_line) :]


def _is_shell(data: bytes) -> bool:
    """Whether a hook is a shell script: its first line runs one (`#!/usr/bin/env bash`, `#!/bin/sh -e`)."""
    first = data.partition(b"\n")[0]
    if not first.startswith(b"#!"):
        return False
    words = [word.rpartition(b"/")[2] for word in first[2:].split()]
    return any(word in _SHELLS for word in words[:3])
