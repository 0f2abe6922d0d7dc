"""Metrics with their uncertainty. Labels are 0 or 1, scores probabilities; both float64 of shape (rows,)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tricord.checks.significance import Floats, Ints, quantile, upper_tail, wilson

_EPSILON = 1e-15  # keeps the log loss of a wrong certainty finite


def midranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs. Shape (rows,).

    >>> midranks(np.array([0.2, 0.1, 0.2])).tolist()
    [2.5, 1.0, 2.5]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    sizes = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks


@dataclass(frozen=True, slots=True)
class AUC:
    """Areas under the ROC curve of one or two scores over the same rows, and their covariances."""

    values: Floats  # shape (scores,)
    covariance: Floats  # shape (scores, scores)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The first score's confidence interval, on the logit scale so that it stays within 0 and 1."""
        a, error = float(self.values[0]), math.sqrt(max(float(self.covariance[0, 0]), 0.0))
        if not 0.0 < a < 1.0:
            return a, a
        centre = math.log(a / (1 - a))
        half = quantile(0.5 + level / 2) * error / (a * (1 - a))
        return 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))

    def difference(self, level: float = 0.95) -> tuple[float, float, float, float]:
        """First less second: the difference, its interval's ends, and its standard error."""
        delta = float(self.values[0] - self.values[1])
        c = self.covariance
        error = math.sqrt(max(float(c[0, 0] + c[1, 1] - 2 * c[0, 1]), 0.0))
        half = quantile(0.5 + level / 2) * error
        return delta, delta - half, delta + half, error


def auc(labels: Floats, *scores: Floats) -> AUC:
    """AUC with DeLong's covariances (DeLong et al. 1988, Biometrics 44:837) by midranks in
    O(n log n) (Sun, Xu 2014, IEEE Signal Processing Letters 21:1389). Needs both classes.

    >>> auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])).values.tolist()
    [0.75]
    """
    positive = labels == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise ValueError("an AUC needs rows of both classes")
    ups, downs = np.empty((len(scores), m)), np.empty((len(scores), n))
    values = np.empty(len(scores))
    for row, score in enumerate(scores):
        ranks = midranks(score)
        ups[row] = (ranks[positive] - midranks(score[positive])) / n
        downs[row] = 1 - (ranks[~positive] - midranks(score[~positive])) / m
        values[row] = (ranks[positive].sum() - m * (m + 1) / 2) / (m * n)
    return AUC(values, _covariance(ups) / m + _covariance(downs) / n)


def _covariance(rows: Floats) -> Floats:
    """Covariances of the rows of an array of shape (scores, n); 0 for a single column."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return (centred @ centred.T) / max(1, rows.shape[1] - 1)


def log_losses(labels: Floats, scores: Floats) -> Floats:
    """Log loss of each row in nats. A wrong certainty costs 34.5, not infinity."""
    p = np.clip(scores, _EPSILON, 1 - _EPSILON)
    return -np.where(labels == 1, np.log(p), np.log1p(-p))


def brier(labels: Floats, scores: Floats) -> float:
    """Mean squared difference of probability and outcome (Brier 1950): 0 is best."""
    return float(np.square(scores - labels).mean())


def rmse(truth: Floats, estimates: Floats) -> float:
    """Root of the mean squared error, in the target's unit."""
    return math.sqrt(float(np.square(estimates - truth).mean()))


def mae(truth: Floats, estimates: Floats) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.abs(estimates - truth).mean())


@dataclass(frozen=True, slots=True)
class Calibration:
    """Mean predicted probability against the observed rate, whose interval is Wilson's, over `rows`."""

    predicted: float
    observed: float
    interval: tuple[float, float]
    rows: int


def calibration(labels: Floats, scores: Floats, *, bins: int = 1) -> list[Calibration]:
    """Calibration over all rows, or in `bins` groups of about equal size by score.

    Rows of equal score may be split between two groups; their order decides, so it is reproducible.
    """
    order = np.argsort(scores, kind="stable")
    found: list[Calibration] = []
    for part in np.array_split(order, bins):
        if not len(part):
            continue
        hits = int(labels[part].sum())
        mean = float(scores[part].mean())
        found.append(Calibration(mean, hits / len(part), wilson(hits, len(part)), len(part)))
    return found


def expected_calibration_error(groups: Sequence[Calibration]) -> float:
    """Mean distance of predicted and observed over the groups, weighted by their rows."""
    rows = sum(group.rows for group in groups)
    return sum(abs(g.predicted - g.observed) * g.rows for g in groups) / rows


_BLOCK = 2_000_000  # weights held at once
_STEPS = 1 << 16


def paired_bootstrap(
    differences: Floats, *, level: float = 0.95, draws: int = 400, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of paired differences and its percentile interval by the Poisson bootstrap: each draw weighs
    each row by Poisson(1) (Hanley, MacGibbon 2006; Chamandy et al. 2012). Shape (rows,) in.

    Weights come from 16-bit random numbers through a table, exact to 1/65,536: ten times as fast.
    """
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(9)])
    table = np.searchsorted(cumulative, (np.arange(_STEPS) + 0.5) / _STEPS).astype(np.uint8)
    n = len(differences)
    # the differences and ones side by side: one product gives the sums and the weights' totals
    sides = np.column_stack((differences, np.ones(n)))
    means: list[Floats] = []
    block = max(1, _BLOCK // n)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        weights = table[rng.integers(0, _STEPS, size=(size, n), dtype=np.uint16)]
        sums = weights.astype(np.float64) @ sides
        means.append(sums[:, 0] / np.maximum(sums[:, 1], 1.0))
    low, high = np.quantile(np.concatenate(means), [0.5 - level / 2, 0.5 + level / 2])
    return float(differences.mean()), float(low), float(high)


def worse_than(difference: float, error: float, margin: float) -> float:
    """One-sided p-value for "the first is worse by more than the margin": small where it is.

    `difference` is first less second of a metric where more is better, `error` its standard error.
    """
    if error <= 0.0:
        return 0.0 if difference < -margin else 1.0
    return upper_tail(-(difference + margin) / error)


def group_rows(codes: Ints, groups: int) -> list[Ints]:
    """Row numbers of each group, ascending, for codes of shape (rows,) in 0 … groups - 1."""
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=groups))
    return np.split(order, ends[:-1])
