"""`tricord hooks`: let Git bring the data along."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, table
from tricord.project import hooks
from tricord.project.project import Project

EXAMPLE = "tricord hooks install"


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "remove", "show"))
    parser.add_argument(
        "--push", action="store_true", help="install: `git push` also runs `tricord push`"
    )


def run(arguments: Namespace) -> Answer:
    root = Project.open(arguments.project).root
    match arguments.action:
        case "install":
            found = hooks.install(root, push=arguments.push)
        case "remove":
            found = hooks.remove(root)
        case _:
            found = hooks.show(root)
    shared = hooks.shared_folder(root)
    data = [
        {"hook": h.name, "path": str(h.path), "installed": h.installed, "others": h.others}
        for h in found
    ]

    def draw(on: Any) -> None:
        drawn = table("hook", "tricord", "your own", "file")
        for hook in found:
            drawn.add_row(
                hook.name,
                "[green]installed[/]" if hook.installed else "–",
                "kept" if hook.others else "–",
                str(hook.path),
            )
        on.print(drawn)
        if shared is not None and arguments.action != "show":
            done = "removed from" if arguments.action == "remove" else "installed for"
            on.print(
                f"note: core.hooksPath is {shared}: {done} every repository that uses these hooks",
                markup=False,
                soft_wrap=True,
            )

    return Answer(data, draw)
