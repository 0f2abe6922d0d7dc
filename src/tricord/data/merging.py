"""Merging: two branches that changed one dataset become one version, file by file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from tricord.core.artifact import Artifact, Digest, Kind, short
from tricord.core.errors import DataError, ObjectMissing
from tricord.core.pointer import Pointer
from tricord.data import checkout, ignoring, laying, leftovers, naming, pointers
from tricord.data.checkout import Brought
from tricord.data.seeing import WHOLE
from tricord.project import conflicts
from tricord.project.conflicts import Conflict
from tricord.project.project import Project
from tricord.store.progress import Watch, quiet
from tricord.store.tree import Entry

Side = Literal["ours", "theirs"]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Merged:
    """The files of both sides' changes together; `clashes` are paths that both changed differently,
    or that one needs as a file and the other as a folder. They are as ours has them.

    `said` names what both changed differently of what the pointers say besides: a tag, an owner, the
    origin. It is as ours has it, or as the side that is preferred."""

    files: Mapping[str, Entry]
    clashes: tuple[str, ...]
    from_ours: int
    from_theirs: int
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a conflict: the pointer now (None: the dataset is gone), what of it is laid out.

    `absent` says that the content is not here, so that the work folder still holds another version.
    """

    name: str
    pointer: Pointer | None
    brought: Brought | None
    merged: Merged | None = None
    absent: bool = False


def merge(
    base: Mapping[str, Entry],
    ours: Mapping[str, Entry],
    theirs: Mapping[str, Entry],
    *,
    prefer: Side = "ours",
) -> Merged:
    """Three-way merge of lists of files: what one side left as in `base` is as the other side has it.

    Files are compared by content and execute bit. `prefer` decides what becomes of clashes.
    """
    files: dict[str, Entry] = {}
    clashes: set[str] = set()
    counts = {"ours": 0, "theirs": 0}
    for path in sorted({*base, *ours, *theirs}):
        then, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if mine == other:
            chosen = mine
        elif other == then:
            chosen, counts["ours"] = mine, counts["ours"] + 1
        elif mine == then:
            chosen, counts["theirs"] = other, counts["theirs"] + 1
        else:
            clashes.add(path)
            chosen = mine if prefer == "ours" else other
        if chosen is not None:
            files[path] = chosen
    first = ours if prefer == "ours" else theirs
    for path in list(files):  # a file of one side may be a folder of the other
        for folder in laying.parents(path):
            if path in files and folder in files:
                clashes |= {folder, path}
                files.pop(path if folder in first else folder)
    return Merged(files, tuple(sorted(clashes)), counts["ours"], counts["theirs"])


def compare(project: Project, conflict: Conflict) -> Merged | None:
    """What a merge would come to; None where a side's list of files is not here, or a side is gone."""
    if conflict.ours is None or conflict.theirs is None:
        return None
    try:
        return _merge(project, conflict, "ours")
    except (ObjectMissing, DataError):
        return None


def resolve(
    project: Project,
    name: str,
    how: Literal["ours", "theirs", "merge"],
    *,
    prefer: Side | None = None,
    force: bool = False,
    watch: Watch = quiet,
) -> Resolved:
    """Solve the conflict of a pointer: take a side, or merge both; lay it out and tell Git.

    DataError where a merge has clashes and `prefer` names no side for them, or where the work folder has
    changes that are saved nowhere. ObjectMissing where a merge needs content that is not here.
    """
    conflict = conflicts.get(project.root, name)
    merged: Merged | None = None
    if how == "merge":
        pointer, merged = _merged(project, conflict, prefer)
    else:
        pointer = conflict.ours if how == "ours" else conflict.theirs
    place = conflict.file.relative_to(project.root).as_posix().removesuffix(pointers.SUFFIX)
    if pointer is None:
        return _gone(project, conflict, place, force)
    pointer = replace(pointer, path=place)
    known = [side.digest for side in _sides(conflict)]
    brought: Brought | None = None
    try:
        brought = checkout.bring(
            project,
            pointer,
            also_saved=known,
            force=force,
            why=_why(project, conflict, how),
            watch=watch,
        )
    except ObjectMissing:  # the pointer is solved all the same: it names what can be pulled
        pointers.write(project.root, pointer)
    conflicts.mark_resolved(project.root, conflict.file)
    return Resolved(conflict.name, pointer, brought, merged, absent=brought is None)


def _why(project: Project, conflict: Conflict, how: str) -> str:
    """What the log says of the version that a conflict came to."""
    ours, theirs = (
        "a deletion" if side is None else _number(project, side)
        for side in (conflict.ours, conflict.theirs)
    )
    if how == "merge":
        return f"merged {ours} and {theirs}"
    taken, other = (ours, theirs) if how == "ours" else (theirs, ours)
    return f"{how}, {taken}, taken in a conflict with {other}"


def _number(project: Project, side: Pointer) -> str:
    number = naming.pointed(project, side).number
    return f"v{number}" if number else short(side.digest)


def _merged(project: Project, conflict: Conflict, prefer: Side | None) -> tuple[Pointer, Merged]:
    ours, theirs = conflict.ours, conflict.theirs
    if ours is None or theirs is None:
        gone = "ours" if ours is None else "theirs"
        raise DataError(
            f"{gone} deleted {conflict.name}, the other side changed it: nothing to merge",
            where=str(conflict.file),
            hint=f"tricord resolve {conflict.name} --ours, or --theirs",
        )
    merged = _merge(project, conflict, prefer or "ours")
    if merged.clashes and prefer is None:
        shown = ", ".join(path or ours.path for path in merged.clashes[:5])
        more = f" and {len(merged.clashes) - 5} more" if merged.clashes[5:] else ""
        raise DataError(
            f"both sides changed {shown}{more}",
            where=ours.path,
            hint=f"tricord resolve {conflict.name} --merge --prefer ours, or theirs, for these",
        )
    digest, size = _put(project, ours, merged)
    meta = {"type": "pathlib.Path", "name": Path(ours.path).name, "source": ours.path}
    form = theirs.format if digest == theirs.digest else ours.format
    project.ledger.add_artifact(
        Artifact(digest, Kind.DATASET, form, size, {**meta, "merged": [ours.digest, theirs.digest]})
    )
    described, _ = _described(conflict.base, ours, theirs, prefer or "ours")
    pointer = replace(described, digest=digest, format=form, size=size, files=len(merged.files))
    return pointer, merged


def _merge(project: Project, conflict: Conflict, prefer: Side) -> Merged:
    ours, theirs, base = conflict.ours, conflict.theirs, conflict.base
    if ours is None or theirs is None:
        raise DataError("a side is gone", where=str(conflict.file))
    merged = merge(
        _files(project, base) if base else {},
        _files(project, ours),
        _files(project, theirs),
        prefer=prefer,
    )
    return replace(merged, said=_described(base, ours, theirs, prefer)[1])


def _files(project: Project, side: Pointer) -> dict[str, Entry]:
    try:
        return laying.wanted(project.store, side.digest)
    except ObjectMissing as error:
        raise ObjectMissing(
            f"{side.name} {short(side.digest)} is not in the store, and a merge needs both sides",
            hint=f"tricord fetch {side.name}, or take a side: tricord resolve {side.name} --ours",
        ) from error


def _put(project: Project, ours: Pointer, merged: Merged) -> tuple[Digest, int]:
    """The digest and size of the merged files, stored as a tree unless a side has just these."""
    if WHOLE in merged.files:
        entry = merged.files[WHOLE]
        return entry.digest, entry.size
    if not merged.files:
        raise DataError(
            f"nothing is left of {ours.name}: each side removed what the other kept",
            where=ours.path,
            hint=f"tricord resolve {ours.name} --ours, or --theirs",
        )
    absent = project.store.missing({entry.digest for entry in merged.files.values()})
    if absent:
        raise ObjectMissing(
            f"{len(absent)} of the merged files are not in the store: {short(min(absent))} …",
            hint=f"tricord fetch {ours.name}, or take a side: tricord resolve {ours.name} --ours",
        )
    with project.store.ingest() as ingest:
        digest = ingest.add_tree(merged.files.values())
    return digest, sum(entry.size for entry in merged.files.values())


def _gone(project: Project, conflict: Conflict, place: str, force: bool) -> Resolved:
    """The side that was taken had deleted the dataset: so its data goes, and its pointer after it.
    DataError, and the conflict stays, where some of the data is saved nowhere."""
    sides = _sides(conflict)
    brought = None
    if sides:
        known = [each.digest for each in sides]
        side = replace(sides[0], path=place)
        gone = "ours" if conflict.ours is None else "theirs"
        anyway = f"tricord resolve {side.name} --{gone} --force"
        removed = checkout.clear(project, side, also_saved=known, force=force, anyway=anyway)
        brought = Brought(side.name, place, Digest(""), removed=removed)
    leftovers.forget(project, place)
    ignoring.unhide(project.root, place)
    conflict.file.unlink(missing_ok=True)
    conflicts.mark_resolved(project.root, conflict.file)
    return Resolved(conflict.name, None, brought)


def _sides(conflict: Conflict) -> list[Pointer]:
    return [side for side in (conflict.ours, conflict.theirs, conflict.base) if side is not None]


def _described(
    base: Pointer | None, ours: Pointer, theirs: Pointer, prefer: Side
) -> tuple[Pointer, tuple[str, ...]]:
    """Our pointer with what both sides say of the dataset: description and tags one by one, the origin
    as a whole; and the names of those that both changed differently."""
    then = base or replace(ours, about={}, tags={}, origin={})
    about, said = _three_way(then.about, ours.about, theirs.about, prefer)
    tags, tagged = _three_way(then.tags, ours.tags, theirs.tags, prefer)
    whole = [{"origin": side.origin} if side.origin else {} for side in (then, ours, theirs)]
    origin, moved = _three_way(whole[0], whole[1], whole[2], prefer)
    made = replace(ours, about=about, tags=tags, origin=origin.get("origin", {}))
    return made, (*said, *(f"tag {label}" for label in tagged), *moved)


def _three_way(
    base: Mapping[str, Value], ours: Mapping[str, Value], theirs: Mapping[str, Value], prefer: Side
) -> tuple[dict[str, Value], list[str]]:
    """Both sides' changes together, key by key, and the keys that both changed differently."""
    made: dict[str, Value] = {}
    clashes: list[str] = []
    for key in sorted({*ours, *theirs}):
        then, mine, other = base.get(key), ours.get(key), theirs.get(key)
        clash = mine != other and then not in (mine, other)
        clashes += [key] * clash
        take_theirs = prefer == "theirs" if clash else mine == then
        chosen = other if take_theirs else mine
        if chosen is not None:
            made[key] = chosen
    return made, clashes
