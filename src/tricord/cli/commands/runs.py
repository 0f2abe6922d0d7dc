"""`tricord runs`: list runs, newest first."""

from argparse import ArgumentParser, Namespace
from typing import Any, cast

from tricord.cli.answer import STATE_TONES, Answer, moment, table
from tricord.core.run import Run
from tricord.project.project import Project

EXAMPLE = "tricord runs --name train --limit 5"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", help="only runs of this pipeline or step")
    parser.add_argument("--steps", action="store_true", help="the steps too, not only pipelines")
    parser.add_argument("--limit", type=int, default=20, help="at most so many (20)")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    limit = max(arguments.limit, 1)
    every = arguments.steps or arguments.name
    found = project.ledger.runs(name=arguments.name, limit=limit if every else limit * 50)
    runs = [run for run in found if every or run.parent is None][:limit]
    return Answer([to_json(run) for run in runs], lambda on: _draw(on, runs))


def to_json(run: Run) -> dict[str, Any]:
    """A run as JSON, the same wherever a command shows one."""
    return {
        "id": run.id,
        "name": run.name,
        "status": str(run.status),
        "started": run.started,
        "ended": run.ended,
        "parent": run.parent,
        "fingerprint": run.fingerprint,
        "commit": run.origin.commit,
        "dirty": run.origin.dirty,
        "actor": run.origin.actor,
        "host": run.origin.host,
        "params": dict(run.params),
        "inputs": {name: artifact.digest for name, artifact in run.inputs.items()},
        "outputs": {name: artifact.digest for name, artifact in run.outputs.items()},
        "metrics": dict(run.metrics),
        "error": run.error,
    }


def _draw(on: Any, runs: list[Run]) -> None:
    if not runs:
        on.print("no runs yet\n  next: tricord run")
        return
    drawn = table(
        "run", "name", "status", "started", "seconds", "commit", "params", right=("seconds",)
    )
    from rich.markup import escape

    for run in runs:
        tone = STATE_TONES.get(run.status, "")
        drawn.add_row(
            run.id,
            escape(run.name),
            f"[{tone}]{run.status}[/]",
            moment(run.started),
            f"{run.ended - run.started:.2f}" if run.ended else "–",
            f"{(run.origin.commit or '–')[:8]}{'*' if run.origin.dirty else ''}",
            escape(_params(run)),
        )
    on.print(drawn)


def _params(run: Run, most: int = 80) -> str:
    """The parameters that are values; where an artifact was given, the record has None."""
    shown = ", ".join(f"{name}={value}" for name, value in run.params.items() if _is_value(value))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return not value or any(_is_value(item) for item in cast("list[object]", value))
    return value is not None
