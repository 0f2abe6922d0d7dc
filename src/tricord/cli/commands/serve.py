"""`tricord serve`: answer requests for an endpoint."""

from argparse import ArgumentParser, Namespace

from tricord.cli.answer import Answer
from tricord.project.project import Project
from tricord.serving.server import serve

EXAMPLE = "tricord serve delay --port 8080"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("endpoint", help="name of the endpoint")
    parser.add_argument("--host", help="address to listen on (setting serving.host)")
    parser.add_argument("--port", type=int, help="port; 0 for any free one (setting serving.port)")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    config = project.config
    port = config.whole("serving.port") if arguments.port is None else arguments.port
    serve(project, arguments.endpoint, arguments.host or config.text("serving.host"), port)
    return Answer({"endpoint": arguments.endpoint, "state": "stopped"})
