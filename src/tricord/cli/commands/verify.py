"""`tricord verify`: whether store and ledger still hold what was written."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import Any

from tricord.cli.answer import Answer
from tricord.core.artifact import short
from tricord.core.errors import LedgerCorrupt
from tricord.project.project import Project

EXAMPLE = "tricord verify"


def arguments(parser: ArgumentParser) -> None:
    pass


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    objects = sum(1 for _ in project.store)
    problems: list[dict[str, str | None]] = [
        {
            "digest": digest,
            "problem": what,
            "next": "remove it from the store, then add or run again",
        }
        for digest, what in project.store.verify()
    ]
    events: int | None = None
    try:
        events = project.ledger.verify()
        problems += _missing(project)
    except LedgerCorrupt as error:
        problems.append({"digest": None, "problem": error.what, "next": error.hint})
    data = {"objects": objects, "events": events, "problems": problems}
    return Answer(data, lambda on: _draw(on, data), code=1 if problems else 0)


def _missing(project: Project) -> Iterator[dict[str, str | None]]:
    """Artifacts that the ledger speaks of and the store does not have."""
    for artifact in project.ledger.artifacts("", limit=sys.maxsize):
        if not project.store.has(artifact.digest):
            what = f"this {artifact.kind} is recorded, and not in the store"
            yield {"digest": artifact.digest, "problem": what, "next": "add or run again"}


def _draw(on: Any, data: dict[str, Any]) -> None:
    from rich.markup import escape

    on.print(f"checked {data['objects']:,} objects of the store")
    if data["events"] is not None:
        on.print(f"checked {data['events']:,} events of the ledger")
    for problem in data["problems"]:
        subject = f"object {short(problem['digest'])}" if problem["digest"] else "ledger"
        on.print(f"[red]✗[/] {subject}: {escape(problem['problem'])}", soft_wrap=True)
        if problem["next"]:
            on.print(f"  next: {escape(problem['next'])}", soft_wrap=True)
    if not data["problems"]:
        on.print("[green]✓[/] everything is as it was written")
