"""Data that another branch left in the work tree: its pointer went with the branch, its files did not.

For each place where data was put under a pointer there is a note in `.tricord/laid/`. A place that has a
note and no pointer any more was left behind: `git switch` removes pointers and knows nothing of the data.
"""

import json
from collections.abc import Iterable, Set
from contextlib import suppress
from pathlib import Path

from tricord.core.files import replace_text
from tricord.core.pointer import SUFFIX, Pointer, check_path
from tricord.data import pointers, sparse
from tricord.project import git
from tricord.project.project import Project
from tricord.store import digest as digests


def note(project: Project, pointer: Pointer) -> None:
    """Note that the data of a pointer stands in the work tree. Noting it twice changes nothing."""
    file = _file(project, pointer.path)
    text = json.dumps({"name": pointer.name, "path": pointer.path}, ensure_ascii=False)
    with suppress(OSError):
        if file.read_text(encoding="utf-8") == text:
            return
    file.parent.mkdir(exist_ok=True)
    replace_text(file, text)


def noted(project: Project, path: str) -> bool:
    """Whether data was put at a place, and is not known to be gone."""
    return _file(project, path).exists()


def forget(project: Project, path: str) -> None:
    """The data at a place is nobody's any more, or gone."""
    _file(project, path).unlink(missing_ok=True)
    sparse.whole(project, path)


def left_behind(project: Project, standing: Set[str]) -> dict[str, str]:
    """Path → name of the datasets whose data was put here, and whose pointer only another branch has;
    `standing` are the paths of those that have one here.

    A pointer that somebody deleted by hand, or that never was in a commit, takes no data with it.
    """
    folder = project.folder / "laid"
    if not folder.is_dir():
        return {}
    found: dict[str, str] = {}
    for path, name in _notes(sorted(folder.glob("*.json"))):
        inside = any(path.startswith(f"{place}/") for place in standing)
        holds = any(place.startswith(f"{path}/") for place in standing)
        if path not in standing and not pointers.pointer_file(project.root, path).exists():
            if inside or holds:  # it belongs to another dataset now
                forget(project, path)
            elif git.is_on_another_branch(project.root, path + SUFFIX):
                found[path] = name
    return found


def _notes(files: Iterable[Path]) -> Iterable[tuple[str, str]]:
    for file in files:
        try:
            note = json.loads(file.read_text(encoding="utf-8"))
            yield check_path(str(note["path"])), str(note["name"])
        except (OSError, ValueError, KeyError, TypeError):  # expendable: as if it were not there
            file.unlink(missing_ok=True)


def _file(project: Project, path: str) -> Path:
    return project.folder / "laid" / f"{digests.of_bytes(path.encode())[:32]}.json"
