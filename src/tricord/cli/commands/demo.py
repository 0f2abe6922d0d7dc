"""`tricord demo`: the flights example, a year of it, round the whole loop."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tricord.cli.answer import Answer
from tricord.cli.examples import copy_example, example_in_place
from tricord.core.errors import TricordError
from tricord.pipelines.load import load_module
from tricord.project.project import Project

EXAMPLE = "tricord demo"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--months", type=int, default=12, help="how many of the year's months (12)")
    parser.add_argument("--requests", type=int, default=3000, help="requests a month (3000)")
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="share of the flights to use (1.0: all)"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="project to run it in (default: the example's own, or a copy here)",
    )


def run(arguments: Namespace) -> Answer:
    if not 2 <= arguments.months <= 12:
        raise TricordError("--months must be from 2 to 12", hint="tricord demo")
    if not 0 < arguments.fraction <= 1:
        raise TricordError("--fraction must be above 0 and at most 1", hint="tricord demo")
    if arguments.requests < 800:
        raise TricordError(
            "--requests must be at least 800: a canary is judged on a part of them",
            hint="tricord demo",
        )
    project = _project(arguments.folder) if arguments.folder else example_in_place("flights")
    replay = load_module(project, "replay")
    return replay.run(
        project,
        months=arguments.months,
        requests=arguments.requests,
        fraction=arguments.fraction,
        quiet=arguments.json,
    )


def _project(folder: Path) -> Project:
    """The project there, where the example has been copied to; else a copy of it."""
    if (folder / "replay.py").is_file():
        return Project.init(folder)
    return copy_example("flights", folder)
