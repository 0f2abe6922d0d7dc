"""The comparison of two tables against brute force over lists of rows."""

import math
from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.data.rows import compare

CELL = {
    "x": st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.5, math.nan, math.inf])),
    "s": st.one_of(st.none(), st.sampled_from(["", "a", "ü", "a\0", "NaN"])),
    "n": st.one_of(st.none(), st.integers(-2, 2)),
    "l": st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 1)), max_size=2)),
    "t": st.one_of(st.none(), st.fixed_dictionaries({"a": st.one_of(st.none(), st.booleans())})),
}
SCHEMA = {"x": pl.Float64, "s": pl.String, "n": pl.Int64, "l": pl.List(pl.Int64), "t": pl.Struct({"a": pl.Boolean})}  # fmt: skip
ROW = st.fixed_dictionaries(CELL)


def same(value: Any) -> Any:
    """A value as the oracle sees it: NaN is NaN, 0.0 is -0.0, and null is none of both."""
    match value:
        case float():
            return "nan" if math.isnan(value) else value + 0.0
        case list():
            return tuple(value)
        case dict():
            return ("row", *value.items())
        case _:
            return value


def as_tuple(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((name, type(value).__name__, same(value)) for name, value in sorted(row.items()))


def table(rows: list[dict[str, Any]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=SCHEMA)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=12), st.lists(ROW, max_size=12), st.sampled_from([3, 1000]))
def test_without_a_key_rows_are_a_multiset(
    old: list[dict[str, Any]], new: list[dict[str, Any]], share: int
) -> None:
    found = compare(table(old), table(new), share=share, examples=100)
    before, after = (Counter(map(as_tuple, side)) for side in (old, new))
    assert (found.before, found.after) == (len(old), len(new))
    assert (found.added, found.removed) == ((after - before).total(), (before - after).total())
    assert found.unchanged == (before & after).total()
    assert len(found.added_rows) == len(after - before)
    assert len(found.removed_rows) == len(before - after)


KEYED = st.dictionaries(st.tuples(st.one_of(st.none(), st.integers(0, 6)), st.sampled_from(["a", ""])), ROW, max_size=8)  # fmt: skip


def keyed(rows: dict[tuple[Any, str], dict[str, Any]]) -> pl.LazyFrame:
    full = [{"k": key[0], "j": key[1], **row} for key, row in rows.items()]
    return pl.LazyFrame(full, schema={"k": pl.Int64, "j": pl.String, **SCHEMA})


@settings(max_examples=60, deadline=None)
@given(KEYED, KEYED, st.sampled_from([3, 1000]))
def test_by_key_rows_are_added_removed_or_changed_cell_by_cell(
    old: dict[tuple[Any, str], dict[str, Any]],
    new: dict[tuple[Any, str], dict[str, Any]],
    share: int,
) -> None:
    found = compare(keyed(old), keyed(new), key=["k", "j"], share=share, examples=100)
    both = old.keys() & new.keys()
    changed = {key for key in both if as_tuple(old[key]) != as_tuple(new[key])}
    assert (found.added, found.removed) == (len(new.keys() - old.keys()), len(old.keys() - new.keys()))  # fmt: skip
    assert found.changed == len(changed) == len(found.changed_rows)
    cells = Counter(
        name
        for key in changed
        for name in SCHEMA
        if as_tuple({name: old[key][name]}) != as_tuple({name: new[key][name]})
    )
    assert dict(found.cells) == dict(cells)
    for row in found.changed_rows:
        key = (row.key["k"], row.key["j"])
        assert set(row.cells) == {
            name for name in SCHEMA
            if as_tuple({name: old[key][name]}) != as_tuple({name: new[key][name]})  # pyright: ignore[reportArgumentType]
        }  # fmt: skip
