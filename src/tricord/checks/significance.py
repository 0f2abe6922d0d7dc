"""How surprising is that by chance: intervals, tail probabilities, many questions at once.

Numpy and the standard library only; each formula names its source.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NORMAL = NormalDist()


def upper_tail(z: float) -> float:
    """P(Z >= z) of a standard normal, exact far out in the tail too.

    >>> round(upper_tail(1.959963985), 6)
    0.025
    """
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def quantile(p: float) -> float:
    """The standard normal's quantile, 0 < p < 1."""
    return _NORMAL.inv_cdf(p)


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a share (Wilson 1927, JASA 22:209): good at 0, at 1 and for few trials.

    >>> [round(x, 4) for x in wilson(0, 10)]
    [0.0, 0.2775]
    """
    if not trials:
        return 0.0, 1.0
    z = quantile(0.5 + level / 2)
    p, w = successes / trials, z * z / trials
    centre = (p + w / 2) / (1 + w)
    half = math.sqrt(p * (1 - p) * w + w * w / 4) / (1 + w)
    return max(0.0, centre - half), min(1.0, centre + half)


def benjamini_hochberg(p: Sequence[float], alpha: float) -> tuple[list[bool], list[float]]:
    """Which hypotheses are rejected at false-discovery rate `alpha`, and each one's adjusted p
    (Benjamini, Hochberg 1995, JRSS B 57:289).

    >>> benjamini_hochberg([0.001, 0.5, 0.02], 0.05)[0]
    [True, False, True]
    """
    if not p:
        return [], []
    order = np.argsort(np.asarray(p), kind="stable")
    ranks = np.arange(1, len(p) + 1)
    scaled = np.asarray(p)[order] * len(p) / ranks
    adjusted = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    result = np.empty(len(p))
    result[order] = adjusted
    return [bool(q <= alpha) for q in result], [float(q) for q in result]


_SMALL = 256
_TABLE: Floats = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, _SMALL)))))


def log_factorial(n: Ints) -> Floats:
    """ln n! of an array: a table below 256, Stirling's series above (error below 1e-12)."""
    x = np.maximum(n, 1).astype(np.float64)
    series = x * np.log(x) - x + 0.5 * np.log(2 * np.pi * x) + 1 / (12 * x) - 1 / (360 * x**3)
    return np.where(n < _SMALL, _TABLE[np.minimum(n, _SMALL - 1)], series)


def shares_differ(a: int, n: int, b: int, m: int) -> float:
    """Two-sided p-value that a/n and b/m are shares of one and the same rate: Fisher's exact test
    (all tables at most as likely as the one seen).

    >>> round(shares_differ(3, 4, 1, 4), 4)
    0.4857
    """
    hits = a + b
    low, high = max(0, hits - m), min(hits, n)
    if low == high:
        return 1.0
    x = np.arange(low, high + 1)
    parts = log_factorial(x) + log_factorial(hits - x) + log_factorial(n - x) + log_factorial(m - hits + x)  # fmt: skip
    logs = -parts
    weights = np.exp(logs - logs.max())
    seen = weights[a - low]
    return float(min(1.0, weights[weights <= seen * (1 + 1e-9)].sum() / weights.sum()))


def binomial_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) of n trials with success rate p.

    >>> round(binomial_tail(2, 3, 0.5), 4)
    0.5
    """
    if k <= 0 or p >= 1.0:
        return 1.0
    if p <= 0.0:
        return 0.0
    x = np.arange(k, n + 1)
    logs = log_factorial(np.asarray([n])) - log_factorial(x) - log_factorial(n - x)
    logs = logs + x * math.log(p) + (n - x) * math.log1p(-p)
    return float(min(1.0, np.exp(logs).sum()))


TAIL = 0.05  # the upper part of resampled effects that stands for what lies beyond them


def resampled_tail(observed: float, null: Floats) -> float:
    """P(effect >= observed) given effects resampled without drift, also far beyond the largest.

    Counting alone cannot go below 1/(draws + 1), which no correction for many columns survives. So
    where fewer than ten draws reach the observed effect, the upper twentieth of the draws is continued
    by an exponential (a generalized Pareto tail of shape 0, as Knijnenburg et al. 2009,
    Bioinformatics 25:i161, do for permutations). Distances fall off faster, so this errs towards no alarm.
    """
    reached = int(np.count_nonzero(null >= observed))
    counted = (reached + 1) / (len(null) + 1)
    beyond = max(2, round(TAIL * len(null)))
    if reached >= 10 or len(null) <= beyond:
        return counted
    top = np.sort(null)[-beyond - 1 :]
    excess = float(top[1:].mean() - top[0])
    if excess <= 0.0:
        return counted
    return min(counted, beyond / len(null) * math.exp(-max(0.0, observed - float(top[0])) / excess))
