"""Judging two arms of live traffic, at any moment and as often as one likes.

A test made for one look, repeated each minute, rolls back a third of all healthy releases. Here the
evidence is an e-process: a ratio of likelihoods whose chance of ever reaching 1/alpha is at most alpha
where the arms do not differ (Ville's inequality), so looking again costs nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from tricord.checks.drift import DriftLimits, column_effects
from tricord.checks.significance import Floats, Ints
from tricord.core.canonical import JSON
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.data.numbers import recorded, rounded
from tricord.data.statistics import profile
from tricord.data.types import missing

QUESTION = "canary against live"
_PRIOR = 4.0  # weight, in rows, of the prior around the expected share
_BINS = 8  # numeric columns are judged on so many quantile bins of the live arm's first rows
_FIRST = 400  # rows of the live arm that fix the bins: they must not move with what is judged
_TOP = 20  # values of a categorical column that are judged one by one


def log_evidence(treated: Ints, control: Ints, share: float | None) -> float:
    """Log of the e-process against "each row's arm does not depend on its cell".

    Counts per cell, shape (cells,): of n rows in a cell, treated ones are binomial with the arm's share of the traffic, against
    a Beta mixture of other shares: the multinomial test of Lindon and Malek (2020, arXiv 2011.03567), which
    has two cells per row here, arm by arm. Where `share` is None its likelihood is maximised, which can only
    lower the evidence (universal inference: Wasserman et al. 2020, PNAS 117:16880).
    """
    n = int(treated.sum() + control.sum())
    if not n:
        return 0.0
    rho = float(treated.sum()) / n if share is None else share
    prior = (1.0, 1.0) if share is None else (_PRIOR * share, _PRIOR * (1 - share))
    mixture = sum(
        _log_beta(prior[0] + t, prior[1] + c) - _log_beta(*prior)
        for t, c in zip(treated.tolist(), control.tolist(), strict=True)
    )
    return mixture - _times_log(int(treated.sum()), rho) - _times_log(int(control.sum()), 1 - rho)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(count: int, share: float) -> float:
    return count * math.log(share) if count else 0.0


def compare_rates(
    treated: tuple[int, int], control: tuple[int, int], expected_share: float | None = None
) -> float:
    """p-value, valid at every look, that both arms have the same rate; (bad rows, all rows) of each arm.

    With `expected_share`, the share of the traffic that is sent to the treated arm at random, only the bad rows are
    looked at: without a difference they fall into the arms as the traffic does, whatever the rate does over time.
    Without it the good rows stand for the traffic.

    >>> compare_rates((30, 600), (54, 5400), 0.1) < 0.001
    True
    """
    bad = np.array([treated[0]]), np.array([control[0]])
    if expected_share is not None:
        return math.exp(-max(0.0, log_evidence(bad[0], bad[1], expected_share)))
    t = np.array([treated[0], treated[1] - treated[0]])
    c = np.array([control[0], control[1] - control[0]])
    return math.exp(-max(0.0, log_evidence(t, c, None)))


def judge_arms(
    canary: pl.DataFrame,
    live: pl.DataFrame,
    *,
    columns: Sequence[str],
    error: str = "error",
    score: str = "score",
    label: str | None = None,
    share: float | None = None,
    alpha: float = 0.01,
    minimum_rows: int = 200,
    limits: DriftLimits | None = None,
) -> Verdict:
    """The canary's judge. Rows of the prediction log in the order of time, split between the arms at random.

    - Errors: fails where the canary's rate is higher, at `alpha` over all looks.
    - Features (`columns`), values and share of nulls: the same traffic must look the same in both arms, so a
      difference of at least `limits` that chance does not explain (at `alpha` over all columns and looks) fails.
      A feature that is stale or missing in one release shows here, before any label arrives.
    - Quality, where `label` is given and known: fails where the canary's Brier score is worse, at `alpha` over all looks.
    - Scores: their distributions are recorded; a new model may well score differently.

    `error` is a column of booleans, or of texts that are null without an error. `share` is the canary's share
    of the traffic where the routing plan fixed it. A failure counts at any size; otherwise the
    verdict is undecided until each arm has `minimum_rows`. Everything asks to stop.
    """
    if not canary.height or not live.height:  # nothing to compare: no check has passed
        few = _too_few(canary.height, live.height, minimum_rows)
        return Verdict(
            "canary", QUESTION, (few,), {"rows": canary.height, "live_rows": live.height}
        )
    limits = limits or DriftLimits()
    checks = [_errors(canary, live, error, share, alpha)]
    judged = [name for name in columns if name in canary.columns and name in live.columns]
    checks += [_absent(name, canary) for name in columns if name not in judged]
    for name in judged:
        checks.append(
            _feature(canary[name], live[name], share, alpha / max(1, len(judged)), limits)
        )
    if label is not None and {label, score} <= set(canary.columns) & set(live.columns):
        checks.append(_quality(canary, live, label, score, alpha))
    if min(canary.height, live.height) < minimum_rows:
        checks.append(_too_few(canary.height, live.height, minimum_rows))
    evidence: dict[str, JSON] = {"rows": canary.height, "live_rows": live.height}
    if score in canary.columns and score in live.columns:
        evidence["scores"] = _scores(canary[score], live[score])
    return Verdict("canary", QUESTION, tuple(checks), evidence)


def _failed(column: pl.Series) -> int:
    """Rows with an error: true, not zero, or a text that is not empty."""
    if column.dtype == pl.Null:
        return 0
    if column.dtype == pl.String:
        return int((column.fill_null("") != "").sum())
    return int(column.cast(pl.Boolean).fill_null(value=False).sum())


def _errors(
    canary: pl.DataFrame, live: pl.DataFrame, error: str, share: float | None, alpha: float
) -> Check:
    if error not in canary.columns or error not in live.columns:
        return _absent(error, canary)
    bad, total = _failed(canary[error]), canary.height
    live_bad, live_total = _failed(live[error]), live.height
    p = compare_rates((bad, total), (live_bad, live_total), share)
    rate, live_rate = bad / max(1, total), live_bad / max(1, live_total)
    worse = p <= alpha and rate > live_rate
    return Check(
        name="error rate of the arms",
        outcome=Outcome.FAIL if worse else Outcome.PASS,
        message=f"errors: canary {bad:,} of {total:,} ({rate:.2%}), live {live_bad:,} of "
        f"{live_total:,} ({live_rate:.2%}), p {p:.2g}",
        code="error-rate",
        path=error,
        observed=rounded(rate - live_rate),
        limit=alpha,
        evidence={
            "p": rounded(p),
            "canary": [bad, total],
            "live": [live_bad, live_total],
        },
    )


def _absent(name: str, canary: pl.DataFrame) -> Check:
    arm = "live" if name in canary.columns else "canary"
    return Check(
        name="column recorded",
        outcome=Outcome.FAIL,
        message=f"column {name!r} is not in the log of the {arm} arm",
        code="column-missing",
        path=name,
    )


def _feature(
    canary: pl.Series, live: pl.Series, share: float | None, alpha: float, limits: DriftLimits
) -> Check:
    """Large enough to matter (the room's own effects) and beyond chance at every look (the e-process)."""
    treated, control = _cells(canary, live)
    p = math.exp(-max(0.0, log_evidence(treated, control, share)))
    before = profile(live.to_frame())[live.name]
    now = profile(canary.to_frame(), edges=profile(live.to_frame()))[canary.name]
    few = replace(limits, resamples=16)  # the size of the effects is wanted, not their chance
    effects = column_effects(now, before, few) if before.family == now.family else []
    large = [effect for effect in effects if effect.observed >= effect.minimum]
    other_type = before.family != now.family and bool(before.values and now.values)
    differs = other_type or (p <= alpha and bool(large))
    sizes = ", ".join(f"{effect.name} {effect.observed:.3f}" for effect in large or effects)
    what = f"is {now.dtype} in the canary, {before.dtype} live" if other_type else sizes or "equal"
    return Check(
        name="feature equal in both arms",
        outcome=Outcome.FAIL if differs else Outcome.PASS,
        message=f"{live.name}{' differs between the arms' if differs else ''}: {what}, p {p:.2g}",
        code="feature-skew",
        path=live.name,
        observed=rounded(p),
        limit=rounded(alpha),
        evidence={
            "effects": {effect.name: rounded(effect.observed) for effect in effects},
            "minimum": {effect.name: effect.minimum for effect in effects},
            "mean": now.mean,
            "live_mean": before.mean,
            "null_share": rounded(now.missing / max(1, now.count)),
            "live_null_share": rounded(before.missing / max(1, before.count)),
        },
    )


def _cells(canary: pl.Series, live: pl.Series) -> tuple[Ints, Ints]:
    """Counts of both arms in the same cells: missing, and quantile bins or frequent values as the live
    arm's first rows have them."""
    gone = missing(canary), missing(live)
    some, first = canary.filter(~gone[0]), live.filter(~gone[1])
    nulls = [int(gone[0].sum())], [int(gone[1].sum())]
    if first.dtype.is_numeric() and some.dtype.is_numeric():
        x, y = some.cast(pl.Float64).to_numpy(), first.cast(pl.Float64).to_numpy()
        inner = np.arange(1, _BINS) / _BINS
        edges = np.unique(np.quantile(y[:_FIRST], inner, method="lower")) if len(y) else np.empty(0)
        counts = [
            np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
            for values in (x, y)
        ]
    else:
        x, y = some.cast(pl.String), first.cast(pl.String)
        frequent = y.head(_FIRST).value_counts(sort=True).sort(
            ["count", y.name], descending=[True, False]
        )[y.name].head(_TOP)  # fmt: skip
        counts = [_value_counts(values, frequent) for values in (x, y)]
    return (
        np.concatenate((np.asarray(nulls[0], np.int64), counts[0])),
        np.concatenate((np.asarray(nulls[1], np.int64), counts[1])),
    )


def _value_counts(values: pl.Series, frequent: pl.Series) -> Ints:
    """Counts of the frequent values, and of all others together."""
    counted = dict(values.value_counts().rows())
    known = [int(counted.get(value, 0)) for value in frequent]
    return np.asarray([*known, len(values) - sum(known)], np.int64)


def _quality(
    canary: pl.DataFrame, live: pl.DataFrame, label: str, score: str, alpha: float
) -> Check:
    """Mean squared error of the scores, arm against arm, by an asymptotic confidence sequence
    (Waudby-Smith et al. 2024, Annals of Statistics 52:2613, eq. 5): valid over all looks for large samples."""
    losses = [_losses(arm, label, score) for arm in (canary, live)]
    sizes = [len(loss) for loss in losses]
    if min(sizes) < 30:
        return Check(
            name="Brier score of the arms",
            outcome=Outcome.PASS,
            message=f"labels known: canary {sizes[0]:,}, live {sizes[1]:,}; too few to compare",
            code="quality",
            path=score,
            evidence={"labels": sizes[0], "live_labels": sizes[1]},
        )
    means = [float(loss.mean()) for loss in losses]
    variance = sum(float(loss.var(ddof=1)) / len(loss) for loss in losses)
    low = means[0] - means[1] - sequence_radius(variance, sum(sizes), 2 * alpha)
    worse = low > 0
    return Check(
        name="Brier score of the arms",
        outcome=Outcome.FAIL if worse else Outcome.PASS,
        message=f"Brier score: canary {means[0]:.4f}, live {means[1]:.4f}"
        f"{', worse at every look' if worse else ''}",
        code="quality",
        path=score,
        observed=rounded(means[0] - means[1]),
        limit=0.0,
        evidence={"labels": sizes[0], "live_labels": sizes[1], "lower_bound": rounded(low)},
    )


def sequence_radius(variance: float, n: int, alpha: float, tuned: int = 1_000) -> float:
    """Half-width, valid over all looks, around an estimate with this variance from n rows; narrowest at
    about `tuned` rows.

    >>> sequence_radius(1e-4, 1_000, 0.05) > 1.96 * 1e-2
    True
    """
    rho = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / tuned
    scale = n * rho
    return math.sqrt(variance * 2 * (scale + 1) / scale * math.log(math.sqrt(scale + 1) / alpha))


def _losses(arm: pl.DataFrame, label: str, score: str) -> Floats:
    known = arm.select(pl.col(label).cast(pl.Float64), pl.col(score).cast(pl.Float64)).drop_nulls()
    return np.square(known[score].to_numpy() - known[label].to_numpy())


def _scores(canary: pl.Series, live: pl.Series) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for arm, column in (("canary", canary), ("live", live)):
        values = column.cast(pl.Float64).drop_nulls()
        points = [values.quantile(q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
        found[arm] = {
            "rows": len(values),
            "mean": recorded(float(values.mean() or 0.0)) if len(values) else None,  # pyright: ignore[reportArgumentType]
            "quantiles": [recorded(point) for point in points],
        }
    return found


def _too_few(rows: int, live: int, minimum: int) -> Check:
    return Check(
        name="enough rows",
        outcome=Outcome.UNDECIDED,
        message=f"canary {rows:,} rows, live {live:,}: at least {minimum:,} of each are needed",
        code="too-few-rows",
        observed=min(rows, live),
        limit=minimum,
    )
