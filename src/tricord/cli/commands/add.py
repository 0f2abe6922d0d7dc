"""`tricord add`: make a version of a dataset."""

import glob
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, size
from tricord.core.artifact import short
from tricord.core.errors import DataError
from tricord.core.pointer import SUFFIX
from tricord.data.versions import add
from tricord.project import git
from tricord.project.datasets import Version
from tricord.project.project import Project

EXAMPLE = "tricord add data/flights --name flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="file, folder, 'pattern*', URL or bucket"
    )
    parser.add_argument("--name", help="name of the dataset (default: the path's, without suffix)")
    parser.add_argument("--why", default="", help="what this version is, for the record")


def run(arguments: Namespace) -> Answer:
    sources = [text for text in arguments.paths if "://" in text]
    paths = [found for text in arguments.paths if text not in sources for found in _expanded(text)]
    if arguments.name and len(paths) + len(sources) > 1:
        raise DataError(
            f"--name {arguments.name} names one dataset, and here are {len(paths) + len(sources)} paths",
            hint="put the files into a folder and add that, or add each path with a --name of its own",
        )
    project = Project.open(arguments.project)
    versions: list[Version] = []
    notes: list[str] = []
    for path in paths:
        first = not os.path.lexists(f"{path.absolute()}{SUFFIX}")
        with progress.bar(f"adding {path.name}") as watch:
            version = add(project, path, name=arguments.name, why=arguments.why, watch=watch)
        versions.append(version)
        notes += _note(project, path, new=version.changed) if first else []
    versions += [_brought(project, source, arguments) for source in sources]
    data: list[dict[str, Any]] = [version.to_json() for version in versions]
    project.close()

    def lines() -> list[str]:
        return [*map(_line, versions), *notes]

    return Answer(data, lines=lines)


def _brought(project: Project, source: str, arguments: Namespace) -> Version:
    from tricord.data import origins  # brings a web client along, which no other `add` needs

    with progress.bar(f"adding {source}") as watch:
        return origins.bring_in(
            project,
            origins.origin_of(source),
            Path.cwd(),
            None,
            name=arguments.name,
            why=arguments.why,
            watch=watch,
        )


def _line(version: Version) -> str:
    state = "new version" if version.changed else "unchanged"
    return (
        f"{version.name} v{version.number}: {state}, {size(version.artifact.size)}, "
        f"{short(version.artifact.digest)}"
    )


def _expanded(text: str) -> list[Path]:
    """The path; of a pattern that is no path itself, what it matches, without pointers."""
    path = Path(text)
    if not glob.has_magic(text) or path.exists():
        return [path]
    found = [Path(each) for each in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - absolute ones too
    found = [each for each in found if not each.name.endswith(SUFFIX)]
    # `**` matches a folder and then what is in it: one dataset, not many
    whole = {each for each in found if each.is_dir()}
    found = [each for each in found if whole.isdisjoint(each.parents)]
    if not found:
        raise DataError("no file or folder matches", where=text, hint="tricord add PATH")
    return found


def _note(project: Project, path: Path, *, new: bool) -> list[str]:
    """What Git does that stands in the way of keeping data and pointer where they belong."""
    place = path.resolve()
    if not place.is_relative_to(project.root):
        if not Path(os.path.normpath(path.absolute())).is_relative_to(project.root):
            told = (
                "note: it lies outside of the project, so it has no pointer, and a clone does not know it\n"
                "  next: to share it, put it into the project and add it there"
            )
            return [told] if new else []  # once is enough
        return [
            f"note: {path} leads to {place}, outside the project: no pointer here, so no commit has it"
        ]
    shown = place.relative_to(project.root).as_posix()
    notes: list[str] = []
    if git.is_ignored(project.root, shown + SUFFIX):
        notes.append(f"note: Git ignores {shown}{SUFFIX}, so no commit will hold this version")
    if git.is_tracked(project.root, shown):
        notes.append(f"note: Git keeps the data too\n  next: git rm -r --cached {shown}")
    return notes
