"""Datasets: their versions, how people name one (`flights@v3`), and tags. Readers and writers of refs."""

import re
from dataclasses import dataclass, replace

from tricord.core.artifact import Artifact, Digest, Kind, short
from tricord.core.canonical import JSON
from tricord.core.errors import NotRecorded, RefConflict, TricordError
from tricord.core.ref import Move, parse_ref
from tricord.project import lineage, pointers
from tricord.project.project import Project

ROOM = "datasets/"
LATEST = "latest"
_NUMBER = re.compile(r"v?([1-9][0-9]{0,8})")
_DIGITS = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a dataset.

    `number` counts its distinct contents from 1, oldest first; 0 where the content is known (from a
    pointer, from a tag) but never was the dataset's latest here. `when` is in seconds since the
    epoch. `changed` says whether the act that answers with it made the version the latest.
    """

    name: str
    number: int
    artifact: Artifact
    when: float = 0.0
    actor: str = ""
    why: str = ""
    tags: tuple[str, ...] = ()
    changed: bool = False

    @property
    def digest(self) -> Digest:
        return self.artifact.digest

    def __str__(self) -> str:
        return f"{self.name}@v{self.number}" if self.number else f"{self.name}@{short(self.digest)}"

    def to_json(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "version": self.number,
            "digest": self.artifact.digest,
            "format": self.artifact.format,
            "size": self.artifact.size,
            "changed": self.changed,
            "when": self.when,
            "actor": self.actor,
            "why": self.why,
            "tags": list(self.tags),
        }


def ref_of(name: str, label: str = LATEST) -> str:
    """The ref of a dataset's label. TricordError where either cannot be a name."""
    ref = f"{ROOM}{name}@{label}"
    parse_ref(ref)
    return ref


def split(what: str) -> tuple[str, str | None]:
    """Name and version of `NAME[@VERSION]`; `datasets/` before it is let pass.

    >>> split("flights@v3"), split("datasets/flights")
    (('flights', 'v3'), ('flights', None))
    """
    name, at, version = what.removeprefix(ROOM).partition("@")
    if at and not version:
        raise TricordError(f"no version after the @ of {what!r}", hint=f"tricord log {name}")
    return name, version or None


def asked(project: Project, what: str) -> tuple[str, str | None]:
    """Name (or path) and version of a word that somebody typed: as `split`, but what is the path of a
    dataset's data or pointer is just that, whatever is in it."""
    if "@" in what and pointers.file_at(project.root, what):
        return what, None
    place, _, version = what.rpartition("@")
    if version and "@" in place and pointers.file_at(project.root, place):
        return place, version
    return split(what)


def names(project: Project) -> list[str]:
    """Every dataset that the ledger has a latest version of, sorted."""
    refs = (parse_ref(ref) for ref in project.ledger.refs(ROOM))
    return sorted(name for _, name, label in refs if label == LATEST)


def tags(project: Project, name: str) -> dict[str, Digest]:
    """Tag → digest of a dataset: its refs besides `latest`."""
    prefix = f"{ROOM}{name}@"
    found = project.ledger.refs(prefix)
    return {
        ref.removeprefix(prefix): digest
        for ref, digest in found.items()
        if ref.removeprefix(prefix) != LATEST
    }


def versions(project: Project, name: str) -> list[Version]:
    """The versions of a dataset, oldest first; empty where there is none of that name."""
    tagged = tags(project, name)
    return [
        _version(project, name, number, move, tagged)
        for number, move in enumerate(lineage.versions(project, ref_of(name)), 1)
    ]


def resolve(project: Project, what: str) -> Version:
    """The version that `NAME[@VERSION]` names: `latest`, a tag, `v3` or `3`, or a digest's beginning.

    Without a VERSION it is the latest. NotRecorded says which there are.
    """
    name, wanted = split(what)
    found = project.ledger.ref(ref_of(name))
    moves = lineage.versions(project, ref_of(name))
    tagged = tags(project, name)
    if not moves and not tagged:
        raise NotRecorded(
            f"no dataset {name!r}",
            where=f"known here: {', '.join(names(project)[:8]) or 'none'}",
            hint="tricord data list",
        )
    if wanted is None or wanted == LATEST:
        digest = found
    else:
        digest = tagged.get(wanted) or _numbered(moves, wanted) or _begun(moves, tagged, wanted)
    if digest is None:
        shown = ", ".join([LATEST, *tagged, *(f"v{n}" for n in range(len(moves), 0, -1))][:8])
        raise NotRecorded(
            f"no version {wanted or LATEST!r} of {name}",
            where=f"there are {shown}",
            hint=f"tricord log {name}",
        )
    for number, move in enumerate(moves, 1):
        if move.new == digest:
            return _version(project, name, number, move, tagged)
    return _version(
        project, name, 0, project.ledger.moves(_tag_at(name, tagged, digest))[-1], tagged
    )


def record(project: Project, name: str, artifact: Artifact, *, why: str) -> Version:
    """Make an artifact the latest version of a dataset: one move of its ref, an event. The same
    content again changes nothing."""
    project.ledger.add_artifact(artifact)
    try:
        move = project.move(ref_of(name), artifact.digest, why=why)
    except RefConflict:
        if project.ledger.ref(ref_of(name)) != artifact.digest:
            raise
        move = None  # somebody else recorded the same at the same time
    # by its digest, since the number is the one that the content has had since its first move
    return replace(resolve(project, f"{name}@{artifact.digest}"), changed=move is not None)


def tag(
    project: Project, version: Version, label: str, *, why: str = "", force: bool = False
) -> bool:
    """Give a version a name that stays: the ref `datasets/NAME@LABEL`. False where it has it already.

    RefConflict where another version has it and `force` is not given.
    """
    if label == LATEST or _NUMBER.fullmatch(label) or _DIGITS.fullmatch(label):
        raise TricordError(
            f"{label!r} cannot be a tag: it reads as a version's number, digest or 'latest'",
            hint=f"tricord data tag {version} reviewed",
        )
    try:
        ref = ref_of(version.name, label)
    except TricordError as error:
        raise TricordError(
            f"{label!r} cannot be a tag: letters, digits, - _ and . may be in it, a letter or digit first",
            hint=f"tricord data tag {version} reviewed",
        ) from error
    before = project.ledger.ref(ref)
    if before not in (None, version.digest) and not force:
        raise RefConflict(
            f"{label!r} is the tag of another version of {version.name}: {short(before)}",
            hint=f"tricord data tag {version} {label} --force",
        )
    return project.move(ref, version.digest, why=why or f"tagged {label}", old=before) is not None


def untag(project: Project, name: str, label: str, *, why: str = "") -> Digest:
    """Take a tag away; the version stays. Its digest. NotRecorded where there is no such tag."""
    digest = tags(project, name).get(label)
    if digest is None:
        known = ", ".join(tags(project, name)) or "none"
        raise NotRecorded(
            f"{name} has no tag {label!r}", where=f"its tags: {known}", hint=f"tricord log {name}"
        )
    project.move(ref_of(name, label), None, why=why or f"tag {label} taken away", old=digest)
    return digest


def _version(
    project: Project, name: str, number: int, move: Move, tagged: dict[str, Digest]
) -> Version:
    digest = move.new
    artifact = None if digest is None else project.ledger.artifact(digest, Kind.DATASET)
    artifact = artifact or (None if digest is None else project.ledger.artifact(digest))
    if artifact is None:
        raise NotRecorded(f"nothing is recorded of {name} v{number}", hint="tricord verify")
    labels = tuple(sorted(label for label, at in tagged.items() if at == digest))
    return Version(name, number, artifact, move.when, move.actor, move.why, labels)


def _numbered(moves: list[Move], wanted: str) -> Digest | None:
    match = _NUMBER.fullmatch(wanted)
    number = int(match[1]) if match else 0
    return moves[number - 1].new if 0 < number <= len(moves) else None


def _begun(moves: list[Move], tagged: dict[str, Digest], wanted: str) -> Digest | None:
    if not _DIGITS.fullmatch(wanted):
        return None
    known = {move.new for move in moves if move.new} | set(tagged.values())
    found = sorted(digest for digest in known if digest.startswith(wanted))
    if len(found) > 1:
        shown = ", ".join(digest[:16] for digest in found[:4])
        raise NotRecorded(f"{wanted!r} begins several digests: {shown}", hint="give more digits")
    return found[0] if found else None


def _tag_at(name: str, tagged: dict[str, Digest], digest: Digest) -> str:
    return next(ref_of(name, label) for label, at in tagged.items() if at == digest)
