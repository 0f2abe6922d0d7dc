"""join == a brute-force oracle == the online views, whatever the tables look like."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.features.definition import FeatureSet, View
from tricord.features.join import join
from tricord.features.online import OnlineFeatures, OnlineView

EPOCH = datetime(2013, 1, 1, tzinfo=UTC)
TTL = 5  # microseconds: small, so that its edge is hit often
VIEWS = (
    View("one", ("who",), "seen", ("big", "text"), ttl=TTL / 1e6),
    View("two", ("who", "number"), "seen", ("share",), ttl=3600.0),
)
FEATURES = FeatureSet(
    "f",
    "at",
    {"who_copied": "who", "twice": "number * 2", "second": "EXTRACT(SECOND FROM at)"},
    VIEWS,
)

# few values, so that entities meet, times tie and ttl edges are hit
who = st.sampled_from(["a", "ä", "a\u0308", "", "日本", None])
number = st.sampled_from([0, 2**53, 2**53 + 1, -(2**62), None])
micros = st.one_of(st.none(), st.integers(-12, 12))
big = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
unit = st.sampled_from(["us", "ns"])
zone = st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"])

row = st.tuples(who, number, micros)
observation = st.tuples(who, number, micros, big, st.text(max_size=3), st.floats(allow_nan=False))


def moment(offset: int | None) -> datetime | None:
    return None if offset is None else EPOCH + timedelta(microseconds=offset)


def rows_of(cells, unit, zone):
    return pl.DataFrame(
        {
            "id": list(range(len(cells))),
            "who": [c[0] for c in cells],
            "number": [c[1] for c in cells],
            "at": [moment(c[2]) for c in cells],
        },
        schema={
            "id": pl.Int64,
            "who": pl.String,
            "number": pl.Int64,
            "at": pl.Datetime("us", "UTC"),
        },
    ).with_columns(pl.col("at").dt.convert_time_zone(zone).dt.cast_time_unit(unit))


def timeline_of(cells, unit, zone):
    return pl.DataFrame(
        {
            "who": [c[0] for c in cells],
            "number": [c[1] for c in cells],
            "seen": [moment(c[2]) for c in cells],
            "big": [c[3] for c in cells],
            "text": [c[4] for c in cells],
            "share": [c[5] for c in cells],
            "unused": [None for _ in cells],
        },
        schema={
            "who": pl.String,
            "number": pl.Int64,
            "seen": pl.Datetime("us", "UTC"),
            "big": pl.Int64,
            "text": pl.String,
            "share": pl.Float64,
            "unused": pl.Null,
        },
    ).with_columns(pl.col("seen").dt.convert_time_zone(zone).dt.cast_time_unit(unit))


def oracle(row, observations, entity, ttl, features):
    """The features of the last observation that may be seen: read off the definition, line by line."""
    best = None
    who_, number_, at = row
    key = (who_, number_)[:entity]
    for observed in observations:
        other, seen = (observed[0], observed[1])[:entity], observed[2]
        if None in key or other != key or at is None or seen is None:
            continue
        if seen >= at or at - seen > ttl:
            continue
        if best is None or seen >= best[2]:
            best = observed
    return tuple(None if best is None else best[feature] for feature in features)


@settings(max_examples=250, deadline=None)
@given(
    cells=st.lists(row, max_size=12),
    one=st.lists(observation, max_size=25),
    two=st.lists(observation, max_size=25),
    shapes=st.tuples(unit, zone, unit, zone),
)
def test_join_is_the_oracle_and_online_is_join(cells, one, two, shapes):
    rows = rows_of(cells, shapes[0], shapes[1])
    timelines = {
        "one": timeline_of(one, shapes[2], shapes[3]),
        "two": timeline_of(two, shapes[2], shapes[3]),
    }
    joined = join(rows, FEATURES, timelines)

    assert joined.columns == [*rows.columns, *FEATURES.columns]
    assert joined.select(rows.columns).equals(rows)
    assert joined["who_copied"].to_list() == rows["who"].to_list()
    expected_one = [oracle(cell, one, 1, TTL, (3, 4)) for cell in cells]
    expected_two = [oracle(cell, two, 2, 3_600_000_000, (5,)) for cell in cells]
    assert joined.select("big", "text").rows() == expected_one
    assert joined.select("share").rows() == expected_two

    online = OnlineFeatures(FEATURES, {v.name: OnlineView(v, timelines[v.name]) for v in VIEWS})
    enriched = online.enrich(rows)
    assert enriched.schema == joined.schema
    assert enriched.equals(joined)
    for position in range(len(cells)):
        single = online.enrich(rows[position : position + 1])
        assert single.schema == joined.schema
        assert single.equals(joined[position : position + 1])


@settings(max_examples=100, deadline=None)
@given(
    cells=st.lists(row.filter(lambda c: c[2] is not None), min_size=1, max_size=6),
    observations=st.lists(observation, max_size=20),
)
def test_read_gives_the_oracle_value_by_value(cells, observations):
    view = OnlineView(VIEWS[0], timeline_of(observations, "us", "UTC"))
    for cell in cells:
        assert view.read((cell[0],), moment(cell[2])) == oracle(cell, observations, 1, TTL, (3, 4))


@settings(max_examples=100, deadline=None)
@given(
    cells=st.lists(row, max_size=10),
    observations=st.lists(observation, max_size=20),
    later=st.lists(observation, max_size=10),
    now=st.integers(-12, 12),
)
def test_what_comes_later_changes_no_earlier_decision(cells, observations, later, now):
    cells = [cell for cell in cells if cell[2] is not None and cell[2] <= now]
    later = [cell for cell in later if cell[2] is not None and cell[2] >= now]
    rows = rows_of(cells, "us", "UTC")
    before = timeline_of(observations, "us", "UTC")
    after = timeline_of([*observations, *later], "us", "UTC")
    assert join(rows, FEATURES, {"one": before, "two": before}).equals(
        join(rows, FEATURES, {"one": after, "two": after})
    )


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(row, max_size=10),
    observations=st.lists(observation, max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_is_theirs(cells, observations, order):
    timelines = dict.fromkeys(("one", "two"), timeline_of(observations, "us", "UTC"))
    shuffled = list(range(len(cells)))
    order.shuffle(shuffled)
    joined = join(rows_of(cells, "us", "UTC"), FEATURES, timelines)
    again = join(rows_of(cells, "us", "UTC")[shuffled], FEATURES, timelines)
    assert again.equals(joined[shuffled])
