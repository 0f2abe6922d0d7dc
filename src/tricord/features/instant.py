"""Instants as whole microseconds since the epoch in UTC, whatever unit and zone they came in."""

from datetime import UTC, datetime, timedelta

import polars as pl

from tricord.core.errors import DataError

UTC_MICROS = pl.Datetime("us", "UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zoned(values: pl.Series, *, where: str) -> bool:
    """True where instants carry a time zone. DataError where they are no datetimes at all."""
    if not isinstance(values.dtype, pl.Datetime):
        raise DataError(
            f"column {values.name!r} must hold datetimes, not {values.dtype}",
            where=where,
            hint="parse it first: pl.col(…).str.to_datetime(time_zone='UTC')",
        )
    return values.dtype.time_zone is not None


def as_utc(values: pl.Series, *, where: str) -> pl.Series:
    """The same instants as datetime[μs, UTC]; the very same series where they are so already.

    Without a zone they are taken as UTC. Nanoseconds are floored.
    """
    if values.dtype == UTC_MICROS:
        return values
    zoned(values, where=where)
    return micros(values).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def micros(values: pl.Series) -> pl.Series:
    """Datetimes as Int64 microseconds since the epoch, nanoseconds floored; null stays null."""
    number = values.cast(pl.Int64)  # a datetime with a zone is stored in UTC
    match values.dtype:
        case pl.Datetime(time_unit="ms"):
            return number * 1000
        case pl.Datetime(time_unit="ns"):
            return number // 1000
        case _:
            return number


def micros_of(instant: datetime) -> int:
    """One instant in microseconds since the epoch; without a zone it is taken as UTC.

    >>> micros_of(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def same_kind(rows: pl.Series, timeline: pl.Series, *, where: str) -> None:
    """DataError where one side has a time zone and the other does not: nobody can tell the gap."""
    if zoned(rows, where=where) != zoned(timeline, where=where):
        raise DataError(
            f"{rows.name!r} of the rows is {rows.dtype} and {timeline.name!r} of the timeline is "
            f"{timeline.dtype}: one has a time zone, the other has none",
            where=where,
            hint="say which zone is meant: pl.col(…).dt.replace_time_zone('UTC')",
        )
