"""Is an endpoint still as good as its release was at the gate? Drift, quality and calibration."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from tricord.checks.drift import DriftLimits, compare
from tricord.checks.evaluate import FEW
from tricord.checks.metrics import auc, calibration
from tricord.checks.significance import Floats
from tricord.core.artifact import Artifact
from tricord.core.canonical import JSON
from tricord.core.errors import NotRecorded
from tricord.core.event import EventType
from tricord.core.release import Release
from tricord.core.verdict import Action, Check, Outcome, Verdict
from tricord.data.numbers import rounded
from tricord.data.statistics import Statistics
from tricord.models.package import Model
from tricord.project.project import Project
from tricord.serving.plan import RoutingPlan
from tricord.serving.state import plan_ref

QUESTION = "health"


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """When a live model is no longer good enough.

    `auc_drop`: by how much its AUC may lie below that of its gate, before the confidence interval
    is considered. `calibration`: difference of observed and predicted rate that matters. Drift of a
    feature alone is a warning unless `drift_retrains`: it says that the world has moved, quality says
    whether that hurts. `minimum_rows`: with fewer labelled rows quality is not judged.
    """

    auc_drop: float = 0.02
    calibration: float = 0.03
    drift: DriftLimits = field(default_factory=DriftLimits)
    drift_retrains: bool = False
    minimum_rows: int = 200


def live_release(project: Project, endpoint: str) -> tuple[Artifact, Release]:
    """The release that an endpoint serves; of several arms, the live one."""
    digest = project.ledger.ref(plan_ref(endpoint))
    if digest is None:
        raise NotRecorded(f"no endpoint {endpoint!r}", hint=f"tricord rollout start {endpoint}")
    arms = project.load(digest, RoutingPlan).arms
    arm = next((arm for arm in arms if arm.name == "live"), arms[0])
    artifact = project.resolve(arm.release)
    return artifact, project.load(artifact, Release)


def judge(
    project: Project,
    endpoint: str,
    rows: pl.DataFrame,
    outcomes: pl.DataFrame | None = None,
    *,
    label: str = "label",
    limits: HealthLimits | None = None,
) -> tuple[Artifact, Verdict]:
    """Judge a window of the log, keep the verdict, and raise an alert where it fails.

    Only the live release's own answers count: those of a canary or of an earlier release are left out.
    `outcomes` has the columns `key` and `label` (boolean or 0/1; null where there is none yet).
    """
    limits = limits or HealthLimits()
    artifact, release = live_release(project, endpoint)
    rows = rows.filter(pl.col("error").is_null(), pl.col("release") == artifact.digest)
    checks: list[Check] = []
    evidence: dict[str, JSON] = {"release": artifact.digest, "rows": rows.height}
    checks += _drift(project, release, rows, limits, evidence)
    if outcomes is not None:
        checks += _quality(project, release, rows, outcomes, label, limits, evidence)
    verdict = Verdict(endpoint, QUESTION, tuple(checks), evidence)
    kept = project.put(verdict)
    if verdict.outcome == Outcome.FAIL:
        actions = sorted({str(check.action) for check in verdict.having(Outcome.FAIL)})
        body: Mapping[str, JSON] = {
            "verdict": kept.digest,
            "summary": verdict.summary(),
            "actions": actions,
        }
        project.append_event(EventType.ALERT_RAISED, endpoint, body)
    return kept, verdict


def _drift(
    project: Project,
    release: Release,
    rows: pl.DataFrame,
    limits: HealthLimits,
    evidence: dict[str, JSON],
) -> list[Check]:
    if release.reference is None:
        return []
    reference = project.load(release.reference, Statistics)
    served = {
        name: name.removeprefix("feature.") for name in rows.columns if name.startswith("feature.")
    }
    current = rows.select(list(served)).rename(served)
    # what the model takes, served or not: a feature that is gone is the worst drift of all
    taken = project.load(release.model, Model).signature.names
    columns = [name for name in reference.names if name in taken]
    found = compare(current, reference, limits=limits.drift, subject=release.name, columns=columns)
    evidence["drifted"] = found.evidence.get("drifted", [])
    if limits.drift_retrains:
        return list(found.checks)
    return [
        replace(check, outcome=Outcome.WARN)
        if check.outcome == Outcome.FAIL and check.action == Action.RETRAIN
        else check
        for check in found.checks
    ]


def _quality(
    project: Project,
    release: Release,
    rows: pl.DataFrame,
    outcomes: pl.DataFrame,
    label: str,
    limits: HealthLimits,
    evidence: dict[str, JSON],
) -> list[Check]:
    # a label that was corrected later counts once, as it was last
    told = outcomes.select("key", label).drop_nulls(label).unique("key", keep="last")
    known = rows.join(told, on="key", how="inner", maintain_order="left")
    evidence["labelled"] = known.height
    truth = known[label].cast(pl.Float64).to_numpy()
    rarer = int(min(truth.sum(), known.height - truth.sum()))
    if known.height < limits.minimum_rows or rarer < FEW:
        message = (
            f"{known.height} labelled rows, {rarer} of the rarer class: too few to judge quality"
        )
        return [
            Check("labels", Outcome.UNDECIDED, message, "too-few-labels", observed=known.height)
        ]
    scores = known["score"].to_numpy()
    return [
        _discrimination(project, release, truth, scores, limits, evidence),
        _calibration(truth, scores, limits, evidence),
    ]


def _discrimination(
    project: Project,
    release: Release,
    truth: Floats,
    scores: Floats,
    limits: HealthLimits,
    evidence: dict[str, JSON],
) -> Check:
    found = auc(truth, scores)
    value, interval = float(found.values[0]), found.interval()
    evidence["auc"], evidence["auc_interval"] = rounded(value), [rounded(end) for end in interval]
    expected = _gate_auc(project, release)
    floor = (expected if expected is not None else 0.5) - limits.auc_drop
    bad = interval[1] < floor
    against = f"{expected:.3f} at its gate" if expected is not None else "0.5 by chance"
    return Check(
        "AUC served",
        Outcome.FAIL if bad else Outcome.PASS,
        f"AUC {value:.3f} against {against}",
        "auc-dropped",
        path="auc",
        observed=rounded(value),
        limit=rounded(floor),
        interval=(rounded(interval[0]), rounded(interval[1])),
        level=0.95,
        action=Action.RETRAIN,
    )


def _calibration(
    truth: Floats, scores: Floats, limits: HealthLimits, evidence: dict[str, JSON]
) -> Check:
    found = calibration(truth, scores)[0]
    evidence["observed_rate"] = rounded(found.observed)
    evidence["predicted_rate"] = rounded(found.predicted)
    low, high = found.interval
    gap = found.observed - found.predicted
    significant = not low <= found.predicted <= high
    bad = significant and abs(gap) > limits.calibration
    return Check(
        "calibration",
        Outcome.FAIL if bad else Outcome.PASS,
        f"{found.observed:.1%} observed, {found.predicted:.1%} predicted",
        "calibration-off",
        path="rate",
        observed=rounded(gap),
        limit=limits.calibration,
        interval=(rounded(low - found.predicted), rounded(high - found.predicted)),
        level=0.95,
        action=Action.RETRAIN,
    )


def _gate_auc(project: Project, release: Release) -> float | None:
    for digest in release.verdicts:
        value = project.load(digest, Verdict).evidence.get("auc")
        if isinstance(value, int | float):
            return float(value)
    return None
