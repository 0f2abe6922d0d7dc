"""Projects that share a store: the setting `store.path`, a linked work tree, a store that another one owns."""

from pathlib import Path

from tricord.core.errors import ProjectError
from tricord.project.project import Project
from tricord.project.root import FOLDER
from tricord.store import users


def neighbours(project: Project) -> list[Path]:
    """The roots of the other projects that keep their content in this project's store, sorted."""
    store = project.store.root.resolve()
    found = {path.resolve() for path in users.others(project.store.root)}
    if store.name == "store" and store.parent.name == FOLDER:
        found.add(store.parent.parent)  # whose own it is
    return sorted(found - {project.root.resolve()})


def gone(root: Path) -> bool:
    """Whether a project is not where it said that it is."""
    return not (root / FOLDER / "ledger.sqlite").is_file()


def opened(root: Path) -> Project:
    """A neighbour. ProjectError where it is not there: it may only be a disk that is not mounted."""
    if gone(root):
        raise ProjectError(
            "this project shares the store and is not there, so what it needs is not known",
            where=str(root),
            hint=f"bring it back, or if it is gone for good: tricord gc --forget {root}",
        )
    return Project(root)
