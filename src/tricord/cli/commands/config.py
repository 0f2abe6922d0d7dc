"""`tricord config`: every setting, its value and where it came from."""

from argparse import ArgumentParser, Namespace
from typing import Any

from tricord.cli.answer import Answer, table
from tricord.core.config import SETTINGS
from tricord.project.project import Project

EXAMPLE = "TRICORD_SERVING__PORT=9000 tricord config"


def arguments(parser: ArgumentParser) -> None:
    pass


def run(arguments: Namespace) -> Answer:
    config = Project.open(arguments.project).config
    data = {
        setting.key: {"value": config[setting.key], "origin": config.origins[setting.key]}
        for setting in SETTINGS
    }

    def draw(on: Any) -> None:
        drawn = table("setting", "value", "from", "meaning")
        for setting in SETTINGS:
            value = config[setting.key]
            shown = repr(value) if isinstance(value, str) else str(value)
            drawn.add_row(setting.key, shown, config.origins[setting.key], setting.meaning)
        on.print(drawn)

    return Answer(data, draw)
