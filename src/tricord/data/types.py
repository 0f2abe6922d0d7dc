"""The seven types that a schema knows, and how a column becomes one without losing anything."""

import polars as pl

TYPES = ("int", "float", "string", "bool", "date", "time", "datetime")
NUMERIC = ("int", "float")
TEMPORAL = ("date", "time", "datetime")

DTYPES: dict[str, pl.DataType] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "time": pl.Time(),
    "datetime": pl.Datetime("us", "UTC"),
}


def type_of(dtype: pl.DataType) -> str | None:
    """The schema's name of a polars type; None for nested and binary ones.

    >>> type_of(pl.UInt8()), type_of(pl.List(pl.Int64))
    ('int', None)
    """
    if dtype.is_integer():
        return "int"
    if dtype.is_numeric():
        return "float"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "string"
    names = {pl.Boolean: "bool", pl.Date: "date", pl.Time: "time", pl.Datetime: "datetime"}
    return next((name for kind, name in names.items() if isinstance(dtype, kind)), None)


def missing(column: pl.Series) -> pl.Series:
    """Boolean, one per row: null, or NaN, which stands for "no value" in floats."""
    if column.dtype.is_float():
        return (column.is_null() | column.is_nan().fill_null(value=True)).alias(column.name)
    return column.is_null()


def cast(column: pl.Series, type: str) -> pl.Series:
    """The column as `type`; null where a value has no lossless counterpart.

    Text becomes a number, a truth value or a time where all of it reads as one; a float becomes
    an integer where it is whole. Times without a zone are taken as UTC.

    >>> cast(pl.Series([1.0, 2.5, None]), "int").to_list()
    [1, None, None]
    """
    target = DTYPES[type]
    if column.dtype == target:
        return column.fill_nan(None) if type == "float" else column
    have = type_of(column.dtype)
    if have is None and column.dtype != pl.Null:
        return pl.Series(column.name, [None] * len(column), dtype=target)
    if type == "string":
        return _as_text(column, have)
    if have == "string":
        return _from_text(column.cast(pl.String), type)
    if type in NUMERIC and have in NUMERIC:
        plain = column.cast(pl.Float64).fill_nan(None) if have == "float" else column
        numbers = plain.cast(target, strict=False)
        if type == "int" and have == "float":
            whole = (plain == plain.floor()).fill_null(value=False)
            numbers = numbers.zip_with(whole, _nulls(numbers))
        return numbers
    if type == "bool" and have == "int":
        return column.replace_strict({0: False, 1: True}, default=None, return_dtype=pl.Boolean)
    if type == "datetime" and have == "datetime":
        zone = getattr(column.dtype, "time_zone", None)
        utc = column.dt.convert_time_zone("UTC") if zone else column.dt.replace_time_zone("UTC")
        return utc.cast(target)
    if type == "datetime" and have == "date":
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return _nulls(column).cast(target) if column.dtype != pl.Null else column.cast(target)


def _nulls(column: pl.Series) -> pl.Series:
    return pl.Series(column.name, [None], dtype=column.dtype).new_from_index(0, len(column))


def _as_text(column: pl.Series, have: str | None) -> pl.Series:
    if have == "string" or column.dtype == pl.Null:
        return column.cast(pl.String)
    return pl.Series(column.name, [None], dtype=pl.String).new_from_index(0, len(column))


def _from_text(text: pl.Series, type: str) -> pl.Series:
    if type == "bool":
        words = {"true": True, "false": False, "1": True, "0": False}
        return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    if type in NUMERIC:
        return text.str.strip_chars().cast(DTYPES[type], strict=False)
    if type == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    if type == "time":
        long = text.str.to_time("%H:%M:%S%.f", strict=False)
        return long.zip_with(long.is_not_null(), text.str.to_time("%H:%M", strict=False))
    return _datetimes(text)


_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
_PLAIN = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")


def _datetimes(text: pl.Series) -> pl.Series:
    """ISO 8601, with a zone or without; the layouts are tried one after the other per column."""
    plain = text.str.replace("Z$", "+00:00")
    result = pl.Series(text.name, [None], dtype=DTYPES["datetime"]).new_from_index(0, len(text))
    for layout in (*_ZONED, *_PLAIN):
        if result.null_count() == text.null_count():
            break
        times = plain.str.to_datetime(layout, strict=False, time_unit="us")
        zoned = layout in _ZONED
        times = times.dt.convert_time_zone("UTC") if zoned else times.dt.replace_time_zone("UTC")
        result = result.zip_with(result.is_not_null(), times)
    days = text.str.to_date("%Y-%m-%d", strict=False)
    if result.null_count() > text.null_count() and days.null_count() < len(days):
        midnight = days.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        result = result.zip_with(result.is_not_null(), midnight)
    return result
