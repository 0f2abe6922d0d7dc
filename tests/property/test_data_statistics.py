"""Merging profiles of parts equals the profile of the whole."""

import math
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.data.statistics import Column, Statistics, profile

ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(-1e6, 1e6) | st.just(math.nan),
        st.none() | st.sampled_from("abcdefg"),
    ),
    min_size=1,
    max_size=60,
)


def frame(rows: list[tuple[float | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"x": pl.Float64, "s": pl.String}, orient="row")


def counts(column: Column) -> tuple[object, ...]:
    return (column.count, column.nulls, column.nans, column.low, column.high, column.bins)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cuts=st.lists(st.integers(0, 60), max_size=3))
def test_parts_merge_to_the_whole(
    rows: list[tuple[float | None, str | None]], cuts: list[int]
) -> None:
    whole = profile(frame(rows))
    ends = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [profile(frame(rows[start:end]), edges=whole) for start, end in pairwise(ends)]
    for order in (parts, parts[::-1]):
        merged = order[0]
        for part in order[1:]:
            merged = merged.merge(part)
        assert counts(merged["x"]) == counts(whole["x"])
        assert dict(merged["s"].top) == dict(whole["s"].top)
        for mine, exact in ((merged["x"].mean, whole["x"].mean), (merged["x"].std, whole["x"].std)):
            assert (mine is None) == (exact is None)
            if mine is not None and exact is not None:
                assert math.isclose(mine, exact, rel_tol=1e-6, abs_tol=1e-3)
    assert Statistics.from_json(whole.to_json()) == whole
