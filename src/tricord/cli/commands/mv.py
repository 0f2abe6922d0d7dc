"""`tricord mv`: move a dataset, or give it another name."""

from argparse import ArgumentParser, Namespace

from tricord.cli.answer import Answer
from tricord.data.moving import move
from tricord.project.project import Project

EXAMPLE = "tricord mv data/flights data/raw/flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", metavar="NAME", help="the dataset, or the path of its data")
    parser.add_argument("to", metavar="PATH", help="the new place, or a folder to put it in")
    parser.add_argument("--name", help="its new name (default: it stays)")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    moved = move(project, arguments.what, arguments.to, name=arguments.name)
    return Answer(
        {"name": moved.name, "path": moved.path, "digest": moved.digest},
        lambda on: on.print(
            f"{moved.name} is now at {moved.path}\n  next: git add -A .",
            markup=False,
            soft_wrap=True,
        ),
    )
