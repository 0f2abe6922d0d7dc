"""`tricord untrack`: keep a dataset's files and version them no more."""

from argparse import ArgumentParser, Namespace

from tricord.cli.answer import Answer
from tricord.data.moving import untrack
from tricord.project.project import Project

EXAMPLE = "tricord untrack flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="+", metavar="NAME", help="datasets, or paths of their data")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    gone = [untrack(project, what) for what in arguments.what]
    lines = "\n".join(
        f"{each.name} is no longer tracked; {each.path} stays as it is, and Git sees it"
        for each in gone
    )
    return Answer(
        [{"name": each.name, "path": each.path} for each in gone],
        lambda on: on.print(lines, markup=False, soft_wrap=True),
    )
