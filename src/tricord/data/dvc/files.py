"""What DVC's own files say: `.dvc`, `dvc.yaml` and `dvc.lock`, of its releases 1 to 3.

https://dvc.org/doc/user-guide/project-structure
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, cast

import yaml

from tricord.core.errors import DataError
from tricord.core.pointer import check_path

LOCK, STAGES, SUFFIX = "dvc.lock", "dvc.yaml", ".dvc"
_MD5 = re.compile(r"[0-9a-f]{32}")
_TEMPLATE = re.compile(r"\$\{[^}]*\}")
_MADE = ("outs", "metrics", "plots")


@dataclass(frozen=True, slots=True)
class Out:
    """A file or folder that DVC keeps in its cache under the MD5 of its content.

    `path` is relative to the DVC project's root. `legacy` marks digests of releases before 3, which
    are of a text with its CRLF made LF. `files` are given where the folder's list is in the file
    itself: relative path → MD5.
    """

    path: str
    md5: str
    folder: bool = False
    legacy: bool = False
    stage: str = ""
    remote: str = ""
    about: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str = ""
    files: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> tuple[str, bool, bool]:
        """What makes two versions the same."""
        return self.md5, self.folder, self.legacy


@dataclass(frozen=True, slots=True)
class Left:
    """Something that is not taken over, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What one file declares."""

    outs: tuple[Out, ...] = ()
    left: tuple[Left, ...] = ()
    stages: tuple[str, ...] = ()


def is_ours(name: str) -> bool:
    """Whether a file of this name declares outputs that the cache holds."""
    base = posixpath.basename(name)
    return base == LOCK or (base.endswith(SUFFIX) and base != SUFFIX)


def parse(name: str, text: bytes, stages: bytes | None = None) -> Contents:
    """The contents of the file at `name`, relative to the DVC project's root; `stages` is the `dvc.yaml`
    beside a `dvc.lock`. DataError where it is no such file."""
    document = _load(text, name)
    folder = posixpath.dirname(name)
    if posixpath.basename(name) == LOCK:
        return _lock(
            folder, document, _load(stages, posixpath.join(folder, STAGES)) if stages else {}
        )
    found = list(_outs(posixpath.join(folder, str(document.get("wdir", "."))), document))
    about = _about(document)
    source = _source(document)
    outs = [
        replace(out, about={**about, **out.about}, source=source)
        for out in found
        if isinstance(out, Out)
    ]
    return Contents(tuple(outs), tuple(each for each in found if isinstance(each, Left)))


def _load(text: bytes, name: str) -> dict[str, Any]:
    try:
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise DataError(f"not a file of DVC's: {error}", where=name) from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise DataError("not a file of DVC's: it holds no mapping", where=name)
    return cast("dict[str, Any]", loaded)


def _lock(folder: str, lock: Mapping[str, Any], declared: Mapping[str, Any]) -> Contents:
    locked = _mapping(lock.get("stages")) if "schema" in lock or "stages" in lock else lock
    outs: list[Out] = []
    left: list[Left] = []
    known = _mapping(declared.get("stages"))
    for stage, body in locked.items():
        plan = _mapping(known.get(stage.partition("@")[0]))
        each = (
            _mapping(plan.get("do")) or plan
        )  # `foreach … do` and `matrix` make stages of one pattern
        uncached, about = _declared(each)
        wdir = posixpath.join(folder, str(each.get("wdir", ".")))
        for out in _outs(wdir, _mapping(body), stage=stage):
            plain = posixpath.relpath(out.path, posixpath.normpath(wdir) or ".")
            if any(fnmatchcase(plain, pattern) for pattern in uncached):
                left.append(Left(out.path, "cache: false, so it is in Git"))
            elif isinstance(out, Left):
                left.append(out)
            else:
                outs.append(replace(out, about=about.get(plain, {})))
    return Contents(tuple(outs), tuple(left), tuple(locked))


def _declared(stage: Mapping[str, Any]) -> tuple[set[str], dict[str, dict[str, str]]]:
    """Of a stage in `dvc.yaml`: the outputs that are not cached, as patterns, and what is said of each."""
    uncached: set[str] = set()
    about: dict[str, dict[str, str]] = {}
    for key in _MADE:
        for out in _list(stage.get(key)):
            for path, options in _mapping(out).items():
                said = _mapping(options)
                about[path] = _about(said)
                if said.get("cache") is False:
                    uncached.add(_TEMPLATE.sub("*", posixpath.normpath(path)))
    return uncached, about


def _outs(base: str, body: Mapping[str, Any], *, stage: str = "") -> Iterator[Out | Left]:
    for each in _list(body.get("outs")):
        out = _mapping(each)
        given = str(out.get("path", ""))
        path = posixpath.normpath(posixpath.join(base, given))
        try:
            check_path(path)
        except ValueError:
            yield Left(given, "it lies outside the project")
            continue
        if "://" in given or path.startswith("/"):
            yield Left(given, "it lies outside the project")
        elif out.get("cache") is False:
            yield Left(path, "cache: false, so it is in Git")
        else:
            yield _out(path, out, stage)


def _out(path: str, out: Mapping[str, Any], stage: str) -> Out | Left:
    md5 = str(out.get("md5", ""))
    files = tuple(
        (str(file["relpath"]), str(file.get("md5", "")))
        for file in map(_mapping, _list(out.get("files")))
        if "relpath" in file
    )
    bare = md5.removesuffix(".dir")
    if not (_MD5.fullmatch(bare) or (files and all(_MD5.fullmatch(found) for _, found in files))):
        return Left(path, "DVC keeps no MD5 of it" if not md5 else f"not an MD5: {md5}")
    return Out(
        path=path,
        md5=bare,
        folder=md5.endswith(".dir") or bool(files),
        legacy=out.get("hash") != "md5",
        stage=stage,
        remote=str(out.get("remote", "")),
        about=_about(out),
        files=files,
    )


def _about(body: Mapping[str, Any]) -> dict[str, str]:
    """What people wrote: `desc`, and the texts of `meta`."""
    said = {
        key: str(value) for key, value in _mapping(body.get("meta")).items() if _is_plain(value)
    }
    if body.get("desc"):
        said["description"] = str(body["desc"])
    return said


def _source(body: Mapping[str, Any]) -> str:
    """Where `dvc import` or `dvc import-url` brought it from."""
    for each in _list(body.get("deps")):
        dependency = _mapping(each)
        repository = _mapping(dependency.get("repo"))
        if repository:
            return f"{repository.get('url', '')}#{dependency.get('path', '')}"
        if body.get("frozen") and "cmd" not in body:
            return str(dependency.get("path", ""))
    return ""


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
