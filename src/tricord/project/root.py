"""A project's root: how it is found, and how a clone or another work tree of one becomes usable."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from tricord.core import config as configuration
from tricord.core.errors import ProjectError

FOLDER = ".tricord"
"""Where a project keeps what is its own. Git does not see it, so a clone comes without."""


def find(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that is a project: one with `.tricord`, or with settings.

    ProjectError where there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir() or has_settings(folder):
            return folder
    raise ProjectError("no project here", where=str(here), hint="tricord init")


def has_settings(folder: Path) -> bool:
    """True where a folder has a `tricord.toml`, or a pyproject.toml with our section."""
    return (folder / configuration.FILE).is_file() or shares_pyproject(folder)


def shares_pyproject(folder: Path) -> bool:
    shared = folder / "pyproject.toml"
    try:
        return b"[tool.tricord" in shared.read_bytes()
    except OSError:
        return False


def prepare(root: Path) -> Path:
    """The `.tricord` of a project, made if there is none yet; it appears at once and whole.

    In a work tree that `git worktree add` made, its store is that of the main work tree, so that no
    byte is kept twice; the ledger is its own, as its datasets stand where its branch has them.
    """
    root = root.resolve()
    folder = root / FOLDER
    if (folder / ".gitignore").exists():
        return folder
    building = root / f"{FOLDER}-{os.urandom(6).hex()}"
    try:
        building.mkdir(parents=True)
        (building / ".gitignore").write_text("*\n", encoding="utf-8")
        main = None if folder.is_dir() else main_work_tree(root)
        if main is not None and (main / FOLDER / "store").is_dir():
            (building / "store").symlink_to((main / FOLDER / "store").resolve())
        if folder.is_dir():
            (building / ".gitignore").rename(folder / ".gitignore")
        else:
            with suppress(OSError):  # another process was first: its folder is as good
                building.rename(folder)
    except OSError as error:
        raise ProjectError(f"cannot make a project: {error.strerror}", where=str(root)) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    if not folder.is_dir():
        raise ProjectError("cannot make a project: not a folder", where=str(folder))
    return folder


def mend_link(root: Path) -> None:
    """Let a linked work tree follow the store that it shares, where the main work tree was moved.

    ProjectError where Git does not know either where that is now.
    """
    own = root / FOLDER / "store"
    if not own.is_symlink() or own.exists():
        return
    main = main_work_tree(root)
    if main is None or not (main / FOLDER / "store").is_dir():
        raise ProjectError(
            "the store that this work tree shares with the main one is not where it was",
            where=str(own.readlink()),
            hint=f"was the main work tree moved? in it: git worktree repair {root}",
        )
    new = own.with_name(f"store-{os.urandom(6).hex()}")
    new.symlink_to((main / FOLDER / "store").resolve())
    new.replace(own)


def main_work_tree(root: Path) -> Path | None:
    """Where the project is in Git's main work tree, if `root` is in one that `git worktree add` made.

    Read from Git's own files: a linked work tree has a file `.git` that names its folder, and that
    folder's `commondir` names the repository's (gitrepository-layout(5)).
    """
    for top in (root, *root.parents):
        mark = top / ".git"
        if mark.is_dir():
            return None
        if mark.is_file():
            with suppress(OSError, UnicodeDecodeError):
                text = mark.read_text(encoding="utf-8")
                own = (top / text.removeprefix("gitdir:").strip()).resolve()
                common = (own / (own / "commondir").read_text(encoding="utf-8").strip()).resolve()
                return common.parent / root.relative_to(top) if common.name == ".git" else None
            return None
    return None
