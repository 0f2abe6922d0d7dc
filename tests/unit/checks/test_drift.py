import numpy as np
import polars as pl
import pytest

from tricord.checks.drift import DriftLimits, compare
from tricord.core.canonical import encode
from tricord.core.verdict import Action, Outcome
from tricord.data.statistics import profile


def table(seed: int, rows: int, *, shift: float = 0.0, columns: int = 10) -> pl.DataFrame:
    """Columns of five shapes, half of them numeric, none related to another."""
    rng = np.random.default_rng(seed)
    made: dict[str, object] = {}
    for index in range(columns // 5):
        made[f"normal{index}"] = rng.normal(size=rows) + shift
        made[f"skewed{index}"] = rng.exponential(size=rows)
        made[f"count{index}"] = rng.poisson(3, size=rows)
        weights = 1 / np.arange(1, 13)
        made[f"text{index}"] = [f"v{n}" for n in rng.choice(12, rows, p=weights / weights.sum())]
        gaps = rng.normal(size=rows)
        gaps[rng.random(rows) < 0.05] = np.nan
        made[f"gaps{index}"] = gaps
    return pl.DataFrame(made)


REFERENCE = profile(table(0, 40_000))


@pytest.mark.parametrize(("rows", "windows"), [(50, 60), (200, 60), (2_000, 40), (50_000, 4)])
def test_hardly_any_window_alarms_without_drift(rows: int, windows: int) -> None:
    alarms = sum(
        not compare(table(seed, rows), REFERENCE, subject="w").passed
        for seed in range(1, windows + 1)
    )
    # one window in a hundred may; the seeds are fixed
    assert alarms <= max(1, 0.025 * windows)


def test_a_shift_of_three_twentieths_of_a_deviation_is_found_in_2000_rows() -> None:
    found = 0
    for seed in range(1, 101):
        rng = np.random.default_rng(seed)
        window = pl.DataFrame({"normal0": rng.normal(0.15, 1.0, size=2_000)})
        verdict = compare(window, REFERENCE, subject="w", columns=["normal0"])
        found += verdict.outcome == Outcome.FAIL
    assert found >= 0.95 * 100


def test_a_harmless_shift_in_many_rows_does_not_alarm() -> None:
    verdict = compare(table(5, 50_000, shift=0.03), REFERENCE, subject="w")
    check = next(check for check in verdict.checks if check.path == "normal0")
    assert isinstance(check.evidence["p_adjusted"], float)
    assert check.evidence["p_adjusted"] < 0.01
    assert verdict.outcome == Outcome.PASS


def test_drift_asks_to_retrain_and_shows_its_evidence() -> None:
    current = table(1, 2_000, shift=0.5)
    verdict = compare(current, REFERENCE, subject="w")
    assert verdict.asks(Action.RETRAIN)
    assert verdict.evidence["drifted"] == ["normal0", "normal1"]
    check = verdict.having(Outcome.FAIL)[0]
    assert check.observed == pytest.approx(0.5, abs=0.06)
    assert {"psi", "p", "no_drift_quantile", "minimum", "mean"} <= set(check.evidence)


def test_nulls_new_categories_and_a_constant_that_moved() -> None:
    rng = np.random.default_rng(0)
    old = pl.DataFrame(
        {"x": rng.normal(size=3_000), "c": ["a", "b", "c"] * 1_000, "k": [5] * 3_000}
    )
    new = pl.DataFrame({"x": [None] * 300 + list(rng.normal(size=700)), "c": ["a", "b", "c", "d"] * 250, "k": [7] * 1_000}, strict=False)  # fmt: skip
    verdict = compare(new, old, subject="w")
    found = {(check.path, check.name) for check in verdict.having(Outcome.FAIL)}
    assert ("x", "null share") in found
    assert ("c", "share in new categories") in found
    assert ("k", "share of values that moved") in found
    assert ("x", "Wasserstein distance") not in found


def test_an_identifier_does_not_drift() -> None:
    old, new = (
        pl.DataFrame({"id": [f"{start + n}" for n in range(5_000)]}) for start in (0, 9_000)
    )
    names = ["id", "x"]
    old, new = (frame.with_columns(x=pl.lit(1.0)) for frame in (old, new))
    verdict = compare(new, old, subject="w")
    assert verdict.passed
    assert {check.path for check in verdict.checks} == set(names)
    assert compare(new, old, subject="w", columns=["id"]).outcome == Outcome.UNDECIDED


def test_the_reference_may_be_rows_or_their_profile() -> None:
    old, new = table(0, 3_000), table(1, 500, shift=0.4)
    reference = profile(old)
    verdicts = [
        compare(new, old, subject="w"),
        compare(new, reference, subject="w"),
        compare(profile(new, edges=reference), reference, subject="w"),
    ]
    assert len({encode(verdict.to_json()) for verdict in verdicts}) == 1


def test_columns_that_cannot_be_compared_ask_to_stop() -> None:
    old = pl.DataFrame({"a": [1.0] * 50, "b": [1.0] * 50})
    new = pl.DataFrame({"b": ["x"] * 50})
    verdict = compare(new, old, subject="w")
    assert [(check.path, check.code) for check in verdict.checks] == [
        ("a", "column-missing"),
        ("b", "type-mismatch"),
    ]
    assert verdict.asks(Action.STOP)
    other = compare(profile(pl.DataFrame({"a": [2.0] * 50})), old.select("a"), subject="w")
    assert "other edges" in other.checks[0].message


def test_too_few_rows_and_empty_tables_are_undecided() -> None:
    old = table(0, 500)
    for new in (old.head(0), old.head(10)):
        assert compare(new, old, subject="w").outcome == Outcome.UNDECIDED
    assert compare(old, old.head(0), subject="w").outcome == Outcome.UNDECIDED


def test_an_all_null_column_is_judged_by_its_nulls() -> None:
    old = pl.DataFrame({"x": np.arange(200.0), "n": pl.Series([None] * 200, dtype=pl.Float64)})
    new = pl.DataFrame({"x": pl.Series([None] * 200), "n": pl.Series([None] * 200)})
    verdict = compare(new, old, subject="w")
    assert [c.path for c in verdict.having(Outcome.FAIL)] == ["x"]


def test_infinite_values_are_survived() -> None:
    old = pl.DataFrame({"x": [*np.arange(200.0), np.inf, -np.inf]})
    assert compare(old, old, subject="w").passed


def test_limits_can_be_set_by_column() -> None:
    current = table(1, 2_000, shift=0.5)
    limits = DriftLimits(columns={"normal0": 0.8})
    assert compare(current, REFERENCE, subject="w", limits=limits).evidence["drifted"] == [
        "normal1"
    ]


@pytest.mark.parametrize("piled", [0.0, 1.0])
@pytest.mark.parametrize("sentinel", [-999.0, 1000.0])
def test_values_beyond_all_that_was_seen_are_drift(piled: float, sentinel: float) -> None:
    values = np.where(np.arange(5000) < 25, 1.0 - piled, piled)
    verdict = compare(
        pl.DataFrame({"x": np.full(500, sentinel)}), pl.DataFrame({"x": values}), subject="s"
    )
    assert verdict.outcome == Outcome.FAIL
