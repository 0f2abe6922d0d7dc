"""Bringing data in from elsewhere, with its origin kept: a URL, a bucket, another Tricord project."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tricord.core.artifact import Artifact, Digest, Kind, format_of
from tricord.core.canonical import JSON
from tricord.core.errors import DataError, Refused
from tricord.core.spelling import quoted
from tricord.data import buckets, download, elsewhere, ignoring, pointers, worktree
from tricord.data.checkout import checkout, on_record
from tricord.data.versions import add, check_new
from tricord.project import datasets, workfiles
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.store.local import LocalStore
from tricord.store.progress import Watch, quiet
from tricord.store.state import State

URL, BUCKET, PROJECT = "url", "bucket", "tricord"
_GIT = re.compile(r"(git|ssh|git\+ssh)://|[\w.-]+@[\w.-]+:|https?://.*\.git/?$")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where data came from. Empty fields are not known, or do not apply.

    `mark` is what tells a change: a URL's ETag (else its time of modification), a bucket's listing in
    one digest, a project's content. `what` is the dataset as it was asked for, `path` its place there,
    `rev` the commit it was at, `branch` the revision that was asked for; `when` is ISO 8601, UTC.
    """

    kind: str
    url: str
    what: str = ""
    path: str = ""
    rev: str = ""
    branch: str = ""
    mark: str = ""
    when: str = ""

    def to_json(self) -> dict[str, JSON]:
        return {key: value for key, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> "Origin | None":
        """The origin in a pointer; None for one that cannot be asked again."""
        known = {key: str(data[key]) for key in cls.__dataclass_fields__ if key in data}
        return (
            cls(**known)
            if known.get("kind") in (URL, BUCKET, PROJECT) and known.get("url")
            else None
        )


@dataclass(frozen=True, slots=True)
class Updated:
    """What came of asking an origin again: the version before and the one now."""

    before: Digest
    version: Version
    origin: Origin


def is_elsewhere(text: str) -> bool:
    """Whether a word of a command line names something that is not a path here.

    >>> is_elsewhere("s3://data/flights"), is_elsewhere("data/flights"), is_elsewhere("ada@example.org:data.git")
    (True, False, True)
    """
    return bool(re.match(r"[a-z][a-z0-9+]*://", text) or _GIT.match(text))


def origin_of(source: str, what: str = "", rev: str = "") -> Origin:
    """What kind of place `source` is. DataError where it is none that data can be brought from."""
    plain = source
    if source.startswith("file://"):
        plain = unquote(urlsplit(source).path)
    scheme = source.partition("://")[0] if "://" in source else ""
    if scheme in buckets.SCHEMES and not what:
        return Origin(BUCKET, source)
    if _GIT.match(source) or what or rev or Path(plain).expanduser().is_dir():
        if not what:
            shown = download.plain(source)
            raise DataError("which dataset of it?", where=shown, hint=f"tricord get {shown} NAME")
        return Origin(PROJECT, plain, what=what, branch=rev)
    if scheme in ("http", "https"):
        return Origin(URL, source)
    if Path(plain).expanduser().is_file():
        raise DataError(
            "a file of this machine needs no download",
            where=plain,
            hint=f"tricord add {quoted(plain)}",
        )
    raise DataError("neither a URL, nor a bucket, nor a Tricord project", where=source, hint="tricord get https://…, s3://BUCKET/FOLDER, or PROJECT NAME")  # fmt: skip


def bring(
    origin: Origin, folder: Path, out: Path | None, scratch: Path, *,
    store: LocalStore | None = None, check: Callable[[Path], None] | None = None, watch: Watch = quiet,
) -> tuple[Path, Origin]:  # fmt: skip
    """Bring what is at an origin to `out`, else into `folder` under its own name: where it is now, and the
    origin with all that was found out. Nothing is overwritten, and nothing is there until all of it is.
    `check` may refuse the place before any content comes."""

    def free(target: Path) -> Path:
        if target.exists() or target.is_symlink():
            command = f"tricord {'import' if check else 'get'} {_typed(origin)} --out FILE"
            raise DataError("there is something already, and it is not overwritten", where=str(target), hint=command)  # fmt: skip
        if check:
            check(target)
        return target

    when = datetime.now(UTC).isoformat(timespec="seconds")
    if origin.kind == PROJECT:
        with elsewhere.opened(origin.url, origin.branch, scratch) as project:
            found = elsewhere.find(project, origin.what, watch)
            target = free(out or folder / _name(found.path))
            elsewhere.bring(project, found, target, store, watch)
        url = (
            download.plain(origin.url)
            if is_elsewhere(origin.url)
            else str(Path(origin.url).expanduser().resolve())
        )
        made = replace(origin, url=url, path=found.path, rev=found.commit, mark=found.digest)
    elif origin.kind == BUCKET:
        target = free(
            out or folder / _name(unquote(urlsplit(origin.url).path) or urlsplit(origin.url).netloc)
        )
        listed = buckets.listed(origin.url)
        buckets.download(origin.url, target, listed, watch)
        made = replace(origin, mark=listed.mark)
    else:
        target = free(out or folder / _name(unquote(urlsplit(origin.url).path)))
        made = replace(
            origin,
            url=download.plain(origin.url),
            mark=download.download(origin.url, target, watch).mark,
        )
    return target, replace(made, when=when)


def bring_in(
    project: Project, origin: Origin, folder: Path, out: Path | None, *,
    name: str | None = None, why: str = "", watch: Watch = quiet,
) -> Version:  # fmt: skip
    """Bring it into the work tree and make it a version of a dataset, with its origin in the pointer."""
    place = (out or folder).resolve()
    if not place.is_relative_to(project.root):
        raise DataError(
            "this lies outside of the project", where=str(place), hint="tricord get SOURCE"
        )

    def check(target: Path) -> None:
        check_new(project, target, name, hint=f"tricord import {_typed(origin)} --name NAME")

    with project.scratch() as scratch:
        target, made = bring(
            origin, folder, out, scratch, store=project.store, check=check, watch=watch
        )
    made = _beside(project, made)
    why = why or f"from {made.url}{' ' * bool(made.what)}{made.what}"
    return add(project, target, name=name, why=why, origin=made.to_json(), watch=watch)


def update(project: Project, name: str, *, why: str = "", watch: Watch = quiet) -> Updated:
    """Ask a dataset's origin again, and bring the version that is there now, if it is another one.

    Refused where the work folder has changes that no version holds; DataError for a dataset that was not
    brought from elsewhere.
    """
    pointer = pointers.get(project.root, name)
    origin = Origin.from_json(pointer.origin)
    if origin is None:
        raise DataError(f"{pointer.name} was not brought from elsewhere", where=pointer.path, hint=f"tricord add {quoted(pointer.path)}")  # fmt: skip
    asked = _from_root(project, origin)
    if origin.mark and _mark(project, asked) == origin.mark:
        return Updated(pointer.digest, on_record(project, pointer), origin)
    place = project.root / pointer.path
    if place.exists() and worktree.compare(project, pointer):
        raise Refused(f"{pointer.name} was changed here since it was brought", where=pointer.path, hint=f"tricord add {quoted(pointer.path)}, or tricord checkout --force {pointer.name}")  # fmt: skip
    with project.scratch() as scratch:
        (scratch / "new").mkdir()
        out = scratch / "new" / place.name
        _, made = bring(asked, scratch, out, scratch, store=project.store, watch=watch)
        with State(scratch / workfiles.FILE) as state:  # of paths that are here for a moment
            ignore = ignoring.rules(project.root, place)
            stored = workfiles.store_path(project.store, state, out, ignore=ignore, watch=watch)
    made = replace(made, url=origin.url)
    meta: dict[str, JSON] = {"type": "pathlib.Path", "name": place.name, "source": pointer.path}
    form = format_of(place.name, is_tree=stored.is_tree)
    digest = stored.digest
    artifact = Artifact(digest, Kind.DATASET, form, stored.size, meta)
    version = datasets.record(project, pointer.name, artifact, why=why or f"new at {origin.url}")
    checkout(project, f"{pointer.name}@{digest}", watch=watch)
    here = pointers.by_name(project.root, pointer.name)
    pointers.write(project.root, replace(here, origin=made.to_json()))
    return Updated(pointer.digest, version, made)


def _beside(project: Project, origin: Origin) -> Origin:
    """The origin as a pointer names it: a folder that lies beside the project, or in the same Git work
    tree, from the project's root, so that it is found where both were cloned to."""
    root = project.root
    if origin.kind != PROJECT or not Path(origin.url).is_absolute():
        return origin
    around = [root.parent] if root.parent != Path(root.anchor) else []
    around += [folder for folder in root.parents if (folder / ".git").exists()]
    if not any(Path(origin.url).is_relative_to(folder) for folder in around):
        return origin
    return replace(origin, url=os.path.relpath(origin.url, root))


def _from_root(project: Project, origin: Origin) -> Origin:
    if origin.kind != PROJECT or is_elsewhere(origin.url):
        return origin
    return replace(origin, url=os.path.normpath(project.root / Path(origin.url).expanduser()))


def _mark(project: Project, origin: Origin) -> str:
    """What the origin's mark is now, without bringing the content."""
    if origin.kind == URL:
        return download.ask(origin.url).mark
    if origin.kind == BUCKET:
        return buckets.listed(origin.url).mark
    with (
        project.scratch() as scratch,
        elsewhere.opened(origin.url, origin.branch, scratch) as other,
    ):
        return elsewhere.find(other, origin.what).digest


def _name(path: str) -> str:
    """The last part of a path that somebody else chose, as a name for a file here. DataError.

    >>> _name("/data/flights.csv"), _name("data/../..")
    Traceback (most recent call last):
    tricord.core.errors.DataError: there is no name for the file in it
      where: data/../..
      next: give one: --out FILE
    """
    name = path.rstrip("/").rpartition("/")[2]
    if name in ("", ".", "..") or name.startswith(".") or "\0" in name or len(name.encode()) > 240:
        raise DataError(
            "there is no name for the file in it", where=path, hint="give one: --out FILE"
        )
    return name


def _typed(origin: Origin) -> str:
    """The origin as it is typed after `import` and `get`, without a password."""
    rev = f"--rev {quoted(origin.branch)}" if origin.branch else ""
    what = quoted(origin.what) if origin.what else ""
    return " ".join(filter(None, (quoted(download.plain(origin.url)), what, rev)))
