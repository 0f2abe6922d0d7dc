"""Laying a version out in the work tree: first a plan of what differs, then the writing of it.

Nothing that is saved nowhere is overwritten or removed, unless `force` says so. What is saved is told by
content: a file whose digest is in a recorded version of the dataset, and in the store, can be brought back.
A plan is made of all before anything is touched. Files are then built beside the store and renamed into
place, each after another look at what it replaces; one that was edited meanwhile stays. Whoever is killed
half-way leaves only whole files, all of them saved, so that the same act again completes it.
"""

import os
import stat
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, ObjectMissing
from tricord.data import ignoring, seeing
from tricord.data.seeing import WHOLE, Seen, Sight
from tricord.project.project import Project
from tricord.store.index import Place
from tricord.store.local import LocalStore
from tricord.store.progress import Watch, quiet
from tricord.store.state import Mark, mark_of
from tricord.store.tree import Entry
from tricord.store.workspace import Scan

_OWN = frozenset({".git", ".tricord"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done so that a version stands at `place`.

    `write` holds what is to be written and what stands there now (None: nothing); `remove` what no
    longer belongs there; `kept` the paths that stay because no version has them; `unsaved` those
    that are in the way and saved nowhere.
    """

    place: Path
    write: Sequence[tuple[Entry, Seen | None]]
    remove: Sequence[Seen]
    kept: tuple[str, ...]
    unsaved: tuple[str, ...]
    same: int
    sight: Sight
    part: bool
    known: dict[Digest, Place] = field(default_factory=dict[Digest, Place])
    """Where in the store small files are, once `missing` has looked."""

    @property
    def needs_anything(self) -> bool:
        return bool(self.write or self.remove)


@dataclass
class Laid:
    """What was done: files written and removed."""

    written: int = 0
    removed: int = 0
    edited: list[str] = field(default_factory=list[str])
    """Paths that somebody changed while this was under way: they are as that one left them."""


def wanted(store: LocalStore, digest: Digest) -> dict[str, Entry]:
    """The files of a version: path in the dataset → entry. One file is at the path ''.

    ObjectMissing; DataError for a list that names what is Git's or Tricord's own: `add` makes none,
    but who wrote a remote's is not known.
    """
    if store.is_tree(digest):
        files = {entry.path: entry for entry in store.entries(digest)}
        for path in files:
            if path.isascii() and ".git" not in path.lower() and ".tricord" not in path.lower():
                continue
            if not _OWN.isdisjoint(path.casefold().split("/")):
                raise DataError(
                    f"the version has a file in what is Git's or Tricord's own: {path!r}",
                    where=digest,
                    hint="ask who made it; nothing of it was written",
                )
        return files
    return {WHOLE: Entry(WHOLE, digest, store.size(digest), executable=False)}


def plan(
    project: Project,
    place: Path,
    files: Mapping[str, Entry],
    *,
    saved_in: Iterable[Digest],
    only: frozenset[str] | None = None,
    scanned: Scan | None = None,
    force: bool = False,
) -> Plan:
    """Compare what stands at `place` with the `files` that are wanted there. Nothing is touched.

    `only` limits it to some of the files, and then nothing is removed. `saved_in` are the versions
    in which lost content could be found again, likeliest first. DataError where the place is behind a
    symbolic link, or something that is ignored is in the way.
    """
    check_place(project.root, place)
    sight = seeing.look(project, place, also=files, only=only, scanned=scanned)
    there = sight.files
    chosen = files if only is None else {path: files[path] for path in sorted(only)}
    write: list[tuple[Entry, Seen | None]] = []
    for path, entry in chosen.items():
        seen = there.get(path)
        if seen is None or seen.digest != entry.digest or not _same_bit(path, entry, seen):
            write.append((entry, seen))
    gone = [] if only is not None else [seen for path, seen in there.items() if path not in files]
    replaced = [seen for entry, seen in write if seen and seen.digest != entry.digest]
    if there:
        _check_folders(place, (entry.path for entry, _ in write))
    _check_ignored(project, place, [entry.path for entry, seen in write if seen is None], there)
    rebit = [seen for entry, seen in write if seen and seen.digest == entry.digest]
    write += _through_links(place, chosen, there, [*gone, *(seen for _, seen in write if seen)])
    unsaved: set[Digest] = set()
    bits: list[str] = []
    if not force:
        versions = list(saved_in) if rebit else saved_in
        lost_ = {seen.digest for seen in [*gone, *replaced]}
        unsaved = _unsaved(project.store, lost_, files, versions)
        bits = _unsaved_bits(project.store, rebit, versions)
    kept = [seen.path for seen in gone if seen.digest in unsaved]
    lost = [seen.path for seen in replaced if seen.digest in unsaved]
    return Plan(
        place,
        write,
        [seen for seen in gone if seen.digest not in unsaved],
        tuple(sorted(kept)),
        tuple(sorted({*lost, *bits, *_in_the_way(kept, (entry.path for entry, _ in write))})),
        same=len(chosen) - len(write),
        sight=sight,
        part=only is not None,
    )


def check_place(root: Path, place: Path) -> None:
    """DataError if a symbolic link lies between a project's root and the place of its data."""
    for folder in [place, *place.parents]:
        if folder == root:
            return
        if folder.is_symlink():
            raise DataError(
                "a symbolic link, and nothing is written through one",
                where=str(folder),
                hint="put a folder in its place, or add the data where it really lies",
            )
    raise DataError("the place lies outside the project", where=str(place))


def _check_folders(place: Path, paths: Iterable[str]) -> None:
    """DataError if a folder that is to be written in is a symbolic link: it could lead anywhere."""
    for folder in {place / end for path in paths for end in parents(path)}:
        if folder != place:
            check_place(place, folder)


def _check_ignored(
    project: Project, place: Path, new: Sequence[str], there: Mapping[str, Seen]
) -> None:
    """DataError if a file that nobody looks at, as it is ignored, is where a new one or its folder goes."""
    if not place.is_dir() or ignoring.rules(project.root, place) is None:
        return
    needed = {each for path in new for each in (*parents(path)[1:], path)}
    for path in sorted(needed - there.keys()):
        target = place / path
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise _occupied(place, path)
    for path in new:
        for folder, _, names in os.walk(place / path):
            inside = os.path.relpath(folder, place)
            unseen = [name for name in names if f"{inside}/{name}" not in there]
            if unseen:
                raise _occupied(place, f"{inside}/{unseen[0]}")


def _occupied(place: Path, path: str) -> DataError:
    return DataError(
        f"{path} is in the way, and stays, as it is ignored",
        where=str(place),
        hint="move it away, or take it out of .tricordignore",
    )


def _through_links(
    place: Path,
    chosen: Mapping[str, Entry],
    there: Mapping[str, Seen],
    touched: Sequence[Seen],
) -> list[tuple[Entry, Seen | None]]:
    """What is as wanted through a link to a file that goes or changes: it has to be written, too."""
    shared = _shared(there)
    moving = {seen.mark.inode for seen in touched} & shared
    listed = {seen.path for seen in touched}
    return [
        (chosen[path], seen)
        for path, seen in (there.items() if moving else ())
        if seen.mark.inode in moving and path in chosen and path not in listed
        if (place / path).is_symlink()
    ]


def _shared(there: Mapping[str, Seen]) -> set[int]:
    """The inodes that several paths lead to, by symbolic or hard links."""
    inodes = [seen.mark.inode for seen in there.values()]
    if len(set(inodes)) == len(inodes):
        return set()
    return {inode for inode, number in Counter(inodes).items() if number > 1}


def missing(store: LocalStore, plans: Iterable[Plan]) -> set[Digest]:
    """What the plans need and the store has not."""
    absent: set[Digest] = set()
    for plan in plans:
        found, lost = store.reader.locate({entry.digest for entry, _ in plan.write})
        plan.known.update(found)
        absent |= lost
    return absent


def lay(project: Project, plan: Plan, *, link: str, watch: Watch = quiet) -> Laid:
    """Do what was planned. Files that were edited since the plan was made are left and named."""
    done = Laid()
    if not plan.needs_anything:
        return done
    with _writing(plan.place), _area(project, plan.place) as area:
        staged, made = _stage(project, plan, area, link, watch)
        marks: list[Mark | None] = [*made]
        links = _links(plan)
        _remove(project, plan, links, done)
        if _whole(plan) and _appear(area / "whole", plan.place):
            done.written = len(plan.write)
        else:
            marks = _move(project, plan, staged, links, done)
    _remember(project, plan, marks, done)
    return done


def _remember(project: Project, plan: Plan, marks: Sequence[Mark | None], done: Laid) -> None:
    laid = {
        entry.path: (entry.digest, mark)
        for (entry, _), mark in zip(plan.write, marks, strict=True)
        if mark is not None
    }
    gone = {seen.path for seen in plan.remove}
    stays = {
        path: seen
        for path, seen in plan.sight.files.items()
        if path not in laid and path not in gone
    }
    seeing.remember(
        project,
        plan.place,
        laid,
        stays,
        gone=gone,
        moment=plan.sight.moment,
        whole=not plan.part and not done.edited,
    )


def _same_bit(path: str, entry: Entry, seen: Seen) -> bool:
    return path == WHOLE or entry.executable == seen.executable


def _unsaved(
    store: LocalStore,
    digests: set[Digest],
    files: Mapping[str, Entry],
    versions: Iterable[Digest],
) -> set[Digest]:
    """Which of the digests are neither among the files nor in one of the versions, or not in the store."""
    unsaved = store.missing(digests)
    wanted_ = digests - unsaved - {entry.digest for entry in files.values()}
    for version in versions:
        if not wanted_:
            break
        try:
            found = set(store.tree(version).values()) if store.is_tree(version) else {version}
        except ObjectMissing:
            continue
        wanted_ -= found
    return unsaved | wanted_


def _unsaved_bits(
    store: LocalStore, changed: Sequence[Seen], versions: Iterable[Digest]
) -> list[str]:
    """Of files that are to get or to lose their execute bit, those that no version has as they are now."""
    left = list(changed)
    for version in versions:
        if not left:
            break
        with suppress(ObjectMissing):
            if store.is_tree(version):
                known = {(entry.digest, entry.executable) for entry in store.entries(version)}
                left = [seen for seen in left if (seen.digest, seen.executable) not in known]
    return [seen.path for seen in left]


def _in_the_way(kept: Sequence[str], written: Iterable[str]) -> Iterator[str]:
    """Files that stay, where the new version needs a folder; or in what it needs as a file."""
    if not kept:
        return
    folders: dict[str, str] = {}
    for path in kept:
        for end in parents(path):
            folders.setdefault(end, path)
    stay = set(kept)
    for path in written:
        if path in folders:
            yield folders[path]
        yield from (end for end in parents(path) if end in stay)


def parents(path: str) -> list[str]:
    """The folders above a path, from the top, which is ''.

    >>> parents("a/b/c")
    ['', 'a', 'a/b']
    """
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts))] if path else []


def _whole(plan: Plan) -> bool:
    """Whether nothing of it is there yet, so that it can appear at once."""
    return not plan.same and not plan.kept and all(seen is None for _, seen in plan.write)


@contextmanager
def _writing(place: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot be written: {error.strerror}; the same command goes on from here",
            where=str(error.filename or place),
            hint="check the space, and who owns the folder",
        ) from error


@contextmanager
def _area(project: Project, place: Path) -> Generator[Path]:
    """A folder for files under way, on the file system of `place`, gone afterwards."""
    near = next(folder for folder in place.parents if folder.is_dir())
    with project.scratch() as scratch:
        if scratch.stat().st_dev == near.stat().st_dev:
            yield scratch
            return
    with TemporaryDirectory(dir=near, prefix=".tricord-") as other:
        yield Path(other)


def _stage(
    project: Project, plan: Plan, area: Path, link: str, watch: Watch
) -> tuple[list[str], list[Mark]]:
    """Write what the plan says into the area: where each file now is, and its mark."""
    if not _whole(plan):
        staged = [f"{area}/{number}" for number in range(len(plan.write))]
    elif [entry.path for entry, _ in plan.write] == [WHOLE]:
        staged = [f"{area}/whole"]
    else:
        staged = [f"{area}/whole/{entry.path}" for entry, _ in plan.write]
    files = [(entry, path) for (entry, _), path in zip(plan.write, staged, strict=True)]
    marks = project.store.write_files(files, known=plan.known, link=link, fresh=True, watch=watch)
    return staged, marks


def _appear(built: Path, place: Path) -> bool:
    """Give a folder or file that was built its name; False where something else has it."""
    if os.path.lexists(place) and not (place.is_dir() and built.is_dir()):
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        built.rename(place)
    except OSError:  # a folder that is not empty
        return False
    return True


def _links(plan: Plan) -> dict[str, Mark]:
    """The links among what is to go, by path, as they are before anything does: what one leads to then
    changes, or is gone, by what is done here."""
    shared = _shared(plan.sight.files)
    replaced = (seen for _, seen in plan.write if seen is not None)
    found: dict[str, Mark] = {}
    for seen in chain(plan.remove, replaced) if shared else ():
        target = plan.place / seen.path
        if seen.mark.inode in shared and seeing.mark_at(target) == seen.mark:
            found[seen.path] = mark_of(target.lstat())
    return found


def _stands(target: Path, seen: Seen, links: Mapping[str, Mark]) -> bool:
    """Whether a file is as it was seen: the last look before it is replaced or removed."""
    if seen.path not in links:
        return seeing.mark_at(target) == seen.mark
    try:
        now = mark_of(target.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return False
    # another name of the same file went, which is a change of it, but not of what is in it
    return now._replace(changed=0) == links[seen.path]._replace(changed=0)


def _move(
    project: Project,
    plan: Plan,
    staged: Sequence[str],
    links: Mapping[str, Mark],
    done: Laid,
) -> list[Mark | None]:
    """Give each built file its place, unless something else came there; the marks that they then have."""
    marks: list[Mark | None] = []
    folders: dict[Path, bool] = {}
    for (entry, seen), built in zip(plan.write, map(Path, staged), strict=True):
        target = plan.place / entry.path if entry.path else plan.place
        if target.parent not in folders:
            folders[target.parent] = _make_folder(project.root, target.parent)
        if not folders[target.parent] or not _as_seen(target, seen, links):
            done.edited.append(entry.path or plan.place.name)
            marks.append(None)
            continue
        if entry.path == WHOLE and seen is not None and seen.executable:
            built.chmod(built.stat().st_mode | stat.S_IXUSR)
        before = seeing.mark_at(built)
        built.rename(target)
        after = seeing.mark_at(target)
        kept = before and after and (before.inode, before.modified) == (after.inode, after.modified)
        marks.append(after if kept else None)  # not kept: somebody has written to it since
        done.written += 1
    return marks


def _as_seen(target: Path, seen: Seen | None, links: Mapping[str, Mark]) -> bool:
    """Whether a place is as it was when the plan was made."""
    if seen is not None:
        return _stands(target, seen, links)
    if target.is_dir() and not target.is_symlink():
        _prune(target, target)
    return not os.path.lexists(target)


def _make_folder(root: Path, folder: Path) -> bool:
    """Make a folder and those above it, through no link: one could lead anywhere. False where a file
    that was edited meanwhile stays in its place."""
    check_place(root, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return True


def _remove(project: Project, plan: Plan, links: Mapping[str, Mark], done: Laid) -> None:
    folders: set[Path] = set()
    for seen in plan.remove:
        target = plan.place / seen.path if seen.path else plan.place
        if target.parent not in folders:
            check_place(project.root, target.parent)
        if not _stands(target, seen, links):
            done.edited.append(seen.path or plan.place.name)
            continue
        target.unlink()
        folders.add(target.parent)
        done.removed += 1
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        if folder.is_relative_to(plan.place):
            _prune(folder, plan.place)


def _prune(folder: Path, top: Path) -> None:
    """Remove a folder that became empty, the empty ones below it, and those above it up to `top`."""
    for below, _, _ in os.walk(folder, topdown=False):
        _try_rmdir(Path(below))
    while folder != top:
        folder = folder.parent
        if not _try_rmdir(folder):
            return


def _try_rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:  # not empty: somebody's files are in it
        return False
    return True
