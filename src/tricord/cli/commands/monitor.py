"""`tricord monitor`: judge what an endpoint served."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import polars as pl

from tricord.cli.answer import Answer, draw_verdict
from tricord.core.errors import DataError
from tricord.core.verdict import Outcome
from tricord.data.tables import read_table
from tricord.monitor.health import judge
from tricord.monitor.window import collect, window
from tricord.project.project import Project

NO = 3  # the exit code of a verdict that says no
EXAMPLE = "tricord monitor delay --outcomes outcomes.csv --label late"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("endpoint", help="name of the endpoint")
    parser.add_argument(
        "--outcomes", type=Path, help="table with the columns key and label, as far as it is known"
    )
    parser.add_argument("--label", default="label", help="the label's column (label)")
    parser.add_argument(
        "--since",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="only answers since then (epoch)",
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    rows = window(project, arguments.endpoint, since=arguments.since)
    outcomes = _outcomes(arguments.outcomes, arguments.label) if arguments.outcomes else None
    dataset = collect(project, arguments.endpoint, rows)
    kept, verdict = judge(project, arguments.endpoint, rows, outcomes, label=arguments.label)
    data = {"dataset": dataset.digest, "verdict_digest": kept.digest, "verdict": verdict.to_json()}

    def draw(on: Any) -> None:
        on.print(f"{rows.height} predictions of {arguments.endpoint}")
        draw_verdict(on, verdict)

    return Answer(data, draw, NO if verdict.outcome == Outcome.FAIL else 0)


def _outcomes(path: Path, label: str) -> pl.DataFrame:
    table = read_table(path)
    if missing := [name for name in ("key", label) if name not in table.columns]:
        raise DataError(
            f"no column {missing[0]!r}; there are {', '.join(table.columns)}",
            where=str(path),
            hint="--label NAME names the label's column",
        )
    return table
