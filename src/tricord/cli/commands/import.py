"""`tricord import`: bring data in as a dataset, its origin kept; or take a DVC project over."""  # noqa: N999 - a command is its module's name

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tricord.cli import progress
from tricord.cli.answer import Answer, count, size
from tricord.core.artifact import short
from tricord.core.errors import DataError
from tricord.data import origins
from tricord.project.project import Project

if TYPE_CHECKING:
    from tricord.data.dvc.takeover import Report

EXAMPLE = "tricord import https://example.org/flights.csv --name flights"
_SHOWN = 20


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="URL, bucket, Tricord project, or `dvc`")
    parser.add_argument(
        "what", nargs="?", default="", metavar="NAME[@VERSION]", help="dataset of that project; of `dvc` its folder"
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="where to put it (default: here, under its name)")
    parser.add_argument("--name", help="name of the dataset (default: the path's, without suffix)")
    parser.add_argument("--why", default="", help="what this version is, for the record")
    parser.add_argument(
        "--rev", default="", help="branch, tag or commit of the project's repository"
    )
    parser.add_argument(
        "--update", action="store_true", help="SOURCE is a dataset: ask its origin again"
    )
    parser.add_argument(
        "--all-branches", action="store_true", help="of `dvc`: what each branch has, too"
    )
    parser.add_argument(
        "--all-commits", action="store_true", help="of `dvc`: what each commit had, too"
    )
    parser.add_argument(
        "--remote", action="store_true", help="of `dvc`: bring what its cache lacks from its remote"
    )
    parser.add_argument(
        "--move",
        action="store_true",
        help="of `dvc`: take files out of its cache instead of copying",
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    if arguments.source == "dvc":
        answer = _dvc(project, arguments)
    elif arguments.update:
        answer = _update(project, arguments)
    else:
        answer = _import(project, arguments)
    project.close()
    return answer


def _import(project: Project, arguments: Namespace) -> Answer:
    if arguments.all_branches or arguments.all_commits or arguments.remote or arguments.move:
        raise DataError(
            "these options are for a DVC project", hint="tricord import dvc --all-commits"
        )
    origin = origins.origin_of(arguments.source, arguments.what, arguments.rev)
    with progress.bar(f"importing {arguments.what or arguments.source}") as watch:
        version = origins.bring_in(
            project, origin, Path.cwd(), arguments.out, name=arguments.name, why=arguments.why, watch=watch
        )  # fmt: skip
    line = f"{version}: {size(version.artifact.size)}, {short(version.digest)}"
    return Answer(version.to_json(), lines=lambda: [line])


def _update(project: Project, arguments: Namespace) -> Answer:
    with progress.bar(f"asking the origin of {arguments.source}") as watch:
        done = origins.update(project, arguments.source, why=arguments.why, watch=watch)
    now = done.version.digest
    data = {**done.version.to_json(), "before": done.before, "origin": done.origin.to_json()}
    if now == done.before:
        return Answer(data, lines=lambda: [f"{done.version}: unchanged at {done.origin.url}"])
    line = f"{short(done.before)} → {short(now)} {done.version}: {size(done.version.artifact.size)}"
    return Answer(data, lines=lambda: [line])


def _dvc(project: Project, arguments: Namespace) -> Answer:
    from tricord.data.dvc.takeover import take_over  # with YAML, slow to load

    with progress.bar("taking over from DVC") as watch:
        report = take_over(
            project,
            Path(arguments.what or "."),
            branches=arguments.all_branches,
            commits=arguments.all_commits,
            remote=arguments.remote,
            move=arguments.move,
            watch=watch,
        )
    data = {
        "datasets": [
            {"name": c.name, "path": c.path, "versions": c.versions, "digest": c.digest, "files": c.files, "size": c.size}
            for c in report.came
        ],
        "missing": [{"path": m.path, "md5": m.md5, "commit": m.commit, "why": m.why} for m in report.missing],
        "left": [{"path": one.path, "why": one.why} for one in report.left],
        "stages": list(report.stages),
        "objects": report.objects,
        "bytes": report.bytes,
    }  # fmt: skip
    if arguments.remote:
        more = "dvc fetch --all-commits, and again"
    else:
        chosen = (
            ("--all-branches", arguments.all_branches),
            ("--all-commits", arguments.all_commits),
        )
        more = " ".join(["tricord import dvc --remote", *(word for word, given in chosen if given)])
    lines = list(_lines(report, more, moved=arguments.move))
    return Answer(data, lines=lambda: lines)


def _lines(report: "Report", more: str, *, moved: bool) -> Iterator[str]:
    for came in report.came:
        new = count(came.versions, "new version") if came.versions else "nothing new"
        yield f"{came.name}  {came.path}  {new}, {count(came.files, 'file')}, {size(came.size)}"
    for left in report.left:
        yield f"left as it is: {left.path}: {left.why}"
    if report.stages:
        yield f"stages of dvc.yaml stay DVC's: {', '.join(report.stages)}"
    if report.bytes and not moved:
        yield f"{size(report.bytes)} in {count(report.objects, 'object')} lie in DVC's cache and in the store; --move takes them out of the cache"
    for missing in report.missing[:_SHOWN]:
        at = f" at {missing.commit[:12]}" if missing.commit else ""
        yield f"missing: {missing.path}{at}: {missing.md5}: {missing.why}"
    if len(report.missing) > _SHOWN:
        yield f"… and {len(report.missing) - _SHOWN} more; --json lists them"
    if report.missing:
        yield f"next: {more}"
