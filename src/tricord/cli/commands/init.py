"""`tricord init`: make a folder a project."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tricord.cli.answer import Answer
from tricord.project.project import Project
from tricord.project.root import FOLDER

EXAMPLE = "tricord init my-project"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default=".", type=Path, help="default: this folder")


def run(arguments: Namespace) -> Answer:
    folder: Path = arguments.folder
    was_there = (folder / FOLDER).is_dir()
    project = Project.init(folder)
    word = "is a project already" if was_there else "is now a project"
    return Answer(
        {"root": str(project.root), "created": not was_there},
        lambda on: on.print(f"{project.root} {word}\n  next: tricord add FILE", soft_wrap=True),
    )
