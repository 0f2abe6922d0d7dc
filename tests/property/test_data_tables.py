"""The types of a CSV file's columns are those that all rows lead to, however few were looked at first."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tricord.data import tables

CELLS = [
    *("1", "-3", "+5", " 7", "7 ", "\t7", "007", "9223372036854775807", "9223372036854775808"),
    *("2.5", "1e5", "1E5", "1.", ".5", "-.5", "+1.5", "1.5e", "nan", "NaN", "inf", "-inf", "Infinity"),
    *("true", "false", "True", "TRUE", "x", "", "NA", "-", "--", "1_000", "0x1F", "2013-01-01"),
    *('"a"', '"5"', '" 5"', '""', '"1,5"', '"say ""hi"""', "99999999999999999999", "é", "\u00a05"),
]  # fmt: skip


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(CELLS), min_size=1, max_size=3),
    st.lists(st.sampled_from(CELLS), max_size=4),
    st.sampled_from([None, ["NA"]]),
    st.sampled_from(["\n", "\r\n"]),
)
@example(["1"], ["+5"], None, "\n")
@example(["2.5"], ["nan"], None, "\n")
@example(["9223372036854775808", "2.5"], ["1"], None, "\n")
@example([""], ["3"], None, "\n")
def test_a_sample_never_decides_otherwise_than_all_rows(
    tmp_path: Path, first: list[str], later: list[str], missing: Any, end: str
) -> None:
    cells = [*(first * 4)[:4], *later, first[0]]
    path = tmp_path / "t.csv"
    path.write_bytes(("a,b" + "".join(f"{end}{c},1" for c in cells) + end).encode())
    try:
        expected = pl.read_csv(path, infer_schema_length=None, null_values=missing)
    except pl.exceptions.PolarsError:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "SAMPLE", 4)
        found = tables._parsed(path, null_values=missing)
    assert_frame_equal(found, expected)
