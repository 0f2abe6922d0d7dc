"""Statistics: what a table looks like, small enough to keep for ever and to compare with.

A profile with its edges frozen can be compared with later tables when its own rows are gone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tricord.core.canonical import JSON
from tricord.core.errors import DataError
from tricord.data.numbers import recorded, rounded
from tricord.data.types import TEMPORAL, type_of

EDGES = 256
"""Quantile edges per numeric column: a Wasserstein distance taken on them is as good as exact."""
TOP = 1_000
"""Values of a categorical column that are counted one by one; the others are in `rest`."""

Family = Literal["numeric", "categorical", "time", "other"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `nulls` and `nans` are counts of rows; the moments are of the finite values.

    `bins[i]` counts the values in (edges[i-1], edges[i]]; the first bin is what lies below all
    edges, the last what lies above. `edges` begins just below the smallest value. `top` pairs a value
    (as text) with its count, most frequent first; `rest` counts the values that are not in it.
    `std` has the divisor n - 1. `distinct` is exact, None after a merge that cannot know it.
    """

    name: str
    dtype: str
    family: Family
    count: int
    nulls: int
    nans: int = 0
    infinite: int = 0
    distinct: int | None = None
    low: float | str | None = None
    high: float | str | None = None
    mean: float | None = None
    std: float | None = None
    edges: tuple[float, ...] = ()
    bins: tuple[int, ...] = ()
    top: tuple[tuple[str, int], ...] = ()
    rest: int = 0

    @property
    def values(self) -> int:
        """Rows with a value: neither null nor NaN."""
        return self.count - self.nulls - self.nans

    @property
    def missing(self) -> int:
        return self.nulls + self.nans

    def to_json(self) -> dict[str, JSON]:
        fields: dict[str, JSON] = {name: getattr(self, name) for name in self.__slots__}
        fields["top"] = [list(pair) for pair in self.top]
        fields["edges"], fields["bins"] = list(self.edges), list(self.bins)
        return fields

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Column":
        fields = dict(data)
        fields["edges"] = tuple(float(edge) for edge in fields["edges"])
        fields["bins"] = tuple(fields["bins"])
        fields["top"] = tuple((str(value), int(count)) for value, count in fields["top"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Statistics:
    """A table's profile: its number of rows and each column's statistics in the table's order."""

    rows: int
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"no statistics of a column {name!r}")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def to_json(self) -> dict[str, JSON]:
        """Plain JSON; equal profiles give equal canonical bytes."""
        return {
            "tricord": "statistics/1",
            "rows": self.rows,
            "columns": [column.to_json() for column in self.columns],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Statistics":
        if data.get("tricord") != "statistics/1":
            raise DataError(f"not statistics of version 1: {data.get('tricord')!r}")
        columns = cast("Sequence[Mapping[str, Any]]", data["columns"])
        return cls(int(data["rows"]), tuple(Column.from_json(column) for column in columns))

    def merge(self, other: "Statistics") -> "Statistics":
        """The profile of both tables' rows together. Needs the same columns and frozen edges."""
        if self.names != other.names:
            raise DataError(f"profiles of different columns: {self.names} and {other.names}")
        pairs = zip(self.columns, other.columns, strict=True)
        return Statistics(self.rows + other.rows, tuple(_merged(a, b) for a, b in pairs))


def profile(frame: pl.DataFrame, *, edges: Statistics | None = None) -> Statistics:
    """Statistics of every column. With `edges`, histograms use that profile's edges and values.

    Cost: one sort per numeric column, one group-by per categorical one.

    >>> profile(pl.DataFrame({"x": [1.0, 3.0, None]}))["x"].mean
    2.0
    """
    frozen = {column.name: column for column in edges.columns} if edges else {}
    columns = tuple(_column(series, frozen.get(series.name)) for series in frame.get_columns())
    return Statistics(frame.height, columns)


def _column(series: pl.Series, frozen: Column | None) -> Column:
    named = type_of(series.dtype)
    column = Column(series.name, str(series.dtype), "other", len(series), series.null_count())
    if series.dtype == pl.Null:
        # no value, so no type: an empty column goes with whatever it is compared with
        family = frozen.family if frozen else "other"
        bins = (0,) * (len(frozen.bins) if frozen else 0)
        edges = frozen.edges if frozen else ()
        return replace(column, family=family, distinct=0, edges=edges, bins=bins)
    if named in ("int", "float"):
        return _numeric(column, series, frozen)
    if named in ("string", "bool"):
        return _categorical(column, series, frozen)
    if named in TEMPORAL:
        low, high = series.min(), series.max()
        bounds = {"low": str(low), "high": str(high)} if low is not None else {}
        return replace(column, family="time", distinct=series.drop_nulls().n_unique(), **bounds)
    return column


def _numeric(column: Column, series: pl.Series, frozen: Column | None) -> Column:
    numbers = series.drop_nulls().cast(pl.Float64).to_numpy()
    values = np.sort(numbers[~np.isnan(numbers)])
    column = replace(column, family="numeric", nans=len(numbers) - len(values))
    edges = np.asarray(frozen.edges) if frozen and frozen.edges else quantile_edges(values)
    bins = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    finite = values[np.isfinite(values)]
    column = replace(
        column,
        infinite=len(values) - len(finite),
        distinct=int(np.count_nonzero(np.diff(values)) + 1) if len(values) else 0,
        edges=tuple(edges.tolist()),
        bins=tuple(bins.tolist()),
    )
    if not len(finite):
        return column
    return replace(
        column,
        low=float(finite[0]),
        high=float(finite[-1]),
        mean=recorded(float(finite.mean())),
        std=recorded(float(finite.std(ddof=1))) if len(finite) > 1 else None,
    )


def quantile_edges(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most 256 distinct edges out of sorted values, with one just below the smallest in front.

    A column of fewer distinct values gets one edge per value, so that its histogram is exact.
    """
    finite = ordered[np.isfinite(ordered)]
    if not len(finite):
        return np.empty(0)
    distinct = finite[np.concatenate(([True], np.diff(finite) > 0))]
    if len(distinct) >= EDGES:
        picks = np.linspace(0, len(finite) - 1, EDGES - 1).round().astype(np.int64)
        distinct = np.unique(finite[picks])
    return np.concatenate(([np.nextafter(distinct[0], -np.inf)], distinct))


def _categorical(column: Column, series: pl.Series, frozen: Column | None) -> Column:
    text = series.drop_nulls().cast(pl.String).alias("value")
    counts = (
        text.to_frame().group_by("value").len().sort(["len", "value"], descending=[True, False])
    )
    if frozen is not None and frozen.top:
        # the reference's values first, so that none of them hides in the rest
        known = pl.col("value").is_in([value for value, _ in frozen.top])
        counts = pl.concat([counts.filter(known), counts.filter(~known)])
    top = tuple(counts.head(TOP).rows())
    return replace(
        column,
        family="categorical",
        distinct=counts.height,
        top=cast("tuple[tuple[str, int], ...]", top),
        rest=int(counts["len"].slice(TOP).sum()),
    )


def _merged(a: Column, b: Column) -> Column:
    if (a.family, a.dtype) != (b.family, b.dtype) or a.edges != b.edges:
        raise DataError(
            f"statistics of column {a.name!r} do not merge: their types or edges differ",
            hint="profile(frame, edges=FIRST) freezes the edges",
        )
    mean, std = _merged_moments(a, b)
    counts = dict(a.top)
    for value, count in b.top:
        counts[value] = counts.get(value, 0) + count
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = a.rest + b.rest
    lows = [x for x in (a.low, b.low) if x is not None]
    highs = [x for x in (a.high, b.high) if x is not None]
    return replace(
        a,
        count=a.count + b.count,
        nulls=a.nulls + b.nulls,
        nans=a.nans + b.nans,
        infinite=a.infinite + b.infinite,
        distinct=len(counts) if a.family == "categorical" and not rest else None,
        low=min(lows, default=None),  # pyright: ignore[reportArgumentType]
        high=max(highs, default=None),  # pyright: ignore[reportArgumentType]
        mean=mean,
        std=std,
        bins=tuple(x + y for x, y in zip(a.bins, b.bins, strict=True)),
        top=tuple(ordered[:TOP]),
        rest=rest + sum(count for _, count in ordered[TOP:]),
    )


def _merged_moments(a: Column, b: Column) -> tuple[float | None, float | None]:
    """Chan, Golub, LeVeque (1979): mean and variance of a union from those of its parts."""
    n, m = a.values - a.infinite, b.values - b.infinite
    if a.mean is None or b.mean is None:
        some = b if a.mean is None else a
        return some.mean, some.std
    total, delta = n + m, b.mean - a.mean
    squares = (a.std or 0.0) ** 2 * (n - 1) + (b.std or 0.0) ** 2 * (m - 1)
    squares += delta * delta * n * m / total
    return rounded(a.mean + delta * m / total), rounded(math.sqrt(squares / (total - 1)))
