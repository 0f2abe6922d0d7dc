"""`tricord serve`: answer requests for an endpoint."""

import os
import signal
import threading
import time
from argparse import ArgumentParser, Namespace

from tricord.cli.answer import Answer
from tricord.project.project import Project
from tricord.serving.server import serve

EXAMPLE = "tricord serve delay --port 8080"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("endpoint", help="name of the endpoint")
    parser.add_argument("--host", help="address to listen on (setting serving.host)")
    parser.add_argument(
        "--with-parent",
        type=int,
        metavar="PID",
        help="stop when the process PID, which started this one, ends",
    )
    parser.add_argument("--port", type=int, help="port; 0 for any free one (setting serving.port)")


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    config = project.config
    if arguments.with_parent:
        watching = threading.Thread(
            target=_stop_with_parent, args=(arguments.with_parent,), daemon=True
        )
        watching.start()
    port = config.whole("serving.port") if arguments.port is None else arguments.port
    serve(project, arguments.endpoint, arguments.host or config.text("serving.host"), port)
    return Answer({"endpoint": arguments.endpoint, "state": "stopped"})


def _stop_with_parent(parent: int) -> None:
    """The pid is told, not asked for: a parent may be gone before its child can ask."""
    while True:
        time.sleep(0.5)
        if os.getppid() != parent:  # again and again: a server that is just starting may miss one
            os.kill(os.getpid(), signal.SIGTERM)
