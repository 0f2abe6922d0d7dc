"""How far apart two histograms on the same bins are, and how far they would be without any drift.

Each measure takes one pair of histograms or a stack of redrawn pairs at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tricord.checks.significance import Floats, Ints, resampled_tail

_DECILES = np.arange(1, 10) / 10


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of both samples, int64 of shape (bins,) or (draws, bins), and the distances between
    the upper edges of neighbouring bins, of shape (bins - 2,): the outermost bin has none."""

    current: Ints
    reference: Ints
    widths: Floats

    def shares(self) -> tuple[Floats, Floats]:
        n, m = self.current.sum(-1, keepdims=True), self.reference.sum(-1, keepdims=True)
        return self.current / np.maximum(n, 1), self.reference / np.maximum(m, 1)

    def redraw(self, draws: int, seed: int) -> "Histogram":
        """Pairs of these two sizes as they come out where nothing has drifted: both samples are
        drawn from the two histograms pooled. Cost: draws × bins binomial numbers."""
        rng = np.random.default_rng(seed)
        pooled = self.current + self.reference
        share = pooled / pooled.sum()
        x = _multinomial(rng, int(self.current.sum()), share, draws)
        y = _multinomial(rng, int(self.reference.sum()), share, draws)
        return Histogram(x, y, self.widths)


_PLENTY = 5  # rows that a bin must expect for the normal limit to serve


def _multinomial(rng: np.random.Generator, n: int, share: Floats, draws: int) -> Ints:
    """Multinomial counts of shape (draws, bins), in the cheapest of three ways: few rows are drawn one by one, rare
    bins by binomials, and all other bins by the normal limit, which has the same means and covariances."""
    bins = len(share)
    if n <= bins:
        ladder = np.cumsum(share)
        drawn = np.searchsorted(ladder, rng.random(draws * n) * float(ladder[-1]), side="right")
        cells = np.minimum(drawn, bins - 1) + np.repeat(bins * np.arange(draws), n)
        return np.bincount(cells, minlength=draws * bins).reshape(draws, bins)
    plenty = n * share >= _PLENTY
    counts = np.zeros((draws, bins), np.int64)
    rare = np.append(share[~plenty], share[plenty].sum())
    found = rng.multinomial(n, rare / rare.sum(), size=draws)
    counts[:, ~plenty] = found[:, :-1]
    if plenty.any():
        left = found[:, -1:].astype(np.float64)
        p = share[plenty] / share[plenty].sum()
        z = rng.standard_normal((draws, len(p)))
        z -= (z @ np.sqrt(p))[:, None] * np.sqrt(p)
        counts[:, plenty] = np.maximum(np.rint(left * p + np.sqrt(left * p) * z), 0)
    return counts


Measure = Callable[[Histogram], Floats]


def no_drift(measure: Measure, both: Histogram, draws: int, seed: int, *, minimum: float) -> Floats:
    """The measure's values without drift: `draws` of them, ten times as many where the observed value is
    at least `minimum` and it is left in doubt how rare it is."""
    null = measure(both.redraw(draws, seed))
    if measure(both) >= minimum and 1e-6 < resampled_tail(float(measure(both)), null) < 0.05:
        null = np.concatenate((null, measure(both.redraw(9 * draws, seed + 1))))
    return null


def wasserstein(both: Histogram) -> Floats:
    """Wasserstein-1: the area between the distribution functions, which are exact at the edges
    (Vallender 1974, Theory Prob. Appl. 18:784). What lies beyond all edges counts as lying on the
    last one, so that a single wild value does not decide."""
    p, q = both.shares()
    return np.abs(np.cumsum(p - q, axis=-1))[..., :-2] @ both.widths


def jensen_shannon(both: Histogram) -> Floats:
    """Jensen-Shannon distance, base 2: 0 equal, 1 disjoint (Endres, Schindelin 2003, IEEE IT 49:1858)."""
    p, q = both.shares()
    middle = (p + q) / 2
    divergence = (_relative(p, middle) + _relative(q, middle)).sum(-1) / 2
    return np.sqrt(np.maximum(divergence, 0.0))


def largest_change(both: Histogram) -> Floats:
    """L∞: the largest change of one bin's share."""
    p, q = both.shares()
    return np.abs(p - q).max(-1)


def population_stability(both: Histogram) -> float:
    """Population stability index of one pair, for reading only: it has no sampling theory to judge by.

    Fine histograms are put together to tenths of the reference; half a row stands in for none.
    """
    x, y = both.current, both.reference
    if len(x) > 2 * len(_DECILES):
        below = np.cumsum(y) / max(1, int(y.sum()))
        starts = np.unique(np.concatenate(([0], np.searchsorted(below, _DECILES) + 1)))
        starts = starts[starts < len(x)]
        x, y = np.add.reduceat(x, starts), np.add.reduceat(y, starts)
    p = np.maximum(x, 0.5) / np.maximum(x, 0.5).sum()
    q = np.maximum(y, 0.5) / np.maximum(y, 0.5).sum()
    return float(((p - q) * np.log(p / q)).sum())


def _relative(p: Floats, q: Floats) -> Floats:
    """Terms of the relative entropy in bits; 0 where p is 0."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return p * np.log2(ratio)
