"""`tricord pull`: fetch, then check out what came."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, count
from tricord.cli.commands import fetch as fetching
from tricord.core.errors import NotRecorded
from tricord.data.checkout import Brought, checkout, checkout_all
from tricord.data.pointers import get
from tricord.project import datasets
from tricord.project.project import Project
from tricord.project.transfer import Item, Pulled, fetch

EXAMPLE = "tricord pull flights"


def arguments(parser: ArgumentParser) -> None:
    fetching.arguments(parser)
    parser.add_argument(
        "--force", action="store_true", help="overwrite changes that are saved nowhere"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    with progress.bar("pulling") as watch:
        done = fetch(
            project,
            arguments.what,
            remote=arguments.remote,
            everything=arguments.all,
            theirs=arguments.theirs,
            partial=True,
            watch=watch,
        )
        brought = _lay_out(project, arguments, done, watch)
    data = fetching.as_json(done) | {"checked_out": [_row(each) for each in brought]}
    told = {each.path for each in done.unreadable}
    failed = [each for each in brought if each.problem is not None]
    rest = {n: why for n, why in done.lost.items() if n not in {each.name for each in failed}}
    data["problems"] += [
        {"name": name, "path": None, "error": why.what, "next": why.hint}
        for name, why in rest.items()
    ]

    def draw(on: Any) -> None:
        fetching.draw(on, done)
        for name, why in rest.items():
            on.print(f"✗ {name}: {why}", markup=False, soft_wrap=True)
        for each in brought:
            if each.problem is not None and each.path not in told:
                on.print(f"✗ {each.name}: {each.problem}", markup=False, soft_wrap=True)
            elif each.problem is None and (each.written or each.removed):
                on.print(
                    f"{each.path}: {count(each.written, 'file')} written, {each.removed} removed",
                    markup=False,
                )

    return Answer(data, draw, code=int(bool(failed or rest or done.unreadable)))


def _lay_out(project: Project, arguments: Namespace, done: Pulled, watch: Any) -> list[Brought]:
    """One that did not come does not stop the others."""
    if not arguments.what:
        brought = checkout_all(project, force=arguments.force, watch=watch)
        return [
            replace(each, problem=done.lost.get(each.name, each.problem)) if each.problem else each
            for each in brought
        ]
    return [
        Brought(item.name, item.word, item.digest, problem=done.lost[item.name])
        if item.name in done.lost
        else checkout(project, item.word, item.paths, force=arguments.force, watch=watch)
        for item in done.items
        if _has_place(project, item)
    ]


def _has_place(project: Project, item: Item) -> bool:
    """Models and the like have no place in the work tree."""
    name = datasets.split(item.word)[0]
    try:
        get(project.root, name)
    except NotRecorded:
        return project.ledger.ref(datasets.ref_of(name)) is not None if "/" not in name else False
    return True


def _row(brought: Brought) -> dict[str, Any]:
    return {
        "name": brought.name,
        "path": brought.path,
        "digest": brought.digest,
        "written": brought.written,
        "removed": brought.removed,
        "problem": None if brought.problem is None else brought.problem.what,
    }
