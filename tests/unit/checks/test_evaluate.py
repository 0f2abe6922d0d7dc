import time
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from tricord.checks.evaluate import evaluate
from tricord.core.canonical import encode
from tricord.core.errors import DataError
from tricord.core.verdict import Outcome

ROWS = 20_000


def flights(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pl.DataFrame(
        {
            "x": x,
            "origin": rng.choice(["EWR", "JFK", "LGA"], rows),
            "carrier": rng.choice([f"C{n:02}" for n in range(16)], rows),
            "late": rng.random(rows) < 1 / (1 + np.exp(1 - x)),
        }
    )


@dataclass
class Noisy:
    """Knows the truth up to noise, everywhere or in one origin only."""

    noise: float = 0.0
    only: str | None = None
    offset: float = 0.0
    seed: int = 7

    def predict(self, rows: pl.DataFrame) -> np.ndarray:
        assert "late" not in rows.columns
        noise = self.noise * np.random.default_rng(self.seed).normal(size=rows.height)
        if self.only is not None:
            noise = np.where(rows["origin"] == self.only, noise, 0.0)
        return 1 / (1 + np.exp(1 - rows["x"].to_numpy() - noise - self.offset))


FAILS = (
    ("much worse", Noisy(1.0), {"auc-worse", "log-loss-worse", "segment-worse"}),
    ("worthless", Noisy(100.0), {"auc-below-floor", "auc-worse", "log-loss-worse", "segment-worse"}),
    ("off", Noisy(offset=1.5), {"log-loss-worse"}),
)  # fmt: skip


def test_a_good_model_without_a_champion_passes() -> None:
    verdict = evaluate(Noisy(), flights(), label="late", segments=["origin"])
    assert verdict.outcome == Outcome.PASS
    assert {"auc", "auc_interval", "log_loss", "rows", "segments"} <= set(verdict.evidence)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_an_equal_or_better_model_passes(noise: float) -> None:
    verdict = evaluate(Noisy(), flights(), label="late", against=Noisy(noise), segments=["origin"])
    assert verdict.outcome == Outcome.PASS
    assert len(verdict.checks) == 4 + 3


@pytest.mark.parametrize(("model", "codes"), [row[1:] for row in FAILS], ids=[r[0] for r in FAILS])
def test_a_worse_model_fails(model: Noisy, codes: set[str]) -> None:
    verdict = evaluate(model, flights(), label="late", against=Noisy(), segments=["origin"])
    assert {check.code for check in verdict.having(Outcome.FAIL)} == codes


def test_a_margin_lets_a_slightly_worse_model_pass() -> None:
    model, rows = Noisy(0.3), flights()
    assert not evaluate(model, rows, label="late", against=Noisy()).passed
    assert evaluate(model, rows, label="late", against=Noisy(), margin=0.02).passed


def test_a_weakness_in_one_segment_fails_there() -> None:
    verdict = evaluate(
        Noisy(1.0, only="JFK"), flights(), label="late", against=Noisy(), segments=["origin"], margin=0.03
    )  # fmt: skip
    assert [check.segment for check in verdict.having(Outcome.FAIL)] == ["origin=JFK"]


def test_small_segments_are_listed_but_not_judged() -> None:
    rows = flights(3_000).with_columns(
        origin=pl.when(pl.int_range(3_000) < 20).then(None).otherwise("origin")
    )
    verdict = evaluate(Noisy(), rows, label="late", against=Noisy(), segments=["origin"])
    segments = verdict.evidence["segments"]
    assert isinstance(segments, dict)
    assert segments["origin=null"] == {"rows": 20, "positives": segments["origin=null"]["positives"], "judged": False}  # fmt: skip
    assert verdict.passed


def test_too_few_rows_to_tell_are_undecided() -> None:
    verdict = evaluate(Noisy(0.6), flights(300), label="late", against=Noisy(0.6, seed=8))
    assert verdict.outcome == Outcome.UNDECIDED


@pytest.mark.parametrize("labels", [True, False, None])
def test_one_class_or_no_label_is_undecided(labels: bool | None) -> None:
    rows = flights(100).with_columns(late=pl.lit(labels, dtype=pl.Boolean))
    verdict = evaluate(Noisy(), rows, label="late", against=Noisy(), segments=["origin"])
    assert verdict.outcome == Outcome.UNDECIDED
    assert not verdict.passed
    assert verdict.summary()


def test_rows_without_a_label_are_dropped_and_counted() -> None:
    rows = flights().with_columns(
        late=pl.when(pl.int_range(ROWS) % 10 == 0).then(None).otherwise("late")
    )
    verdict = evaluate(Noisy(), rows, label="late")
    assert (verdict.evidence["rows"], verdict.evidence["rows_without_label"]) == (18_000, 2_000)


def test_labels_that_are_not_binary_and_scores_of_a_wrong_shape_are_errors() -> None:
    with pytest.raises(DataError, match="neither boolean"):
        evaluate(Noisy(), flights(10).with_columns(late=pl.int_range(10)), label="late")
    with pytest.raises(DataError, match="did you mean 'late'"):
        evaluate(Noisy(), flights(10), label="lat")

    class Wide:
        def predict(self, rows: pl.DataFrame) -> np.ndarray:
            return np.zeros((rows.height, 2))

    with pytest.raises(DataError, match=r"shape \(100, 2\)"):
        evaluate(Wide(), flights(100), label="late")


def test_predictions_that_are_no_numbers_fail() -> None:
    class Broken:
        def predict(self, rows: pl.DataFrame) -> np.ndarray:
            return np.full(rows.height, np.nan)

    verdict = evaluate(Broken(), flights(100), label="late")
    assert [check.code for check in verdict.having(Outcome.FAIL)] == ["prediction-not-finite"]


def test_a_miscalibrated_model_is_a_warning() -> None:
    verdict = evaluate(Noisy(offset=1.0), flights(), label="late")
    assert verdict.outcome == Outcome.WARN
    assert verdict.having(Outcome.WARN)[0].code == "miscalibrated"


def test_the_same_input_gives_the_same_bytes_within_a_second() -> None:
    rows = flights(30_000)
    start = time.process_time()
    said = {
        encode(evaluate(Noisy(0.2), rows, label="late", against=Noisy(), segments=["origin", "carrier"]).to_json())
        for _ in range(2)
    }  # fmt: skip
    assert len(said) == 1
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("rarer", [1, 2, 9])
def test_a_handful_of_one_class_says_nothing_of_a_model(rarer: int) -> None:
    rows = pl.DataFrame({"x": np.arange(1000.0) / 1000, "late": np.arange(1000) >= 1000 - rarer})
    verdict = evaluate(Column(), rows, label="late")
    assert verdict.outcome == Outcome.UNDECIDED
    assert f"{rarer} rows of the rarer class" in verdict.summary()


class Column:
    """Says what its column says: perfectly right here, and still on no evidence."""

    def predict(self, rows: pl.DataFrame) -> np.ndarray:
        return rows["x"].to_numpy()
