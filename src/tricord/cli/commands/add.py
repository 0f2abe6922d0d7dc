"""`tricord add`: make a version of a dataset."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from tricord.cli.answer import Answer, size
from tricord.core.artifact import short
from tricord.core.errors import DataError
from tricord.data.versions import add
from tricord.project.project import Project

EXAMPLE = "tricord add data/flights --name flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument("--name", help="name of the dataset (default: the path's, without suffix)")
    parser.add_argument("--why", default="", help="what this version is, for the record")


def run(arguments: Namespace) -> Answer:
    if arguments.name and len(arguments.paths) > 1:
        raise DataError(
            f"--name {arguments.name} names one dataset, and here are {len(arguments.paths)} paths",
            hint="put the files into a folder and add that, or add each path with a --name of its own",
        )
    project = Project.open(arguments.project)
    versions = [
        add(project, path, name=arguments.name, why=arguments.why) for path in arguments.paths
    ]
    data: list[dict[str, Any]] = [version.to_json() for version in versions]

    def draw(on: Any) -> None:
        for version in versions:
            state = "new version" if version.changed else "unchanged"
            on.print(
                f"{version.name} v{version.number}: {state}, {size(version.artifact.size)}, "
                f"{short(version.artifact.digest)}"
            )

    return Answer(data, draw)
