"""`tricord rm`: remove a dataset from the work tree."""

from argparse import ArgumentParser, Namespace

from tricord.cli.answer import Answer, count
from tricord.data.moving import remove
from tricord.project.project import Project

EXAMPLE = "tricord rm flights"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="+", metavar="NAME", help="datasets, or paths of their data")
    parser.add_argument(
        "--force", action="store_true", help="even with changes that are saved nowhere"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    gone = [remove(project, what, force=arguments.force) for what in arguments.what]
    lines = "\n".join(
        f"{each.name} is removed from {each.path}: {count(each.files, 'file')}; "
        "its versions stay in the store"
        for each in gone
    )
    return Answer(
        [{"name": each.name, "path": each.path, "files": each.files} for each in gone],
        lambda on: on.print(lines, markup=False, soft_wrap=True),
    )
