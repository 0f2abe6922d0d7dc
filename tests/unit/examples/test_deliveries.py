"""The deliveries: whole, the same each time, and admitted or stopped by the committed schemas."""

import json

import polars as pl
import pytest

from deliveries import break_delivery, deliver, deliver_outcomes
from flight_features import FLIGHTS, requests
from tricord.checks.validate import judge_table
from tricord.core.verdict import Outcome
from tricord.data.schema import Schema


def test_the_same_month_has_the_same_bytes(tmp_path):
    first = deliver(2, tmp_path / "a", fraction=1 / 8)
    second = deliver(2, tmp_path / "b", fraction=1 / 8)
    assert [path.relative_to(tmp_path / "a").as_posix() for path in first] == [
        "flights/2013-02.csv",
        "weather/2013-02.csv",
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_whole_month_has_every_flight_and_column(tmp_path):
    flights, weather = (pl.read_csv(path) for path in deliver(2, tmp_path))
    assert flights.shape == (24_951, 19)
    assert weather.shape == (2_010, 15)
    assert flights["month"].unique().to_list() == [2]


def test_a_share_is_spread_over_days_and_carriers(tmp_path):
    whole, share = (
        pl.read_csv(deliver(2, tmp_path / str(fraction), fraction=fraction)[0])
        for fraction in (1.0, 1 / 8)
    )
    assert share.height == pytest.approx(whole.height / 8, rel=0.1)
    assert share["day"].n_unique() == 28
    assert share["carrier"].n_unique() == whole["carrier"].n_unique()
    assert share.join(whole, on=whole.columns, how="anti", nulls_equal=True).is_empty()


@pytest.mark.parametrize("name", ["flights", "weather", "planes.csv"])
def test_the_schemas_admit_the_year(example, delivered, name):
    schema = Schema.read(example / "schemas" / f"{name.removesuffix('.csv')}.yaml")
    verdict = judge_table(delivered / name, schema, subject=name)
    assert verdict.outcome == Outcome.PASS, verdict.summary()


def test_the_schema_stops_the_broken_delivery(example, tmp_path):
    break_delivery(4, tmp_path, fraction=1 / 8)
    schema = Schema.read(example / "schemas" / "flights.yaml")
    verdict = judge_table(tmp_path / "flights", schema, subject="flights")
    assert verdict.outcome == Outcome.FAIL
    story = "; ".join(check.message for check in verdict.having(Outcome.FAIL))
    assert "'carrier' is missing; 'airline' looks like it" in story
    assert "'sched_dep_time' has" in story
    assert "clock time" in story


def test_the_request_of_the_example_is_a_real_flight_with_an_outcome(example, tmp_path):
    request = json.loads((example / "request.json").read_text())
    sent = {tensor["name"]: tensor["data"][0] for tensor in request["inputs"]}
    flights = pl.read_csv(deliver(2, tmp_path)[0])
    (flight,) = requests(flights).filter(flight_id=request["id"]).to_dicts()
    flight["scheduled_at"] = f"{flight['scheduled_at']:%Y-%m-%dT%H:%M:%SZ}"
    assert sent == {name: flight[name] for name in FLIGHTS.needs}
    known = pl.read_csv(deliver_outcomes([2], tmp_path)).filter(key=request["id"])
    assert known["late"].to_list() == [True]
