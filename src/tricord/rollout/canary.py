"""Canary: a share of an endpoint's traffic goes to a new release until a verdict decides.

Each stage is one move of `endpoints/NAME@live` to another routing plan. A server hears of the move
and takes the plan up; nobody here talks to it.
"""

from dataclasses import dataclass, replace

import polars as pl

from tricord.checks.sequential import judge_arms
from tricord.core.artifact import Artifact, Digest
from tricord.core.errors import NotRecorded, Refused
from tricord.core.release import Release
from tricord.core.verdict import Verdict
from tricord.project.project import Project
from tricord.serving.log import folder_of, read_segments
from tricord.serving.plan import Arm, RoutingPlan
from tricord.serving.state import plan_ref

LIVE, CANARY = "live", "canary"


@dataclass(frozen=True, slots=True)
class State:
    """Where an endpoint stands: its plan, and the releases of its arms."""

    plan: RoutingPlan
    digest: Digest

    def arm(self, name: str) -> Arm | None:
        return next((arm for arm in self.plan.arms if arm.name == name), None)

    @property
    def live(self) -> Arm:
        return self.arm(LIVE) or self.plan.arms[0]

    @property
    def canary(self) -> Arm | None:
        return self.arm(CANARY)


def state(project: Project, endpoint: str) -> State | None:
    """The endpoint's plan, None where it has none yet."""
    digest = project.ledger.ref(plan_ref(endpoint))
    if digest is None:
        return None
    return State(project.load(digest, RoutingPlan), digest)


def start(
    project: Project,
    endpoint: str,
    release: Artifact,
    *,
    weight: float = 0.1,
    why: str = "",
) -> RoutingPlan:
    """Give a release `weight` of the traffic; all of it where the endpoint serves nothing yet.

    It rests on the verdict that let the release by. Refused while another rollout is under way.
    """
    now = state(project, endpoint)
    if now and now.canary:
        raise Refused(
            f"a rollout of {now.canary.release[:12]} is under way at {endpoint}",
            hint=f"tricord rollout status {endpoint}",
        )
    if now and now.live.release == release.digest:
        raise Refused(f"{endpoint} serves {release.digest[:12]} already", hint="tricord status")
    if now is None:
        plan = RoutingPlan(
            endpoint, (Arm(release.digest, 1.0, LIVE),), salt=_salt(project, release.digest)
        )
        _move(project, plan, _gate(project, release), why or "first release of the endpoint")
        return plan
    return advance(project, endpoint, release, weight=weight, why=why)


def advance(
    project: Project,
    endpoint: str,
    release: Artifact,
    *,
    weight: float,
    verdict: Artifact | None = None,
    why: str = "",
) -> RoutingPlan:
    """Let the canary have `weight` of the traffic from now on, past `verdict` or else its gate's."""
    now = _required(project, endpoint)
    plan = RoutingPlan(
        endpoint,
        (
            Arm(now.live.release, 1.0 - weight, LIVE),
            Arm(release.digest, weight, CANARY),
        ),
        salt=_salt(project, release.digest),  # at every stage: a key that has seen it keeps it
    )
    _move(project, plan, verdict or _gate(project, release), why or f"canary at {weight:.0%}")
    return plan


def promote(
    project: Project,
    endpoint: str,
    verdict: Artifact | None,
    *,
    why: str = "",
    signed: bool = False,
) -> RoutingPlan:
    """Give the canary all traffic, past a verdict that passed or signed for by the actor.

    Refused where the verdict is about another plan than the one that stands.
    """
    canary = _required_canary(project, endpoint)
    stands = _required(project, endpoint).digest
    if verdict and project.load(verdict, Verdict).evidence.get("plan", stands) != stands:
        raise Refused(
            f"the verdict is not about the plan that stands at {endpoint}",
            where=f"verdict {verdict.digest}",
            hint=f"tricord rollout status {endpoint}",
        )
    plan = RoutingPlan(
        endpoint, (Arm(canary.release, 1.0, LIVE),), salt=_salt(project, canary.release)
    )
    _move(project, plan, verdict, why or "canary promoted", signed=signed, old=stands)
    return plan


def abort(
    project: Project, endpoint: str, verdict: Artifact | None = None, *, why: str
) -> RoutingPlan:
    """Take the canary out: all traffic to the live release, and champion and latest go back too."""
    now = _required(project, endpoint)
    canary = _required_canary(project, endpoint)
    plan = RoutingPlan(
        endpoint, (Arm(now.live.release, 1.0, LIVE),), salt=_salt(project, now.live.release)
    )
    # first what would be left undone for ever if this were killed half-way: the canary can be aborted again
    withdraw(project, project.load(canary.release, Release), canary.release, why, verdict)
    # the same plan as before the canary, so the same digest
    project.roll_back(plan_ref(endpoint), to=project.put(plan).digest, why=why, verdict=verdict)
    return plan


def rollback(project: Project, endpoint: str, *, why: str) -> RoutingPlan:
    """Put an endpoint back to the release that it served, whole, before the one it serves now."""
    now = _required(project, endpoint)
    if now.canary:
        return abort(project, endpoint, why=why)
    whole = _served_whole(project, endpoint)
    if len(whole) > 1:
        released = project.load(now.live.release, Release)
        withdraw(project, released, now.live.release, why, None)
        project.roll_back(plan_ref(endpoint), to=whole[-2], why=why)
        return project.load(whole[-2], RoutingPlan)
    raise Refused(
        f"{endpoint} has served nothing else before", hint=f"tricord release list {endpoint}"
    )


def _served_whole(project: Project, endpoint: str) -> list[Digest]:
    """The plans with one arm that led to where the endpoint stands, without those gone back from."""
    path: list[Digest] = []
    for move in project.ledger.moves(plan_ref(endpoint)):
        if move.new is None:
            path = []
        elif move.new in path:
            path = path[: path.index(move.new) + 1]
        elif len(project.load(move.new, RoutingPlan).arms) == 1:
            path.append(move.new)
    return path


def withdraw(
    project: Project, release: Release, digest: Digest, why: str, verdict: Artifact | None
) -> None:
    """Let `latest` and `champion` go back where they still stand at a release that failed."""
    for ref, at in (
        (f"releases/{release.name}@latest", digest),
        (f"models/{release.name}@champion", release.model),
    ):
        moves = project.ledger.moves(ref)
        if moves and moves[-1].new == at and moves[-1].old is not None:
            project.roll_back(ref, why=why, verdict=verdict)


def judge(
    project: Project, endpoint: str, *, label: str | None = None, minimum_rows: int = 200
) -> tuple[Artifact, Verdict]:
    """The canary against the live arm, on what both were asked under the plan of now; kept as an artifact.

    Only that plan's traffic: an earlier stage had other shares at other times, and what differs
    between times must not be taken for a difference between releases.
    """
    canary = _required_canary(project, endpoint)
    plan = _required(project, endpoint).digest
    rows = read_segments(folder_of(project.folder, endpoint)).filter(pl.col("plan") == plan)
    # a request that was sent again is one request, and one that failed first has failed
    rows = rows.with_columns(pl.col("error").max().over("key", "row")).sort("key", "time")
    rows = rows.unique(["key", "row"], keep="last", maintain_order=True)
    verdict = judge_arms(
        rows.filter(pl.col("arm") == CANARY),
        rows.filter(pl.col("arm") == LIVE),
        columns=[name for name in rows.columns if name.startswith("feature.")],
        label=label,
        share=canary.weight,
        minimum_rows=minimum_rows,
    )
    about = {"endpoint": endpoint, "plan": plan, "release": canary.release}
    verdict = replace(verdict, evidence={**verdict.evidence, **about})
    return project.put(verdict), verdict


def _salt(project: Project, release: Digest) -> str:
    """Of the model alone: who committed a release, and when, decides nothing about who is asked."""
    return project.load(release, Release).model


def _gate(project: Project, release: Artifact) -> Artifact | None:
    verdicts = project.load(release, Release).verdicts
    return project.resolve(verdicts[0]) if verdicts else None


def _move(
    project: Project,
    plan: RoutingPlan,
    verdict: Artifact | None,
    why: str,
    *,
    signed: bool = False,
    old: Digest | str | None = "now",
) -> None:
    project.move(
        plan_ref(plan.endpoint),
        project.put(plan).digest,
        why=why,
        verdict=verdict,
        signed=signed,
        old=old,
    )


def _required(project: Project, endpoint: str) -> State:
    now = state(project, endpoint)
    if now is None:
        raise NotRecorded(f"no endpoint {endpoint!r}", hint=f"tricord rollout start {endpoint}")
    return now


def _required_canary(project: Project, endpoint: str) -> Arm:
    now = _required(project, endpoint)
    if now.canary is None:
        raise NotRecorded(
            f"no rollout is under way at {endpoint}", hint=f"tricord rollout start {endpoint}"
        )
    return now.canary
