"""Checkout: bring versions of datasets into the work tree, whole or in part, and never over unsaved work."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from tricord.core.artifact import Digest, Kind, short
from tricord.core.errors import (
    DataError,
    NotRecorded,
    ObjectMissing,
    TricordError,
)
from tricord.core.pointer import Pointer, overlap
from tricord.core.spelling import quoted
from tricord.data import choosing, ignoring, laying, leftovers, naming, pointers, seeing, sparse
from tricord.project import datasets, lineage
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.store.progress import Watch, quiet
from tricord.store.tree import Entry


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of one dataset: where it is, how many files were written, removed or were there already.
    The digest is empty for data that another branch left behind.

    `kept` are files of the work folder that no version has and that stay. `problem` says why the
    dataset could not be brought; nothing of it was touched then, unless a file was edited meanwhile.
    """

    name: str
    path: str
    digest: Digest
    written: int = 0
    removed: int = 0
    same: int = 0
    kept: tuple[str, ...] = ()
    problem: TricordError | None = None


def checkout_all(
    project: Project, *, force: bool = False, link: str = "", watch: Watch = quiet
) -> list[Brought]:
    """Bring every dataset to the version that its pointer in the work tree names, as after `git
    switch`; data that another branch left behind is removed where all of it is saved.

    One that cannot be brought does not stop the others: its `problem` says why.
    """
    known, unreadable = pointers.read_all(project.root)
    done = [Brought(each.name, each.path, Digest(""), problem=each.problem) for each in unreadable]
    standing = {each.path for each in (*known.values(), *unreadable)}
    for path, name in leftovers.left_behind(project, standing).items():
        brought = leave(project, name, path, force=force)
        if brought.removed or brought.kept or brought.problem:
            done.append(brought)
    for pointer in known.values():
        try:
            done.append(bring(project, pointer, force=force, link=link, watch=watch))
        except TricordError as problem:
            done.append(Brought(pointer.name, pointer.path, pointer.digest, problem=problem))
    return done


def checkout(
    project: Project,
    what: str,
    paths: Sequence[str] = (),
    *,
    force: bool = False,
    link: str = "",
    watch: Watch = quiet,
) -> Brought:
    """Bring one dataset into the work tree: `NAME` (the version of its pointer) or `NAME@VERSION`.

    A whole version becomes the one that the pointer names, and `datasets/NAME@latest` moves there.
    With `paths` (files, folders or patterns within the dataset) only those files are brought, and
    pointer and ref stay. DataError where work would be overwritten that is saved nowhere; ObjectMissing
    where content is not here; NotRecorded for an unknown name, version or path. DataError, too, for a
    dataset without a pointer here whose place is another one's.
    """
    pointer = target(project, what)
    _check_place_free(project, pointer)
    return bring(project, pointer, paths, force=force, link=link, watch=watch)


def target(project: Project, what: str) -> Pointer:
    """The pointer as it will be when `what` has been checked out; `files` is 0 where they have not been
    counted yet. NotRecorded, DataError, ObjectMissing."""
    name, wanted = datasets.asked(project, what)
    here = naming.pointer_of(project, name if wanted else what)
    if wanted is None and here is not None:
        return here
    version = naming.version_of(project, what)
    if here is not None and version.digest == here.digest:
        return here
    return _pointed(project, version, here)


def _check_place_free(project: Project, pointer: Pointer) -> None:
    """DataError where another dataset of this work tree is at the place, in it, or around it."""
    known, unreadable = pointers.read_all(project.root)
    if pointer.name in known:
        return
    for other in (*known.values(), *unreadable):
        if overlap(pointer.path, other.path):
            raise DataError(
                f"the place of {pointer.name} is that of {other.name} here",
                where=f"{pointer.path} and {other.path}",
                hint=f"tricord mv {other.name} PATH, or read it elsewhere: tricord data path {pointer.name}",
            )


def _pointed(project: Project, version: Version, here: Pointer | None) -> Pointer:
    artifact = version.artifact
    store = project.store
    if not store.has(artifact.digest):
        raise _not_here(version.name, str(version), {artifact.digest})
    if here is not None:
        return replace(
            here, digest=artifact.digest, format=artifact.format, size=artifact.size, files=0
        )
    source = artifact.meta.get("source")
    if not isinstance(source, str) or Path(source).is_absolute():
        raise DataError(
            f"{version.name} has no place in this work tree",
            where=f"it was added from {source}" if source else None,
            hint=f"tricord data path {version}",
        )
    try:
        place = pointers.check_path(source)
    except ValueError as error:
        raise DataError(str(error), hint=f"tricord data path {version}") from error
    return Pointer(version.name, place, artifact.digest, artifact.format, artifact.size, 0)


def bring(
    project: Project,
    pointer: Pointer,
    paths: Sequence[str] = (),
    *,
    also_saved: Sequence[Digest] = (),
    force: bool = False,
    link: str = "",
    why: str = "",
    watch: Watch = quiet,
) -> Brought:
    """Lay out the version that a pointer names, and let pointer file and ledger say so; see `checkout`.

    `also_saved` are versions besides those on record in which lost content could be found again; `why`
    is what the ledger says of it.
    """
    why = why or f"checked out at {short(pointer.digest)}"
    place = project.root / pointer.path
    laying.check_place(project.root, place)
    scanned, stands = (None, False) if paths else seeing.glance(project, place, pointer.digest)
    if stands and pointer.files:
        sparse.whole(project, pointer.path)
        settle(project, pointer, why=why)
        return Brought(pointer.name, pointer.path, pointer.digest, same=pointer.files)
    files = _files(project, pointer)
    only = chosen(project.root, pointer, files, paths) if paths else None
    versions = chain(also_saved, saved(project, pointer))
    plan = laying.plan(
        project, place, files, saved_in=versions, only=only, scanned=scanned, force=force
    )
    if plan.unsaved:
        raise _unsaved(pointer, plan.unsaved)
    absent = laying.missing(project.store, [plan])
    if absent:
        raise _not_here(pointer.name, pointer.name, absent)
    if not paths:
        leftovers.note(project, pointer)
    elif seeing.WHOLE not in files:
        sparse.begins(project, pointer)
    laid = laying.lay(
        project,
        plan,
        link=link or project.config.text("store.link"),
        watch=watch,
    )
    if laid.edited:
        raise DataError(
            f"{laid.edited[0]} was changed while {pointer.name} was being checked out; it stays as it is",
            where=str(place),
            hint=f"tricord status; then tricord checkout {pointer.name} again",
        )
    if only is not None:
        sparse.came(project, pointer.path, only)
    else:
        sparse.whole(project, pointer.path)
        pointer = replace(pointer, files=len(files))
        settle(project, pointer, why=why)
    return Brought(
        pointer.name, pointer.path, pointer.digest, laid.written, laid.removed, plan.same, plan.kept
    )


def _files(project: Project, pointer: Pointer) -> Mapping[str, Entry]:
    try:
        return laying.wanted(project.store, pointer.digest)
    except ObjectMissing as error:
        raise _not_here(pointer.name, pointer.name, {pointer.digest}) from error


def settle(project: Project, pointer: Pointer, *, why: str) -> None:
    """Let pointer file and ledger say what now stands in the work tree."""
    ignoring.hide(project.root, pointer.path)
    pointers.write(project.root, pointer)
    record(project, pointer, why=why)


def on_record(project: Project, pointer: Pointer) -> Version:
    """The version that a pointer names; one that the ledger does not know yet, as in a clone, it knows then."""
    what = f"{pointer.name}@{pointer.digest}"
    try:
        return datasets.resolve(project, what)
    except NotRecorded:
        record(project, pointer, why="named by its pointer")
        return datasets.resolve(project, what)


def record(project: Project, pointer: Pointer, *, why: str) -> None:
    """Let the ledger know the version that a pointer names, as its dataset's latest."""
    ref = datasets.ref_of(pointer.name)
    if project.ledger.ref(ref) == pointer.digest:
        return
    artifact = project.ledger.artifact(pointer.digest, Kind.DATASET)
    if artifact is None:
        artifact = naming.artifact_of(pointer)
    datasets.record(project, pointer.name, artifact, why=why)


def saved(project: Project, pointer: Pointer) -> Iterator[Digest]:
    """Every version of a dataset that is on record, the likeliest to be in the work folder first."""
    with suppress(DataError):  # in conflict, or no pointer: then it names no version
        here = pointers.at(project.root, pointer.path)
        if here is not None:
            yield here.digest
    latest = project.ledger.ref(datasets.ref_of(pointer.name))
    if latest is not None:
        yield latest
    for move in reversed(lineage.versions(project, datasets.ref_of(pointer.name))):
        if move.new is not None:
            yield move.new
    yield from datasets.tags(project, pointer.name).values()


def chosen(
    root: Path, pointer: Pointer, files: Mapping[str, Entry], paths: Sequence[str]
) -> frozenset[str]:
    """The files of a version that `paths` name: within the dataset, from the working folder, or from
    the root; a folder stands for all below it. NotRecorded for one that names nothing."""
    found: set[str] = set()
    for text in paths:
        names = choosing.names(root, pointer.path, text)
        hits = {file for file in files for name in names if choosing.matches(file, name)}
        if not hits:
            raise NotRecorded(
                f"no file {text!r} in {pointer.name}@{short(pointer.digest)}",
                where=", ".join(sorted(files)[:5]) or None,
                hint=f"tricord data show {pointer.name}",
            )
        found |= hits
    return frozenset(found)


def leave(
    project: Project,
    name: str,
    path: str,
    *,
    also_saved: Sequence[Digest] = (),
    force: bool = False,
) -> Brought:
    """Remove the data of a dataset that has no pointer here any more; files that no version has stay."""
    gone = Pointer(name, path, Digest("0" * 64), "", 0, 0)
    try:
        versions = chain(also_saved, saved(project, gone))
        plan = laying.plan(project, project.root / path, {}, saved_in=versions, force=force)
        laid = laying.lay(project, plan, link="copy")
    except TricordError as problem:
        return Brought(name, path, Digest(""), problem=problem)
    leftovers.forget(project, path)
    kept = (*plan.kept, *laid.edited)
    return Brought(name, path, Digest(""), removed=laid.removed, kept=kept)


def clear(
    project: Project,
    pointer: Pointer,
    *,
    also_saved: Sequence[Digest] = (),
    force: bool = False,
    anyway: str,
) -> int:
    """Remove all of a dataset's data, and say how many files that were; pointer and ref stay.

    DataError, before anything is touched, where some of it is saved nowhere; `anyway` is the command
    that removes it all the same.
    """
    versions = chain(also_saved, saved(project, pointer))
    plan = laying.plan(project, project.root / pointer.path, {}, saved_in=versions, force=force)
    hint = f"tricord add {quoted(pointer.path)}, or {anyway}"
    if plan.kept:
        raise _unsaved(pointer, plan.kept, hint)
    laid = laying.lay(project, plan, link="copy")
    if laid.edited:
        raise DataError(
            f"{laid.edited[0]} was changed while {pointer.name} was being removed; it stays",
            where=pointer.path,
            hint=hint,
        )
    return laid.removed


def _unsaved(pointer: Pointer, paths: Sequence[str], hint: str = "") -> DataError:
    shown = ", ".join(path or pointer.path for path in paths[:3]) + (" …" if paths[3:] else "")
    return DataError(
        f"{pointer.name} has changes that are saved nowhere: {shown}",
        where=pointer.path,
        hint=hint
        or f"tricord add {quoted(pointer.path)}, or throw them away: tricord checkout {pointer.name} --force",
    )


def _not_here(name: str, what: str, absent: set[Digest]) -> ObjectMissing:
    more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
    return ObjectMissing(
        f"the content of {what} is not in the store: {short(min(absent))}{more}",
        hint=f"tricord pull {what if '@v' not in what else name}",
    )
