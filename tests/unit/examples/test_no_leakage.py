"""Nothing that is known only after a flight's scheduled departure reaches its features."""

import random
from datetime import timedelta

import polars as pl
import pytest

from deliveries import source
from flight_features import (
    CATEGORIES,
    FLIGHTS,
    NEVER_KNOWN,
    outcomes,
    requests,
    timelines,
)
from train import fit
from tricord.features.join import join

DELAYS = ("origin_delay", "carrier_delay", "dest_delay", "plane_delay")


def features(flights, weather, planes):
    joined = join(requests(flights), FLIGHTS, timelines(flights, weather, planes))
    return joined.select("flight_id", *FLIGHTS.columns)


@pytest.fixture(scope="module")
def march(tables):
    """Flights and weather of two weeks around the start of daylight saving time, and all planes."""
    flights, weather, planes = tables
    days = (pl.col("month") == 3) & pl.col("day").is_between(3, 16)
    return flights.filter(days), weather.filter(days), planes


@pytest.fixture(scope="module")
def sample(march):
    """Flights at whose departure much was known, and two before and after the clocks changed."""
    flights, weather, planes = march
    whole = features(flights, weather, planes).with_columns(requests(flights)["scheduled_at"])
    known = whole.drop_nulls(DELAYS)
    assert known.height >= 40
    chosen = random.Random(7).sample(range(known.height), 40)
    ends = whole.sort("scheduled_at")
    return pl.concat([known[chosen], ends.head(2), ends.tail(2)])


def as_of(flights, now, later):
    """Flights as they stood at an instant; those not landed yet have the values `later` makes up."""
    landed = outcomes(flights)["known_at"]
    not_yet = (landed.is_null() | (landed >= now)).fill_null(value=True)
    return flights.with_columns(
        pl.when(not_yet).then(later(pl.col(name))).otherwise(pl.col(name)).alias(name)
        for name in NEVER_KNOWN
    )


def test_features_are_those_of_data_cut_off_at_the_decision(march, sample):
    flights, weather, planes = march
    for row in sample.iter_rows(named=True):
        now = row["scheduled_at"]
        before = as_of(flights, now, lambda column: None)
        seen = weather.filter(pl.col("time_hour") < now)
        mine = features(before, seen, planes).filter(pl.col("flight_id") == row["flight_id"])
        expected = sample.filter(pl.col("flight_id") == row["flight_id"])
        assert mine.equals(expected.select(mine.columns)), row


def test_a_change_of_anything_later_changes_nothing(march, sample):
    flights, weather, planes = march
    for row in sample.head(12).iter_rows(named=True):
        now = row["scheduled_at"]
        # what lands later lands later still, and its own flight is among it
        changed = as_of(flights, now, lambda column: column * 3 + 500)
        numbers = [name for name in weather.columns if weather.schema[name].is_float()]
        stormy = weather.with_columns(
            pl.when(pl.col("time_hour") >= now).then(pl.lit(-7.0)).otherwise(name).alias(name)
            for name in numbers
        )
        mine = features(changed, stormy, planes).filter(pl.col("flight_id") == row["flight_id"])
        expected = sample.filter(pl.col("flight_id") == row["flight_id"])
        assert mine.equals(expected.select(mine.columns)), row


def test_a_change_of_something_earlier_does_change_them(march, sample):
    """The two tests above could pass for want of any influence."""
    flights, weather, planes = march
    other = flights.with_columns(pl.col("arr_delay") + 7)
    ids = sample.head(40)["flight_id"].implode()
    mine = features(other, weather, planes).filter(pl.col("flight_id").is_in(ids))
    moved = mine.join(sample, on="flight_id", suffix="_then")
    assert (moved["origin_delay"] != moved["origin_delay_then"]).all()


def test_columns_of_afterwards_reach_no_request_and_no_model(tables):
    flights, weather, planes = tables
    january = flights.filter(pl.col("month") == 1)
    asked = requests(january)
    assert not set(NEVER_KNOWN) & set(asked.columns)
    assert not set(NEVER_KNOWN) & set(FLIGHTS.columns)
    assert set(FLIGHTS.needs) <= set(asked.columns)
    rows = join(asked, FLIGHTS, timelines(january, weather, planes))
    rows = rows.with_columns(outcomes(january)["late"]).drop_nulls("late")
    model = fit(rows, iterations=3)
    assert list(model.feature_names_in_) == list(FLIGHTS.columns)


def test_landings_agree_with_the_local_clocks_at_the_destination(tables):
    """An independent look: `arr_time` is the local time of the landing, and is used nowhere."""
    flights, _, _ = tables
    zones = pl.read_csv(source() / "airports.csv", null_values=["NA", ""]).select(
        pl.col("faa").alias("dest"), "tzone"
    )
    landed = flights.with_columns(outcomes(flights)["known_at"]).drop_nulls("known_at")
    landed = landed.join(zones, on="dest", how="left").with_columns(
        pl.col("tzone").fill_null("America/Puerto_Rico")  # the islands that airports.csv lacks
    )
    assert landed.height > 35_000
    for (zone,), part in landed.group_by("tzone"):
        local = part["known_at"].dt.convert_time_zone(zone)
        clock = local.dt.hour().cast(pl.Int64) * 100 + local.dt.minute()
        wrong = part.filter(clock % 2400 != part["arr_time"] % 2400)
        # in the night the clocks change, the source itself names hours that did not exist
        wrong = wrong.filter(~((pl.col("month") == 3) & (pl.col("day") == 9)))
        assert wrong.is_empty(), (zone, wrong)


def test_a_flight_lands_after_it_was_to_depart(tables):
    flights, _, _ = tables
    gap = outcomes(flights)["known_at"] - requests(flights)["scheduled_at"]
    assert gap.min() > timedelta(0)


def test_every_destination_has_its_zone(tables):
    flights, _, _ = tables
    known = outcomes(flights)
    assert known["known_at"].null_count() == flights["arr_delay"].null_count()


def test_flights_without_an_outcome_are_known_as_such(tables):
    flights, _, _ = tables
    known = outcomes(flights)
    assert known["flight_id"].n_unique() == flights.height
    assert known["late"].null_count() == flights["arr_delay"].null_count() > 0
    assert known.filter(pl.col("late").is_null() != pl.col("known_at").is_null()).is_empty()


def test_categories_are_text_and_the_rest_numbers(march):
    schema = features(*march).schema
    for name in FLIGHTS.columns:
        assert (schema[name] == pl.String) == (name in CATEGORIES), name
