"""What a project needs of its store: the digests that its ledger, its releases, its work tree and Git name.

A digest too many keeps some bytes; one too few loses data. So whatever looks like a digest in the places
that are read here is one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tricord.core.artifact import Digest, Kind
from tricord.core.errors import ObjectMissing, ProjectError
from tricord.core.event import Event, EventType
from tricord.project import git, pointers
from tricord.project.neighbours import neighbours, opened
from tricord.project.project import Project

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_PAGE = 5000
_LISTING = (Kind.RELEASE, Kind.ROUTING_PLAN)
"""Kinds of artifacts whose content names others."""
_POINTERS = ":(top)*.tricord"
_LOG = (
    "log", "--all", "--reflog", "--full-history", "-m", "-p", "-U0", "--format=", "--text",
    "--no-color", "--no-renames", "--no-textconv", "--no-ext-diff", "--", _POINTERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Need:
    """A digest that is needed, and by what: `place` is "ref", "run", "release", "work tree", "git" or
    "project", `name` which one."""

    digest: Digest
    place: str
    name: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What of the past is needed; None: all of it.

    `runs`: seconds for which a run's inputs and outputs are kept. `versions`: how many of the newest
    versions of each dataset. Refs and tags as they stand, releases, the work tree and Git always are.
    """

    runs: float | None = None
    versions: int | None = None


EVERYTHING = Policy()


def live(project: Project, policy: Policy = EVERYTHING) -> set[Digest]:
    """Every digest that this project or one that shares its store needs."""
    return {need.digest for need in needs(project, policy)}


def needs(project: Project, policy: Policy = EVERYTHING) -> Iterator[Need]:
    """What this project needs by the policy, and those that share its store by none, with reasons; a digest may come again.

    ProjectError where a neighbour is not there or Git cannot be read.
    """
    yield from own_needs(project, policy)
    for root in neighbours(project):
        neighbour = opened(root)
        try:
            for need in own_needs(neighbour):  # a policy is for the project that states it
                yield Need(need.digest, "project", str(root))
        finally:
            neighbour.close()


def own_needs(project: Project, policy: Policy = EVERYTHING) -> Iterator[Need]:
    """What this project needs by itself."""
    listing: set[Digest] = set()
    for need in _recorded(project, policy):
        yield need
        listing.add(need.digest)
    yield from _listed(project, listing)
    for file in pointers.files(project.root):
        for digest in digests_in(file.read_bytes()):
            yield Need(digest, "work tree", file.relative_to(project.root).as_posix())
    for digest in _in_git(project.root):
        yield Need(digest, "git", "history")


def digests_in(text: bytes) -> Iterator[Digest]:
    """Whatever looks like a digest.

    >>> list(digests_in(b'model = "' + b"ab" * 32 + b'"')) == ["ab" * 32]
    True
    """
    for found in _DIGEST.findall(text):
        yield Digest(found.decode())


def _recorded(project: Project, policy: Policy) -> Iterator[Need]:
    """What the ledger's refs and runs name."""
    for ref, digest in project.ledger.refs().items():
        yield Need(digest, "ref", ref)
    since = 0.0 if policy.runs is None else project.clock.now() - policy.runs
    running: dict[str, list[Need]] = {}
    latest: dict[str, list[Digest]] = {}
    for event in _events(project):
        found = [Need(digest, *_reason(event)) for digest in _values(event.body)]
        if event.type == EventType.REF_MOVED:
            if policy.versions is None or not event.subject.startswith("datasets/"):
                yield from found
            elif event.subject.endswith("@latest"):
                latest.setdefault(event.subject, []).extend(_values(event.body["new"]))
            continue
        if event.type == EventType.RUN_ENDED:
            running.pop(event.subject, None)
        if event.when >= since:
            yield from found
        elif event.type == EventType.RUN_STARTED:
            running[event.subject] = found
    for found in running.values():
        yield from found
    for ref, digests in latest.items():
        for digest in list(dict.fromkeys(reversed(digests)))[: policy.versions]:
            yield Need(digest, "ref", ref)


def _reason(event: Event) -> tuple[str, str]:
    if event.type == EventType.REF_MOVED:
        return "ref", event.subject
    return "run", f"{event.body.get('name', '')} {event.subject}".strip()


def _events(project: Project) -> Iterator[Event]:
    last = 0
    types = (EventType.REF_MOVED, EventType.RUN_STARTED, EventType.RUN_ENDED)
    while page := project.ledger.events(after=last, types=types, limit=_PAGE):
        yield from page
        last = page[-1].seq


def _values(body: object) -> Iterator[Digest]:
    match body:
        case str():
            yield from digests_in(body.encode("utf-8", "surrogatepass"))
        case Mapping():
            for value in cast("Mapping[str, object]", body).values():
                yield from _values(value)
        case list() | tuple():
            for value in cast("Iterable[object]", body):
                yield from _values(value)
        case _:
            pass


def _listed(project: Project, needed: set[Digest]) -> Iterator[Need]:
    """What the needed releases and routing plans name, and what that names."""
    seen = set(needed)
    waiting = list(needed)
    while waiting:
        digest = waiting.pop()
        if not any(project.ledger.artifact(digest, kind) for kind in _LISTING):
            continue
        try:
            content = project.store.read(digest)
        except ObjectMissing:  # in a clone: nothing of it has been brought
            continue
        for found in digests_in(content):
            yield Need(found, "release", digest)
            if found not in seen:
                seen.add(found)
                waiting.append(found)


def _in_git(root: Path) -> Iterator[Digest]:
    """Digests in any pointer of any commit that a branch, tag, stash or reflog reaches, or that is staged."""
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return
    if _git(root, "rev-list", "--all", "--reflog", "--max-count=1"):
        yield from set(digests_in(_git(root, *_LOG)))
    yield from set(digests_in(_git(root, "grep", "--cached", "-ahoE", "[0-9a-f]{64}", "--", _POINTERS, fine=(0, 1))))  # fmt: skip


def _git(root: Path, *arguments: str, fine: tuple[int, ...] = (0,)) -> bytes:
    """What Git answers. ProjectError where it fails: then nobody knows what the branches need."""
    said = git.ask(root, *arguments)
    if said is None:
        raise ProjectError(
            "Git cannot be run, so what its branches need is not known",
            where=str(root),
            hint="install git",
        )
    if said.code not in fine:
        raise ProjectError(
            f"Git cannot say what its branches need: {said.error}",
            where=str(root),
            hint=f"git -C {root} fsck",
        )
    return said.out
