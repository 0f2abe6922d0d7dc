"""Health of an endpoint: drift warns, lost quality fails and raises an alert, few labels decide nothing."""

import polars as pl
import pytest

from tricord.core.errors import NotRecorded
from tricord.core.event import EventType
from tricord.core.verdict import Action, Outcome, Verdict
from tricord.monitor.health import HealthLimits, judge, live_release
from tricord.monitor.window import window


def alerts(small) -> list[dict]:
    return [dict(e.body) for e in small.project.ledger.events(types=(EventType.ALERT_RAISED,))]


def judged(small, rows: pl.DataFrame, labels: pl.Series | None = None, **limits: object) -> Verdict:
    small.start()
    small.asked(rows)
    outcomes = pl.DataFrame(
        {"key": rows["key"], "late": rows["late"] if labels is None else labels}
    )
    seen = window(small.project, "delay")
    kept, verdict = judge(
        small.project, "delay", seen, outcomes, label="late", limits=HealthLimits(**limits)
    )
    assert small.project.load(kept, Verdict) == verdict
    return verdict


def test_an_endpoint_that_is_as_good_as_at_its_gate_passes(small, flights_of) -> None:
    verdict = judged(small, flights_of(500, seed=1))
    assert verdict.outcome == Outcome.PASS, verdict.summary()
    assert verdict.evidence["labelled"] == 500
    assert verdict.evidence["release"] == small.releases[0].digest
    assert alerts(small) == []


def test_drift_alone_warns(small, flights_of) -> None:
    rows = flights_of(500, seed=1, shift=6)
    scores = rows["late"]  # the labels do not matter: only drift is asked for
    small.start()
    small.asked(rows.with_columns(scores))
    _, verdict = judge(small.project, "delay", window(small.project, "delay"))
    assert verdict.outcome == Outcome.WARN
    assert verdict.evidence["drifted"] == ["hour"]
    assert verdict.passed
    assert alerts(small) == []


def test_drift_retrains_where_the_limits_say_so(small, flights_of) -> None:
    small.start()
    small.asked(flights_of(500, seed=1, shift=6))
    seen = window(small.project, "delay")
    _, verdict = judge(small.project, "delay", seen, limits=HealthLimits(drift_retrains=True))
    assert verdict.outcome == Outcome.FAIL
    assert verdict.asks(Action.RETRAIN)
    assert alerts(small)[0]["actions"] == ["retrain"]


def test_a_rate_that_moved_away_from_the_predicted_fails_and_raises_an_alert(
    small, flights_of
) -> None:
    rows = flights_of(500, seed=1)
    half = pl.Series([late and number % 2 == 0 for number, late in enumerate(rows["late"])])
    verdict = judged(small, rows, half)
    failed = {check.code for check in verdict.having(Outcome.FAIL)}
    assert "calibration-off" in failed
    (alert,) = alerts(small)
    assert alert["actions"] == ["retrain"]
    assert small.project.load(alert["verdict"], Verdict) == verdict
    assert "predicted" in alert["summary"]


def test_an_auc_far_below_that_of_the_gate_fails(small, flights_of) -> None:
    rows = flights_of(500, seed=1)
    verdict = judged(small, rows, rows["late"].shuffle(seed=0))
    failed = {check.code: check for check in verdict.having(Outcome.FAIL)}
    assert set(failed) == {"auc-dropped"}
    low, high = failed["auc-dropped"].interval
    assert low < 0.5 < high < failed["auc-dropped"].limit


def test_too_few_labels_decide_nothing_and_alert_nobody(small, flights_of) -> None:
    rows = flights_of(500, seed=1)
    known = pl.Series([late if number < 50 else None for number, late in enumerate(rows["late"])])
    verdict = judged(small, rows, known, minimum_rows=51)
    assert verdict.outcome == Outcome.UNDECIDED
    assert [c.code for c in verdict.having(Outcome.UNDECIDED)] == ["too-few-labels"]
    assert alerts(small) == []


def test_labels_of_one_class_decide_nothing(small, flights_of) -> None:
    rows = flights_of(300, seed=1)
    verdict = judged(small, rows, pl.Series([False] * 300))
    assert verdict.outcome == Outcome.UNDECIDED


def test_only_the_live_releases_own_answers_count(small, flights_of) -> None:
    small.start()
    small.asked(flights_of(300, seed=2), arm="canary", hide="hour")
    before = window(small.project, "delay")
    _, nothing = judge(small.project, "delay", before)
    assert nothing.evidence["rows"] == 0
    assert nothing.outcome == Outcome.UNDECIDED
    small.asked(flights_of(300, seed=1))
    _, verdict = judge(small.project, "delay", window(small.project, "delay"))
    assert verdict.evidence["rows"] == 300
    assert verdict.outcome == Outcome.PASS


def test_an_endpoint_that_serves_nothing_is_named(small) -> None:
    with pytest.raises(NotRecorded, match="tricord rollout start delay"):
        live_release(small.project, "delay")


def test_a_feature_that_is_gone_from_the_log_fails(small, flights_of) -> None:
    rows = flights_of(500, seed=1)
    small.start()
    small.asked(rows)
    seen = window(small.project, "delay").drop("feature.hour")
    _, verdict = judge(small.project, "delay", seen)
    assert verdict.outcome == Outcome.FAIL
    assert [check.path for check in verdict.having(Outcome.FAIL)] == ["hour"]


def test_a_label_told_twice_is_one_label_and_the_last_word_counts(small, flights_of) -> None:
    rows = flights_of(150, seed=1)
    small.start()
    small.asked(rows)
    seen = window(small.project, "delay")
    once = rows.select("key", "late")
    wrong = once.with_columns(~pl.col("late"))
    for outcomes in (once, pl.concat([once] * 5), pl.concat([wrong, once])):
        _, verdict = judge(small.project, "delay", seen, outcomes, label="late")
        assert verdict.evidence["labelled"] == 150
        assert verdict.outcome == Outcome.UNDECIDED


def test_a_class_with_a_handful_of_rows_decides_nothing(small, flights_of) -> None:
    late = pl.Series([True] * 5 + [False] * 495)
    verdict = judged(small, flights_of(500, seed=1), late)
    assert any(check.code == "too-few-labels" for check in verdict.having(Outcome.UNDECIDED))
