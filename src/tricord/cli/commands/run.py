"""`tricord run`: run a pipeline."""

import json
from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import STATE_TONES, Answer, console, draw_verdict
from tricord.core.artifact import Kind, short
from tricord.core.errors import PlanError
from tricord.core.verdict import Verdict
from tricord.pipelines.execute import Result, StepReport, StepState, run_pipeline
from tricord.pipelines.load import find_pipeline
from tricord.project.project import Project

EXAMPLE = "tricord run delay -p learning_rate=0.05"
REFUSED = 3


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("pipeline", nargs="?", help="its name (default: the only one)")
    parser.add_argument(
        "-p", "--param", action="append", default=[], metavar="NAME=VALUE", help="repeatable"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    pipeline = find_pipeline(project, arguments.pipeline)
    params = dict(_param(text) for text in arguments.param)
    if arguments.json:
        result = run_pipeline(project, pipeline, params)
    else:
        result = run_watched(project, pipeline, params)
    return Answer(
        _data(result), lambda on: _draw(on, project, result), REFUSED if result.refused else 0
    )


def _param(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise PlanError(f"not a parameter: {text!r}", hint="-p NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:  # a text without quotes is a text
        return name, value


def run_watched(project: Project, pipeline: Any, params: dict[str, Any]) -> Result:
    """Run it with a line for each step and a spinner at the one under way."""
    from rich.markup import escape

    on = console()
    with on.status(f"planning {pipeline.name}") as spinner:

        def watch(report: StepReport) -> None:
            if report.state == StepState.RUNNING:
                spinner.update(f"{escape(report.label)} ({escape(report.why)})")
                return
            tone = STATE_TONES[report.state]
            why = escape(report.why) if report.state == StepState.FINISHED else ""
            on.print(
                f"[{tone}]{report.state:<9}[/] {escape(report.label):<22}{report.seconds:7.2f} s  [dim]{why}[/]"
            )

        return run_pipeline(project, pipeline, params, watch=watch)


def _data(result: Result) -> dict[str, Any]:
    return {
        "run": result.run,
        "state": "refused" if result.refused else "finished",
        "steps": [step.to_json() for step in result.steps],
    }


def _draw(on: Any, project: Project, result: Result) -> None:
    on.print(f"run {result.run}: {result.cached} of {len(result.steps)} steps from the cache")
    for report in result.steps:
        for name, artifact in report.outputs.items():
            if artifact.kind in (Kind.MODEL, Kind.VERDICT, Kind.RELEASE):
                label = report.label if name == "result" else f"{report.label}.{name}"
                on.print(f"  {artifact.kind:<8} {short(artifact.digest)}  {label}")
    if result.refused:
        on.print()
        for artifact in _verdicts(result):
            verdict = project.load(artifact, Verdict)
            if not verdict.passed:
                draw_verdict(on, verdict)
        on.print(f"[red]refused[/] at {result.refused.label}: nothing was moved", highlight=False)


def _verdicts(result: Result) -> list[Any]:
    found = [artifact for step in result.steps for artifact in step.outputs.values()]
    return [artifact for artifact in found if artifact.kind == Kind.VERDICT]
