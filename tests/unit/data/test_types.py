import datetime as dt
from typing import Any

import polars as pl
import pytest

from tricord.data.types import cast, missing

TEN = dt.datetime(2013, 1, 1, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "type", "expected"),
    [
        (["2013-01-01T10:00:00Z", "2013-01-01T11:00:00+01:00", "x"], "datetime", [TEN, TEN, None]),
        (["2013-01-01 10:00:00", "2013-01-01"], "datetime", [TEN, TEN.replace(hour=0)]),
        ([TEN.replace(tzinfo=None)], "datetime", [TEN]),
        (["10:20", "10:20:30"], "time", [dt.time(10, 20), dt.time(10, 20, 30)]),
        (["2013-01-01", "x"], "date", [dt.date(2013, 1, 1), None]),
        (["1", " 2", "2.5", "x", None], "int", [1, 2, None, None, None]),
        ([1.0, 2.5, float("nan"), float("inf")], "int", [1, None, None, None]),
        ([1, None], "float", [1.0, None]),
        (["TRUE", "0", "no"], "bool", [True, False, None]),
        ([0, 1, 2], "bool", [False, True, None]),
        ([1, 2], "string", [None, None]),
        ([True], "int", [None]),
        ([[1]], "int", [None]),
        ([None], "float", [None]),
    ],
)
def test_a_cast_loses_nothing_or_says_null(
    values: list[Any], type: str, expected: list[Any]
) -> None:
    assert cast(pl.Series("c", values, strict=False), type).to_list() == expected


def test_nan_counts_as_missing() -> None:
    assert missing(pl.Series([1.0, float("nan"), None])).to_list() == [False, True, True]
