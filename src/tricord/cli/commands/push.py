"""`tricord push`: bring content, and what is known about it, to a remote."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, count, size
from tricord.core.artifact import short
from tricord.project.pointers import Unreadable
from tricord.project.project import Project
from tricord.project.transfer import push

EXAMPLE = "tricord push"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="*",
        metavar="NAME",
        help="dataset, NAME@VERSION, ref or digest (default: what the pointers of the work tree and all refs name)",
    )
    parser.add_argument("--remote", "-r", metavar="NAME", help="a remote of the settings, or a URL")
    parser.add_argument("--all", action="store_true", help="every version, not only the present ones")  # fmt: skip
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="ID",
        help="what a run read and made; can be repeated",
    )
    parser.add_argument(
        "--ours",
        action="store_true",
        help="refs that were moved on both sides go where they stand here",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="first read the remote's packs and mend what is damaged there",
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    with progress.bar("pushing") as watch:
        done = push(
            project,
            arguments.what,
            remote=arguments.remote,
            everything=arguments.all,
            runs=arguments.run,
            ours=arguments.ours,
            repair=arguments.repair,
            watch=watch,
        )
    data: dict[str, Any] = {
        "remote": done.remote,
        "new": [{"name": item.name, "digest": item.digest} for item in done.new],
        "items": done.items,
        "sent": {
            "bytes": done.sent.bytes,
            "packs": done.sent.packs,
            "objects": done.sent.objects,
            "files": done.sent.files,
        },
        "mended": list(done.mended),
        "problems": problems(done.unreadable),
    }

    def draw(on: Any) -> None:
        for place in done.mended:
            on.print(f"mended there: {place}", markup=False)
        for item in done.new:
            on.print(f"{item.name}  {short(item.digest)}", markup=False)
        draw_problems(on, done.unreadable)
        if done.items == 0:
            on.print("nothing to push yet\n  next: tricord add PATH")
            return
        went = (
            f"{size(done.sent.bytes)} sent" if done.sent.bytes else "everything was there already"
        )
        on.print(
            f"{count(done.items, 'item')}, {len(done.new)} new, {went}: {done.remote}",
            markup=False,
            soft_wrap=True,
        )

    return Answer(data, draw, code=int(bool(done.unreadable)))


def problems(unreadable: Sequence[Unreadable]) -> list[dict[str, Any]]:
    """Pointers that name no version, the same wherever a command had to leave some out."""
    return [
        {
            "name": each.name,
            "path": each.path,
            "error": each.problem.what,
            "next": each.problem.hint,
        }
        for each in unreadable
    ]


def draw_problems(on: Any, unreadable: Sequence[Unreadable]) -> None:
    """The same for people."""
    for each in unreadable:
        on.print(f"✗ {each.name}: {each.problem}", markup=False, soft_wrap=True)
