"""A dataset's parts: its files, or groups of them, each an artifact of its own that steps are given."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from tricord.core import glob
from tricord.core.artifact import Artifact, Kind, format_of
from tricord.core.canonical import JSON
from tricord.core.errors import PlanError
from tricord.project.project import Project
from tricord.store.tree import Entry


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """One part: its name (a path, or what the pattern captured), and the paths of its files."""

    name: str
    artifact: Artifact
    files: tuple[str, ...]

    def to_json(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "digest": self.artifact.digest,
            "size": self.artifact.size,
            "files": list(self.files),
        }


def cut(project: Project, artifact: Artifact, pattern: str, *, of: str) -> list[DatasetPart]:
    """The parts of a dataset whose files match `pattern` (see `core.glob`), sorted by name.

    Each file is a part; where the pattern captures, the files of equal captures are one, as a
    folder with their paths. A part is known by its content: the same in each version that has it.
    `of` names the dataset in errors. PlanError where no file matches.
    """
    wanted = glob.compiled(pattern)
    groups: dict[str, list[Entry]] = {}
    for entry in files(project, artifact, alone=str(artifact.meta.get("name") or artifact.digest)):
        if match := wanted.fullmatch(entry.path):
            name = " ".join(found or "" for found in match.groups()) or entry.path
            groups.setdefault(name, []).append(entry)
    if not groups:
        raise PlanError(
            f"no file of {of} matches {pattern!r}",
            hint=f"tricord data parts {of.removeprefix('datasets/')} --glob '**'",
        )
    if not wanted.groups:
        return [_file(name, entries[0]) for name, entries in sorted(groups.items())]
    return _folders(project, groups)


def files(project: Project, artifact: Artifact, *, alone: str) -> tuple[Entry, ...]:
    """The files of a dataset; one that was added as a file is its only one, under the name `alone`."""
    if artifact.format == "tree":
        return project.store.entries(artifact.digest)
    return (Entry(alone, artifact.digest, artifact.size, executable=False),)


def _file(name: str, entry: Entry) -> DatasetPart:
    path = PurePosixPath(entry.path)
    form = format_of(entry.path)
    meta: dict[str, JSON] = {"type": "pathlib.Path", "name": path.name, "part": name}
    return DatasetPart(
        name, Artifact(entry.digest, Kind.DATASET, form, entry.size, meta), (entry.path,)
    )


def _folders(project: Project, groups: dict[str, list[Entry]]) -> list[DatasetPart]:
    parts: list[DatasetPart] = []
    with project.store.ingest() as ingest:
        for name, entries in sorted(groups.items()):
            meta: dict[str, JSON] = {"type": "pathlib.Path", "name": name, "part": name}
            size = sum(entry.size for entry in entries)
            artifact = Artifact(ingest.add_tree(entries), Kind.DATASET, "tree", size, meta)
            parts.append(DatasetPart(name, artifact, tuple(entry.path for entry in entries)))
    return parts
