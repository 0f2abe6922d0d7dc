"""`tricord status`: what there is, and what changed."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, moment, named, size, table
from tricord.data.versions import changes
from tricord.project.lineage import versions
from tricord.project.project import Project

EXAMPLE = "tricord status --json"


def arguments(parser: ArgumentParser) -> None:
    pass


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    datasets: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for ref, digest in project.ledger.refs().items():
        moves = project.ledger.moves(ref)
        row: dict[str, Any] = {"ref": ref, "digest": digest, "moves": len(moves)}
        row |= {"when": moves[-1].when, "actor": moves[-1].actor, "why": moves[-1].why}
        if ref.startswith("datasets/"):
            artifact = project.resolve(ref)
            differs = changes(project, artifact)
            found = [move.new for move in versions(project, ref)]
            row |= {
                "version": found.index(digest) + 1,
                "size": artifact.size,
                "source": artifact.meta.get("source"),
            }
            row["changed"] = None if differs is None else _words(differs)
            datasets.append(row)
        else:
            others.append(row)
    data = {
        "project": project.name,
        "root": str(project.root),
        "datasets": datasets,
        "refs": others,
    }
    return Answer(data, lambda on: _draw(on, project, datasets, others))


def _words(differs: Any) -> list[str]:
    return [
        f"{len(names)} {word}: {', '.join(names[:3])}{' …' if names[3:] else ''}"
        for word, names in (
            ("added", differs.added),
            ("removed", differs.removed),
            ("changed", differs.changed),
        )
        if names
    ]


def _draw(on: Any, project: Project, datasets: list[Any], others: list[Any]) -> None:
    on.print(f"[bold]{project.name}[/]  {project.root}", soft_wrap=True)
    if not datasets and not others:
        on.print("nothing here yet\n  next: tricord add FILE")
        return
    if datasets:
        drawn = table(
            "dataset", "version", "digest", "size", "when", "work folder", right=("size",)
        )
        for row in datasets:
            state = "–" if row["changed"] is None else "; ".join(row["changed"]) or "unchanged"
            name = row["ref"].removeprefix("datasets/").removesuffix("@latest")
            drawn.add_row(
                name,
                f"v{row['version']}",
                named(row["digest"]),
                size(row["size"]),
                moment(row["when"]),
                f"[yellow]{state}[/]" if row["changed"] else state,
            )
        on.print(drawn)
    if others:
        drawn = table("ref", "stands at", "moved", "by", "why")
        for row in others:
            drawn.add_row(
                row["ref"], named(row["digest"]), moment(row["when"]), row["actor"], row["why"]
            )
        on.print(drawn)
