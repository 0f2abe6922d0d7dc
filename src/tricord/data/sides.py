"""What `tricord diff` compares: versions and work folders as sides of files."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tricord.core.artifact import Artifact
from tricord.core.errors import DataError, NotRecorded
from tricord.data import choosing, naming, pointers, seeing
from tricord.data.diff import Item, Side
from tricord.project import datasets, parts
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.store.tree import Entry


@dataclass(frozen=True, slots=True)
class Question:
    """One dataset to compare: its name, both sides, and the path of its data in the work tree ('' for one
    that has none there); `key` columns if somebody declared them."""

    name: str
    before: Side
    after: Side
    path: str
    key: tuple[str, ...] = ()


def questions(project: Project, words: Sequence[str]) -> tuple[list[Question], list[str]]:
    """What the words of a command line ask for, and the paths within the dataset among them.

    Nothing: every dataset of the work tree against its work folder. `NAME`: one of them; `NAME@A`:
    version A against the work folder; `NAME@A @B` or `NAME@A OTHER@B`: two versions. What is left
    are paths: within the dataset, from the working folder, or from the root.
    """
    if not words:
        found = [_against_work(project, pointer) for pointer in _pointers(project)]
        return found, []
    first, *rest = words
    if first.startswith("@"):
        raise DataError(f"{first} of which dataset?", hint=f"tricord diff NAME{first}")
    name, version = datasets.asked(project, first)
    if rest and "@" in rest[0] and not os.path.lexists(rest[0]):
        second = rest.pop(0)
        other = f"{name}{second}" if second.startswith("@") else second
        question = _versions(project, first, other)
    elif version is not None:
        question = _version_against_work(project, first)
    else:
        question = _against_work(project, _pointer(project, first))
    return [question], [name for text in rest for name in _within(project, question, text)]


def _within(project: Project, question: Question, text: str) -> list[str]:
    """What a path stands for in a dataset; the path as it is where no file of either side is meant."""
    if not question.path:
        return [text]
    files = {*question.before.files, *question.after.files}
    found = [
        name
        for name in choosing.names(project.root, question.path, text)
        if any(choosing.matches(file, name) for file in files)
    ]
    return found or [text]


def _pointers(project: Project) -> list[pointers.Pointer | str]:
    """Every pointer; the file's name where Git left a conflict in it."""
    found: list[pointers.Pointer | str] = []
    for file in pointers.files(project.root):
        try:
            found.append(pointers.read(file, project.root))
        except DataError:
            if not pointers.is_conflicted(file.read_text(encoding="utf-8", errors="replace")):
                raise
            found.append(file.relative_to(project.root).as_posix().removesuffix(pointers.SUFFIX))
    return found


def _pointer(project: Project, what: str) -> pointers.Pointer | str:
    try:
        return pointers.get(project.root, what)
    except (DataError, NotRecorded):
        for found in _pointers(project):
            match found:
                case str() if what in (found, PurePosixPath(found).stem, PurePosixPath(found).name):
                    return found
                case pointers.Pointer() if found.name == what:
                    return found
                case _:
                    continue
    return datasets.split(what)[0]  # a dataset without a pointer: the ledger may know where it was


def _against_work(project: Project, pointer: pointers.Pointer | str) -> Question:
    if isinstance(pointer, str):
        return _latest_against_work(project, pointer)
    before = _stored(project, naming.artifact_of(pointer), _title(project, pointer), pointer.path)
    after = _work(project, project.root / pointer.path)
    return Question(pointer.name, before, after, pointer.path, _declared(pointer))


def _latest_against_work(project: Project, place: str) -> Question:
    """Without a pointer, or with one in conflict: against the version that the ledger has as the latest."""
    conflict = (project.root / f"{place}{pointers.SUFFIX}").exists()
    name = PurePosixPath(place).stem if conflict and _unknown(project, place) else PurePosixPath(place).name  # fmt: skip
    version = datasets.resolve(project, name)
    source = place if conflict else version.artifact.meta.get("source")
    if not isinstance(source, str) or not (project.root / source).exists():
        raise NotRecorded(
            f"{name} has no files in this work tree to compare with",
            hint=f"compare two versions: tricord diff {name}@v1 @latest",
        )
    title = f"{version}, the latest here" + (" (two versions are in its pointer)" if conflict else "")  # fmt: skip
    before = _stored(project, version.artifact, title, source)
    return Question(name, before, _work(project, project.root / source), source)


def _unknown(project: Project, place: str) -> bool:
    return PurePosixPath(place).name not in datasets.names(project)


def _version_against_work(project: Project, what: str) -> Question:
    version = datasets.resolve(project, what)
    pointer = _pointer(project, version.name)
    if isinstance(pointer, str):
        source = version.artifact.meta.get("source")
        if not isinstance(source, str) or not (project.root / source).exists():
            raise NotRecorded(
                f"{version.name} has no files in this work tree to compare with",
                hint=f"compare two versions: tricord diff {what} @latest",
            )
        path, key = source, ()
    else:
        path, key = pointer.path, _declared(pointer)
    before = _stored(project, version.artifact, str(version), path)
    return Question(version.name, before, _work(project, project.root / path), path, key)


def _versions(project: Project, first: str, second: str) -> Question:
    old, new = datasets.resolve(project, first), datasets.resolve(project, second)
    pointer = _pointer(project, new.name)
    path, key = ("", ()) if isinstance(pointer, str) else (pointer.path, _declared(pointer))
    sides = [_stored(project, version.artifact, str(version), _file_name(version)) for version in (old, new)]  # fmt: skip
    name = new.name if old.name == new.name else f"{old.name}, {new.name}"
    return Question(name, sides[0], sides[1], path, key)


def _file_name(version: Version) -> str:
    """A name with the suffix that tells how to read it, for a dataset that is one file."""
    named = version.artifact.meta.get("source") or version.artifact.meta.get("name")
    suffix = f".{version.artifact.format}"
    if isinstance(named, str) and named.endswith(suffix):
        return named
    return f"{version.name}{suffix}"


def _declared(pointer: pointers.Pointer) -> tuple[str, ...]:
    """The columns that tell the dataset's rows apart, as its pointer says: key = "id, day"."""
    return tuple(name.strip() for name in pointer.about.get("key", "").split(",") if name.strip())


def _title(project: Project, pointer: pointers.Pointer) -> str:
    return str(naming.pointed(project, pointer))


def _stored(project: Project, artifact: Artifact, title: str, path: str) -> Side:
    whole = artifact.format != "tree"
    found = parts.files(project, artifact, alone=PurePosixPath(path).name)
    return Side(
        title, {seeing.WHOLE if whole else each.path: _item(project, each) for each in found}
    )


def _item(project: Project, entry: Entry) -> Item:
    place = functools.partial(project.store.path, entry.digest)
    return Item(entry.path, entry.digest, entry.size, place, entry.executable)


def _work(project: Project, place: Path) -> Side:
    sight = seeing.look(project, place)
    files = {
        path: Item(
            path or place.name,
            seen.digest,
            seen.mark.size,
            lambda path=path: place / path if path else place,
            seen.executable and path != seeing.WHOLE,
        )
        for path, seen in sight.files.items()
    }
    return Side("work folder", files)
