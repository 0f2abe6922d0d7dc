import math

import numpy as np
import pytest

from tricord.checks.significance import (
    benjamini_hochberg,
    log_factorial,
    quantile,
    resampled_tail,
    shares_differ,
    upper_tail,
    wilson,
)


def test_log_factorials_agree_with_the_gamma_function() -> None:
    n = np.array([0, 1, 2, 10, 255, 256, 1_000, 10**6])
    expected = [math.lgamma(value + 1) for value in n.tolist()]
    np.testing.assert_allclose(log_factorial(n), expected, rtol=1e-13, atol=1e-13)


def test_the_normal_distribution_far_out() -> None:
    assert upper_tail(10.0) == pytest.approx(7.619853024e-24)
    assert quantile(0.975) == pytest.approx(1.959963985)


def test_fishers_exact_test_on_the_lady_tasting_tea() -> None:
    assert shares_differ(4, 4, 0, 4) == pytest.approx(2 / 70)
    assert shares_differ(0, 10, 0, 10) == 1.0
    assert shares_differ(8, 14, 1, 10) == pytest.approx(0.03335, abs=1e-4)


def test_wilsons_interval_on_newcombes_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17:857, table I: 81 of 263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_example_of_benjamini_and_hochberg() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert sum(benjamini_hochberg(p, 0.05)[0]) == 4
    assert benjamini_hochberg([], 0.05) == ([], [])


def test_the_tail_beyond_the_draws_errs_towards_no_alarm() -> None:
    draws = np.abs(np.random.default_rng(0).normal(size=4_000))
    assert resampled_tail(1.0, draws) == pytest.approx(0.317, abs=0.03)
    for z in (3.5, 4.5, 6.0):
        assert resampled_tail(z, draws) >= 2 * upper_tail(z)
    assert resampled_tail(6.0, draws) < 1e-4
