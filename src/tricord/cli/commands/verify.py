"""`tricord verify`: whether store and ledger still hold what was written, and mending the store."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli import progress
from tricord.cli.answer import Answer, count
from tricord.core.artifact import Digest, short
from tricord.core.errors import RemoteError
from tricord.project import transfer, verification
from tricord.project.project import Project
from tricord.project.remotes import default_of

EXAMPLE = "tricord verify"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--repair", action="store_true", help="put aside what is damaged, and bring it anew"
    )
    parser.add_argument(
        "--from",
        dest="remote",
        metavar="REMOTE",
        help="with --repair: from this remote (otherwise the default one), and all that is not here",
    )

    parser.add_argument(
        "--remote", dest="there", metavar="REMOTE",
        help="read what this remote holds instead; nothing is changed there",
    )  # fmt: skip


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    if arguments.there:
        return _examined(project, arguments.there)
    named: str | None = arguments.remote
    remote = named or default_of(project.config)

    if named:
        transfer.open_remote(project, named)  # a name that is none is told before all is read

    def fetch(digests: set[Digest]) -> None:
        try:
            transfer.fetch_objects(project, digests, remote)
        except RemoteError:  # of one that nobody named: what did not come is told
            if named:
                raise

    try:
        with progress.bar("verifying") as report:
            found = verification.verify(
                project,
                mend=arguments.repair,
                fetch=fetch if remote else None,
                absent_too=bool(named) or not remote,
                watch=report,
            )
    finally:
        project.close()
    repaired = found.repaired
    data: dict[str, Any] = {
        "objects": found.objects,
        "events": found.events,
        "elsewhere": found.elsewhere,
        "let_go": found.let_go,
        "problems": [
            {
                "digest": each.digest,
                "problem": each.problem,
                "where": each.where,
                "used_by": list(each.used_by),
                "source": each.source,
                "next": each.next,
            }
            for each in found.findings
        ],
        "repair": repaired
        and {
            "aside": [str(path) for path in repaired.aside],
            "rescued": repaired.rescued,
            "lost": sorted(repaired.lost - repaired.restored),
            "restored": sorted(repaired.restored),
        },
    }
    return Answer(data, lambda on: _draw(on, data), code=1 if found.findings else 0)


def _examined(project: Project, remote: str) -> Answer:
    """Every pack and large file of a remote, compared with its name."""
    try:
        with progress.bar("verifying") as report:
            where, found = transfer.examine(project, remote, watch=report)
    finally:
        project.close()
    whole = len(found.good.packs) + len(found.good.objects)
    data: dict[str, Any] = {
        "remote": where,
        "whole": whole,
        "problems": [
            {"where": place, "problem": what, "next": "tricord push --repair --remote " + remote}
            for place, what in sorted(found.bad.items())
        ],
    }

    def draw(on: Any) -> None:
        on.print(f"{count(whole, 'object')} whole: {where}", markup=False, soft_wrap=True)
        for each in data["problems"]:
            on.print(f"✗ {each['where']}: {each['problem']}", markup=False, soft_wrap=True)
            on.print(f"  next: {each['next']}", markup=False, soft_wrap=True)

    return Answer(data, draw, code=int(bool(found.bad)))


def _draw(on: Any, data: dict[str, Any]) -> None:
    from rich.markup import escape

    on.print(f"checked {data['objects']:,} objects of the store")
    if data["events"] is not None:
        on.print(f"checked {data['events']:,} events of the ledger")
    if data["repair"]:
        _draw_repair(on, data["repair"])
    if data["elsewhere"]:
        on.print(
            f"{data['elsewhere']:,} recorded, and not here: tricord pull brings what a remote has"
        )
    if data["let_go"]:
        on.print(f"{data['let_go']:,} recorded, and let go by tricord gc")
    for problem in data["problems"]:
        subject = f"object {short(problem['digest'])}" if problem["digest"] else "problem"
        on.print(f"[red]✗[/] {subject}: {escape(problem['problem'])}", soft_wrap=True)
        for word, text in (
            ("where", problem["where"]),
            ("needed by", ", ".join(problem["used_by"])),
            ("also in", problem["source"]),
            ("next", problem["next"]),
        ):
            if text:
                on.print(f"  {word}: {escape(text)}", soft_wrap=True)
    if not data["problems"]:
        what = "what is here" if data["elsewhere"] else "everything"
        on.print(f"[green]✓[/] {what} is as it was written")


def _draw_repair(on: Any, repair: dict[str, Any]) -> None:
    from rich.markup import escape

    for path in repair["aside"]:
        on.print(f"put aside: {escape(path)}", soft_wrap=True)
    if repair["rescued"]:
        on.print(f"kept {count(repair['rescued'], 'good object')} of damaged packs")
    if repair["restored"]:
        on.print(f"[green]✓[/] brought anew: {count(len(repair['restored']), 'object')}")
