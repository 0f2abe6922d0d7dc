"""Request features: SQL expressions, checked and compiled once, evaluated one row at a time.

The dialect is the one of polars' SQL. Only functions whose result depends on nothing but the row
are let in, so that a single request gives the same value as the same row among a million.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import polars as pl
from polars.exceptions import PolarsError

from tricord.core.errors import DataError, PlanError
from tricord.features.instant import as_utc

_FUNCTIONS = """
abs ceil ceiling div exp floor ln log log10 log1p log2 mod pi pow power round sign sqrt cbrt
acos asin atan atan2 cos cot sin tan degrees radians
coalesce greatest if ifnull least nullif
bit_length concat concat_ws ends_with initcap left length lower lcase ltrim octet_length
regexp_like replace reverse right rtrim split_part starts_with strpos substr substring trim
upper ucase cast try_cast extract date_part strftime
"""
ROW_WISE = frozenset(_FUNCTIONS.split())
"""Functions that may be used: of one row, of nothing else, the same each time."""

_BEFORE_PARENTHESIS = "in and or not when then else case between like ilike is from"
_ELSEWHERE = "over select distinct current_date current_time current_timestamp localtime"
_CALLABLE = ROW_WISE.union(_BEFORE_PARENTHESIS.split())
_NOT_OF_THE_ROW = frozenset(_ELSEWHERE.split())
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_CALL = re.compile(r"([^\W\d]\w*)\s*\(")
_WORD = re.compile(r"[^\W\d]\w*")


@lru_cache(maxsize=4096)
def compiled(feature: str, sql: str, *, where: str) -> pl.Expr:
    """The expression that `sql` spells, named `feature`. PlanError says what is wrong with it.

    >>> compiled("hour", "DIV(hhmm, 100)", where="doctest").meta.output_name()
    'hour'
    """
    where = f"{where}, feature {feature!r}"
    bare = _QUOTED.sub(" q ", sql)
    if "--" in bare or "/*" in bare:
        raise PlanError("an expression holds no comments", where=where)
    for word in _WORD.findall(bare):
        if word.lower() in _NOT_OF_THE_ROW:
            raise PlanError(
                f"{word} looks beyond the row of the request",
                where=where,
                hint="put what needs other rows into a view's timeline",
            )
    for call in _CALL.findall(bare):
        if call.lower() not in _CALLABLE:
            raise PlanError(
                f"{call}() is not among the functions of a single row",
                where=where,
                hint="put what needs other rows into a view's timeline",
            )
    try:
        expression = pl.sql_expr(sql)
        names = roots(expression)
        if expression.meta.has_multiple_outputs() or not names:
            raise PlanError("not one value that depends on the request", where=where)
        return expression.alias(feature)
    except PolarsError as error:
        raise PlanError(f"not an SQL expression: {error}", where=where) from error


def roots(expression: pl.Expr) -> list[str]:
    """The columns that an expression reads."""
    return list(dict.fromkeys(expression.meta.root_names()))


class RequestFeatures:
    """The compiled request features of one feature set. Immutable."""

    def __init__(self, request: Mapping[str, str], *, time: str, where: str) -> None:
        self._time = time
        self._where = where
        expressions = {name: compiled(name, sql, where=where) for name, sql in request.items()}
        # most features are a column as it is: those need no engine
        self._copied = {
            name: roots(expression)[0]
            for name, expression in expressions.items()
            if expression.meta.undo_aliases().meta.is_column()
        }
        self._computed = {n: e for n, e in expressions.items() if n not in self._copied}
        self._engine = list(self._computed.values())
        self._order = list(request)
        read = [name for expression in self._engine for name in roots(expression)]
        self._needed = frozenset((*self._copied.values(), *read))

    def evaluate(self, rows: pl.DataFrame) -> list[pl.Series]:
        """One series per feature, in order, each as long as `rows`. DataError names what failed.

        The time column is seen in UTC and microseconds whatever its own zone and unit.
        """
        if missing := self._needed.difference(rows.columns):
            raise DataError(
                f"the request has no column {', '.join(sorted(missing))}", where=self._where
            )
        seen = rows
        if self._time in rows.columns:
            instants = rows.get_column(self._time)
            in_utc = as_utc(instants, where=self._where)
            if in_utc is not instants:
                seen = rows.with_columns(in_utc)
        done = {name: seen.get_column(source) for name, source in self._copied.items()}
        if self._engine:
            done.update(self._compute(seen))
        return [done[name].alias(name) for name in self._order]

    def _compute(self, rows: pl.DataFrame) -> dict[str, pl.Series]:
        try:
            table = rows.select(self._engine)
        except PolarsError:
            for name, expression in self._computed.items():
                try:
                    rows.select(expression)
                except PolarsError as error:
                    raise DataError(
                        f"feature {name!r} cannot be computed: {error}", where=self._where
                    ) from error
            raise
        return {series.name: series for series in table}
