"""`tricord fetch`: bring content, and what is known about it, from a remote; the work tree stays as it is."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, count, size
from tricord.cli.commands import push
from tricord.core.artifact import short
from tricord.project.project import Project
from tricord.project.transfer import Pulled, fetch

EXAMPLE = "tricord fetch flights@v3"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="*",
        metavar="NAME",
        help="dataset, NAME@VERSION, ref or digest, or a path of data or within the dataset before it: only that part"
        " (default: what the pointers of the work tree name, and models and releases)",
    )
    parser.add_argument("--remote", "-r", metavar="NAME", help="a remote of the settings, or a URL")
    parser.add_argument("--all", action="store_true", help="all that the remote keeps for this project")  # fmt: skip
    parser.add_argument(
        "--theirs",
        action="store_true",
        help="refs that were moved on both sides go where they stand at the remote",
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    with progress.bar("fetching") as watch:
        done = fetch(
            project,
            arguments.what,
            remote=arguments.remote,
            everything=arguments.all,
            theirs=arguments.theirs,
            watch=watch,
        )
    return Answer(as_json(done), lambda on: draw(on, done), code=int(bool(done.unreadable)))


def as_json(done: Pulled) -> dict[str, Any]:
    return {
        "remote": done.remote,
        "items": [
            {"name": item.name, "digest": item.digest, "paths": list(item.paths)}
            for item in done.items
        ],
        "files": done.fetched.files,
        "bytes": done.fetched.bytes,
        "moved": dict(done.learned.moved),
        "apart": {ref: list(ends) for ref, ends in done.learned.apart.items()},
        "problems": push.problems(done.unreadable),
    }


def draw(on: Any, done: Pulled) -> None:
    for ref, digest in done.learned.moved.items():
        on.print(f"{ref} is at {short(digest) or 'nothing'}", markup=False)
    for ref, (here, there) in done.learned.apart.items():
        on.print(
            f"{ref} was moved on both sides: here {short(here or 'nothing')}, there {short(there or 'nothing')}\n"
            "  next: tricord fetch --theirs, or tricord push --ours",
            markup=False,
            soft_wrap=True,
        )
    push.draw_problems(on, done.unreadable)
    came = size(done.fetched.bytes)
    if done.fetched.files:
        text = f"{count(done.fetched.files, 'file')} came, {came}"
    else:
        text = "everything was here already" if done.items else "nothing to fetch"
    on.print(f"{text}: {done.remote}", markup=False, soft_wrap=True)
