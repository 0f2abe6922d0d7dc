"""Datasets of another Tricord project: a folder on this machine, or a Git repository cloned for the moment."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tricord.core import config as configuration
from tricord.core.artifact import Digest, short
from tricord.core.errors import (
    DataError,
    NotRecorded,
    ObjectMissing,
    ProjectError,
    RemoteError,
    RemoteRefused,
    RemoteUnreachable,
    TricordError,
)
from tricord.core.pointer import Pointer
from tricord.data import download, pointers
from tricord.project import datasets, git, remotes, transfer
from tricord.project.project import Project
from tricord.project.root import FOLDER, prepare
from tricord.store.local import LocalStore
from tricord.store.progress import Watch, quiet
from tricord.store.remote import receiving

_STATED = "stated"
"""The name of a remote that a clone's settings give by its URL alone."""


@dataclass(frozen=True, slots=True)
class Found:
    """A dataset's version elsewhere: its place there, its content, and the commit that names it ("": none)."""

    name: str
    path: str
    digest: Digest
    commit: str


@contextmanager
def opened(source: str, rev: str, scratch: Path) -> Generator[Project]:
    """The project at a folder or Git URL, as it is at `rev` ("": now; of a URL its default branch).

    ProjectError where it is none, RemoteError where Git cannot bring it.
    """
    folder = Path(source).expanduser()
    if not folder.exists() and ":" not in source:
        raise ProjectError(
            f"no folder and no repository {source!r}",
            hint="tricord get ../PROJECT NAME, or a Git address and NAME",
        )
    if folder.is_dir() and not rev:
        project = Project.open(folder)
    else:
        project = _opened(_clone(source, rev, scratch / "clone"), source)
    try:
        yield project
    except TricordError as error:
        if error.where and (rev or not folder.is_dir()):  # a clone that is gone when this is read
            error.where = error.where.replace(str(project.root), download.plain(source))
        raise
    finally:
        project.close()


def find(project: Project, what: str, watch: Watch = quiet) -> Found:
    """The version that `NAME[@VERSION]`, or the path of its data, names there. NotRecorded lists what there is.

    Without a VERSION it is the one that belongs to the commit (the pointer's), else the latest.
    """
    name, version = datasets.split(what)
    commit = git.state(project.root).commit or ""
    pointer = _pointer(project, name)
    if pointer is not None:
        tagged = pointer.tags.get(version or "")
        if version is None or tagged:
            return Found(pointer.name, pointer.path, tagged or pointer.digest, commit)
        name = pointer.name
    wanted = f"{name}@{version}" if version else name
    try:
        resolved = datasets.resolve(project, wanted)
    except NotRecorded as unknown:
        try:
            transfer.fetch(project, [wanted], watch=watch)  # its remote may know of more
            resolved = datasets.resolve(project, wanted)
        except (NotRecorded, RemoteError):
            known = sorted({*pointers.read_all(project.root)[0], *datasets.names(project)})
            raise NotRecorded(
                unknown.what, where=f"{project.root} has {', '.join(known) or 'none'}"
            ) from unknown
    source = resolved.artifact.meta.get("source")
    place = source if isinstance(source, str) and not source.startswith("/") else name
    return Found(name, place, resolved.digest, commit)


def bring(
    project: Project, found: Found, target: Path, store: LocalStore | None, watch: Watch = quiet
) -> None:
    """Make `target`, which must not exist, that version: from the other project's store, else from its
    remote by way of `store` (None: of the other's own). ObjectMissing, RemoteError."""
    holder = next(
        (each for each in (project.store, store) if each and not _absent(each, found.digest)), None
    )
    if holder is None:
        holder = store or project.store
        _fetch(project, found, holder, watch)
    holder.checkout(found.digest, target)


def _absent(store: LocalStore, digest: Digest) -> bool:
    """Whether anything of it is missing in that store."""
    if store.missing([digest]):
        return True
    return store.is_tree(digest) and bool(store.missing(store.tree(digest).values()))


def _pointer(project: Project, name: str) -> Pointer | None:
    known, unreadable = pointers.read_all(project.root)
    for each in unreadable:
        if name in (each.name, each.path):
            raise each.problem
    return known.get(name) or next((each for each in known.values() if each.path == name), None)


def _clone(source: str, rev: str, target: Path) -> Path:
    """The newest commit only, without links: what is in a stranger's repository is not followed."""
    if source.startswith("-") or rev.startswith("-"):
        raise DataError("not a Git address", where=source or rev)
    address = (
        str(Path(source).expanduser().resolve()) if Path(source).expanduser().is_dir() else source
    )
    target.mkdir(parents=True)
    shown = download.plain(source)
    _git(target, shown, "init", "-q", ".")
    _git(target, shown, "config", "core.symlinks", "false")
    _git(target, shown, "fetch", "-q", "--depth", "1", "--", address, rev or "HEAD")
    _git(target, shown, "checkout", "-q", "--detach", "FETCH_HEAD")
    if not (target / "tricord.toml").is_file() and not any(pointers.files(target)):
        raise ProjectError("no Tricord project there", where=shown, hint="tricord get SOURCE NAME")
    with suppress(FileExistsError):
        (target / ".tricord").mkdir()
    return target


def _opened(clone: Path, source: str) -> Project:
    """A clone as a project whose settings somebody else wrote: they choose no store and, where the clone
    came over a network, no folder of this machine, and nobody to show our credentials to."""
    prepare(clone)
    stated = configuration.load(clone)
    store = _store_of(Path(source).expanduser())
    known, default = stated.remotes, stated.text("store.remote")
    if not Path(source.removeprefix("file://")).expanduser().is_dir():
        if "://" in default:
            known, default = {**known, _STATED: {"url": default}}, _STATED
        known = {
            name: table if _is_ours(name) else {**table, "anonymous": "true", "profile": ""}
            for name, table in known.items()
            if _is_ours(name) or ("://" in table["url"] and not table["url"].startswith("file:"))
        }
        default = default if default in known else ""
    values = {**stated.values, "store.path": str(store or ""), "store.remote": default}
    return Project(clone, settings=replace(stated, values=values, remotes=known))


def _store_of(folder: Path) -> Path | None:
    """The store of the project of this machine that a clone was made of."""
    folder = folder.resolve()  # as seen from here: the settings are read in the clone
    if not (folder / FOLDER / "store").is_dir():
        return None
    shared = configuration.load(folder).text("store.path")
    return folder / (Path(shared).expanduser() if shared else f"{FOLDER}/store")


def _is_ours(remote: str) -> bool:
    """Whether the environment says where a remote is, or whether it is to see our credentials."""
    said = {variable.replace("-", "_").lower() for variable in os.environ}
    name = f"tricord_remote__{remote.replace('-', '_')}__"
    return not said.isdisjoint({f"{name}url", f"{name}anonymous"})


def _fetch(project: Project, found: Found, holder: LocalStore, watch: Watch) -> None:
    """Bring a version from its project's remote into a store."""
    try:
        remote = transfer.open_remote(project)
    except RemoteError as error:
        raise ObjectMissing(
            f"{found.name} ({short(found.digest)}) is not in that project's store, and {error.what}",
            where=str(project.root),
            hint=_hint(project, error) or "let who has it run: tricord push",
        ) from error
    try:
        receiving.fetch(remote, holder, [found.digest], watch).check(str(project.root))
    except RemoteRefused as error:
        hint = _hint(project, error) or error.hint
        raise RemoteRefused(error.what, where=error.where, hint=hint) from error


def _hint(project: Project, error: RemoteError) -> str | None:
    """What to type where a remote refused who asked it without credentials."""
    name = remotes.default_of(project.config)
    options = project.config.remotes.get(name, {})
    if not isinstance(error, RemoteRefused) or options.get("anonymous") != "true":
        return None
    variable = f"TRICORD_REMOTE__{name.upper().replace('-', '_')}__ANONYMOUS"
    return (
        f"it was asked without your credentials; if they are meant for it: export {variable}=false"
    )


def _git(folder: Path, source: str, *words: str) -> None:
    said = git.ask(folder, *words, settings={"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"})
    if said is None:
        raise RemoteError("git is not installed", where=source, hint="apt install git")
    if said.code:
        told = said.error.splitlines()[-1:] or ["no reason given"]
        raise RemoteUnreachable(
            f"Git cannot bring it: {told[0]}", where=source, hint=f"git ls-remote {source}"
        )
