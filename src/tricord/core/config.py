"""Configuration: argument > environment `TRICORD_SECTION__KEY` > file > default.

One file, `tricord.toml` at the project's root, or `[tool.tricord]` in pyproject.toml. Every key that
exists is declared here, once. A secret is written as "env:NAME" and read from that variable.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    Setting("store.path", "", "folder of the content store; empty: `.tricord/store`"),
    Setting(
        "store.link",
        "auto",
        "how files are brought from the store: auto, reflink, hardlink or copy",
    ),
    Setting(
        "store.remote", "", "the remote that push, pull and fetch use; empty: the only one there is"
    ),
    Setting("serving.host", "127.0.0.1", "address that `tricord serve` listens on"),
    Setting("serving.port", 8080, "port that `tricord serve` listens on; 0: any free one"),
    Setting("serving.poll_seconds", 0.1, "how often a server looks for moved refs"),
    Setting("serving.flush_seconds", 0.2, "how often the prediction log is written to disk"),
)
REMOTE_KEYS = {
    "url": "where it is: s3://, gs://, az://, http://, https://, or a folder's path from the project's root",
    "key": "what its objects are sealed with: env:NAME, a variable with 32 bytes in hexadecimal or base64, or a passphrase",
    "limit": "most bandwidth up and down together: 10MB/s",
    "endpoint": "address of a server that is not the provider's own: http://minio:9000",
    "region": "the bucket's region (S3)",
    "profile": "profile of the files in ~/.aws (S3)",
    "account": "storage account (Azure)",
    "anonymous": "true: ask without credentials, for public buckets",
    "timeout": "seconds without an answer after which a request has failed (30)",
    "tries": "how often a request is tried (6)",
}
"""The keys of a table [remote.NAME] and what they mean."""
REMOTE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_BY_KEY = {setting.key: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting's value and where it came from."""

    values: Mapping[str, Value]
    origins: Mapping[str, str]
    remotes: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Name → key → value of each [remote.NAME]; a folder's path is absolute, a secret still "env:NAME"."""

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
    remotes: dict[str, dict[str, str]] = {}
    for origin, layer in (
        *_file_layers(root),
        *_environment_layers(environment),
        ("argument", arguments or {}),
    ):
        for key, value in layer.items():
            where = str(root / origin) if origin in _FILES else origin
            if key.startswith("remote."):
                _add_remote(remotes, key, value, origin, where)
                continue
            values[key] = _typed(key, _secret(key, value, environment, where), origin, where)
            origins[key] = origin
    return Config(values, origins, _whole_remotes(remotes, root))


def file_of(root: Path) -> Path:
    """The file that the settings of the project at `root` are read from, or would be."""
    own, shared = root / FILE, root / _SHARED
    if not own.is_file() and shared.is_file() and "tricord" in _toml(shared).get("tool", {}):
        return shared
    return own


def check_remote(name: str, options: Mapping[str, str], where: str) -> None:
    """ConfigError unless a table [remote.NAME] with these keys would be read."""
    remotes: dict[str, dict[str, str]] = {}
    for key, value in options.items():
        _add_remote(remotes, f"remote.{name}.{key}", value, FILE, where)
    _whole_remotes(remotes, Path())


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
            if section == "remote" and isinstance(value, dict):
                for key, inner in cast("dict[str, Any]", value).items():
                    flat[f"remote.{name}.{key}"] = inner
            else:
                flat[f"{section}.{name}"] = value
    return flat


def _environment_layers(
    environment: Mapping[str, str],
) -> Iterator[tuple[str, Mapping[str, str]]]:
    for variable, value in sorted(environment.items()):
        section, double, name = variable.removeprefix("TRICORD_").partition("__")
        if variable.startswith("TRICORD_") and double:
            key = name.lower().replace("__", ".") if section == "REMOTE" else name.lower()
            yield f"environment {variable}", {f"{section.lower()}.{key}": value}


def _add_remote(
    remotes: dict[str, dict[str, str]], key: str, value: Any, origin: str, where: str
) -> None:
    """Take "remote.NAME.KEY" in. From the environment a name is matched without regard to - and _."""
    _, name, last = [*key.split(".", 2), "", ""][:3]
    if not last:
        raise ConfigError(
            f"{key!r} is no table", where=where, hint="write [remote.NAME], then url = …"
        )
    if last not in REMOTE_KEYS:
        import difflib

        near = difflib.get_close_matches(last, REMOTE_KEYS, n=1, cutoff=0.5)
        raise ConfigError(
            f"unknown key {last!r} of remote {name!r}"
            + (f": did you mean {near[0]!r}?" if near else ""),
            where=where,
            hint=f"remove it, or write one of {', '.join(REMOTE_KEYS)}",
        )
    if origin.startswith("environment"):
        same = (known for known in remotes if known.replace("-", "_") == name)
        name = next(same, name)
        if last == "key" and not value.startswith("env:"):
            value = f"env:{origin.removeprefix('environment ')}"  # the secret stays where it is
    if not REMOTE_NAME.fullmatch(name):
        raise ConfigError(
            f"no name for a remote: {name!r}",
            where=where,
            hint="small letters, digits, - and _",
        )
    if last == "key" and not str(value).startswith("env:"):
        raise ConfigError(
            f"the key of remote {name!r} is written into the settings",
            where=where,
            hint='take another one now; write key = "env:NAME" and export NAME=…',
        )
    if not isinstance(value, str | int | float):
        raise ConfigError(
            f"{last} of remote {name!r} must be a text or a number, not {value!r}", where=where
        )
    text = str(value).lower() if isinstance(value, bool) else str(value)
    remotes.setdefault(name, {})[last] = text


def _whole_remotes(remotes: Mapping[str, dict[str, str]], root: Path) -> dict[str, dict[str, str]]:
    """The remotes, each with a URL; a folder's path made absolute."""
    for name, options in remotes.items():
        url = options.get("url", "")
        if not url:
            raise ConfigError(
                f"remote {name!r} has no url",
                where=f"[remote.{name}]",
                hint=f"tricord remote remove {name}, or write url = …",
            )
        if "://" not in url:
            options["url"] = str(Path(os.path.normpath(root.absolute() / Path(url).expanduser())))
    return dict(remotes)


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
        import difflib

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
