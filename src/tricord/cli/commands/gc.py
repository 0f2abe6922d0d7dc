"""`tricord gc`: what nobody needs any more, and deleting it."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, count, size
from tricord.project import collection
from tricord.project.project import Project
from tricord.project.reach import Policy

EXAMPLE = "tricord gc --delete"
_DAY = 86400.0
_WORDS = {
    "ref": "refs and their history",
    "run": "runs: what went in, what came out",
    "release": "releases and what they name",
    "work tree": "pointers in the work tree",
    "git": "pointers in Git's branches, tags and history",
}


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--delete", action="store_true", help="delete it; else it is only shown")
    parser.add_argument(
        "--older", type=_days, default=1.0, metavar="DAYS", help="only what is older (default 1)"
    )
    parser.add_argument(
        "--runs-older", type=_days, metavar="DAYS", help="runs that ended before need nothing"
    )
    parser.add_argument(
        "--keep-versions", type=_number, metavar="N", help="of each dataset the newest N only"
    )
    parser.add_argument(
        "--forget", metavar="DIR", help="a project that shared the store and is gone for good"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    if arguments.forget:
        collection.forget(project, Path(arguments.forget))
    runs = arguments.runs_older
    policy = Policy(None if runs is None else runs * _DAY, arguments.keep_versions)
    grace = arguments.older * _DAY
    with progress.bar("looking") as report:
        waste = collection.look(project, policy, grace, report)
    data: dict[str, Any] = {
        "waste": {"bytes": waste.size, "items": waste.count, "packs": len(waste.packs), "objects": len(waste.objects)},
        "young": waste.young,
        "left": waste.left,
        "total": waste.total,
        "deleted": bool(arguments.delete),
        "freed": 0,
        "kept_by": collection.reasons(project, policy),
    }  # fmt: skip
    if arguments.delete:
        with progress.bar("deleting") as report:
            data["freed"] = collection.collect(project, policy, grace, report)
    project.close()
    days = arguments.older
    return Answer(data, lambda on: _draw(on, data, days))


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 1e6:
        raise ArgumentTypeError(f"a number of days, 0 or more, not {text!r}")
    return days


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a number of versions, 1 or more, not {text!r}")
    return int(text)


def _draw(on: Any, data: dict[str, Any], days: float) -> None:
    from rich.markup import escape

    waste = data["waste"]
    on.print(f"the store holds {size(data['total'])}; it is needed by")
    for word, number in data["kept_by"].items():
        on.print(f"  {number:>9,}  {escape(_WORDS.get(word, f'the project {word}'))}")
    if data["young"]:
        on.print(f"needed by nobody, but younger than {days:g} days: {size(data['young'])}")
    if data["left"]:
        on.print(f"scattered waste, not worth the work yet: {size(data['left'])}")
    if data["deleted"]:
        on.print(f"[green]✓[/] freed {size(max(data['freed'], 0))}")
    elif waste["bytes"]:
        on.print(f"[bold]{count(waste['items'], 'item')}, {size(waste['bytes'])}, nobody needs[/]")
        on.print("  next: tricord gc --delete")
    else:
        on.print("[green]✓[/] nothing to delete")
