"""Push and fetch: content and facts between a project and its remotes."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.errors import (
    NotRecorded,
    ObjectCorrupt,
    ObjectMissing,
    RemoteError,
    TricordError,
)
from tricord.core.pointer import Pointer
from tricord.project import datasets, pointers, reach, sharing
from tricord.project.pointers import Unreadable
from tricord.project.project import Project
from tricord.project.reach import Policy
from tricord.project.sharing import Learned
from tricord.store.progress import Watch, quiet
from tricord.store.remote import collecting, mending, receiving, records, sending
from tricord.store.remote.collecting import Collected
from tricord.store.remote.mending import Examined
from tricord.store.remote.opening import open_backend
from tricord.store.remote.receiving import Fetched
from tricord.store.remote.records import Record
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import Sent

_NAME = re.compile(r"[^\W_][\w.-]*")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that goes over: what people call it, its content, and of a tree perhaps only some paths.

    `word` is what somebody asked for it with.
    """

    name: str
    digest: Digest
    paths: tuple[str, ...] = ()
    word: str = ""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: `new` are those that the remote did not keep before."""

    remote: str
    new: tuple[Item, ...]
    sent: Sent
    items: int
    mended: tuple[str, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    """Pointers that name no version, as one in conflict: what they are of did not go."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a fetch did."""

    remote: str
    items: tuple[Item, ...]
    fetched: Fetched
    learned: Learned = field(default_factory=Learned)
    unreadable: tuple[Unreadable, ...] = ()
    """Pointers that name no version: what they are of did not come."""
    lost: Mapping[str, TricordError] = field(default_factory=dict[str, TricordError])
    """Names of items that did not come, or not whole, and why."""


def open_remote(project: Project, name: str | None = None) -> Remote:
    """The remote of that name in the settings, or at that URL; without one, the default. RemoteError."""
    known = project.config.remotes
    wanted = name or project.config.text("store.remote")
    if not wanted:
        if len(known) != 1:
            raise RemoteError(
                "which remote? there are several" if known else "this project has no remote",
                where=", ".join(sorted(known)) or None,
                hint=f"tricord push --remote {min(known)}"
                if known
                else "tricord remote add NAME URL",
            )
        (wanted,) = known
    if wanted in known:
        options = known[wanted]
        url = options["url"]
    elif "/" in wanted:
        url, options = wanted, dict[str, str]()
    else:
        raise RemoteError(
            f"no remote {wanted!r}",
            where=f"known: {', '.join(sorted(known)) or 'none'}",
            hint=f"tricord remote add {wanted} URL",
        )
    place = wanted if wanted in known else blake2b(wanted.encode(), digest_size=8).hexdigest()
    backend = open_backend(url, options)
    return Remote(backend, project.folder / "remotes" / place)


def push(
    project: Project,
    what: Sequence[str] = (),
    *,
    remote: str | None = None,
    everything: bool = False,
    runs: Sequence[str] = (),
    ours: bool = False,
    repair: bool = False,
    watch: Watch = quiet,
) -> Pushed:
    """Bring content and what is known about it to a remote.

    Without `what` these are the versions that the work tree's pointers name, and where every shared ref stands;
    with `everything` every version of every dataset, model and release. `what` holds `NAME[@VERSION]`, refs and
    digests, `runs` ids of runs whose inputs and outputs go too. With `ours` refs that were moved on both sides go where
    they stand here; with `repair` all that is there is read first, and what is damaged is sent anew. ObjectMissing, RefConflict, RemoteError.
    """
    there = open_remote(project, remote)
    seen = records.see(there.backend, project.name)
    before = seen.record
    if ours and before is not None:
        for ref in before.moves:
            sharing.settle(project, ref, before)
    items = _to_push(project, what, runs, everything=everything)
    record = sharing.record_of(project, _refs_of(project, items, what), _with_needs(project, items))
    if before is not None:
        records.join(before, record)  # a conflict is told before anything is sent
    unreadable = () if what or runs else tuple(pointers.read_all(project.root)[1])
    if not record.held:
        return Pushed(there.where, (), Sent(), 0, unreadable=unreadable)
    mended = mending.repair(there, watch) if repair else Examined()
    sent = sending.send(there, project.store, sorted(record.held), watch)
    mending.settle(there, mended)
    records.update(there.backend, record, seen)
    again = sending.confirm(there, project.store, sorted(record.held), watch)
    sent = replace(sent, bytes=sent.bytes + again.bytes, packs=sent.packs + again.packs, objects=sent.objects + again.objects)  # fmt: skip
    known = before.held if before else frozenset[Digest]()
    new = tuple(item for item in items if item.digest not in known)
    bad = (*mended.bad, *mended.unnamed)
    return Pushed(there.where, new, sent, len(items), bad, unreadable)


def fetch(
    project: Project,
    what: Sequence[str] = (),
    *,
    remote: str | None = None,
    everything: bool = False,
    theirs: bool = False,
    partial: bool = False,
    watch: Watch = quiet,
) -> Pulled:
    """Bring content and what is known about it from a remote into the project; the work tree stays as it is.

    Without `what` these are the versions that the work tree's pointers name, and the newest models and releases;
    with `everything` all that the remote keeps for this project. `what` holds `NAME[@VERSION]`, refs, digests and
    paths of data: of a file or folder within a dataset only that is brought. With `partial` some of the items may
    fail to come while others do, and the answer says which. NotRecorded, ObjectMissing, RemoteError.
    """
    there = open_remote(project, remote)
    record = records.read(there.backend, project.name)
    learned = sharing.learn(project, record, theirs=theirs) if record else Learned()
    items = _to_fetch(project, what, record, everything=everything)
    parts = [item for item in items if item.paths]
    whole = [item.digest for item in items if not item.paths]
    fetched = receiving.fetch(
        there, project.store, whole, watch, heads=[item.digest for item in parts]
    )
    files = [
        digest for item in parts if item.digest not in fetched.lost for digest in _chosen(project, item)
    ]  # fmt: skip
    if files:
        fetched = _both(fetched, receiving.fetch(there, project.store, files, watch))
    fetched = _with_content(project, there, items, fetched, watch)
    lost = _lost(project, there, items, fetched)
    if not partial or len(lost) == len(items):
        fetched.check(there.where, {item.digest: item.name for item in items})
    unreadable = () if what or everything else tuple(pointers.read_all(project.root)[1])
    return Pulled(there.where, tuple(items), fetched, learned, unreadable, lost)


def _both(one: Fetched, other: Fetched) -> Fetched:
    return Fetched(one.files + other.files, one.bytes + other.bytes, {**one.lost, **other.lost})


def _lost(
    project: Project, there: Remote, items: Iterable[Item], fetched: Fetched
) -> dict[str, TricordError]:
    """Which items did not come, or not whole: trees by their files, models and releases by what they name."""
    found: dict[str, TricordError] = {}
    for item in items if fetched.lost else ():
        consists = {item.digest}
        if project.store.has(item.digest) and project.store.is_tree(item.digest):
            consists.update(_chosen(project, item) if item.paths else project.store.tree(item.digest).values())  # fmt: skip
        consists |= _content_of(project, [item.digest])
        own = {digest: why for digest, why in fetched.lost.items() if digest in consists}
        try:
            Fetched(lost=own).check(there.where, {item.digest: item.name})
        except (ObjectMissing, ObjectCorrupt) as error:
            found[item.name] = error
    return found


def fetch_objects(
    project: Project, digests: Iterable[Digest], remote: str | None = None, watch: Watch = quiet
) -> set[Digest]:
    """Bring files and trees by digest from a remote, whole. Those that it could not give. RemoteError."""
    wanted = set(digests)
    receiving.fetch(open_remote(project, remote), project.store, wanted, watch)
    return project.store.missing(wanted)


def examine(
    project: Project, remote: str | None = None, watch: Watch = quiet
) -> tuple[str, Examined]:
    """Read all that a remote holds and compare it with what it should be; nothing is changed. RemoteError."""
    there = open_remote(project, remote)
    return there.where, mending.examine(there, watch)


def collect(
    project: Project,
    remote: str | None = None,
    *,
    policy: Policy | None = None,
    grace: float = collecting.GRACE,
    delete: bool = False,
    watch: Watch = quiet,
) -> Collected:
    """Find what no project needs any more of a remote, and with `delete` remove what was known as waste for `grace` seconds.

    With a `policy`, of what this project keeps there only that stays which the policy needs; what other projects
    keep is theirs to say. RemoteError.
    """
    there = open_remote(project, remote)
    if policy is None:
        return collecting.collect(there, grace=grace, delete=delete, watch=watch)
    needed = {need.digest for need in reach.own_needs(project, policy)}

    def without(record: Record) -> Record:
        return (
            replace(record, held=record.held & needed) if record.project == project.name else record
        )

    if delete and records.read(there.backend, project.name) is not None:
        empty = Record(project.name)
        records.change(there.backend, project.name, lambda found: without(found or empty))
    return collecting.collect(
        there,
        live=lambda found: records.roots(without(each) for each in found),
        grace=grace,
        delete=delete,
        watch=watch,
    )


def _to_push(
    project: Project, what: Sequence[str], runs: Sequence[str], *, everything: bool
) -> list[Item]:
    items: dict[Digest, Item] = {}

    def add(name: str, digest: Digest | None) -> None:
        if digest is not None:
            items.setdefault(digest, Item(name, digest))

    for word in what:
        add(*_named(project, word))
    for word in runs:
        run = project.ledger.run(word)
        for name, artifact in (*run.inputs.items(), *run.outputs.items()):
            add(f"{run.name}: {name}", artifact.digest)
        for digest in sorted(sharing.records_of(run)):
            add(f"{run.name}: a record of its origin", digest)
    if what or runs:
        return list(items.values())
    for name, pointer in pointers.read_all(project.root)[0].items():
        add(name, pointer.digest)
    for ref in sharing.shared_refs(project):
        add(_short(ref), project.ledger.ref(ref))
        if everything:
            for move in project.ledger.moves(ref):
                add(_short(ref), move.new)
    return list(items.values())


def _to_fetch(
    project: Project, what: Sequence[str], record: Record | None, *, everything: bool
) -> list[Item]:
    if everything:
        known = record.by_digest if record else {}
        held = sorted(record.held) if record else []
        return [Item(_title(known.get(digest), digest), digest) for digest in held]
    if what:
        return _asked(project, what)
    items = {
        pointer.digest: Item(name, pointer.digest)
        for name, pointer in pointers.read_all(project.root)[0].items()
    }
    held = record.held if record else frozenset[Digest]()
    bare = not items
    for ref in sharing.shared_refs(project):
        digest = project.ledger.ref(ref)
        datasets_too = bare and ref.endswith(f"@{datasets.LATEST}")
        if (
            digest is not None
            and digest in held
            and (not ref.startswith(datasets.ROOM) or datasets_too)
        ):
            items.setdefault(digest, Item(_short(ref), digest))
    return list(items.values())


def _asked(project: Project, what: Sequence[str]) -> list[Item]:
    """What somebody means by words: datasets, refs, digests; paths of data, or within the dataset before them."""
    items: list[Item] = []
    for word in what:
        try:
            name, digest = _named(project, word)
            items.append(Item(name, digest, word=word))
        except NotRecorded:
            inside = _inside(project, word)
            if items and (inside is None or _base(items[-1].name) == inside[0].name):
                path = word if inside is None else inside[1]
                items[-1] = replace(items[-1], paths=(*items[-1].paths, path))
            elif inside is not None:
                pointer, path = inside
                items.append(Item(pointer.name, pointer.digest, (path,), word=pointer.name))
            else:
                known = sorted({*pointers.read_all(project.root)[0], *datasets.names(project)})[:8]
                raise NotRecorded(
                    f"nothing is named {word!r}, here or at the remote",
                    where=f"known: {', '.join(known) or 'nothing'}",
                    hint="tricord data list",
                ) from None
    return items


def _inside(project: Project, word: str) -> tuple[Pointer, str] | None:
    """The dataset of the work tree in whose folder a path lies, and the path within it."""
    for base in (Path.cwd(), project.root):
        place = Path(os.path.normpath(base / word))
        for pointer in pointers.read_all(project.root)[0].values():
            data = project.root / pointer.path
            if place != data and place.is_relative_to(data):
                return pointer, place.relative_to(data).as_posix()
    return None


def _named(project: Project, word: str) -> tuple[str, Digest]:
    """Title and digest of a dataset's version, a ref or a digest. NotRecorded."""
    if word.partition("/")[0] in (*sharing.ROOMS, "endpoints") and "@" in word:
        return word, project.resolve(word).digest
    name, version = datasets.asked(project, word)
    if version is None:
        with suppress(NotRecorded):
            pointer = pointers.get(project.root, name)
            return pointer.name, pointer.digest
    if not _NAME.fullmatch(name):
        raise NotRecorded(f"no dataset {name!r}", hint="tricord data list")
    try:
        found = datasets.resolve(project, word)
        return str(found), found.digest
    except NotRecorded:
        artifacts = list(project.ledger.artifacts(word)) if len(word) >= 6 else []
        if len({artifact.digest for artifact in artifacts}) != 1:
            raise
        return _title(artifacts[0], artifacts[0].digest), artifacts[0].digest


def _refs_of(project: Project, items: Sequence[Item], what: Sequence[str]) -> list[str]:
    """The refs that go with what is pushed: without names all that are shared, else those of the names."""
    refs = sharing.shared_refs(project)
    if not what:
        return refs
    names = {_base(item.name) for item in items}
    return [
        ref
        for ref in refs
        if ref in what or (ref.startswith(datasets.ROOM) and _base(_short(ref)) in names)
    ]


def _with_needs(project: Project, items: Iterable[Item]) -> set[Digest]:
    found: set[Digest] = set()
    for item in items:
        artifact = project.ledger.artifact(item.digest)
        found |= sharing.content_of(project, artifact) if artifact else {item.digest}
    return found


def _with_content(
    project: Project, there: Remote, items: Sequence[Item], fetched: Fetched, watch: Watch
) -> Fetched:
    """Bring what releases and models among the items name too, and the verdicts that let their refs move."""
    digests = {item.digest for item in items if not item.paths}
    lacking = project.store.missing(_content_of(project, digests - fetched.lost.keys()) - digests)
    if not lacking:
        return fetched
    return _both(fetched, receiving.fetch(there, project.store, lacking, watch))


def _content_of(project: Project, digests: Iterable[Digest]) -> set[Digest]:
    """What models and releases among them name, and the verdicts on them."""
    needed: set[Digest] = set()
    for digest in digests:
        artifact = project.ledger.artifact(digest)
        if artifact is not None and artifact.kind != Kind.DATASET and project.store.has(digest):
            needed |= sharing.content_of(project, artifact, data=False)
            needed |= sharing.verdicts_on(project, digest)
    return needed


def _chosen(project: Project, item: Item) -> list[Digest]:
    """The files of a tree that an item's paths name: files, folders, patterns."""
    entries = project.store.entries(item.digest)
    found: dict[Digest, None] = {}
    for path in item.paths:
        hits = [
            e.digest
            for e in entries
            if e.path == path
            or e.path.startswith(f"{path.rstrip('/')}/")
            or fnmatchcase(e.path, path)
        ]
        if not hits:
            raise NotRecorded(
                f"no file {path!r} in {item.name}",
                where=", ".join(entry.path for entry in entries[:5]) or None,
                hint=f"tricord data show {_base(item.name)}",
            )
        found.update(dict.fromkeys(hits))
    return list(found)


def _base(name: str) -> str:
    return datasets.split(name)[0]


def _short(ref: str) -> str:
    """A ref as people say it.

    >>> _short("datasets/flights@latest"), _short("models/delay@champion")
    ('flights', 'models/delay@champion')
    """
    return ref.removeprefix(datasets.ROOM).removesuffix(f"@{datasets.LATEST}")


def _title(artifact: Artifact | None, digest: Digest) -> str:
    name = artifact.meta.get("name") if artifact else None
    return f"{artifact.kind} {name or digest[:12]}" if artifact else digest[:12]
