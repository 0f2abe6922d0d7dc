"""What takes how much of the store: each dataset, model, run; each version; each project that shares it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tricord.core.artifact import Digest
from tricord.core.ref import parse_ref
from tricord.project import collection, datasets, pointers
from tricord.project.neighbours import neighbours, opened
from tricord.project.project import Project
from tricord.project.reach import Need, own_needs
from tricord.store.usage import Usage, measure
from tricord.store.waste import Waste

_OTHERS = "other projects"
_POINTERS = "pointers of the work tree and Git"


@dataclass(frozen=True, slots=True)
class Line:
    """`content` is what it comes to when it is written out; `usage` what it takes in the store. In bytes."""

    name: str
    content: int
    usage: Usage


@dataclass(frozen=True, slots=True)
class Report:
    """The largest first. `waste` is exactly what a collection would delete now."""

    lines: tuple[Line, ...]
    waste: Waste


def by_name(project: Project, *, versions: bool = False) -> Report:
    """Datasets, models, releases, endpoints by name (datasets by version, if wanted), and runs by theirs."""
    numbers = _versions(project) if versions else {}

    def group(need: Need) -> str:
        if need.digest in numbers:
            return numbers[need.digest]
        if need.place == "ref":
            room, name, _ = parse_ref(need.name)
            return f"{room}/{name}"
        if need.place == "run":
            return f"run {need.name.partition(' ')[0]}"
        return {"release": "releases"}.get(need.place, _POINTERS)

    groups = _grouped(own_needs(project), group)
    _give_to_datasets(project, groups)
    for root in neighbours(project):
        neighbour = opened(root)
        try:
            groups.setdefault(_OTHERS, set()).update(need.digest for need in own_needs(neighbour))
        finally:
            neighbour.close()
    return _report(project, groups)


def by_project(project: Project) -> Report:
    """Each project that shares the store. ProjectError where one is not there."""
    groups = {str(project.root): {need.digest for need in own_needs(project)}}
    for root in neighbours(project):
        neighbour = opened(root)
        try:
            groups[str(root)] = {need.digest for need in own_needs(neighbour)}
        finally:
            neighbour.close()
    return _report(project, groups)


def _versions(project: Project) -> dict[Digest, str]:
    found: dict[Digest, str] = {}
    names = {parse_ref(ref)[1] for ref in project.ledger.refs(datasets.ROOM)}
    for name in sorted(names):
        for version in datasets.versions(project, name):
            found[version.artifact.digest] = f"datasets/{name}@v{version.number}"
    return found


def _grouped(needs: Iterable[Need], group: Callable[[Need], str]) -> dict[str, set[Digest]]:
    groups: dict[str, set[Digest]] = {}
    for need in needs:
        groups.setdefault(group(need), set()).add(need.digest)
    return groups


def _give_to_datasets(project: Project, groups: dict[str, set[Digest]]) -> None:
    """A dataset's own pointers are no other user of its content: only what no dataset is known to have
    had, as in the history of a clone, stays with the pointers."""
    left = groups.pop(_POINTERS, set())
    for name, digests in groups.items():
        if name.startswith(datasets.ROOM):
            left -= digests
    for pointer in pointers.read_all(project.root)[0].values():
        if pointer.digest in left:
            groups.setdefault(f"{datasets.ROOM}{pointer.name}", set()).add(pointer.digest)
            left.discard(pointer.digest)
    if left:
        groups[_POINTERS] = left


def _report(project: Project, groups: dict[str, set[Digest]]) -> Report:
    waste = collection.look(project)
    usages = measure(project.store, groups)
    lines = [Line(name, _content(project, groups[name]), usages[name]) for name in groups]
    lines = [line for line in lines if line.usage.stored]
    return Report(tuple(sorted(lines, key=lambda line: (-line.usage.stored, line.name))), waste)


def _content(project: Project, digests: set[Digest]) -> int:
    artifacts = [project.ledger.artifact(digest) for digest in digests]
    return sum(artifact.size for artifact in artifacts if artifact is not None)
