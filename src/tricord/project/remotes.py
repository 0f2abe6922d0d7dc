"""The tables [remote.NAME] of tricord.toml: added and removed as text, so that all else stays as it was written."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tricord.core.config import FILE, Config, check_remote, file_of
from tricord.core.errors import ConfigError
from tricord.core.files import replace_text

_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


def add(
    root: Path,
    name: str,
    options: Mapping[str, str],
    *,
    default: bool = False,
    instead: bool = False,
) -> Path:
    """Write a remote into the project's file, and return that. ConfigError, and then nothing is changed.

    Without `instead` (in place of one of that name), a name that is taken is an error. A folder's path
    that is not absolute is from the project's root.
    """
    check_remote(name, options, str(root / FILE))
    text = _text(root)
    wanted = _parsed(text, root)
    remotes = wanted.setdefault("remote", {})
    if name in remotes:
        if not instead:
            raise ConfigError(
                f"there is a remote {name!r}",
                where=str(root / FILE),
                hint=f"tricord remote add {name} {options['url']} --replace",
            )
        text = _without(text, f"remote.{name}")
    remotes[name] = dict(options)
    lines = [f"{key} = {_value(value)}" for key, value in options.items()]
    text = text.rstrip("\n")
    text = (text + "\n\n" if text else "") + f"[remote.{name}]\n" + "\n".join(lines) + "\n"
    if default:
        wanted.setdefault("store", {})["remote"] = name
        text = _with_default(text, name)
    return _write(root, text, wanted)


def remove(root: Path, name: str) -> Path:
    """Take a remote out of the project's file; what it holds stays there. ConfigError."""
    text = _text(root)
    wanted = _parsed(text, root)
    if name not in wanted.get("remote", {}):
        raise ConfigError(f"no remote {name!r}", where=str(root / FILE), hint="tricord remote list")
    del wanted["remote"][name]
    text = _without(text, f"remote.{name}")
    if wanted.get("store", {}).get("remote") == name:
        del wanted["store"]["remote"]
        text = _with_default(text, "")
    return _write(root, text, wanted)


def make_default(root: Path, name: str) -> Path:
    """Make it the remote that push, pull and fetch use. ConfigError."""
    text = _text(root)
    wanted = _parsed(text, root)
    wanted.setdefault("store", {})["remote"] = name
    return _write(root, _with_default(text, name), wanted)


def default_of(settings: Config) -> str:
    """The remote that is used when none is named; "" where that is open."""
    named = settings.text("store.remote")
    if named:
        return named
    return next(iter(settings.remotes)) if len(settings.remotes) == 1 else ""


def _text(root: Path) -> str:
    file = file_of(root)
    if file.name != FILE:
        raise ConfigError(
            f"this project's settings are in {file.name}, which is not edited",
            where=str(file),
            hint="write [tool.tricord.remote.NAME] with url = … there",
        )
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(file)) from error


def _write(root: Path, text: str, wanted: dict[str, Any]) -> Path:
    """Replace the file by a text that says just what is wanted. ConfigError, and then nothing is changed."""
    if _said(_parsed(text, root)) != _said(wanted):
        raise ConfigError(
            "written in a way that is not edited by a command",
            where=str(root / FILE),
            hint="change it by hand: a table [remote.NAME] for each remote, [store] for the default",
        )
    try:
        replace_text(root / FILE, text)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(root / FILE)) from error
    return root / FILE


def _parsed(text: str, root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"not valid TOML: {error}", where=str(root / FILE), hint="mend that line"
        ) from error


def _said(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables without empty ones."""
    return {name: table for name, table in tables.items() if table != {}}


def _span(text: str, table: str) -> tuple[int, int] | None:
    """Where a table stands: from its header up to the next one, without the comment above that."""
    section, _, name = table.partition(".")
    written = rf"{section}\s*\.\s*[\"']?{re.escape(name)}[\"']?" if name else section
    header = re.search(rf"^[ \t]*\[\s*{written}\s*\][ \t]*(#.*)?$", text, re.MULTILINE)
    if header is None:
        return None
    following = _TABLE.search(text, header.end())
    end = following.start() if following else len(text)
    between = text[header.end() : end].splitlines(keepends=True)
    while following and between and (not between[-1].strip() or between[-1].lstrip()[0] == "#"):
        end -= len(between.pop())
    return header.start(), end


def _without(text: str, table: str) -> str:
    found = _span(text, table)
    if found is None:
        return text
    start, end = found
    return text[:start].rstrip("\n") + "\n\n" * bool(text[:start].strip()) + text[end:].lstrip("\n")


def _with_default(text: str, name: str) -> str:
    """The text with this default; "": with none."""
    line = f"remote = {json.dumps(name)}\n" if name else ""
    found = _span(text, "store")
    if found is None:
        return (text.rstrip("\n") + "\n\n" if text.strip() else "") + f"[store]\n{line}"
    start, end = found
    section = text[start:end]
    changed, count = re.subn(r"(?m)^[ \t]*remote\s*=.*(\n|\Z)", lambda _: line, section, count=1)
    if not count:
        head, _, rest = section.partition("\n")
        changed = f"{head}\n{line}{rest}"
    return text[:start] + changed + text[end:]


def _value(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
