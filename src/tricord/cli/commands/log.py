"""`tricord log`: the versions of a dataset."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, count, moment, named, size, table
from tricord.data.history import Past, log
from tricord.project.project import Project

EXAMPLE = "tricord log flights"
_MOST_RUNS = 3


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the dataset")
    parser.add_argument(
        "--limit", type=int, default=0, help="at most so many, newest first (0: all)"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    found = log(project, arguments.name)[: max(arguments.limit, 0) or None]
    return Answer([past.to_json() for past in found], lambda on: _draw(on, found))


def _draw(on: Any, found: list[Past]) -> None:
    from rich.markup import escape

    drawn = table(
        "version", "digest", "when", "by", "size", "files", "tags", "used by", "why",
        right=("size", "files"),
    )  # fmt: skip
    for past in found:
        version = past.version
        runs = ", ".join(f"{run.name} {run.id[:8]}" for run in past.runs[:_MOST_RUNS])
        more = (
            f" and {count(len(past.runs) - _MOST_RUNS, 'run')} more"
            if past.runs[_MOST_RUNS:]
            else ""
        )
        drawn.add_row(
            f"v{version.number}{' [green]◂ here[/]' if past.here else ''}",
            named(version.digest),
            moment(version.when),
            escape(version.actor),
            size(version.artifact.size),
            "not here" if past.files is None else f"{past.files:,}",
            ", ".join(version.tags),
            escape(runs + more) or "–",
            escape(version.why),
        )
    on.print(drawn)
