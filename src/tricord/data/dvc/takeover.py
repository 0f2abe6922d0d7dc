"""Taking a DVC project over: each version that its files and its Git history name becomes one of ours.

DVC's files, cache and remotes stay as they are (unless `move` is asked for). Doing it again takes over what
is new since, and what a stopped takeover left.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tricord.core.artifact import Artifact, Digest, Kind, format_of
from tricord.core.canonical import JSON
from tricord.core.errors import DataError, TricordError
from tricord.core.pointer import Pointer, check_name
from tricord.data import ignoring, leftovers, pointers
from tricord.data.dvc import history, settings, storing
from tricord.data.dvc.files import Left, Out
from tricord.data.dvc.history import Commit
from tricord.data.dvc.objects import Objects
from tricord.data.dvc.remotes import open_sources
from tricord.data.dvc.taken import Record, Taken
from tricord.project import datasets
from tricord.project.project import Project
from tricord.store.progress import Watch, quiet
from tricord.store.tree import Entry


@dataclass(frozen=True, slots=True)
class Came:
    """One dataset that came over: how many of its versions are new here, and its newest one's content."""

    name: str
    path: str
    versions: int
    digest: Digest
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A version whose objects are not all here, or are damaged."""

    path: str
    md5: str
    commit: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a takeover did. `bytes` lie in the store and, unless moved, in DVC's cache as well."""

    root: Path
    came: tuple[Came, ...]
    missing: tuple[Missing, ...]
    left: tuple[Left, ...]
    stages: tuple[str, ...]
    objects: int
    bytes: int


@dataclass(slots=True)
class _Line:
    """An output's versions, oldest first; `current` is that of the work tree."""

    path: str
    versions: list[tuple[Out, Commit | None]] = field(
        default_factory=list[tuple[Out, Commit | None]]
    )
    current: Out | None = None


def take_over(
    project: Project,
    start: Path,
    *,
    branches: bool = False,
    commits: bool = False,
    remote: bool = False,
    move: bool = False,
    watch: Watch = quiet,
) -> Report:
    """Take over the DVC project that `start` is in: what the work tree names, with `branches` what the tips
    of all branches name, with `commits` what any commit names.

    With `remote`, objects that the cache lacks are brought from DVC's remote; with `move`, objects leave
    the cache as they enter the store. DataError where the DVC project lies outside this one.
    """
    root = settings.find(start)
    found = settings.read(root)
    if not root.is_relative_to(project.root):
        raise DataError(
            "this DVC project lies outside of the Tricord project",
            where=f"{root}, outside of {project.root}",
            hint=f"tricord init {root}",
        )
    if move and "symlink" in found.links:
        raise DataError(
            "the work files are links into DVC's cache, so it has to stay",
            where=str(root / settings.FOLDER / "config"),
            hint="dvc config cache.type copy && dvc checkout --relink",
        )
    lines, left, stages = _read(root, branches=branches, commits=commits)
    with project.scratch() as scratch, Record(project.folder / "dvc.sqlite") as record:
        folders, sources = open_sources(found, lines_remotes(lines)) if remote else ((), ())
        objects = Objects((found.cache, *folders), sources, scratch)
        movable = found.cache if move else None
        return _Takeover(project, root, objects, record).run(lines, left, stages, movable, watch)


def lines_remotes(lines: Iterable[_Line]) -> set[str]:
    """The remotes that outputs name for themselves."""
    return {out.remote for line in lines for out, _ in line.versions if out.remote}


def _read(
    root: Path, *, branches: bool, commits: bool
) -> tuple[list[_Line], list[Left], list[str]]:
    lines: dict[str, _Line] = {}
    left: dict[str, Left] = {}
    stages: list[str] = []
    seen = history.before(root, every_commit=commits) if branches or commits else iter(())
    for each in (*seen, *history.now(root)):
        for out in each.contents.outs:
            line = lines.setdefault(out.path, _Line(out.path))
            line.versions.append((out, each.commit))
            if each.commit is None:
                line.current = out
        if each.commit is None:
            left |= {one.path: one for one in each.contents.left}
            stages += each.contents.stages
    for line in lines.values():
        line.versions = _distinct(line.versions)
    return list(lines.values()), list(left.values()), stages


def _distinct(versions: Sequence[tuple[Out, Commit | None]]) -> list[tuple[Out, Commit | None]]:
    """Each content where it first came up; the content of the work tree last."""
    first: dict[tuple[str, bool, bool], tuple[Out, Commit | None]] = {}
    for out, commit in versions:
        first.setdefault(out.content, (out, commit))
    last = versions[-1][0].content
    return [*(each for key, each in first.items() if key != last), first[last]]


class _Takeover:
    def __init__(self, project: Project, root: Path, objects: Objects, record: Record) -> None:
        self._project = project
        self._prefix = root.relative_to(project.root).as_posix()
        self._root = root
        self._objects = objects
        self._record = record
        self._listed: dict[str, tuple[tuple[str, str], ...]] = {}
        self._missing: list[Missing] = []
        known = pointers.find_all(project.root)
        self._here = {pointer.path: pointer for pointer in known.values()}
        self._used = set(known)
        self._head = history.head(root)

    def run(
        self,
        lines: Sequence[_Line],
        left: Sequence[Left],
        stages: Sequence[str],
        movable: Path | None,
        watch: Watch,
    ) -> Report:
        wanted = {
            md5: out.legacy
            for line in lines
            for out, _ in line.versions
            for _, md5 in self._files(out)
        }
        store = self._project.store
        taken, failed = storing.store(
            wanted.items(), self._objects, store, self._record, movable=movable, watch=watch
        )
        came = [made for line in lines if (made := self._enter(line, taken, failed))]
        return Report(
            root=self._root,
            came=tuple(came),
            missing=tuple(self._missing),
            left=tuple(left),
            stages=tuple(stages),
            objects=len(wanted) - len(failed),
            bytes=sum(taken[md5].size for md5 in wanted if md5 in taken),
        )

    def _files(self, out: Out) -> tuple[tuple[str, str], ...]:
        """The files of an output, relative path → MD5; of a file itself one, "". Empty where a folder's
        list is missing."""
        if out.files or not out.folder:
            return out.files or (("", out.md5),)
        if out.md5 not in self._listed:
            try:
                self._listed[out.md5] = self._objects.listed(out.md5) or ()
            except TricordError:  # told when the version is entered
                self._listed[out.md5] = ()
        return self._listed[out.md5]

    def _enter(
        self, line: _Line, taken: Mapping[str, Taken], failed: Mapping[str, str]
    ) -> Came | None:
        """Record the versions of one output that are not recorded yet, the current one as the latest.

        They come at once, so that who waits for new data sees the latest only.
        """
        name, place = self._name(line.path)
        made = [
            (*found, _why(commit, out))
            for out, commit in line.versions
            if (found := self._artifact(out, commit, place, taken, failed))
        ]
        if not made:
            return None
        artifact, files, _ = made[-1]
        here = self._here.get(place)
        gone_on = here is not None and here.origin.get("kind") != "dvc"
        current = line.current if line.current and not gone_on else None
        if current and not self._artifact(current, None, place, taken, failed, tell=False):
            current = None
        with self._project.ledger.together():
            settle = _why(None, current) if current else ""
            new = self._record_all(name, made, settle=settle, gone_on=gone_on)
        if current:
            self._point(name, current, artifact, files)
        return Came(name, place, new, artifact.digest, files, artifact.size)

    def _record_all(
        self,
        name: str,
        made: Sequence[tuple[Artifact, int, str]],
        *,
        settle: str,
        gone_on: bool,
    ) -> int:
        """Record those of the versions that are new, oldest first, and how many those are. With `settle`, which
        says why, the last is the latest then; where somebody has `gone_on` from an earlier takeover, theirs stays it."""
        known = {version.digest for version in datasets.versions(self._project, name)}
        before = self._project.ledger.ref(datasets.ref_of(name))
        new = 0
        for artifact, _, why in made:
            if artifact.digest not in known:
                datasets.record(self._project, name, artifact, why=why)
                known.add(artifact.digest)
                new += 1
        if new and gone_on:
            self._project.move(datasets.ref_of(name), before, why="it stands where it stood")
        elif new and settle:  # older ones may have come after it
            datasets.record(self._project, name, made[-1][0], why=settle)
        return new

    def _artifact(
        self,
        out: Out,
        commit: Commit | None,
        place: str,
        taken: Mapping[str, Taken],
        failed: Mapping[str, str],
        *,
        tell: bool = True,
    ) -> tuple[Artifact, int] | None:
        """The version's content and how many files it has; None where something of it is missing."""
        files = self._files(out)
        absent = [md5 for _, md5 in files if md5 not in taken]
        if absent or not files:
            why = failed[absent[0]] if absent else "the list of the folder's files is in no cache"
            if tell:
                md5 = out.md5 + ".dir" * out.folder
                self._missing.append(Missing(place, md5, commit.id if commit else "", why))
            return None
        meta: dict[str, JSON] = {
            "type": "pathlib.Path",
            "name": PurePosixPath(place).name,
            "source": place,
            "origin": self._origin(out, commit.id if commit else self._head),
        }
        if not out.folder:
            (found,) = (taken[md5] for _, md5 in files)
            form = format_of(place)
            return Artifact(found.digest, Kind.DATASET, form, found.size, meta), 1
        entries = [Entry(path, taken[md5].digest, taken[md5].size, False) for path, md5 in files]
        with self._project.store.ingest() as ingest:
            digest = ingest.add_tree(entries)
        size = sum(entry.size for entry in entries)
        return Artifact(digest, Kind.DATASET, "tree", size, meta), len(entries)

    def _point(self, name: str, out: Out, artifact: Artifact, files: int) -> None:
        root = self._project.root
        place = str(artifact.meta["source"])
        here = self._here.get(place)
        pointer = Pointer(
            name=name,
            path=place,
            digest=artifact.digest,
            format=artifact.format,
            size=artifact.size,
            files=files,
            origin=self._origin(out, self._head),
            about={**out.about, **(here.about if here else {})},
            tags=here.tags if here else {},
        )
        ignoring.hide(root, place)
        pointers.write(root, pointer)
        leftovers.note(self._project, pointer)

    def _origin(self, out: Out, rev: str) -> dict[str, JSON]:
        said = {"rev": rev, "url": out.source, "stage": out.stage}
        md5 = out.md5 + ".dir" * out.folder
        return {"kind": "dvc", "md5": md5, **{key: text for key, text in said.items() if text}}

    def _name(self, path: str) -> tuple[str, str]:
        """The dataset's name and its place in the project; of a place that has a pointer, that one's."""
        place = path if self._prefix == "." else f"{self._prefix}/{path}"
        if place in self._here:
            return self._here[place].name, place
        short = PurePosixPath(place).name.partition(".")[0] or PurePosixPath(place).name
        name = next(name for name in _candidates(short, place) if self._is_free(name, place))
        self._used.add(name)
        return check_name(name), place

    def _is_free(self, name: str, place: str) -> bool:
        """Whether nothing else bears the name. What an earlier takeover put under it is the same thing."""
        if name in self._used:
            return False
        digest = self._project.ledger.ref(datasets.ref_of(name))
        artifact = None if digest is None else self._project.ledger.artifact(digest, Kind.DATASET)
        return digest is None or (artifact is not None and artifact.meta.get("source") == place)


def _candidates(short: str, place: str) -> Iterator[str]:
    """Names for a place: the file's own, the whole path, and that with a number.

    >>> next(_candidates("flights", "data/flights.csv"))
    'flights'
    """
    for text in (short, place.replace("/", "-")):
        made = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-._")
        if made:
            yield made
    number = 1
    while True:
        number += 1
        yield f"dvc-{number}"


def _why(commit: Commit | None, out: Out) -> str:
    if commit is None:
        return f"taken over from DVC: {out.path}"
    return f"taken over from DVC: {commit.subject} ({commit.author}, {commit.id[:12]})"
