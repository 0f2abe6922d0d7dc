"""`tricord du`: what takes how much of the store."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, size, table
from tricord.project import usage
from tricord.project.project import Project

EXAMPLE = "tricord du --versions"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--versions", action="store_true", help="each version of each dataset")
    parser.add_argument(
        "--shared", action="store_true", help="each project that keeps its content in this store"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    try:
        if arguments.shared:
            report = usage.by_project(project)
        else:
            report = usage.by_name(project, versions=arguments.versions)
    finally:
        project.close()
    data: dict[str, Any] = {
        "lines": [
            {
                "name": line.name,
                "content": line.content,
                "stored": line.usage.stored,
                "own": line.usage.own,
                "shared": line.usage.shared,
                "blobs": line.usage.blobs,
            }
            for line in report.lines
        ],
        "total": report.waste.total,
        "waste": report.waste.size,
        "young": report.waste.young,
    }
    return Answer(data, lambda on: _draw(on, data))


def _draw(on: Any, data: dict[str, Any]) -> None:
    from rich.markup import escape

    columns = ("content", "stored", "only here", "shared")
    made = table("what", *columns, right=columns)
    for line in data["lines"]:
        figures = (line["content"], line["stored"], line["own"], line["shared"])
        made.add_row(escape(line["name"]), *map(size, figures))
    on.print(made)
    on.print(f"the whole store: {size(data['total'])}")
    if data["waste"]:
        on.print(f"nobody needs {size(data['waste'])} of it")
        on.print("  next: tricord gc --delete")
