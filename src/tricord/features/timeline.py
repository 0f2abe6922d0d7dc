"""What `join` and the online views share, so that they cannot come to differ.

Checks, the order of a timeline, how keys are matched, and how features are put beside the rows.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from tricord.core.errors import DataError
from tricord.features.definition import View
from tricord.features.instant import micros, zoned

TIME = "time"
ROW = "row"


class Sorted(NamedTuple):
    """A timeline in order of time; of equal times, the later row stays the later one.

    `keys` has columns `time` (Int64 microseconds, UTC) and one per entity column, named by its
    position ("0", "1", …); `values` the features, row by row beside it, and after the last one a row
    of nulls: what is unknown stands there. No null in `keys`: an observation without entity or time
    is known of nobody at no time.
    """

    keys: pl.DataFrame
    values: pl.DataFrame


def ordered(view: View, timeline: pl.DataFrame) -> Sorted:
    """Check a timeline against its view and sort it by time. DataError says what is missing."""
    wanted = (*view.entity, view.time, *view.features)
    if missing := [name for name in wanted if name not in timeline.columns]:
        raise DataError(f"the timeline has no column {', '.join(missing)}", where=of(view))
    times = timeline.get_column(view.time)
    zoned(times, where=of(view))
    keys = pl.DataFrame(
        [
            times.cast(pl.Int64).alias(TIME),  # sorted in its own unit: nanoseconds decide too
            *(_key(timeline.get_column(e), view).alias(str(i)) for i, e in enumerate(view.entity)),
        ]
    ).with_row_index(ROW)
    keys = keys.drop_nulls().sort(TIME, maintain_order=True)
    order = keys.get_column(ROW)
    values = timeline.select(view.features)[order]
    values = values.vstack(values.clear(n=1)).rechunk()
    return Sorted(keys.drop(ROW).with_columns(micros(times[order]).alias(TIME)), values)


def of(view: View) -> str:
    """How errors name a view."""
    return f"view {view.name!r}"


def _key(entity: pl.Series, view: View) -> pl.Series:
    dtype = entity.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return entity.cast(pl.String)
    if dtype.is_integer() or isinstance(dtype, pl.String | pl.Boolean | pl.Date | pl.Null):
        return entity
    raise DataError(
        f"entity {entity.name!r} is {dtype}; only integers, text, booleans and dates identify",
        where=of(view),
    )


def row_keys(view: View, rows: pl.DataFrame, keys: pl.DataFrame) -> list[pl.Series]:
    """The rows' entity columns in the types of the timeline's `keys`; what has no equal there is null.

    DataError where the types cannot be compared: text with numbers, say.
    """
    if missing := [name for name in view.entity if name not in rows.columns]:
        raise DataError(f"the rows have no column {', '.join(missing)}", where=of(view))
    return [
        _as_type(_key(rows.get_column(name), view), keys.get_column(str(i)).dtype, view)
        for i, name in enumerate(view.entity)
    ]


def _as_type(entity: pl.Series, wanted: pl.DataType, view: View) -> pl.Series:
    dtype = entity.dtype
    if dtype == wanted:
        return entity
    if dtype == pl.Null or wanted == pl.Null:
        return pl.Series(entity.name, [None] * len(entity), dtype=wanted)
    if dtype.is_integer() and wanted.is_integer():
        return entity.cast(wanted, strict=False)  # all digits, or null: then nothing equals it
    raise DataError(
        f"entity {entity.name!r} is {dtype} in the rows and {wanted} in the timeline",
        where=of(view),
    )


def beside(
    rows: pl.DataFrame, request: Iterable[pl.Series], views: Sequence[tuple[View, pl.DataFrame]]
) -> pl.DataFrame:
    """`rows` with every feature: a request feature takes the place of a column of its name.

    DataError where a view would overwrite a column of the rows.
    """
    columns = {series.name: series for series in rows}
    for view, _ in views:
        if clash := [name for name in view.features if name in columns]:
            raise DataError(
                f"the rows already have a column {', '.join(clash)}",
                where=of(view),
                hint="drop it before the features are joined",
            )
    columns |= {series.name: series for series in request}
    for _, values in views:
        columns |= {series.name: series for series in values}
    return pl.DataFrame(list(columns.values()))
