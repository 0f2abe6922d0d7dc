"""`tricord show`: a run, a ref or an artifact."""

import json
from argparse import ArgumentParser, Namespace
from typing import Any, cast

from tricord.cli.answer import STATE_TONES, Answer, draw_verdict, moment, named, size, table
from tricord.cli.commands.runs import to_json
from tricord.cli.commands.why import draw_used, to_used
from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import NotRecorded
from tricord.core.run import Run
from tricord.core.verdict import Verdict
from tricord.project.lineage import Used, downstream, find
from tricord.project.project import Project

EXAMPLE = "tricord show models/delay@champion"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", help="a run's id, a ref or a digest; a unique beginning is enough")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    try:
        found = project.ledger.run(arguments.what)
    except NotRecorded:
        return _artifact(project, arguments.what)
    return _run(project, found)


def _run(project: Project, run: Run) -> Answer:
    steps: list[dict[str, Any]] = []
    if "steps" in run.outputs:
        steps = cast("list[dict[str, Any]]", project.load(run.outputs["steps"]))
    return Answer({**to_json(run), "steps": steps}, lambda on: _draw_run(on, project, run, steps))


def _draw_run(on: Any, project: Project, run: Run, steps: list[dict[str, Any]]) -> None:
    from rich.markup import escape

    tone = STATE_TONES.get(run.status, "")
    on.print(f"[bold]{escape(run.name)}[/]  run {run.id}  [{tone}]{run.status}[/]")
    on.print(f"  started {moment(run.started)}, ended {moment(run.ended)}, by {run.origin.actor}")
    commit = run.origin.commit or "no commit"
    on.print(f"  code    {commit}{' with local changes' if run.origin.dirty else ''}")
    for name, value in run.params.items():
        on.print(f"  param   {name} = {value}")
    for name, artifact in run.inputs.items():
        on.print(f"  input   {named(artifact.digest)}  {artifact.kind:<10} {escape(name)}")
    if run.error:
        on.print(f"  [red]{run.error}[/]", markup=True)
    if steps:
        drawn = table("step", "state", "seconds", "run", "outputs", "why", right=("seconds",))
        for step in steps:
            tone = STATE_TONES.get(step["state"], "")
            outputs = ", ".join(named(digest) for digest in step["outputs"].values())
            drawn.add_row(
                escape(step["step"]),
                f"[{tone}]{step['state']}[/]",
                f"{step['seconds']:.2f}",
                (step["run"] or "–")[-8:],
                outputs,
                step["why"],
            )
        on.print(drawn)
    else:
        for name, artifact in run.outputs.items():
            on.print(f"  output  {named(artifact.digest)}  {artifact.kind:<10} {escape(name)}")
            if artifact.kind == Kind.VERDICT:
                draw_verdict(on, project.load(artifact, Verdict))


def _artifact(project: Project, what: str) -> Answer:
    artifact = find(project, what)
    refs = [ref for ref, digest in project.ledger.refs().items() if digest == artifact.digest]
    made = [run for run in project.ledger.producers(artifact.digest) if run.parent]
    users = list(downstream(project, artifact))
    content = _content(project, artifact)
    data: dict[str, Any] = {
        "digest": artifact.digest,
        "kind": str(artifact.kind),
        "format": artifact.format,
        "size": artifact.size,
        "meta": dict(artifact.meta),
        "refs": refs,
        "made_by": [run.id for run in made],
        "used_by": [used.run.id for used in users if used.depth == 0],
        "led_to": [to_used(used) for used in users],
        "content": content,
    }
    if "@" in what:
        data["moves"] = [
            {"when": m.when, "actor": m.actor, "from": m.old, "to": m.new, "why": m.why, "verdict": m.verdict}
            for m in project.ledger.moves(what)
        ]  # fmt: skip
    return Answer(data, lambda on: _draw_artifact(on, project, artifact, data, users))


def _content(project: Project, artifact: Artifact) -> Any:
    """What can be read at a glance: JSON as it is, of a folder its files."""
    if artifact.format == "json":
        return json.loads(project.store.read(artifact.digest))
    if artifact.format == "tree" or artifact.format.endswith("-package"):
        return dict(project.store.tree(artifact.digest))
    return None


def _draw_artifact(
    on: Any, project: Project, artifact: Artifact, data: dict[str, Any], users: list[Used]
) -> None:
    on.print(f"[bold]{artifact.kind}[/] {artifact.digest}", soft_wrap=True)
    on.print(f"  {artifact.format}, {size(artifact.size)}")
    for ref in data["refs"]:
        on.print(f"  ref     {ref}")
    for run in data["made_by"]:
        on.print(f"  made by {run}")
    draw_used(on, users, most=10)
    if artifact.kind == Kind.VERDICT:
        draw_verdict(on, project.load(artifact, Verdict))
    elif data["content"] is not None:
        text = json.dumps(data["content"], indent=2, ensure_ascii=False)
        on.print(text[:4000], markup=False, soft_wrap=True)
        if len(text) > 4000:
            on.print(f"… {len(text) - 4000} more characters; --json shows all")
    if moves := data.get("moves"):
        drawn = table("moved", "by", "from", "to", "why")
        for move in moves:
            drawn.add_row(
                moment(move["when"]),
                move["actor"],
                named(move["from"]),
                named(move["to"]),
                move["why"],
            )
        on.print(drawn)
