"""The reference is complete: every command, setting, error and public name has its line."""

import argparse
import re
from importlib import import_module
from pathlib import Path

import pytest

import tricord
from tricord.cli.main import COMMANDS
from tricord.core import errors
from tricord.core.config import SETTINGS
from tricord.core.errors import TricordError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """Table rows whose first cell holds code: the first piece of code → the other cells."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            for piece in re.findall(r"`([^` ]+)[^`]*`", cells[0]):
                found[piece] = cells[1:]
    return found


def section(text: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_section_with_its_arguments_and_its_example(command: str) -> None:
    module = import_module(f"tricord.cli.commands.{command}")
    parser = argparse.ArgumentParser(add_help=False)
    module.arguments(parser)
    taken: set[str] = set()
    for action in parser._actions:  # argparse has no public list of them
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest
        taken.update(action.option_strings or [metavar])
    text = section(page("commands.md"), f"tricord {command}")
    assert set(rows(text)) == taken
    for action in parser._actions:
        for choice in action.choices or ():
            assert f"`{choice}`" in text
    assert f"$ {module.EXAMPLE}\n" in text


def test_the_commands_are_listed_as_help_lists_them() -> None:
    listed = re.findall(
        r"^\| \[(\w+)\]\(#tricord-\w+\) \| (.*) \|$", page("commands.md"), re.MULTILINE
    )
    assert listed == list(COMMANDS.items())


def test_every_setting_has_its_default_and_meaning() -> None:
    shown = {
        setting.key: [
            f'`"{setting.default}"`'
            if isinstance(setting.default, str)
            else f"`{setting.default}`",
            setting.meaning,
        ]
        for setting in SETTINGS
    }
    assert rows(page("settings.md")) == shown


def classes() -> list[type[TricordError]]:
    return [
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, TricordError)
    ]


def test_every_error_says_what_it_means_and_what_to_do() -> None:
    found = rows(page("errors.md"))
    assert set(found) == {error.__name__ for error in classes()}
    for name, (code, meaning, advice) in found.items():
        assert code == ("3" if name == "Refused" else "1")
        assert meaning
        assert advice


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    drawn: dict[str, str | None] = {}
    open_: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:[│ ]   )*)(?:[├└]── )?(\w+)(?: {2,}.*)?$", line)
        if found:
            depth = len(found[1]) // 4 + ("── " in line)
            open_ = [*open_[:depth], found[2]]
            drawn[found[2]] = open_[depth - 1] if depth else None
    real = {
        error.__name__: None if error is TricordError else error.__mro__[1].__name__
        for error in classes()
    }
    assert drawn == real


@pytest.mark.parametrize("name", tricord.__all__)
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    assert getattr(tricord, name) is not None
    assert name in rows(page("python.md"))


def test_exported_names_are_the_lazily_imported_ones() -> None:
    lazy = set(tricord._HOME)
    assert list(tricord.__all__) == sorted(tricord.__all__)
    assert set(tricord.__all__) == lazy | {"__version__"}
    assert set(dir(tricord)) == set(tricord.__all__)
    source = Path(tricord.__file__).read_text(encoding="utf-8")
    declared = re.findall(r"^    from (\S+) import (\w+) as \2$", source, re.MULTILINE)
    assert {name: home for home, name in declared} == tricord._HOME


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'relaese'"):
        _ = tricord.relaese  # pyright: ignore[reportAttributeAccessIssue]
