"""Two tables against each other: their columns, and which rows were added, removed or changed.

Rows are compared by 64-bit digests of their values, 128 bits where rows or keys must be told from
all others, so that what is held in memory is 24 bytes a row; more rows than fit are gone through in
several passes, each over the rows whose digest falls into its share.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, cast

import polars as pl

from tricord.core.canonical import JSON
from tricord.core.errors import DataError
from tricord.core.spelling import nearest

_NAMED = 20
"""Columns that a message lists."""
SHARE = 8_000_000
"""Rows of both tables together that one pass compares: about 600 MB at its peak."""
CELLS = 100_000
"""Changed rows whose cells are compared one by one; of more, these many."""
_SEEDS = (1, 2, 3)
_WIDEST = pl.Int128()


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is new (`before` is None), gone (`after` is None) or of another type."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row of equal key on both sides: which cells differ, each as (before, after)."""

    key: Mapping[str, JSON]
    cells: Mapping[str, tuple[JSON, JSON]]


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How many rows each side has and how they differ, with a few examples.

    Without a `key`, a row is the same only if all its cells are, and how often each occurs counts;
    nothing is "changed" then. `cells` counts, by column, the cells that differ in `cells_of` changed
    rows. Only columns that both sides have are compared.
    """

    before: int
    after: int
    added: int
    removed: int
    changed: int = 0
    key: tuple[str, ...] = ()
    cells: Mapping[str, int] = field(default_factory=dict[str, int])
    cells_of: int = 0
    added_rows: tuple[Mapping[str, JSON], ...] = ()
    removed_rows: tuple[Mapping[str, JSON], ...] = ()
    changed_rows: tuple[ChangedRow, ...] = ()

    @property
    def unchanged(self) -> int:
        return self.after - self.added - self.changed


def column_changes(before: pl.Schema, after: pl.Schema) -> tuple[ColumnChange, ...]:
    """The columns that differ, those of `after` first, each in its table's order."""
    names = [*after, *(name for name in before if name not in after)]
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return tuple(
        ColumnChange(name, _type(old), _type(new))
        for name, old, new in pairs
        if old != new and pl.Null() not in (old, new)  # a column without any value has any type
    )


def _type(dtype: pl.DataType | None) -> str | None:
    return None if dtype is None else str(dtype)


def compare(
    before: pl.LazyFrame,
    after: pl.LazyFrame,
    *,
    key: Sequence[str] = (),
    examples: int = 5,
    share: int = SHARE,
) -> RowChanges:
    """Which rows were added, removed and (by `key`) changed. Cost: a pass over both tables, one
    more for examples. DataError where the key is no column of both, or does not tell rows apart.

    >>> old, new = pl.LazyFrame({"id": [1, 2], "x": [5, 6]}), pl.LazyFrame({"id": [2, 3], "x": [7, 8]})
    >>> found = compare(old, new, key=["id"])
    >>> found.added, found.removed, found.changed, found.changed_rows[0].cells
    (1, 1, 1, {'x': (6, 7)})
    """
    schemas = before.collect_schema(), after.collect_schema()
    common = [name for name in schemas[1] if name in schemas[0]]
    for name in key:
        if name not in common:
            known = nearest(name, common)
            raise DataError(
                f"the key {name!r} is no column of both tables{known}",
                hint=f"--key with some of {', '.join(common[:_NAMED])}{' …' * bool(common[_NAMED:])}",
            )
    if not common:
        gone, new = _counts(before, after)
        return RowChanges(gone, new, added=new, removed=gone)
    sides = _Sides(*_aligned(before, after, common), tuple(key), common, examples)
    counts = _counts(before, after)
    passes = max(1, math.ceil(sum(counts) / share))
    return sides.by_key(counts, passes) if key else sides.as_multisets(counts, passes)


def _counts(before: pl.LazyFrame, after: pl.LazyFrame) -> tuple[int, int]:
    one, two = (
        _collect(side.select(pl.len())).item() if side.collect_schema() else 0
        for side in (before, after)
    )
    return int(one), int(two)


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the tables cannot be compared: {str(error).splitlines()[0]}") from error


def _aligned(
    before: pl.LazyFrame, after: pl.LazyFrame, common: list[str]
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Both with the common columns only, each of one type: 1 and 1.0 are the same value."""
    old, new = before.collect_schema(), after.collect_schema()
    types = {name: _common_type(old[name], new[name]) for name in common}
    inexact = _inexact(before, types) | _inexact(after, types)

    def cast_(schema: pl.Schema) -> list[pl.Expr]:
        return [
            _digits(name, schema[name])
            if name in inexact
            else pl.col(name)
            if dtype is None
            else pl.col(name).cast(dtype)
            for name, dtype in types.items()
        ]

    return before.select(cast_(old)), after.select(cast_(new))


def _inexact(side: pl.LazyFrame, types: Mapping[str, pl.DataType | None]) -> set[str]:
    """Columns of integers that are to be compared as floats, and hold some that no float is equal to."""
    schema = side.collect_schema()
    checks = [
        pl.col(name).cast(dtype).cast(_WIDEST, strict=False).ne_missing(pl.col(name).cast(_WIDEST)).any()
        for name, dtype in types.items()
        if dtype is not None and dtype.is_float() and schema[name].is_integer()
    ]  # fmt: skip
    if not checks:
        return set()
    return {name for name, found in _collect(side.select(checks)).row(0, named=True).items() if found}  # fmt: skip


def _digits(name: str, dtype: pl.DataType) -> pl.Expr:
    """Numbers as texts that are equal where the numbers are, whatever their type: 1 and 1.0 are "1"."""
    number = pl.col(name)
    if not dtype.is_float():
        return number.cast(pl.String)
    whole = number.cast(_WIDEST, strict=False)
    return (
        pl.when(whole.cast(dtype) == number)
        .then(whole.cast(pl.String))
        .otherwise(number.cast(pl.String))
        .alias(name)
    )


def _common_type(old: pl.DataType, new: pl.DataType) -> pl.DataType | None:
    """The type that values of both have; text where there is none. None: as it is."""
    if any(isinstance(dtype, pl.Categorical | pl.Enum) for dtype in (old, new)):
        return pl.String()
    if old == new:
        return None
    try:
        empty = (pl.DataFrame(schema={"x": dtype}) for dtype in (old, new))
        return pl.concat(empty, how="vertical_relaxed").schema["x"]
    except pl.exceptions.PolarsError:
        return pl.String()


def _digest(columns: Sequence[str], seed: int) -> pl.Expr:
    # as a struct: the digest of a single column does not tell an empty text from 0.0
    return pl.struct(columns).hash(seed) if columns else pl.lit(0, dtype=pl.UInt64)


class _Sides:
    """Both tables, aligned: `a` before, `b` after."""

    def __init__(
        self, a: pl.LazyFrame, b: pl.LazyFrame, key: tuple[str, ...], common: list[str], most: int
    ) -> None:
        self.a, self.b = a, b
        self.key = key
        self.others = [name for name in common if name not in key]
        named = key or tuple(common)
        self.k1, self.k2 = _digest(named, _SEEDS[0]), _digest(named, _SEEDS[1])
        self.rest = _digest(self.others, _SEEDS[2])
        self.most = most

    def by_key(self, counts: tuple[int, int], passes: int) -> RowChanges:
        shown: dict[str, list[pl.DataFrame]] = {"added": [], "removed": [], "changed": []}
        sums = dict.fromkeys(shown, 0)
        for number in range(passes):
            sides = [self._keys(side, number, passes) for side in (self.a, self.b)]
            for side, digests in zip((self.a, self.b), sides, strict=True):
                self._refuse_duplicates(side, digests)
            both = _joined(*sides)
            for what, condition in (
                ("added", pl.col("r").is_null()),
                ("removed", pl.col("r_right").is_null()),
                ("changed", pl.col("r") != pl.col("r_right")),
            ):
                found = both.filter(condition).select("k1", "k2")
                sums[what] += found.height
                most = CELLS if what == "changed" else self.most
                shown[what].append(found.bottom_k(most, by="k1"))
        some = {what: pl.concat(found) for what, found in shown.items()}
        cells, cells_of, changed_rows = self._cells(some["changed"].head(CELLS))
        return RowChanges(
            *counts,
            added=sums["added"],
            removed=sums["removed"],
            changed=sums["changed"],
            key=self.key,
            cells=cells,
            cells_of=cells_of,
            added_rows=self._examples(self.b, some["added"]),
            removed_rows=self._examples(self.a, some["removed"]),
            changed_rows=changed_rows,
        )

    def _keys(self, side: pl.LazyFrame, number: int, passes: int) -> pl.DataFrame:
        digests = side.select(k1=self.k1, k2=self.k2, r=self.rest)
        if passes > 1:
            digests = digests.filter(pl.col("k1") % passes == number)
        return _collect(digests)

    def _refuse_duplicates(self, side: pl.LazyFrame, digests: pl.DataFrame) -> None:
        if digests["k1"].n_unique() == digests.height:
            return
        twice = digests.group_by("k1", "k2").len().filter(pl.col("len") > 1)
        if not twice.height:
            return
        first = twice.bottom_k(1, by="k1")
        row = self._found(side, first).select(self.key).row(0, named=True)
        shown = ", ".join(f"{name}={value}" for name, value in row.items())
        raise DataError(
            f"the key {', '.join(self.key)} does not tell rows apart: {first['len'][0]} have {shown}",
            hint="name more columns with --key, or leave it out",
        )

    def as_multisets(self, counts: tuple[int, int], passes: int) -> RowChanges:
        added = removed = 0
        shown: list[pl.DataFrame] = []
        for number in range(passes):
            old, new = (_counted(self._keys(side, number, passes)) for side in (self.a, self.b))
            both = _joined(old, new).select(
                "k1", "k2",
                more=pl.col("len_right").fill_null(0).cast(pl.Int64) - pl.col("len").fill_null(0),
            )  # fmt: skip
            added += int(both["more"].clip(lower_bound=0).sum())
            removed -= int(both["more"].clip(upper_bound=0).sum())
            more, less = both.filter(pl.col("more") > 0), both.filter(pl.col("more") < 0)
            shown += [side.bottom_k(self.most, by="k1") for side in (more, less)]
        some = pl.concat(shown)
        return RowChanges(
            *counts,
            added=added,
            removed=removed,
            added_rows=self._examples(self.b, some.filter(pl.col("more") > 0)),
            removed_rows=self._examples(self.a, some.filter(pl.col("more") < 0)),
        )

    def _found(self, side: pl.LazyFrame, keys: pl.DataFrame) -> pl.DataFrame:
        """The rows of these digests, each digest once."""
        wanted = keys.lazy().select("k1", "k2").unique()
        rows = side.with_columns(k1=self.k1, k2=self.k2).join(wanted, on=["k1", "k2"], how="semi")
        return _collect(rows).unique(["k1", "k2"], keep="first", maintain_order=True)

    def _examples(self, side: pl.LazyFrame, keys: pl.DataFrame) -> tuple[dict[str, JSON], ...]:
        chosen = keys.bottom_k(self.most, by="k1") if keys.height else keys
        if not chosen.height:
            return ()
        found = self._found(side, chosen).drop("k1", "k2")
        return tuple(as_json(row) for row in self._in_order(found).iter_rows(named=True))

    def _in_order(self, rows: pl.DataFrame) -> pl.DataFrame:
        plain = [name for name, dtype in rows.schema.items() if not dtype.is_nested()]
        by = [name for name in (self.key or plain) if name in plain]
        return rows.sort(by, maintain_order=True) if by else rows

    def _cells(self, keys: pl.DataFrame) -> tuple[dict[str, int], int, tuple[ChangedRow, ...]]:
        if not keys.height:
            return {}, 0, ()
        old, new = self._found(self.a, keys), self._found(self.b, keys)
        both = new.join(old, on=["k1", "k2"], how="inner", suffix="\0before")
        differs = {name: pl.col(name).ne_missing(pl.col(f"{name}\0before")) for name in self.others}
        sums = both.select(differ.sum().alias(name) for name, differ in differs.items())
        counts = {name: int(sums[name][0]) for name in self.others if sums[name][0]}
        examples = self._in_order(both.bottom_k(self.most, by="k1"))
        rows = tuple(self._changed_row(row) for row in examples.iter_rows(named=True))
        return counts, both.height, rows

    def _changed_row(self, row: dict[str, Any]) -> ChangedRow:
        pairs = {name: (_json(row[f"{name}\0before"]), _json(row[name])) for name in self.others}
        return ChangedRow(
            as_json({name: row[name] for name in self.key}),
            {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        )


def _counted(digests: pl.DataFrame) -> pl.DataFrame:
    """How often each digest occurs. By its first half, and by both only where that half says too little:
    grouping by one column of integers is several times as fast as by two."""
    some = digests.group_by("k1").agg(pl.len(), pl.col("k2").min(), k=pl.col("k2").max())
    if some.filter(pl.col("k2") != pl.col("k")).height:
        return digests.group_by("k1", "k2").len()
    return some.drop("k")


def _joined(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Both sides' rows of equal digest beside each other; each digest occurs once a side."""
    both = old.join(new, on="k1", how="full", coalesce=True)
    alike = both.filter(pl.col("k2").is_null() | pl.col("k2_right").is_null() | (pl.col("k2") == pl.col("k2_right")))  # fmt: skip
    if alike.height < both.height or both.height > both["k1"].n_unique():  # a collision of 64 bits
        return old.join(new, on=["k1", "k2"], how="full", coalesce=True)
    return both.with_columns(pl.col("k2").fill_null(pl.col("k2_right"))).drop("k2_right")


def as_json(row: Mapping[str, Any]) -> dict[str, JSON]:
    """A row's values as JSON has them: times and decimals as texts, bytes as hexadecimal digits.

    >>> as_json({"x": float("nan"), "t": date(2013, 1, 31), "b": b"\\xff"})
    {'x': 'NaN', 't': '2013-01-31', 'b': 'ff'}
    """
    return {name: _json(value) for name, value in row.items()}


def _json(value: Any) -> JSON:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else "NaN" if math.isnan(value) else str(value)
        case bytes():
            return value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case dict():
            return as_json(cast("dict[str, Any]", value))
        case list() | pl.Series():
            return [_json(item) for item in cast("list[Any]", value)]
        case _:
            return str(value)
