"""Plug-ins: a Protocol in `core.protocols`, an entry-point group, a name. Imported at first use.

Built-ins are declared through the same entry points (pyproject.toml) as anybody else's.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tricord.core.errors import MissingDependency, PluginError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def declared(group: str) -> "dict[str, EntryPoint]":
    """Name → entry point of every plug-in of a group ("tricord.codecs"), none of them imported."""
    from importlib.metadata import entry_points  # 8 ms, and most commands need no plug-in

    return {point.name: point for point in entry_points(group=group)}


@cache
def load(group: str, name: str) -> Any:
    """The object that plug-in `name` of `group` stands for."""
    found = declared(group)
    if name not in found:
        raise PluginError(
            f"no plug-in {name!r} in {group}",
            hint=f"one of {', '.join(sorted(found)) or 'none: reinstall tricord'}",
        )
    try:
        return found[name].load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"plug-in {name!r} of {group} does not load: {error}", where=found[name].value
        ) from error


def optional(module: str, *, extra: str) -> Any:
    """Import a heavy library at its first use, or say which extra brings it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise  # the library is there, and something it needs itself is not
        raise MissingDependency(
            f"this needs {module.partition('.')[0]}, which is not installed",
            hint=f"pip install 'tricord[{extra}]'",
        ) from error
