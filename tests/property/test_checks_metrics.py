"""The quick formulas against the slow and plain ones."""

from fractions import Fraction
from math import comb

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.checks.effects import Histogram, wasserstein
from tricord.checks.metrics import auc, midranks
from tricord.checks.significance import binomial_tail, shares_differ
from tricord.data.statistics import profile

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1)


@given(st.lists(st.tuples(st.booleans(), SCORES), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, float]]) -> None:
    up = [score for label, score in rows if label]
    down = [score for label, score in rows if not label]
    if not up or not down:
        return
    wins = sum(Fraction(2 * (u > d) + (u == d), 2) for u in up for d in down)
    labels, scores = (np.array(column, float) for column in zip(*rows, strict=True))
    assert abs(auc(labels, scores).values[0] - float(wins / (len(up) * len(down)))) < 1e-12


@given(st.lists(SCORES, min_size=1, max_size=40))
def test_midranks_are_mean_positions(values: list[float]) -> None:
    ordered = sorted(values)
    expected = [ordered.index(value) + 1 + (ordered.count(value) - 1) / 2 for value in values]
    assert midranks(np.array(values)).tolist() == expected


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_fishers_test_adds_up_all_tables(a: int, b: int, more: int, rest: int) -> None:
    n, m = a + more, b + rest
    hits = a + b
    tables = [comb(n, x) * comb(m, hits - x) for x in range(max(0, hits - m), min(n, hits) + 1)]
    seen = comb(n, a) * comb(m, b)
    expected = sum(table for table in tables if table <= seen) / sum(tables)
    assert abs(shares_differ(a, n, b, m) - expected) < 1e-9


@given(st.integers(0, 20), st.integers(0, 20), st.floats(0.01, 0.99))
def test_binomial_tails_add_up(k: int, n: int, p: float) -> None:
    expected = sum(comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(k, n + 1))
    assert abs(binomial_tail(k, n, p) - min(1.0, expected)) < 1e-9


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(-20, 20), min_size=5, max_size=60),
    st.lists(st.integers(-20, 20), min_size=5, max_size=60),
)
def test_wasserstein_on_edges_is_exact_for_few_values(old: list[int], new: list[int]) -> None:
    reference = profile(pl.DataFrame({"x": old}))
    current = profile(pl.DataFrame({"x": new}), edges=reference)["x"]
    kept = reference["x"]
    both = Histogram(np.array(current.bins), np.array(kept.bins), np.diff(kept.edges))
    # what is beyond the reference's values counts as lying on them, between them on the next above
    values = sorted(set(old))
    snapped = [min((v for v in values if v >= x), default=values[-1]) for x in new]
    grid = np.array(values, float)
    cdf = [
        np.searchsorted(np.sort(sample), grid, side="right") / len(sample)
        for sample in (snapped, old)
    ]
    expected = (np.abs(cdf[0] - cdf[1])[:-1] * np.diff(grid)).sum()
    assert abs(float(wasserstein(both)) - expected) < 1e-9
