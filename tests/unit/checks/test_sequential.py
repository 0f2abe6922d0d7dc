import numpy as np
import polars as pl
import pytest

from tricord.checks.sequential import compare_rates, judge_arms
from tricord.core.canonical import encode
from tricord.core.verdict import Outcome, Verdict

MINUTES, RATE, SHARE = 60, 600, 0.1


def rollback_minute(rng: np.random.Generator, bad: float, share: float | None) -> int | None:
    """One hour of counts, looked at each minute: when the canary is rolled back."""
    arrived = rng.binomial(RATE, SHARE, size=MINUTES)
    failed, live_failed = rng.binomial(arrived, bad), rng.binomial(RATE - arrived, 0.01)
    for minute in range(1, MINUTES + 1):
        a, n = int(failed[:minute].sum()), int(arrived[:minute].sum())
        b, m = int(live_failed[:minute].sum()), RATE * minute - n
        if a / n > b / m and compare_rates((a, n), (b, m), share) <= 0.01:
            return minute
    return None


@pytest.mark.parametrize("share", [SHARE, None])
def test_a_healthy_canary_is_left_alone(share: float | None) -> None:
    rng = np.random.default_rng(0)
    assert sum(rollback_minute(rng, 0.01, share) is not None for _ in range(200)) <= 4


@pytest.mark.parametrize(("share", "minutes"), [(SHARE, 6), (None, 8)])
def test_five_times_the_errors_are_caught_in_minutes(share: float | None, minutes: int) -> None:
    rng = np.random.default_rng(0)
    when = [rollback_minute(rng, 0.05, share) for _ in range(100)]
    assert all(minute is not None for minute in when)
    assert np.median([minute or MINUTES for minute in when]) <= minutes


def traffic(rng: np.random.Generator, rows: int, fault: str = "") -> pl.DataFrame:
    delay = rng.exponential(20, size=rows)
    if fault == "stale":
        delay = np.full(rows, 12.0)
    if fault == "moved":
        delay = delay + 5
    if fault == "nulls":
        delay = np.where(rng.random(rows) < 0.25, np.nan, delay)
    x = rng.normal(size=rows)
    score = 1 / (1 + np.exp(-x))
    return pl.DataFrame(
        {
            "x": x,
            "delay": delay,
            "carrier": rng.choice(["AA", "B6", "DL", "UA"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "rare": np.where(rng.random(rows) < 0.02, np.nan, 1.0),
            "late": rng.random(rows) < score,
            "score": 1 - score if fault == "worse" else score,
            "error": rng.random(rows) < (0.2 if fault == "errors" else 0.01),
        }
    )


def looked_at(seed: int, fault: str, minutes: int, *, step: int = 1) -> tuple[int | None, Verdict]:
    rng = np.random.default_rng(seed)
    canary, live = traffic(rng, 0), traffic(rng, 0)
    verdict = Verdict("", "", ())
    for minute in range(step, minutes + 1, step):
        arrived = int(rng.binomial(RATE * step, SHARE))
        canary = pl.concat([canary, traffic(rng, arrived, fault)])
        live = pl.concat([live, traffic(rng, RATE * step - arrived)])
        verdict = judge_arms(canary, live, columns=["x", "delay", "carrier", "rare"], label="late")
        if verdict.outcome == Outcome.FAIL:
            return minute, verdict
    return None, verdict


def test_healthy_arms_pass_an_hour_of_looks() -> None:
    assert [looked_at(seed, "", 60, step=2)[0] for seed in range(4)] == [None] * 4


@pytest.mark.parametrize(
    ("fault", "code", "path"),
    [
        ("stale", "feature-skew", "delay"),
        ("moved", "feature-skew", "delay"),
        ("nulls", "feature-skew", "delay"),
        ("errors", "error-rate", "error"),
        ("worse", "quality", "score"),
    ],
)
def test_a_fault_is_caught_within_ten_minutes(fault: str, code: str, path: str) -> None:
    minute, verdict = looked_at(0, fault, 10)
    assert minute is not None
    assert [(c.code, c.path) for c in verdict.having(Outcome.FAIL)] == [(code, path)]


def test_too_few_rows_are_undecided_and_an_empty_arm_too() -> None:
    rng = np.random.default_rng(0)
    live = traffic(rng, 2_000)
    for rows in (0, 40):
        verdict = judge_arms(traffic(rng, rows), live, columns=["x", "delay", "rare"])
        assert verdict.outcome == Outcome.UNDECIDED
    assert judge_arms(traffic(rng, 0), traffic(rng, 0), columns=["x"]).outcome == Outcome.UNDECIDED


def test_a_column_that_one_arm_does_not_log_fails() -> None:
    rng = np.random.default_rng(0)
    verdict = judge_arms(traffic(rng, 300).drop("x"), traffic(rng, 3_000), columns=["x"])
    assert (
        verdict.having(Outcome.FAIL)[0].message == "column 'x' is not in the log of the canary arm"
    )


def test_errors_may_be_texts() -> None:
    rng = np.random.default_rng(0)
    texts = pl.Series([None, "boom"] * 500)
    canary = traffic(rng, 1_000).with_columns(error=texts)
    live = traffic(rng, 9_000).with_columns(error=pl.Series([None] * 9_000))
    assert judge_arms(canary, live, columns=[]).having(Outcome.FAIL)[0].code == "error-rate"


def test_the_same_log_gives_the_same_bytes() -> None:
    said = {encode(looked_at(3, "", 4, step=2)[1].to_json()) for _ in range(2)}
    assert len(said) == 1
