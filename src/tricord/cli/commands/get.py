"""`tricord get`: bring data here without tracking it."""

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tricord.cli import progress
from tricord.cli.answer import Answer
from tricord.data import origins

EXAMPLE = "tricord get ../flights-project flights@v2 --out flights.csv"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="URL, bucket, or another Tricord project")
    parser.add_argument(
        "what", nargs="?", default="", metavar="NAME[@VERSION]", help="dataset of that project"
    )
    parser.add_argument("--out", type=Path, help="where to put it (default: here, under its name)")
    parser.add_argument(
        "--rev", default="", help="branch, tag or commit of the project's repository"
    )


def run(arguments: Namespace) -> Answer:
    origin = origins.origin_of(arguments.source, arguments.what, arguments.rev)
    with (
        tempfile.TemporaryDirectory(prefix="tricord-") as scratch,
        progress.bar(f"getting {arguments.what or arguments.source}") as watch,
    ):
        target, found = origins.bring(origin, Path.cwd(), arguments.out, Path(scratch), watch=watch)
    return Answer({"path": str(target), "origin": found.to_json()}, lines=lambda: [str(target)])
