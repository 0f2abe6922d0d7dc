"""`tricord new`: copy an example out as a project of the user's own."""

import shutil
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tricord.cli.answer import Answer
from tricord.cli.examples import example_folder, example_names
from tricord.core.errors import ProjectError
from tricord.project.project import FOLDER, Project

EXAMPLE = "tricord new flights my-flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("example", help=f"one of: {', '.join(example_names())}")
    parser.add_argument("folder", nargs="?", type=Path, help="default: the example's name")


def run(arguments: Namespace) -> Answer:
    source = example_folder(arguments.example)
    folder: Path = arguments.folder or Path(arguments.example)
    if folder.exists() and any(folder.iterdir()):
        raise ProjectError(
            "the folder is not empty, and nothing is ever overwritten",
            where=str(folder),
            hint=f"tricord new {arguments.example} ANOTHER-FOLDER",
        )
    ignored = shutil.ignore_patterns("__pycache__", FOLDER, "data", "*.pyc")
    shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
    project = Project.init(folder)
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return Answer(
        {"root": str(project.root), "example": arguments.example, "files": files},
        lambda on: on.print(
            f"{project.root}: {', '.join(files)}\n  next: cd {folder} and read README.md",
            soft_wrap=True,
        ),
    )
