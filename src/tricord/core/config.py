"""Configuration: argument > environment `TRICORD_SECTION__KEY` > file > default.

One file, `tricord.toml` at the project's root, or `[tool.tricord]` in pyproject.toml. Every key that
exists is declared here, once. A secret is written as "env:NAME" and read from that variable.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tricord.core.errors import ConfigError

FILE = "tricord.toml"
_SHARED = "pyproject.toml"
_FILES = (FILE, _SHARED)
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its default (which also fixes its type) and what it means."""

    key: str
    default: Value
    meaning: str


SETTINGS = (
    Setting("project.name", "", "name of the project; empty: the name of its folder"),
    Setting("project.pipelines", "pipelines", "module that defines the pipelines, from the root"),
    Setting(
        "project.actor", "", "who acts, as the ledger records it; empty: Git's user or the login"
    ),
    Setting("serving.host", "127.0.0.1", "address that `tricord serve` listens on"),
    Setting("serving.port", 8080, "port that `tricord serve` listens on; 0: any free one"),
    Setting("serving.poll_seconds", 0.1, "how often a server looks for moved refs"),
    Setting("serving.flush_seconds", 0.2, "how often the prediction log is written to disk"),
)
_BY_KEY = {setting.key: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting's value and where it came from."""

    values: Mapping[str, Value]
    origins: Mapping[str, str]

    def __getitem__(self, key: str) -> Value:
        return self.values[key]

    def text(self, key: str) -> str:
        return str(self.values[key])

    def whole(self, key: str) -> int:
        return int(self.values[key])

    def number(self, key: str) -> float:
        return float(self.values[key])


def load(
    root: Path,
    *,
    arguments: Mapping[str, Value] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration of the project at `root`. ConfigError names the key and its origin."""
    values: dict[str, Value] = {setting.key: setting.default for setting in SETTINGS}
    origins = dict.fromkeys(values, "default")
    environment = os.environ if environment is None else environment
    for origin, layer in (
        *_file_layers(root),
        *_environment_layers(environment),
        ("argument", arguments or {}),
    ):
        for key, value in layer.items():
            where = str(root / origin) if origin in _FILES else origin
            values[key] = _typed(key, _secret(key, value, environment, where), origin, where)
            origins[key] = origin
    return Config(values, origins)


def _file_layers(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    own, shared = root / FILE, root / _SHARED
    if own.is_file():
        yield FILE, _flat(_toml(own), own)
    elif shared.is_file():
        section = _toml(shared).get("tool", {}).get("tricord", {})
        yield _SHARED, _flat(section, shared)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"not valid TOML: {error}",
            where=str(path),
            hint='mend that line: [section], then key = "text", a number, true or false',
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _flat(tables: Mapping[str, Any], path: Path) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(
                f"{section!r} stands outside a section",
                where=str(path),
                hint="write [section] first",
            )
        for name, value in cast("dict[str, Any]", table).items():
            flat[f"{section}.{name}"] = value
    return flat


def _environment_layers(
    environment: Mapping[str, str],
) -> Iterator[tuple[str, Mapping[str, str]]]:
    for variable, value in sorted(environment.items()):
        section, double, name = variable.removeprefix("TRICORD_").partition("__")
        if variable.startswith("TRICORD_") and double:
            yield f"environment {variable}", {f"{section.lower()}.{name.lower()}": value}


def _secret(key: str, value: Any, environment: Mapping[str, str], where: str) -> Any:
    if not (isinstance(value, str) and value.startswith("env:")):
        return value
    variable = value.removeprefix("env:")
    if variable not in environment:
        raise ConfigError(
            f"{key} is read from the environment variable {variable}, which is not set",
            where=where,
            hint=f"export {variable}=…",
        )
    return environment[variable]


def _typed(key: str, value: Any, origin: str, where: str) -> Value:
    setting = _BY_KEY.get(key)
    if setting is None:
        near = difflib.get_close_matches(key, _BY_KEY, n=1, cutoff=0.5)
        raise ConfigError(
            f"unknown setting {key!r}" + (f": did you mean {near[0]!r}?" if near else ""),
            where=where,
            hint=f"remove it, or write one of {_siblings(key)}",
        )
    wanted = type(setting.default)
    from_text = origin.startswith("environment")
    if wanted is bool and from_text and str(value).lower() in ("true", "false", "1", "0"):
        return str(value).lower() in ("true", "1")
    if wanted in (int, float) and (from_text or (wanted is float and type(value) is int)):
        try:
            return wanted(value)
        except ValueError:
            pass
    elif type(value) is wanted:
        return value
    raise ConfigError(
        f"{key} must be of type {wanted.__name__}, not {value!r}",
        where=where,
        hint=f"write a value like its default, {json.dumps(setting.default)}",
    )


def _siblings(key: str) -> str:
    """The keys of the section that `key` is in; of no known section, all keys."""
    section = key.partition(".")[0] + "."
    return ", ".join([known for known in _BY_KEY if known.startswith(section)] or _BY_KEY)
