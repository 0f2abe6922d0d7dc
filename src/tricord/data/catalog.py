"""The catalogue: every dataset with its versions, tags, description, licence and owner."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tricord.core.canonical import JSON
from tricord.core.errors import DataError, NotRecorded, ObjectMissing
from tricord.core.pointer import Pointer
from tricord.data import checkout, laying, naming, pointers
from tricord.project import datasets
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.store.tree import Entry

ABOUT = ("description", "licence", "owner", "key")
"""What people say of a dataset (`key`: the columns that tell its rows apart, for diffs); kept in its pointer, so that it is reviewed and merged with the code."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A dataset: the pointer of the work tree (None: there is none on this branch), its latest version
    (None: the ledger knows none yet, as in a fresh clone), how many versions there are, its tags.

    `problem` says why its pointer cannot be read."""

    name: str
    pointer: Pointer | None
    latest: Version | None
    versions: int
    tags: Mapping[str, str]
    problem: DataError | None = None

    @property
    def size(self) -> int | None:
        """Bytes of the version of this work tree, else of the latest."""
        if self.pointer:
            return self.pointer.size
        return self.latest.artifact.size if self.latest else None

    def to_json(self) -> dict[str, JSON]:
        pointer, latest = self.pointer, self.latest
        about: Mapping[str, str] = pointer.about if pointer else {}
        return {
            "name": self.name,
            "path": pointer.path if pointer else None,
            "digest": pointer.digest if pointer else (latest.digest if latest else None),
            "version": latest.number if latest else None,
            "versions": self.versions,
            "format": pointer.format if pointer else (latest.artifact.format if latest else None),
            "size": self.size,
            "files": pointer.files if pointer else None,
            "tags": dict(self.tags),
            "about": dict(about),
            "origin": dict(pointer.origin) if pointer else {},
            "problem": self.problem.what if self.problem else None,
            "next": self.problem.hint if self.problem else None,
        }


def datasets_of(project: Project) -> list[Listed]:
    """Every dataset that the work tree has a pointer of or the ledger has a latest version of, by name."""
    known, unreadable = pointers.read_all(project.root)
    problems = {each.name: each.problem for each in unreadable if each.name not in known}
    names = sorted({*known, *problems, *datasets.names(project)})
    return [
        replace(_listed(project, name, known.get(name)), problem=problems.get(name))
        for name in names
    ]


def show(project: Project, what: str) -> tuple[Listed, list[Entry] | None]:
    """A dataset and the files of the version that `NAME[@VERSION]` names; None where they are not here."""
    name, wanted = datasets.asked(project, what)
    pointer = naming.pointer_of(project, name if wanted else what)
    listed = _listed(project, pointer.name if pointer else name, pointer)
    if pointer is None and listed.latest is None:
        datasets.resolve(project, name)  # says which there are
    at = checkout.target(project, what) if wanted or pointer is None else pointer
    listed = replace(listed, pointer=at)
    try:
        return listed, sorted(laying.wanted(project.store, at.digest).values())
    except ObjectMissing:
        return listed, None


def describe(project: Project, what: str, about: Mapping[str, str]) -> Pointer:
    """Say something of a dataset: description, licence, owner. An empty text takes it away."""
    unknown = about.keys() - set(ABOUT)
    if unknown:
        raise DataError(f"a dataset has no {min(unknown)}", hint=f"one of {', '.join(ABOUT)}")
    pointer = pointers.get(project.root, what)
    said = {key: text for key, text in {**pointer.about, **about}.items() if text}
    made = replace(pointer, about=said)
    pointers.write(project.root, made)
    return made


def tag(project: Project, what: str, label: str, *, why: str = "", force: bool = False) -> Version:
    """Give a version a tag, in the ledger and, if this work tree has it, in the dataset's pointer."""
    at = checkout.target(project, what)
    version = checkout.on_record(project, at)
    datasets.tag(project, version, label, why=why, force=force)
    _note(project, at.name, label, version)
    return datasets.resolve(project, f"{at.name}@{at.digest}")


def untag(project: Project, name: str, label: str, *, why: str = "") -> None:
    """Take a tag away, from the ledger and the pointer. NotRecorded where neither has it."""
    pointer = naming.pointer_of(project, name)
    noted = pointer is not None and label in pointer.tags
    real = pointer.name if pointer else name
    if not noted or label in datasets.tags(project, real):
        datasets.untag(project, real, label, why=why)
    _note(project, real, label, None)


def _note(project: Project, name: str, label: str, version: Version | None) -> None:
    try:
        pointer = pointers.by_name(project.root, name)
    except NotRecorded:
        return
    tags = {key: digest for key, digest in pointer.tags.items() if key != label}
    if version is not None:
        tags[label] = version.digest
    pointers.write(project.root, replace(pointer, tags=tags))


def _listed(project: Project, name: str, pointer: Pointer | None) -> Listed:
    found = datasets.versions(project, name)
    try:
        latest = datasets.resolve(project, name) if found else None
    except NotRecorded:  # removed here; its versions are on record
        latest = None
    tags = {**(pointer.tags if pointer else {}), **datasets.tags(project, name)}
    return Listed(name, pointer, latest, len(found), tags)
