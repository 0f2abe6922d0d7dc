"""Collecting what neither this project nor one that shares its store needs any more."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.files import replace_text
from tricord.project import reach
from tricord.project.project import Project
from tricord.project.reach import EVERYTHING, Policy
from tricord.store import collect as collecting
from tricord.store import users
from tricord.store.collect import DAY, Waste
from tricord.store.progress import Watch, quiet

_LET_GO = "let-go"


def look(
    project: Project, policy: Policy = EVERYTHING, grace: float = DAY, watch: Watch = quiet
) -> Waste:
    """What a collection would delete now. Reads only. `grace` is in seconds: what is younger stays.

    ProjectError where a neighbour or Git cannot be asked, ObjectCorrupt where the store is damaged.
    """
    return collecting.plan(project.store, _needed(project, policy), grace, watch)


def collect(
    project: Project, policy: Policy = EVERYTHING, grace: float = DAY, watch: Watch = quiet
) -> int:
    """Delete what nobody needs; bytes freed. Others may work on meanwhile. Errors as those of `look`.

    What a policy lets go is noted first, so that nobody takes it for lost.
    """
    if policy != EVERYTHING:
        gone = reach.live(project) - reach.live(project, policy)
        lines = sorted(gone | let_go(project))
        replace_text(project.folder / _LET_GO, "".join(f"{digest}\n" for digest in lines))
    return collecting.delete(project.store, _needed(project, policy), grace, watch)


def let_go(project: Project) -> set[Digest]:
    """What collections with a policy have deleted, or may have: it is recorded, and not missed."""
    try:
        return set(reach.digests_in((project.folder / _LET_GO).read_bytes()))
    except FileNotFoundError:
        return set()


def forget(project: Project, neighbour: Path) -> None:
    """Count a project that shared the store as gone for good. StoreError where it is not known."""
    users.forget(project.store.root, neighbour)


def reasons(project: Project, policy: Policy = EVERYTHING) -> dict[str, int]:
    """Why what is needed is: how many files and trees each kind of place names, in words."""
    named: dict[str, set[Digest]] = {}
    for need in reach.needs(project, policy):
        word = need.name if need.place == "project" else need.place
        named.setdefault(word, set()).add(need.digest)
    absent = project.store.missing(set[Digest]().union(*named.values()))
    return {word: len(digests - absent) for word, digests in named.items()}


def _needed(project: Project, policy: Policy) -> Callable[[], Iterable[Digest]]:
    return lambda: reach.live(project, policy)
