"""Where a DVC project keeps things: `.dvc/config` and `.dvc/config.local`."""

from collections.abc import Mapping
from configparser import Error as Malformed
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path

from tricord.core.errors import DataError

FOLDER = ".dvc"


@dataclass(frozen=True, slots=True)
class Settings:
    """`cache` is the folder of its cache; `remotes` a remote's name → its options, `url` among them
    (a folder is an absolute path); `remote` the default's name; `links` how it fills work files."""

    root: Path
    cache: Path
    remotes: Mapping[str, Mapping[str, str]]
    remote: str
    links: tuple[str, ...]


def find(start: Path) -> Path:
    """The root of the DVC project that `start` is in. DataError where there is none."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir():
            return folder
    raise DataError("no DVC project here", where=str(start), hint="tricord import dvc PATH")


def read(root: Path) -> Settings:
    """The settings of the DVC project at `root`: the project's, and this machine's over them."""
    sections: dict[str, dict[str, str]] = {}
    folder = root / FOLDER
    for name in ("config", "config.local"):
        parser = RawConfigParser(strict=False)
        try:
            parser.read(folder / name, encoding="utf-8")
        except (Malformed, UnicodeDecodeError) as error:
            raise DataError(
                f"DVC's settings cannot be read: {error}", where=str(folder / name)
            ) from error
        for title in parser.sections():
            options = {key: value.strip("\"'") for key, value in parser[title].items()}
            sections.setdefault(title.strip("'"), {}).update(options)
    named = {
        title.removeprefix("remote ").strip('"'): options
        for title, options in sections.items()
        if title.startswith("remote ")
    }
    cache = sections.get("cache", {})
    return Settings(
        root=root,
        cache=(folder / cache.get("dir", "cache")).resolve(),
        remotes={
            name: {**options, "url": _url(folder, named, name)} for name, options in named.items()
        },
        remote=sections.get("core", {}).get("remote", ""),
        links=tuple(kind.strip() for kind in cache.get("type", "").split(",") if kind.strip()),
    )


def _url(folder: Path, remotes: Mapping[str, Mapping[str, str]], name: str) -> str:
    """A remote's URL; `remote://OTHER/path` is below another, and a folder is relative to `.dvc`."""
    below: list[str] = []
    for _ in remotes:
        url = remotes.get(name, {}).get("url", "")
        if not url.startswith("remote://"):
            break
        name, _, rest = url.removeprefix("remote://").partition("/")
        below.insert(0, rest)
    else:
        raise DataError(f"DVC's remote {name!r} leads back to itself", where=str(folder / "config"))
    if url and "://" not in url:
        url = str((folder / url).resolve())
    return "/".join([url.rstrip("/"), *below]) if below else url
