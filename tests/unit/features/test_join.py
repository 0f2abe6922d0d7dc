"""Named point-in-time cases: each is one that real tools got wrong, or a rule of ours."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tricord.core.errors import DataError, PlanError
from tricord.features.definition import FeatureSet, View
from tricord.features.join import join
from tricord.features.online import OnlineFeatures, OnlineView

NOON = datetime(2013, 7, 1, 12, tzinfo=UTC)
TTL = timedelta(hours=3)
VIEW = View("v", ("who",), "seen", ("value",), ttl=TTL.total_seconds())
FEATURES = FeatureSet("f", "at", {}, (VIEW,))
MICRO = timedelta(microseconds=1)
BIG = 2**63 - 1

# name: (who asks, when), [(who, when, value)…] in the timeline's order, what is seen
CASES = {
    "the last of several": (("a", NOON), [("a", -3, 1), ("a", -1, 3), ("a", -2, 2)], 3),
    "exactly at the decision is not yet known": (("a", NOON), [("a", 0, 1)], None),
    "one microsecond before is known": (("a", NOON), [("a", -MICRO, 1)], 1),
    "the future is not seen": (("a", NOON), [("a", 1, 1)], None),
    "the future does not hide the past": (("a", NOON), [("a", -1, 1), ("a", 1, 2)], 1),
    "as old as the ttl still counts": (("a", NOON), [("a", -TTL, 1)], 1),
    "one microsecond older does not": (("a", NOON), [("a", -TTL - MICRO, 1)], None),
    "an expired row keeps its place with a null": (("a", NOON), [("a", -99, 1)], None),
    "another entity's": (("a", NOON), [("b", -1, 1)], None),
    "equal times: the later row wins": (("a", NOON), [("a", -1, 1), ("a", -1, 2)], 2),
    "equal times: also when out of order": (
        ("a", NOON),
        [("a", -1, 2), ("a", -2, 9), ("a", -1, 1)],
        1,
    ),
    "a late correction of an old time loses": (("a", NOON), [("a", -1, 1), ("a", -2, 2)], 1),
    "a null value that is newest is a null": (("a", NOON), [("a", -2, 1), ("a", -1, None)], None),
    "a null entity knows nothing": ((None, NOON), [(None, -1, 1), ("a", -1, 2)], None),
    "a null instant knows nothing": (("a", None), [("a", -1, 1)], None),
    "an observation without time is never known": (("a", NOON), [("a", None, 1)], None),
    "an empty timeline": (("a", NOON), [], None),
    "text is compared code point by code point": (("ä", NOON), [("a\u0308", -1, 1)], None),
    "the empty text is an entity": (("", NOON), [("", -1, 1)], 1),
    "integers keep every digit": (("a", NOON), [("a", -1, BIG)], BIG),
}


def timeline(cells):
    def when(offset):
        if offset is None:
            return None
        return NOON + (offset if isinstance(offset, timedelta) else timedelta(hours=offset))

    return pl.DataFrame(
        [(who, when(offset), value) for who, offset, value in cells],
        schema={"who": pl.String, "seen": pl.Datetime("us", "UTC"), "value": pl.Int64},
        orient="row",
    )


def both(rows, features, timelines):
    """What join gives, after making sure that the online views give the same."""
    joined = join(rows, features, timelines)
    online = OnlineFeatures(
        features, {view.name: OnlineView(view, timelines[view.name]) for view in features.views}
    )
    enriched = online.enrich(rows)
    assert enriched.schema == joined.schema
    assert enriched.equals(joined)
    return joined


def asking(who, at, dtype=pl.String):
    schema = {"who": dtype, "at": pl.Datetime("us", "UTC")}
    return pl.DataFrame({"who": [who], "at": [at]}, schema=schema)


@pytest.mark.parametrize("name", CASES)
def test_named_case(name):
    (who, at), observations, seen = CASES[name]
    joined = both(asking(who, at), FEATURES, {"v": timeline(observations)})
    assert joined.rows() == [(who, at, seen)]


def test_equal_rows_stay_as_many_as_they_were():
    rows = pl.concat([asking("a", NOON)] * 3)
    joined = both(rows, FEATURES, {"v": timeline([("a", -1, 1), ("a", -1, 2)])})
    assert joined["value"].to_list() == [2, 2, 2]


def test_no_rows():
    joined = both(asking("a", NOON).clear(), FEATURES, {"v": timeline([("a", -1, 1)])})
    assert joined.is_empty()
    assert joined.columns == ["who", "at", "value"]


def test_zones_and_units_meet():
    seen = timeline([("a", -1, 1)]).with_columns(
        pl.col("seen").dt.convert_time_zone("America/New_York").dt.cast_time_unit("ns")
    )
    rows = asking("a", NOON).with_columns(pl.col("at").dt.cast_time_unit("ms"))
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [1]


def test_nanoseconds_decide_which_row_is_later_and_are_floored_for_the_decision():
    seen = pl.DataFrame({"who": ["a", "a"], "seen": [1_999, 1_001], "value": [1, 2]}).with_columns(
        pl.col("seen").cast(pl.Datetime("ns", "UTC"))
    )
    rows = pl.DataFrame({"who": ["a", "a"], "at": [1, 2]}).with_columns(
        pl.col("at").cast(pl.Datetime("us", "UTC"))
    )
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [None, 1]


def test_instants_before_the_epoch():
    seen = pl.DataFrame({"who": ["a"], "seen": [-1_500], "value": [1]}).with_columns(
        pl.col("seen").cast(pl.Datetime("ns", "UTC"))
    )
    rows = pl.DataFrame({"who": ["a", "a"], "at": [-1, -2]}).with_columns(
        pl.col("at").cast(pl.Datetime("us", "UTC"))
    )
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [1, None]


def test_without_zones_on_both_sides_instants_are_utc():
    seen = timeline([("a", -1, 1)]).with_columns(pl.col("seen").dt.replace_time_zone(None))
    rows = asking("a", NOON).with_columns(pl.col("at").dt.replace_time_zone(None))
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [1]


def test_a_zone_on_one_side_only_is_refused():
    seen = timeline([("a", -1, 1)]).with_columns(pl.col("seen").dt.replace_time_zone(None))
    with pytest.raises(DataError, match="one has a time zone, the other has none"):
        join(asking("a", NOON), FEATURES, {"v": seen})
    with pytest.raises(DataError, match="one has a time zone, the other has none"):
        OnlineFeatures(FEATURES, {"v": OnlineView(VIEW, seen)}).enrich(asking("a", NOON))


@pytest.mark.parametrize(
    ("asked", "kept"), [(pl.Int32, pl.Int64), (pl.UInt64, pl.Int64), (pl.Int64, pl.Int8)]
)
def test_integers_of_any_width_meet(asked, kept):
    seen = timeline([("a", -1, 1)]).with_columns(pl.lit(7).cast(kept).alias("who"))
    assert both(asking(7, NOON, asked), FEATURES, {"v": seen})["value"].to_list() == [1]


def test_an_integer_that_the_timeline_cannot_hold_is_nobody():
    seen = timeline([("a", -1, 1)]).with_columns(pl.lit(7).cast(pl.Int8).alias("who"))
    rows = asking(7 + 256, NOON, pl.Int64)
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [None]


def test_neighbours_above_2_to_the_53_are_told_apart():
    seen = timeline([("a", -1, 1)]).with_columns(pl.lit(2**53).cast(pl.Int64).alias("who"))
    rows = asking(2**53 + 1, NOON, pl.Int64)
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [None]


def test_categories_are_text():
    rows = asking("a", NOON, pl.Categorical)
    seen = timeline([("a", -1, 1)]).with_columns(pl.col("who").cast(pl.Enum(["a", "b"])))
    assert both(rows, FEATURES, {"v": seen})["value"].to_list() == [1]


def test_a_column_of_nothing_but_nulls_is_unknown():
    rows = asking(None, NOON, pl.Null)
    assert both(rows, FEATURES, {"v": timeline([("a", -1, 1)])})["value"].to_list() == [None]
    nothing = pl.DataFrame(
        schema={"who": pl.Null, "seen": pl.Datetime("us", "UTC"), "value": pl.Int64}
    )
    assert both(asking("a", NOON), FEATURES, {"v": nothing})["value"].to_list() == [None]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Boolean, pl.Date])
def test_text_never_equals_something_else(dtype):
    seen = timeline([("a", -1, 1)]).with_columns(pl.lit(None).cast(dtype).alias("who"))
    with pytest.raises(DataError, match="String in the rows and"):
        join(asking("a", NOON), FEATURES, {"v": seen})
    with pytest.raises(DataError, match="String in the rows and"):
        OnlineFeatures(FEATURES, {"v": OnlineView(VIEW, seen)}).enrich(asking("a", NOON))


def test_a_float_identifies_nobody():
    seen = timeline([("a", -1, 1)]).with_columns(pl.lit(1.0).alias("who"))
    with pytest.raises(DataError, match="only integers, text, booleans and dates identify"):
        join(asking("a", NOON), FEATURES, {"v": seen})


def test_missing_columns_are_named():
    with pytest.raises(DataError, match="the timeline has no column value"):
        join(asking("a", NOON), FEATURES, {"v": timeline([]).drop("value")})
    with pytest.raises(DataError, match="the rows have no column who"):
        join(asking("a", NOON).drop("who"), FEATURES, {"v": timeline([])})
    with pytest.raises(DataError, match="the rows have no column at"):
        join(asking("a", NOON).drop("at"), FEATURES, {"v": timeline([])})
    with pytest.raises(DataError, match="no timeline for view v"):
        join(asking("a", NOON), FEATURES, {})
    with pytest.raises(DataError, match="must hold datetimes, not Int32"):
        join(asking("a", NOON).with_columns(at=1), FEATURES, {"v": timeline([])})


def test_a_view_overwrites_nothing():
    with pytest.raises(DataError, match="already have a column value"):
        join(asking("a", NOON).with_columns(value=1), FEATURES, {"v": timeline([])})


def test_a_request_feature_takes_the_place_of_its_column():
    features = FeatureSet("f", "at", {"who": "UPPER(who)"}, (VIEW,))
    joined = both(asking("a", NOON), features, {"v": timeline([("a", -1, 1), ("A", -1, 2)])})
    assert joined.rows() == [("A", NOON, 1)]  # the view was joined on what the request said


def test_expressions_see_the_decision_in_utc():
    features = FeatureSet("f", "at", {"hour": "EXTRACT(HOUR FROM at)"}, ())
    rows = asking("a", NOON).with_columns(pl.col("at").dt.convert_time_zone("America/New_York"))
    joined = both(rows, features, {})
    assert joined["hour"].to_list() == [12]
    assert joined["at"].equals(rows["at"])


def test_an_expression_that_fails_is_named():
    features = FeatureSet("f", "at", {"fine": "who", "bad": "CAST(who AS INT)"}, ())
    with pytest.raises(DataError, match="feature 'bad' cannot be computed"):
        join(asking("a", NOON), features, {})
    with pytest.raises(DataError, match="no column gate"):
        join(asking("a", NOON), FeatureSet("f", "at", {"g": "gate + 1"}, ()), {})


def test_online_views_belong_to_their_definition():
    other = OnlineView(View("v", ("who",), "seen", ("value",), ttl=1.0), timeline([]))
    with pytest.raises(DataError, match="another definition"):
        OnlineFeatures(FEATURES, {"v": other})
    with pytest.raises(DataError, match="no timeline for view v"):
        OnlineFeatures(FEATURES, {})


def test_read_takes_instants_of_any_zone_and_counts_its_observations():
    view = OnlineView(VIEW, timeline([("a", -1, 1), ("b", -1, 2), (None, -1, 3)]))
    assert len(view) == 2
    assert view.read(("a",), NOON) == (1,)
    assert view.read(("a",), NOON.replace(tzinfo=None)) == (1,)
    assert view.read(("b",), NOON.astimezone(None)) == (2,)
    assert view.read(("c",), NOON) == (None,)


def test_an_entity_of_two_columns():
    view = View("v", ("origin", "dest"), "seen", ("value",), ttl=3600.0)
    seen = timeline([("JFK", -1, 1), ("JFK", -1, 2)]).rename({"who": "origin"})
    seen = seen.with_columns(dest=pl.Series(["LAX", "SFO"]))
    rows = asking("JFK", NOON).rename({"who": "origin"}).with_columns(dest=pl.lit("LAX"))
    joined = both(rows, FeatureSet("f", "at", {}, (view,)), {"v": seen})
    assert joined["value"].to_list() == [1]
    assert OnlineView(view, seen).read(("JFK", "SFO"), NOON) == (2,)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SUM(x)", "not among the functions of a single row"),
        ("x + MAX(x)", "not among the functions of a single row"),
        ("RANK() OVER (ORDER BY x)", "looks beyond the row"),
        ("x + NOW()", "not among the functions of a single row"),
        ("CURRENT_TIMESTAMP", "looks beyond the row"),
        ("(SELECT 1)", "looks beyond the row"),
        ("x -- y", "no comments"),
        ("x /* y */", "no comments"),
        ("1 + 1", "depends on the request"),
        ("x +", "not an SQL expression"),
        ("*", "not an SQL expression"),
    ],
)
def test_expressions_that_are_refused(sql, message):
    with pytest.raises(PlanError, match=message):
        FeatureSet("f", "at", {"bad": sql}, ())


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("DIV(x, 100) * 60 + MOD(x, 100)", 317),
        ("CASE WHEN (x > 5) THEN 1 ELSE 0 END", 1),
        ("x IN (1, 517)", True),
        ("COALESCE(missing, 'SUM(')", "SUM("),
        ("\"x\" || '--'", "517--"),
        ("EXTRACT(ISODOW FROM at - INTERVAL '13 hours')", 7),
    ],
)
def test_expressions_that_are_let_in(sql, value):
    rows = pl.DataFrame({"x": [517], "missing": [None], "at": [NOON]}).with_columns(
        pl.col("missing").cast(pl.String)
    )
    assert both(rows, FeatureSet("f", "at", {"y": sql}, ()), {})["y"].to_list() == [value]
