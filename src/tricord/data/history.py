"""History: the versions of a dataset with who made them, what they hold and which runs used them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tricord.core.canonical import JSON
from tricord.core.errors import NotRecorded, ObjectMissing
from tricord.core.pointer import Pointer
from tricord.core.run import Run
from tricord.data import laying, pointers
from tricord.project import datasets
from tricord.project.datasets import Version
from tricord.project.project import Project


@dataclass(frozen=True, slots=True)
class Past:
    """One version: how many files it has (None: its content is not here), the pipeline runs that read it,
    newest first, and whether it is what the pointer of the work tree names."""

    version: Version
    files: int | None
    runs: Sequence[Run]
    here: bool

    def to_json(self) -> dict[str, JSON]:
        return {
            **self.version.to_json(),
            "files": self.files,
            "here": self.here,
            "runs": [{"id": run.id, "name": run.name} for run in self.runs],
        }


def log(project: Project, what: str) -> list[Past]:
    """The versions of a dataset, newest first. NotRecorded where there is none of that name."""
    name = what
    pointer = None
    try:
        pointer = pointers.get(project.root, what)
        name = pointer.name
    except NotRecorded:
        pass
    found = datasets.versions(project, name)
    if not found:
        if pointer is None:
            datasets.resolve(project, name)  # says which there are
        raise NotRecorded(
            f"no version of {name} is on record here yet", hint=f"tricord pull {name}"
        )
    return [
        Past(
            version,
            _files(project, version, pointer),
            _users(project, version),
            here=pointer is not None and version.digest == pointer.digest,
        )
        for version in reversed(found)
    ]


def _files(project: Project, version: Version, pointer: Pointer | None) -> int | None:
    """How many files a version has, from its list of them only where nothing else says so."""
    if pointer is not None and pointer.digest == version.digest and pointer.files:
        return pointer.files if project.store.has(version.digest) else None
    try:
        return len(laying.wanted(project.store, version.digest))
    except ObjectMissing:
        return None


def _users(project: Project, version: Version) -> list[Run]:
    """Pipelines whose steps read the version; a step that no pipeline ran stands for itself."""
    found: dict[str, Run] = {}
    for run in reversed(project.ledger.consumers(version.digest)):
        whole = project.ledger.run(run.parent) if run.parent else run
        found.setdefault(whole.id, whole)
    return list(found.values())
