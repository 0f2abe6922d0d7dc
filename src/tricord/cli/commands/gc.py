"""`tricord gc`: what nobody needs any more, and deleting it."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, count, size
from tricord.project import collection, transfer
from tricord.project.project import Project
from tricord.project.reach import EVERYTHING, Policy
from tricord.store.remote.collecting import GRACE

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
        "--older",
        type=_days,
        metavar="DAYS",
        help="only what is older (default 1; of a remote, what has been waste for longer: 14)",
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
    parser.add_argument("--remote", metavar="REMOTE", help="at this remote, not here")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    try:
        return _there(project, arguments) if arguments.remote else _here(project, arguments)
    finally:
        project.close()


def _policy(arguments: Namespace) -> Policy:
    runs: float | None = arguments.runs_older
    return Policy(None if runs is None else runs * _DAY, arguments.keep_versions)


def _here(project: Project, arguments: Namespace) -> Answer:
    if arguments.forget:
        collection.forget(project, Path(arguments.forget))
    policy = _policy(arguments)
    days = 1.0 if arguments.older is None else arguments.older
    grace = days * _DAY
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
    return Answer(data, lambda on: _draw(on, data, days))


def _there(project: Project, arguments: Namespace) -> Answer:
    policy = _policy(arguments)
    grace = GRACE if arguments.older is None else arguments.older * _DAY
    with progress.bar("collecting") as report:
        found = transfer.collect(
            project,
            arguments.remote,
            policy=None if policy == EVERYTHING else policy,
            grace=grace,
            delete=arguments.delete,
            watch=report,
        )
    data: dict[str, Any] = {
        "remote": arguments.remote,
        "needed": found.needed,
        "waste": sum(found.doomed.values()),
        "deleted": bool(arguments.delete),
        "freed": sum(found.deleted.values()) if arguments.delete else 0,
        "would_free": sum(found.deleted.values()),
    }
    return Answer(data, lambda on: _draw_remote(on, data))


def _draw_remote(on: Any, data: dict[str, Any]) -> None:
    from rich.markup import escape

    on.print(f"{escape(data['remote'])} holds {size(data['needed'])} that is needed")
    if data["waste"]:
        on.print(f"needed by nobody, and not for long enough: {size(data['waste'])}")
    if data["freed"]:
        on.print(f"[green]✓[/] freed {size(data['freed'])}")
    elif data["would_free"] and not data["deleted"]:
        on.print(f"[bold]{size(data['would_free'])} nobody needs[/]")
        on.print(f"  next: tricord gc --remote {escape(data['remote'])} --delete")
    else:
        on.print("[green]✓[/] nothing to delete")


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
    if data["freed"] > 0:
        on.print(f"[green]✓[/] freed {size(data['freed'])}")
    elif waste["bytes"] and not data["deleted"]:
        on.print(f"[bold]{count(waste['items'], 'item')}, {size(waste['bytes'])}, nobody needs[/]")
        on.print("  next: tricord gc --delete")
    else:
        on.print("[green]✓[/] nothing to delete")
