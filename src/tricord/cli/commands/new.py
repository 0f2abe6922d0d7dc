"""`tricord new`: copy an example out as a project of the user's own."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tricord.cli.answer import Answer
from tricord.cli.examples import copy_example, example_names

EXAMPLE = "tricord new flights my-flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("example", help=f"one of: {', '.join(example_names())}")
    parser.add_argument("folder", nargs="?", type=Path, help="default: the example's name")


def run(arguments: Namespace) -> Answer:
    folder: Path = arguments.folder or Path(arguments.example)
    project = copy_example(arguments.example, folder)
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    return Answer(
        {"root": str(project.root), "example": arguments.example, "files": files},
        lambda on: on.print(
            f"{project.root}: {', '.join(files)}\n  next: cd {folder} and read README.md",
            soft_wrap=True,
        ),
    )
