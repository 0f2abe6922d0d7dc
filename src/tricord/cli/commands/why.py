"""`tricord why`: trace a prediction, model or dataset back to code and data."""

import re
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from tricord.cli.answer import TONES, Answer, moment, named
from tricord.cli.commands.runs import to_json
from tricord.project.lineage import Made, Used, downstream, find, upstream, version_of
from tricord.project.project import Project

if TYPE_CHECKING:
    from tricord.monitor.trace import Trace

EXAMPLE = "tricord why 01kaj6m0c4r9x7w2t5y8z3b1nd-17"
PREDICTION = re.compile(r"[0-9a-z]{26}-[0-9]+")


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", help="a prediction's id, a ref, or a digest")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    if PREDICTION.fullmatch(arguments.what):
        return _prediction(project, arguments.what)
    artifact = find(project, arguments.what)
    stations, users = list(upstream(project, artifact)), list(downstream(project, artifact))
    data = [_station(project, made) for made in stations]
    data[0]["used_by"] = [to_used(used) for used in users]

    def draw(on: Any) -> None:
        _draw_lineage(on, project, stations)
        draw_used(on, users)

    return Answer(data, draw)


def to_used(used: Used) -> dict[str, Any]:
    """A run that used an artifact as JSON, with what it made."""
    made = [{"digest": one.digest, "kind": str(one.kind)} for one in used.made]
    return {"run": used.run.id, "name": used.run.name, "depth": used.depth, "made": made}


def draw_used(on: Any, users: list[Used], *, most: int = 20) -> None:
    """What came of an artifact: each run with what it made."""
    from rich.markup import escape

    if users:
        on.print("[bold]used by[/]")
    for used in users[:most]:
        made = ", ".join(f"{one.kind} {named(one.digest)}" for one in used.made[:4])
        more = f" and {len(used.made) - 4} more" if len(used.made) > 4 else ""
        arrow = f" → {made}{more}" if made else ""
        on.print(
            f"{'  ' * (used.depth + 1)}step {escape(used.run.name)} ({moment(used.run.started)}){arrow}",
            soft_wrap=True,
        )
    if len(users) > most:
        on.print(f"  … and {len(users) - most} more; --json lists all")


def _prediction(project: Project, what: str) -> Answer:
    from tricord.monitor.trace import trace

    found = trace(project, what)
    data: dict[str, Any] = {
        "prediction": found.rows,
        "plan": found.rows[0]["plan"],
        "release": {"digest": found.release_digest, **found.release.to_json()},
        "gate": found.gate.to_json() if found.gate else None,
        "timelines": dict(found.timelines),
        "model": found.model.digest,
        "run": to_json(found.run),
        "pipeline": to_json(found.pipeline) if found.pipeline else None,
        "code": {"commit": found.release.commit, "fingerprint": found.release.code},
        "data": [
            {"name": d.name, "version": d.number, "digest": d.digest, "why": d.why}
            for d in found.data
        ],
    }
    return Answer(data, lambda on: _draw_prediction(on, what, found))


def _draw_prediction(on: Any, what: str, found: "Trace") -> None:
    from rich.tree import Tree

    row, release = found.rows[0], found.release
    root = Tree(f"[bold]prediction[/] {what}")
    score = row["score"]
    answer = root.add(
        f"answered {moment(row['time'])} at [bold]{row['endpoint']}[/]: "
        + (f"probability [bold]{score:.4f}[/]" if score is not None else f"error {row['error']}")
    )
    answer.add(f"asked    {_pairs(row['inputs'])}")
    if row["features"]:
        answer.add(f"features {_pairs(row['features'])}")
    plan = root.add(f"[bold]routing plan[/] {named(row['plan'])}, arm {row['arm']}")
    if found.plan_move:
        move = found.plan_move
        plan.add(f"live since {moment(move.when)} by {move.actor}: {move.why}")
    made = root.add(f"[bold]release[/] {named(found.release_digest)} of {release.name}")
    if found.gate:
        tone = TONES[found.gate.outcome]
        auc = found.gate.evidence.get("auc")
        shown = f", AUC {auc:.4f}" if isinstance(auc, float) else ""
        made.add(f"gate     [{tone}]{found.gate.outcome}[/] {named(release.verdicts[0])}{shown}")
    for view, digest in found.timelines.items():
        made.add(f"features {view} {named(digest)}")
    model = root.add(f"[bold]model[/] {named(found.model.digest)}")
    pipeline = found.pipeline
    inside = f" of {pipeline.name} run {pipeline.id}" if pipeline else ""
    model.add(f"run      step {found.run.name}{inside}, {moment(found.run.started)}")
    dirty = " with local changes" if found.run.origin.dirty else ""
    model.add(f"code     commit {release.commit or 'none'}{dirty}")
    if pipeline:
        for name, value in pipeline.params.items():
            if value is not None:
                model.add(f"param    {name} = {value}")
    for version in found.data:
        number = f" v{version.number}" if version.number else ""
        model.add(f"data     {version.name}{number} {named(version.digest)}  {version.why}")
    on.print(root)


def _pairs(values: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name}={shown(value)}" for name, value in values.items())


def _station(project: Project, made: Made) -> dict[str, Any]:
    version = version_of(project, made.artifact.digest)
    return {
        "digest": made.artifact.digest,
        "kind": str(made.artifact.kind),
        "depth": made.depth,
        "run": to_json(made.run) if made.run else None,
        "dataset": {"name": version[0], "version": version[1]} if version else None,
    }


def _draw_lineage(on: Any, project: Project, stations: list[Made]) -> None:
    from rich.markup import escape

    for made in stations:
        version = version_of(project, made.artifact.digest)
        label = f" = {version[0]} v{version[1]}" if version else ""
        by = ""
        if made.run:
            commit = made.run.origin.commit[:8] if made.run.origin.commit else "no commit"
            by = f"  by step {escape(made.run.name)} ({moment(made.run.started)}, {commit})"
        elif not version:
            by = f"  {made.artifact.meta.get('name', '')}"
        on.print(
            f"{'  ' * made.depth}[bold]{made.artifact.kind}[/] {named(made.artifact.digest)}{label}{by}"
        )
