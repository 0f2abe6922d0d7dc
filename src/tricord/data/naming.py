"""Which version `NAME[@VERSION]` means: what the pointer of the work tree names goes before the ledger's latest."""

from pathlib import PurePosixPath

from tricord.core.artifact import Artifact, Kind
from tricord.core.canonical import JSON
from tricord.core.errors import NotRecorded
from tricord.core.pointer import Pointer
from tricord.data import pointers
from tricord.project import datasets
from tricord.project.datasets import Version
from tricord.project.project import Project


def pointer_of(project: Project, name_or_path: str) -> Pointer | None:
    """The pointer of a dataset, None where the work tree has none. DataError for one in conflict."""
    try:
        return pointers.get(project.root, name_or_path)
    except NotRecorded:
        return None


def version_of(project: Project, what: str) -> Version:
    """The version that `NAME[@VERSION]`, or the path of a dataset's data, names in this work tree.

    Without a VERSION it is that of the pointer: two branches may have two. The ledger decides only where
    there is no pointer; a version that it does not know, as in a clone, has the number 0. NotRecorded.
    """
    name, wanted = datasets.asked(project, what)
    here = pointer_of(project, name if wanted else what)
    if here is None:
        return datasets.resolve(project, what)
    if wanted is None:
        return pointed(project, here)
    if wanted in here.tags and wanted not in datasets.tags(project, here.name):
        wanted = here.tags[wanted]
    try:
        return datasets.resolve(project, f"{here.name}@{wanted}")
    except NotRecorded:
        if len(wanted) > 3 and here.digest.startswith(wanted):
            return pointed(project, here)  # a clone: the ledger does not know it yet
        raise


def pointed(project: Project, pointer: Pointer) -> Version:
    """The version that a pointer names, with what the ledger knows of it."""
    try:
        return datasets.resolve(project, f"{pointer.name}@{pointer.digest}")
    except NotRecorded:
        return Version(pointer.name, 0, artifact_of(pointer))


def artifact_of(pointer: Pointer) -> Artifact:
    """What a pointer names, as an artifact."""
    meta: dict[str, JSON] = {
        "type": "pathlib.Path",
        "name": PurePosixPath(pointer.path).name,
        "source": pointer.path,
    }
    return Artifact(pointer.digest, Kind.DATASET, pointer.format, pointer.size, meta)
