import datetime as dt

import numpy as np
import polars as pl
import pytest

from tricord.core.canonical import encode
from tricord.core.errors import DataError
from tricord.data.statistics import EDGES, Statistics, profile


def test_the_figures_of_a_numeric_column() -> None:
    column = profile(pl.DataFrame({"x": [1.0, 2.0, 2.0, 5.0, None, float("nan"), float("inf")]}))[
        "x"
    ]
    assert (column.count, column.nulls, column.nans, column.infinite) == (7, 1, 1, 1)
    assert (column.low, column.high, column.mean, column.distinct) == (1.0, 5.0, 2.5, 4)
    assert column.std == pytest.approx(np.std([1, 2, 2, 5], ddof=1))
    assert column.edges[1:] == (1.0, 2.0, 5.0)
    assert column.bins == (0, 1, 2, 1, 1)


def test_the_figures_of_a_text_column() -> None:
    column = profile(pl.DataFrame({"s": ["b", "a", "b", None]}))["s"]
    assert column.top == (("b", 2), ("a", 1))
    assert (column.family, column.nulls, column.distinct, column.rest) == ("categorical", 1, 2, 0)


def test_more_than_a_thousand_values_are_cut() -> None:
    column = profile(pl.DataFrame({"s": [str(n) for n in range(1_500)]}))["s"]
    assert (len(column.top), column.rest, column.distinct) == (1_000, 500, 1_500)


def test_edges_are_at_most_256_and_hold_about_equal_shares() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    column = profile(pl.DataFrame({"x": values}))["x"]
    assert len(column.edges) == EDGES
    assert sum(column.bins) == 100_000
    assert max(column.bins) < 450


def test_frozen_edges_serve_a_later_table() -> None:
    first = profile(pl.DataFrame({"x": [1, 2, 3], "s": ["a", "b", "b"]}))
    later = profile(pl.DataFrame({"x": [0, 2, 9], "s": ["c", "b", "b"]}), edges=first)
    assert later["x"].edges == first["x"].edges
    assert later["x"].bins == (1, 0, 1, 0, 1)
    assert later["s"].top == (("b", 2), ("c", 1))


def test_times_booleans_and_empty_columns() -> None:
    frame = pl.DataFrame({"t": [dt.date(2013, 1, 2)], "b": [True], "n": [None], "l": [[1]]})
    found = profile(frame)
    assert found["t"].low == "2013-01-02"
    assert found["b"].top == (("true", 1),)
    assert [found[name].family for name in "tbnl"] == ["time", "categorical", "other", "other"]


def test_an_empty_table_has_a_profile() -> None:
    empty = pl.DataFrame(schema={"x": pl.Float64, "s": pl.String})
    found = profile(empty)
    assert (found.rows, found["x"].mean, found["s"].top) == (0, None, ())


def test_json_and_back() -> None:
    found = profile(pl.DataFrame({"x": [0.1, None, float("inf")], "s": ["é", None, "b"]}))
    assert Statistics.from_json(found.to_json()) == found
    assert encode(found.to_json())


def test_profiles_of_other_edges_do_not_merge() -> None:
    one, other = (profile(pl.DataFrame({"x": values})) for values in ([1.0, 2.0], [3.0, 4.0]))
    with pytest.raises(DataError, match="do not merge"):
        one.merge(other)
