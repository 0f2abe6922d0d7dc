"""`tricord rollback`: one ref move, no build."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, named
from tricord.project.project import Project
from tricord.rollout.canary import rollback

EXAMPLE = 'tricord rollback delay --why "complaints from the airport"'


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("endpoint", help="name of the endpoint")
    parser.add_argument("--why", default="rolled back by hand", help="for the record")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    plan = rollback(project, arguments.endpoint, why=arguments.why)
    data: dict[str, Any] = {"endpoint": arguments.endpoint, "plan": plan.to_json()}
    return Answer(
        data,
        lambda on: on.print(f"{plan.endpoint} serves {named(plan.arms[0].release)} again"),
    )
