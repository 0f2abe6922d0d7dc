"""From a URL and its settings to a backend: the kind, what wraps it, the seal."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tricord.core.errors import ConfigError, RemoteRefused
from tricord.store.remote.backend import Backend
from tricord.store.remote.folder import Folder
from tricord.store.remote.places import bucket, number
from tricord.store.remote.sealing import is_sealed, sealed
from tricord.store.remote.wrapping import Bandwidth, Limited, Retrying

SCHEMES = ("s3", "gs", "az", "http", "https")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?(?:b(?:/s)?)?\s*", re.IGNORECASE)


def open_backend(
    url: str,
    options: Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Backend:
    """The remote at a URL (s3://, gs://, az://, http://, https://, file://, or a folder's path).

    `options` are those of its table in the settings. Asks the remote whether it is sealed. ConfigError, MissingDependency, RemoteError.
    """
    options = {} if options is None else options
    opened: Backend = Retrying(_raw(url, options), int(number(options, "tries", 6)))
    if options.get("limit"):
        opened = Limited(opened, Bandwidth(rate(options["limit"])))
    if options.get("key"):
        return sealed(opened, secret(options["key"], os.environ if environment is None else environment))  # fmt: skip
    if is_sealed(opened):
        raise RemoteRefused(
            "this remote is sealed, and its settings name no key",
            where=url,
            hint="tricord remote add NAME URL --key env:VARIABLE --replace",
        )
    return opened


def _raw(url: str, options: Mapping[str, str]) -> Backend:
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    if scheme in SCHEMES:
        return bucket(url, options)
    if scheme not in ("", "file"):
        raise ConfigError(
            f"no kind of remote begins with {scheme}://",
            where=url,
            hint=f"one of {', '.join(known + '://' for known in SCHEMES)}, or a folder's path",
        )
    path = unquote(urlsplit(url).path) if scheme else url
    return Folder(Path.cwd() / Path(path).expanduser())


def secret(reference: str, environment: Mapping[str, str]) -> str:
    """What "env:NAME" stands for. ConfigError."""
    variable = reference.removeprefix("env:")
    if variable == reference:
        raise ConfigError(
            "a key is not written into the settings",
            where="key",
            hint='write key = "env:NAME" and export NAME=…',
        )
    value = environment.get(variable, "").strip()
    if not value:
        raise ConfigError(
            f"the remote's key is read from the environment variable {variable}, which is not set",
            where="key",
            hint=f"export {variable}=…; a new one: openssl rand -hex 32",
        )
    return value


def rate(text: str) -> float:
    """Bytes a second.

    >>> rate("500k"), rate("2 MB/s"), rate("1Mi")
    (500000.0, 2000000.0, 1048576.0)
    """
    found = _RATE.fullmatch(text)
    value = float(found[1]) * _UNITS[(found[2] or "").lower()] if found else 0.0
    if value < 1000:
        raise ConfigError(
            f"limit is a bandwidth of 1 kB/s at least, not {text!r}",
            where="limit",
            hint='write limit = "10MB/s"',
        )
    return value
