import numpy as np
import pytest

from tricord.checks.metrics import (
    auc,
    brier,
    calibration,
    expected_calibration_error,
    log_losses,
    mae,
    paired_bootstrap,
    rmse,
    worse_than,
)


def sample(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-x))).astype(float)
    return labels, 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-x - rng.normal(size=rows)))


def test_delongs_covariance_agrees_with_its_definition() -> None:
    labels, *scores = sample(60)
    ups, downs = [], []
    for score in scores:
        up, down = score[labels == 1], score[labels == 0]
        wins = (up[:, None] > down) + 0.5 * (up[:, None] == down)
        ups.append(wins.mean(axis=1))
        downs.append(wins.mean(axis=0))
    expected = np.cov(ups) / len(ups[0]) + np.cov(downs) / len(downs[0])
    np.testing.assert_allclose(auc(labels, *scores).covariance, expected, rtol=1e-12)


def test_the_interval_of_an_auc_covers_the_truth() -> None:
    truth = auc(*sample(200_000, seed=999)[:2]).values[0]
    inside = 0
    for seed in range(300):
        low, high = auc(*sample(200, seed)[:2]).interval()
        inside += low <= truth <= high
    assert 0.92 <= inside / 300 <= 0.98


def test_a_model_against_itself_differs_by_nothing() -> None:
    labels, score, _ = sample(100)
    assert auc(labels, score, score).difference() == (0.0, 0.0, 0.0, 0.0)


def test_a_perfect_score_and_a_constant_one() -> None:
    labels = np.array([0.0, 0, 1, 1])
    assert auc(labels, labels).interval() == (1.0, 1.0)
    assert auc(labels, np.full(4, 0.5)).values[0] == 0.5
    with pytest.raises(ValueError, match="both classes"):
        auc(np.ones(3), np.ones(3))


def test_losses_against_values_by_hand() -> None:
    labels, scores = np.array([1.0, 0.0]), np.array([0.8, 0.4])
    np.testing.assert_allclose(log_losses(labels, scores), [-np.log(0.8), -np.log(0.6)])
    assert brier(labels, scores) == pytest.approx(0.1)
    assert rmse(labels, scores) == pytest.approx(np.sqrt(0.1))
    assert mae(labels, scores) == pytest.approx(0.3)
    assert log_losses(np.array([1.0]), np.array([0.0]))[0] == pytest.approx(34.54, abs=0.01)


def test_calibration_in_groups() -> None:
    labels, scores, _ = sample(20_000)
    groups = calibration(labels, scores, bins=10)
    assert sum(group.rows for group in groups) == 20_000
    assert all(
        group.interval[0] - 0.02 < group.predicted < group.interval[1] + 0.02 for group in groups
    )
    assert expected_calibration_error(groups) < 0.02


def test_the_bootstrap_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(0.1, 1.0, size=5_000)
    mean, low, high = paired_bootstrap(values, draws=2_000)
    half = 1.96 / np.sqrt(5_000)
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.12 * half)
    assert paired_bootstrap(values, draws=2_000) == (mean, low, high)


def test_worse_by_more_than_a_margin() -> None:
    assert worse_than(-0.05, 0.01, 0.02) == pytest.approx(0.00135, abs=1e-5)
    assert worse_than(0.0, 0.0, 0.0) == 1.0
    assert worse_than(-0.1, 0.0, 0.0) == 0.0
