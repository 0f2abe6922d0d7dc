"""`tricord release`: list, show or approve releases."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, draw_verdict, moment, named, table
from tricord.core.artifact import Digest
from tricord.core.errors import TricordError
from tricord.core.release import Release
from tricord.core.verdict import Verdict
from tricord.project.lineage import find
from tricord.project.project import Project

EXAMPLE = "tricord release list delay"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "show", "approve"))
    parser.add_argument(
        "name", nargs="?", help="list: name of the releases; show, approve: ref or digest"
    )
    parser.add_argument("--why", default="", help="approve: the reason, for the record")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    if arguments.action == "list":
        return _list(project, arguments.name)
    if not arguments.name:
        raise TricordError(f"{arguments.action} which release?", hint="tricord release list")
    return (_show if arguments.action == "show" else _approve)(project, arguments)


def _list(project: Project, name: str | None) -> Answer:
    rows: list[dict[str, Any]] = []
    for ref in project.ledger.refs(f"releases/{name}@" if name else "releases/"):
        for move in project.ledger.moves(ref):
            row: dict[str, Any] = {"ref": ref, "release": move.new, "when": move.when}
            row |= {"actor": move.actor, "why": move.why, "verdict": move.verdict}
            row["model"] = project.load(move.new, Release).model if move.new else None
            rows.append(row)

    def draw(on: Any) -> None:
        if not rows:
            on.print("no releases yet\n  next: tricord run")
            return
        drawn = table("when", "ref", "release", "verdict", "by", "why")
        for row in rows:
            drawn.add_row(
                moment(row["when"]), row["ref"], named(row["release"]),
                named(row["verdict"]), row["actor"], row["why"],
            )  # fmt: skip
        on.print(drawn)

    return Answer(rows, draw)


def _show(project: Project, arguments: Namespace) -> Answer:
    artifact = find(project, arguments.name)
    release = project.load(artifact, Release)
    verdicts = [project.load(digest, Verdict) for digest in release.verdicts]
    data = {"digest": artifact.digest, **release.to_json()}
    data["verdicts"] = [verdict.to_json() for verdict in verdicts]

    def draw(on: Any) -> None:
        on.print(f"[bold]release of {release.name}[/] {artifact.digest}", soft_wrap=True)
        on.print(f"  model       {named(release.model)}")
        on.print(f"  code        {release.commit or 'no commit'}")
        for name, digest in release.data.items():
            on.print(f"  data        {named(digest)}  {name}")
        for view, source in release.features.items():
            on.print(f"  features    {view} from {source}")
        on.print(f"  environment {named(release.environment)}")
        on.print(f"  previous    {named(release.previous)}")
        for verdict in verdicts:
            draw_verdict(on, verdict)

    return Answer(data, draw)


def _approve(project: Project, arguments: Namespace) -> Answer:
    """A person signs for a release that `latest` does not stand at."""
    artifact = find(project, arguments.name)
    release = project.load(artifact, Release)
    why = arguments.why or "approved by hand"
    project.move(f"releases/{release.name}@latest", artifact.digest, why=why, signed=True)
    project.move(f"models/{release.name}@champion", Digest(release.model), why=why, signed=True)
    return Answer(
        {"release": artifact.digest, "approved_by": project.actor, "why": why},
        lambda on: on.print(f"{named(artifact.digest)} approved by {project.actor}"),
    )
