"""Two tables against each other where types differ, keys fail, and one side is empty."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from tricord.core.errors import DataError
from tricord.data import rows
from tricord.data.rows import ColumnChange, column_changes, compare


def frame(**columns: object) -> pl.LazyFrame:
    return pl.LazyFrame(columns)


def test_a_type_that_changed_is_told_and_equal_values_of_it_are_equal() -> None:
    old = frame(id=[1, 2, 3], n=[1, 2, None], c=["a", "b", None])
    new = old.with_columns(pl.col("n").cast(pl.Float64), pl.col("c").cast(pl.Categorical))
    found = compare(old, new, key=["id"])
    assert (found.added, found.removed, found.changed) == (0, 0, 0)
    assert column_changes(old.collect_schema(), new.collect_schema()) == (
        ColumnChange("n", "Int64", "Float64"),
        ColumnChange("c", "String", "Categorical"),
    )


def test_types_without_a_common_one_are_compared_as_text() -> None:
    old = frame(id=[1, 2], when=[datetime(2013, 1, 1, tzinfo=UTC), None])
    new = frame(id=[1, 2], when=["x", None])
    assert compare(old, new, key=["id"]).changed == 1


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64])
def test_integers_that_no_float_is_equal_to_are_told_apart(dtype: type[pl.DataType]) -> None:
    large = 2**53
    old = frame(id=[1, 2, 3, 4, 5], n=[large + 1, large, 7, None, 1]).cast({"n": dtype})
    new = frame(id=[1, 2, 3, 4, 5], n=[float(large), float(large), 7.0, None, 1.5])
    found = compare(old, new, key=["id"])
    assert (found.changed, found.cells) == (2, {"n": 2})
    assert sorted(str(row.key["id"]) for row in found.changed_rows) == ["1", "5"]
    assert compare(new, old, key=["id"]).changed == 2
    assert (compare(old, new).added, compare(new, old).removed) == (2, 2)
    same = frame(id=[1], n=[7])
    assert compare(same, frame(id=[1], n=[8.0]), key=["id"]).changed_rows[0].cells == {
        "n": (7.0, 8.0)
    }


def test_signed_and_unsigned_integers_are_told_apart() -> None:
    old = frame(id=[1, 2], n=[2**62 + 1, 5]).cast({"n": pl.Int64})
    new = frame(id=[1, 2], n=[2**62, 5]).cast({"n": pl.UInt64})
    assert compare(old, new, key=["id"]).changed == 1


def test_a_column_without_values_has_any_type() -> None:
    old, new = frame(x=[None, None]), frame(x=[1, None])
    assert column_changes(old.collect_schema(), new.collect_schema()) == ()
    found = compare(old, new)
    assert (found.added, found.removed) == (1, 1)


def test_columns_that_came_or_went_do_not_change_rows() -> None:
    old, new = frame(id=[1, 2], a=[1, 2]), frame(id=[1, 2], b=[3, 4])
    assert compare(old, new, key=["id"]).changed == 0
    assert column_changes(old.collect_schema(), new.collect_schema()) == (
        ColumnChange("b", None, "Int64"),
        ColumnChange("a", "Int64", None),
    )


def test_without_a_column_in_common_every_row_is_another() -> None:
    found = compare(frame(a=[1, 2]), frame(b=[3]))
    assert (found.before, found.after, found.added, found.removed) == (2, 1, 1, 2)
    found = compare(pl.LazyFrame(), frame(b=[3]))
    assert (found.before, found.after, found.added, found.removed, found.unchanged) == (0, 1, 1, 0, 0)  # fmt: skip


def test_a_key_that_does_not_tell_rows_apart_is_refused_with_an_example() -> None:
    old, new = frame(day=[1, 1, 2], x=[1, 2, 3]), frame(day=[1, 2], x=[1, 2])
    with pytest.raises(DataError, match=r"key day does not tell rows apart: 2 have day=1"):
        compare(old, new, key=["day"])
    with pytest.raises(DataError, match=r"'dya' is no column of both tables: did you mean 'day'"):
        compare(old, new, key=["dya"])


def test_null_nan_and_zero_are_three_values() -> None:
    old = frame(id=[1, 2, 3, 4], x=[None, float("nan"), 0.0, float("nan")])
    new = frame(id=[1, 2, 3, 4], x=[float("nan"), None, None, -float("nan")])
    found = compare(old, new, key=["id"])
    assert found.changed == 3
    assert [dict(row.cells) for row in found.changed_rows] == [
        {"x": (None, "NaN")},
        {"x": ("NaN", None)},
        {"x": (0.0, None)},
    ]


def test_a_key_may_be_null_and_all_of_a_row() -> None:
    found = compare(frame(k=[None, "a"]), frame(k=[None, "b"]), key=["k"])
    assert (found.added, found.removed, found.changed) == (1, 1, 0)


def test_values_of_every_type_are_told_as_json_has_them() -> None:
    old = frame(id=[1], d=[date(2013, 1, 1)], b=[b"\x00"], m=[Decimal("1.50")], p=[timedelta(1)], l=[[1, None]])  # fmt: skip
    new = frame(id=[1], d=[date(2013, 1, 2)], b=[b"\xff"], m=[Decimal("2.50")], p=[timedelta(2)], l=[[2]])  # fmt: skip
    (row,) = compare(old, new, key=["id"]).changed_rows
    assert row.cells == {
        "d": ("2013-01-01", "2013-01-02"),
        "b": ("00", "ff"),
        "m": ("1.50", "2.50"),
        "p": ("1 day, 0:00:00", "2 days, 0:00:00"),
        "l": ([1, None], [2]),
    }


def test_many_passes_find_what_one_finds() -> None:
    old = frame(id=range(1000), x=[n % 7 for n in range(1000)])
    new = frame(id=range(10, 1010), x=[n % 7 if n % 100 else 9 for n in range(10, 1010)])
    one = compare(old, new, key=["id"], examples=3)
    many = compare(old, new, key=["id"], examples=3, share=100)
    assert one == many
    assert (one.added, one.removed, one.changed, one.cells) == (10, 10, 9, {"x": 9})
    assert compare(old, new, examples=3) == compare(old, new, examples=3, share=100)


@pytest.mark.parametrize("share", [50, 10_000])
def test_digests_that_collide_are_told_apart_by_their_second_half(
    monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    old = frame(id=range(200), x=[n % 7 for n in range(200)])
    new = frame(id=range(10, 210), x=[n % 7 if n % 50 else 9 for n in range(10, 210)])
    right = [compare(old, new, key=key, share=share, examples=0) for key in (["id"], [])]
    whole = rows._digest

    def weak(columns: Sequence[str], seed: int) -> pl.Expr:
        digest = whole(columns, seed)
        return digest % 5 if seed == rows._SEEDS[0] else digest

    monkeypatch.setattr(rows, "_digest", weak)
    found = [compare(old, new, key=key, share=share, examples=0) for key in (["id"], [])]
    assert found == right
    assert (right[0].added, right[0].removed, right[0].changed) == (10, 10, 3)
