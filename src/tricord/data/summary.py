"""What each column of two tables looks like, side by side. One pass over each, whatever their size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from tricord.core.canonical import JSON
from tricord.core.errors import DataError
from tricord.data.numbers import recorded
from tricord.data.rows import as_json

EXACT = 1_000_000
"""Rows up to which distinct values are counted; beyond, they are estimated (HyperLogLog, to about 2 %)."""
_AT_ONCE = 16
"""Columns a pass looks at: what counting distinct values holds in memory."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One column: shares of rows that are null or NaN, range and mean of the others, distinct values."""

    nulls: float
    nans: float
    low: JSON
    high: JSON
    mean: float | None
    distinct: int
    exact: bool

    def to_json(self) -> dict[str, JSON]:
        return {name: getattr(self, name) for name in self.__slots__}


def summaries(frame: pl.LazyFrame, rows: int) -> dict[str, Summary]:
    """A summary of every column of a table of so many rows.

    >>> summaries(pl.LazyFrame({"x": [1.0, 3.0, None, None]}), 4)["x"].mean
    2.0
    """
    schema = frame.collect_schema()
    found: dict[str, Summary] = {}
    names = list(schema)
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        asked = [
            expression.alias(f"{name}\0{what}")
            for name in some
            for what, expression in _expressions(name, schema[name], rows).items()
        ]
        try:
            row = frame.select(asked).collect(engine="streaming").row(0, named=True)
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"the columns cannot be summed up: {reason}") from error
        found |= {name: _summary(as_json(row), name, rows) for name in some}
    return found


def _expressions(name: str, dtype: pl.DataType, rows: int) -> dict[str, pl.Expr]:
    column = pl.col(name)
    distinct = column.hash().n_unique() if rows <= EXACT else column.hash().approx_n_unique()
    asked = {"nulls": column.null_count(), "distinct": distinct}
    if dtype.is_float():
        asked["nans"] = column.is_nan().sum()
        column = column.fill_nan(None)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if not dtype.is_nested():
        asked |= {"low": column.min(), "high": column.max()}
    if dtype.is_numeric() or isinstance(dtype, pl.Boolean):
        asked["mean"] = column.cast(pl.Float64).mean()
    return asked


def _summary(row: Mapping[str, Any], name: str, rows: int) -> Summary:
    def of(what: str) -> Any:
        return row.get(f"{name}\0{what}")

    mean = of("mean")
    return Summary(
        nulls=of("nulls") / rows if rows else 0.0,
        nans=(of("nans") or 0) / rows if rows else 0.0,
        low=of("low"),
        high=of("high"),
        mean=recorded(mean) if isinstance(mean, float) else None,
        distinct=of("distinct") - bool(of("nulls")),
        exact=rows <= EXACT,
    )
