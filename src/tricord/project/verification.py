"""Does a project still hold what it recorded? The store, the ledger, and what the one says of the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.core.errors import DataError, LedgerCorrupt
from tricord.core.pointer import Pointer
from tricord.project import datasets, pointers
from tricord.project.collection import let_go
from tricord.project.project import Project
from tricord.project.reach import Need, own_needs
from tricord.store import digest as digests
from tricord.store import listing
from tricord.store.checking import Checked, Problem, lists_of, problems
from tricord.store.progress import Watch, quiet
from tricord.store.repair import Repair, repair

Fetch = Callable[[set[Digest]], object]
_MOST = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in words: what, where, which datasets or runs need it, a file of the work tree that has it."""

    digest: Digest | None
    problem: str
    where: str | None
    used_by: tuple[str, ...] = ()
    source: str | None = None
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and found. `elsewhere` counts recorded content that only a remote has, `let_go`
    what a collection was told to delete; neither is a problem. `events` is None for a damaged ledger."""

    objects: int
    events: int | None
    findings: tuple[Finding, ...]
    elsewhere: int
    let_go: int
    repaired: Repair | None = None


def verify(
    project: Project,
    *,
    mend: bool = False,
    fetch: Fetch | None = None,
    absent_too: bool = True,
    watch: Watch = quiet,
) -> Verified:
    """Read all of store and ledger. With `mend`, put aside what is damaged and bring it anew: from the work
    tree, from views, and by `fetch` from a remote; with `absent_too` what is not here by design comes as well.
    What is damaged and did not come is a problem. StoreError where that fails."""
    seen = Checked()
    found = list(problems(project.store, watch, seen))
    repaired: Repair | None = None
    left: set[Digest] = set()  # content that was not here before either, and is not asked for
    if mend and (found or (fetch and absent_too)):
        sources: list[Fetch] = [_Local(project, seen)]
        absent = _absent(project, list(own_needs(project)))
        extra = [
            Problem(each, "not in the store", project.store.root, absent=True) for each in absent
        ]
        if not absent_too:
            left = _left(found, absent)
        repaired = repair(project.store, [*found, *extra], seen, [*sources, *([lambda wanted: fetch(wanted - left)] if fetch else [])])  # fmt: skip
        seen = Checked()
        found = list(problems(project.store, watch, seen))
    needs = list(own_needs(project))
    gone = let_go(project)
    listed = _listed(project, seen, found)
    findings = [_finding(project, seen, listed, needs, problem) for problem in found if not problem.absent]  # fmt: skip
    absent = _absent(project, needs)
    missing = absent - gone
    partly = [
        problem for problem in found if problem.absent and not gone.issuperset(problem.missing)
    ]
    if not project.config.remotes:
        findings += [_finding(project, seen, listed, needs, problem) for problem in partly]
        findings += [_lost(project, needs, digest) for digest in sorted(missing)]
    elsewhere = len(missing) + len(partly) if project.config.remotes else 0
    if repaired is not None:
        still = project.store.missing(repaired.lost - left)
        if project.config.remotes:
            taken = [
                problem
                for problem in partly
                if still.intersection({problem.digest, *problem.missing})
            ]
            findings += [_finding(project, seen, listed, needs, problem) for problem in taken]
            elsewhere -= len(taken) + len(missing & still)
        still -= {each.digest for each in findings if each.digest}
        findings += [_lost(project, needs, digest) for digest in sorted(still & absent)]
    events, broken = _ledger(project)
    return Verified(
        seen.blobs, events, (*findings, *broken), elsewhere, len(absent & gone), repaired
    )


def _left(found: Iterable[Problem], absent: set[Digest]) -> set[Digest]:
    """What is not here for another reason than damage, as far as that can be told."""
    damaged = {problem.digest for problem in found if not problem.absent}
    if None in damaged:  # a pack that does not even say what it held
        return set()
    parts = (problem.missing for problem in found if problem.absent and not damaged)
    return {digest for digest in absent.union(*parts) if digest not in damaged}


def _ledger(project: Project) -> tuple[int | None, list[Finding]]:
    try:
        return project.ledger.verify(), []
    except LedgerCorrupt as error:
        return None, [Finding(None, error.what, error.where, next=error.hint)]


def _absent(project: Project, needs: Iterable[Need]) -> set[Digest]:
    """What is needed and recorded as content, and not in the store."""
    absent = project.store.missing({need.digest for need in needs})
    pointed = {need.digest for need in needs if need.place == "work tree"}
    return {digest for digest in absent if digest in pointed or project.ledger.artifact(digest)}


def _listed(project: Project, seen: Checked, found: Iterable[Problem]) -> dict[Digest, list[Digest]]:  # fmt: skip
    """Which lists name what has a problem, and which name those lists."""
    wanted = {problem.digest for problem in found if problem.digest is not None}
    first = lists_of(project.store, seen, wanted)
    parents = {parent for some in first.values() for parent in some}
    return lists_of(project.store, seen, parents) | first


def _finding(
    project: Project, seen: Checked, listed: Mapping[Digest, list[Digest]], needs: Iterable[Need], problem: Problem
) -> Finding:  # fmt: skip
    users: tuple[str, ...] = ()
    source: str | None = None
    if problem.digest is not None:
        parents = listed.get(problem.digest, [])
        parents = [*parents, *(each for one in parents for each in listed.get(one, []))]
        users = _users(needs, {problem.digest, *parents})
        candidates = _candidates(project, seen, {problem.digest})
        source = next((str(path) for _, path in candidates if path.exists()), None)
    if problem.absent:
        step = _pull(project, users) + "tricord verify --repair, or add or run again"
    else:
        step = "tricord verify --repair" + (" --from REMOTE" if project.config.remotes else "")
    return Finding(problem.digest, problem.what, str(problem.where), users, source, step)


def _lost(project: Project, needs: Iterable[Need], digest: Digest) -> Finding:
    artifact = project.ledger.artifact(digest)
    kind = artifact.kind if artifact else "content of a pointer"
    what = f"this {kind} is recorded, and not in the store"
    users = _users(needs, {digest})
    return Finding(digest, what, None, users, next=_pull(project, users) + "add or run again")


def _pull(project: Project, users: Iterable[str]) -> str:
    """The first step where a remote may have it: of a dataset by its name."""
    if not project.config.remotes:
        return ""
    named = (user for user in users if user.startswith(datasets.ROOM))
    name = next(named, "").removeprefix(datasets.ROOM).removesuffix(f"@{datasets.LATEST}")
    return f"tricord pull {name}".rstrip() + ", or "


def _users(needs: Iterable[Need], wanted: set[Digest]) -> tuple[str, ...]:
    names = dict.fromkeys(need.name for need in needs if need.digest in wanted)
    shown = list(names)[:_MOST]
    return (*shown, f"{len(names) - _MOST} more") if len(names) > _MOST else tuple(shown)


def _candidates(
    project: Project, seen: Checked, wanted: set[Digest]
) -> Iterator[tuple[Digest, Path]]:
    """Files of the work tree that should have some of the wanted content, by what the pointers say."""
    for pointer in _pointers(project):
        place = project.root / pointer.path
        if pointer.digest in wanted:
            yield pointer.digest, place
        if pointer.digest in seen.trees:
            for path, digest in project.store.tree(pointer.digest).items():
                if digest in wanted:
                    yield digest, place / path


def _pointers(project: Project) -> Iterator[Pointer]:
    for file in pointers.files(project.root):
        try:
            yield pointers.read(file, project.root)
        except DataError:  # in conflict, say: other commands tell what to do
            continue


class _Local:
    """Brings content from the work tree and from views."""

    def __init__(self, project: Project, seen: Checked) -> None:
        self._project = project
        self._seen = seen

    def __call__(self, wanted: set[Digest]) -> None:
        store = self._project.store
        views = [(digest, path) for digest, path in listing.views(store.root) if digest in wanted]
        for digest, path in (*views, *_candidates(self._project, self._seen, wanted)):
            try:
                if path.is_dir():
                    store.put_tree(path)
                elif path.is_file() and digests.of_file(path) == digest:
                    store.put_file(path)
            except DataError:  # it is not what it was, or changes: then it is no help
                continue
