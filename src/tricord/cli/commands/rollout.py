"""`tricord rollout`: bring a release to an endpoint."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, draw_verdict, named, table
from tricord.core.artifact import Kind
from tricord.core.errors import Refused, TricordError
from tricord.core.verdict import Verdict
from tricord.project.lineage import find
from tricord.project.project import Project
from tricord.rollout import canary

EXAMPLE = "tricord rollout start delay --weight 0.1"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("start", "status", "promote", "abort"))
    parser.add_argument("endpoint", help="name of the endpoint")
    parser.add_argument("--release", help="ref or digest (default: releases/ENDPOINT@latest)")
    parser.add_argument("--weight", type=float, default=0.1, help="the canary's share (0.1)")
    parser.add_argument("--why", default="", help="for the record")
    parser.add_argument(
        "--sign", action="store_true", help="promote: sign for a verdict that did not pass"
    )


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    match arguments.action:
        case "start":
            if not 0 < arguments.weight < 1:
                raise TricordError("--weight must be above 0 and below 1")
            what = arguments.release or f"releases/{arguments.endpoint}@latest"
            release = find(project, what)
            if release.kind != Kind.RELEASE:
                raise TricordError(
                    f"{what} is a {release.kind}, not a release", hint="tricord release list"
                )
            canary.start(
                project, arguments.endpoint, release, weight=arguments.weight, why=arguments.why
            )
        case "promote":
            artifact, verdict = canary.judge(project, arguments.endpoint)
            if not verdict.passed and not arguments.sign:
                raise Refused(
                    f"the canary is not promoted: {verdict.summary()}",
                    where=f"verdict {artifact.digest}",
                    hint=f"wait, or sign for it: tricord rollout promote {arguments.endpoint} --sign",
                )
            canary.promote(
                project, arguments.endpoint, artifact, why=arguments.why, signed=arguments.sign
            )
        case "abort":
            canary.abort(project, arguments.endpoint, why=arguments.why or "aborted by hand")
        case _:
            pass
    return _status(project, arguments.endpoint)


def _status(project: Project, endpoint: str) -> Answer:
    state = canary.state(project, endpoint)
    if state is None:
        return Answer(
            {"endpoint": endpoint, "plan": None},
            lambda on: on.print(
                f"{endpoint} serves nothing\n  next: tricord rollout start {endpoint}"
            ),
        )
    verdict: Verdict | None = None
    if state.canary:
        verdict = canary.judge(project, endpoint)[1]
    data: dict[str, Any] = {
        "endpoint": endpoint,
        "plan": state.plan.to_json(),
        "verdict": verdict.to_json() if verdict else None,
    }

    def draw(on: Any) -> None:
        drawn = table("arm", "share", "release", title=f"endpoint {endpoint}", right=("share",))
        for arm in state.plan.arms:
            drawn.add_row(arm.name, f"{arm.weight:.0%}", named(arm.release))
        on.print(drawn)
        if verdict:
            draw_verdict(on, verdict)

    return Answer(data, draw)
