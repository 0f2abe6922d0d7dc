"""Kinds of remotes by the beginning of their URL: how obstore is told where, and as whom."""

import configparser
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tricord.core.errors import ConfigError
from tricord.core.plugins import optional
from tricord.store.remote.backend import Abilities
from tricord.store.remote.bucket import EXTRA, NEVER, OFTEN, Bucket

Options = Mapping[str, str]
_AWS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
_HINTS = {
    "s3": "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, or name a profile of ~/.aws",
    "gs": "export GOOGLE_APPLICATION_CREDENTIALS=…, or: gcloud auth application-default login",
    "az": "export AZURE_STORAGE_ACCOUNT_KEY=…, or: az login, and use_azure_cli in its settings",
    "http": "name a user in the URL, or ask who runs the server",
}


def bucket(url: str, options: Options) -> Bucket:
    """The remote at an s3://, gs://, az://, http:// or https:// URL. ConfigError."""
    parts = urlsplit(url)
    scheme = parts.scheme.replace("https", "http")
    kind, build = _KINDS[scheme]
    stores = optional("obstore.store", extra=EXTRA)
    if scheme != "http" and not parts.netloc:
        raise ConfigError(
            f"no bucket in {url!r}", where="url", hint=f"write {scheme}://BUCKET/FOLDER"
        )
    settings = build(parts.netloc, url, options)
    prefix = parts.path.strip("/")
    if scheme != "http" and prefix:
        settings["prefix"] = prefix
    settings["client_options"] = _client(options)
    make: Any = getattr(stores, kind)
    try:
        return Bucket(
            make(retry_config=NEVER, **settings),
            url,
            uploads=make(retry_config=OFTEN, **settings),
            abilities=Abilities(writes=scheme != "http", lists=scheme != "http"),
            hint=_HINTS[scheme],
        )
    except optional("obstore.exceptions", extra=EXTRA).BaseError as error:
        what = str(error).partition("\n")[0]
        raise ConfigError(f"no remote can be opened: {what}", where=url) from error


def _client(options: Options) -> dict[str, Any]:
    patience = number(options, "timeout", 30.0)
    return {
        "allow_http": True,  # that is for who writes the URL to decide
        "connect_timeout": timedelta(seconds=min(patience, 15.0)),
        "read_timeout": timedelta(seconds=patience),
        "timeout": timedelta(seconds=max(600.0, 10 * patience)),
    }


def number(options: Options, key: str, default: float) -> float:
    """A number above zero among the options. ConfigError."""
    text = options.get(key, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(
            f"{key} must be a number above 0, not {text!r}",
            where="the remote's settings",
            hint=f"write {key} = {default:g}",
        )
    return value


def _anonymous(options: Options) -> dict[str, Any]:
    return {"skip_signature": True} if options.get("anonymous") == "true" else {}


def _s3(name: str, _: str, options: Options) -> dict[str, Any]:
    settings: dict[str, Any] = _profile(options.get("profile", ""))
    if os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        settings.pop("region", None)
    for key in ("endpoint", "region"):
        if options.get(key):
            settings[key] = options[key]
    return settings | _anonymous(options) | {"bucket": name}


def _gs(name: str, _: str, options: Options) -> dict[str, Any]:
    endpoint = {"base_url": options["endpoint"]} if options.get("endpoint") else {}
    return endpoint | _anonymous(options) | {"bucket": name}


def _az(name: str, _: str, options: Options) -> dict[str, Any]:
    settings = {"endpoint": options["endpoint"]} if options.get("endpoint") else {}
    if options.get("account"):
        settings["account_name"] = options["account"]
    return settings | _anonymous(options) | {"container_name": name}


def _http(_: str, url: str, options: Options) -> dict[str, Any]:
    del options
    return {"url": url}


def _profile(name: str) -> dict[str, Any]:
    """Credentials and region of a profile in the files that the tools of AWS keep; the environment goes first."""
    wanted = name or os.environ.get("AWS_PROFILE", "")
    if not wanted:
        if os.environ.get("AWS_ACCESS_KEY_ID"):
            return {}
        wanted = "default"
    home = Path.home() / ".aws"
    files = (
        (os.environ.get("AWS_CONFIG_FILE") or home / "config", f"profile {wanted}"),
        (os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials", wanted),
    )
    found: dict[str, Any] = {}
    for file, section in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise ConfigError("not a file of AWS profiles", where=str(file)) from error
        for place in (section, wanted):
            if parser.has_section(place):
                items = parser.items(place)
                found |= {_AWS[key]: value for key, value in items if key in _AWS}
    if name and not found:
        raise ConfigError(
            f"no AWS profile {name!r}", where=str(home), hint=f"aws configure --profile {name}"
        )
    return found


_KINDS: dict[str, tuple[str, Callable[[str, str, Options], dict[str, Any]]]] = {
    "s3": ("S3Store", _s3),
    "gs": ("GCSStore", _gs),
    "az": ("AzureStore", _az),
    "http": ("HTTPStore", _http),
}
