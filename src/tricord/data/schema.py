"""Schema: what a table must look like, in one YAML that people review in a diff.

schema: tricord/1
missing: ["NA"]            # texts that mean "no value" in CSV
rows: {min: 1000}          # fewer rows in a file are refused
unexpected: stop           # columns that are not listed: stop, warn or ignore
columns:
  carrier: {type: string, nullable: false, values: [AA, B6], new_values: 0.01}
  dep_time: {type: int, presence: 0.9, format: hhmm}
rules:
  - {name: "flies somewhere", expression: "origin <> dest", min_fraction: 1.0}
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from tricord.core.errors import SchemaError
from tricord.data.document import Section, read_document
from tricord.data.types import NUMERIC, TYPES, cast, missing, type_of

VERSION = "tricord/1"
ACTIONS = ("stop", "retrain", "warn")
FORMATS = ("", "hhmm")
_FEW = 50  # a text column of at most so many values is taken for a domain


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What one column must hold.

    `presence` is the least share of rows with a value, 1 where the column is not nullable. `values`
    is the domain, and `new_values` the share of rows (of those with a value) that may lie outside of it;
    `min` and `max` are inclusive, and the share `outside` may break them; `pattern` is a regular
    expression that must match from the first character to the last; `format` "hhmm" is a clock time
    as an integer, 5 to 2400. `on_new_values` and `on_range` say what a breach asks for: `stop` fails,
    `retrain` and `warn` let the data pass with a warning. Every other breach stops.
    """

    name: str
    type: str
    required: bool = True
    presence: float = 0.0
    values: tuple[str, ...] | None = None
    new_values: float = 0.0
    on_new_values: str = "retrain"
    min: float | None = None
    max: float | None = None
    outside: float = 0.0
    on_range: str = "stop"
    pattern: str = ""
    format: str = ""

    @property
    def nullable(self) -> bool:
        return self.presence < 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """An SQL expression over a row's columns that must be true in `min_fraction` of the rows.

    Rows where it is NULL (some column of it has no value) do not count, as in an SQL CHECK.
    """

    name: str
    expression: str
    min_fraction: float = 1.0
    action: str = "stop"


@dataclass(frozen=True, slots=True)
class Schema:
    """Every rule over one table; columns sorted by name."""

    columns: tuple[ColumnRule, ...]
    rules: tuple[Rule, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: str = "stop"
    min_rows: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> ColumnRule:
        return next(column for column in self.columns if column.name == name)

    def texts(self) -> tuple[str, ...]:
        """The columns that a reader must leave as text: "007" is no number."""
        return tuple(column.name for column in self.columns if column.type == "string")

    @classmethod
    def read(cls, path: Path) -> "Schema":
        """Read the YAML. SchemaError with its line: unknown key, wrong type, contradiction."""
        top = read_document(path)
        if top.take("schema", str, "") != VERSION:
            raise top.wrong("schema", f"must say {VERSION}")
        texts = top.texts("missing") or ()
        rows = top.section("rows")
        min_rows = rows.take("min", int, 1) if rows else 1
        if rows:
            rows.finish()
        unexpected = top.choice("unexpected", ("stop", "warn", "ignore"), "stop")
        found, rules = top.section("columns"), top.sections("rules")
        top.finish()  # a misspelt key is told before the one that is missing for it
        if found is None or not list(found.names()):
            raise top.wrong("columns", "is missing: a schema names at least one column")
        sections = [(name, found.section(name)) for name in found.names()]
        columns = [_read_column(name, section) for name, section in sections if section]
        return cls(
            columns=tuple(sorted(columns, key=lambda column: column.name)),
            rules=tuple(_read_rule(section) for section in rules),
            missing=texts,
            unexpected=unexpected,
            min_rows=min_rows,
        )

    def write(self, path: Path) -> None:
        """Write it as commented YAML, columns sorted by name: the same schema, the same bytes."""
        path.write_text(self.to_yaml(), encoding="utf-8")

    def to_yaml(self) -> str:
        lines = [*_HEADER, f"schema: {VERSION}"]
        if self.missing:
            lines += [f"missing: {_inline(list(self.missing))}  # texts that mean no value in CSV"]
        lines += [
            "rows:",
            f"  min: {self.min_rows}",
            f"unexpected: {self.unexpected}  # columns not listed here: stop, warn or ignore",
            "columns:",
        ]
        for column in sorted(self.columns, key=lambda column: column.name):
            lines.append(f"  {_inline(column.name)}:")
            lines += [f"    {key}: {_inline(value)}" for key, value in _column_items(column)]
        if self.rules:
            lines.append("rules:")
        for rule in self.rules:
            lines.append(f"  - name: {_inline(rule.name)}")
            lines.append(f"    expression: {_inline(rule.expression)}")
            lines.append(f"    min_fraction: {_inline(rule.min_fraction)}")
            lines.append(f"    action: {rule.action}")
        return "\n".join(lines) + "\n"


_HEADER = (
    "# What this table must look like. Review changes of it as you review code.",
    "#   type: int, float, string, bool, date, time or datetime; required: false may be absent",
    "#   nullable: false, or presence: the least share of rows that must have a value",
    "#   values: the domain; new_values: the share of rows that may hold others; on_new_values",
    "#   min, max, outside: the range and the share of rows that may break it; on_range",
    "#   format: hhmm; pattern: a regular expression; on_…: stop, retrain or warn",
    "#   rules: SQL expressions over a row that must be true in min_fraction of the rows",
)


def _inline(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n...\n").strip()


def _column_items(column: ColumnRule) -> list[tuple[str, Any]]:
    """What differs from the defaults, in the order of the class."""
    items: list[tuple[str, Any]] = [("type", column.type)]
    if not column.required:
        items.append(("required", False))
    if column.presence >= 1.0:
        items.append(("nullable", False))
    elif column.presence > 0:
        items.append(("presence", column.presence))
    if column.values is not None:
        items += [("values", list(column.values)), ("new_values", column.new_values)]
        items.append(("on_new_values", column.on_new_values))
    items += [(key, value) for key, value in (("min", column.min), ("max", column.max)) if value is not None]  # fmt: skip
    if column.min is not None or column.max is not None:
        items += [("outside", column.outside), ("on_range", column.on_range)]
    return items + [(k, v) for k, v in (("pattern", column.pattern), ("format", column.format)) if v]  # fmt: skip


def _fraction(section: Section, name: str, default: float) -> float:
    value = section.take(name, float, default)
    if not 0.0 <= value <= 1.0:
        raise section.wrong(name, f"is a share of rows between 0 and 1, not {value}")
    return value


def _read_column(name: str, section: Section) -> ColumnRule:
    nullable = section.take("nullable", bool, default=True)
    presence = _fraction(section, "presence", 0.0 if nullable else 1.0)
    column = ColumnRule(
        name=name,
        type=section.choice("type", TYPES, TYPES[0]),
        required=section.take("required", bool, default=True),
        presence=presence,
        values=section.texts("values"),
        new_values=_fraction(section, "new_values", 0.0),
        on_new_values=section.choice("on_new_values", ACTIONS, "retrain"),
        min=section.optional("min", float),
        max=section.optional("max", float),
        outside=_fraction(section, "outside", 0.0),
        on_range=section.choice("on_range", ACTIONS, "stop"),
        pattern=section.take("pattern", str, ""),
        format=section.choice("format", FORMATS, ""),
    )
    section.finish()
    if not section.has("type"):
        raise section.wrong("type", f"is missing: one of {', '.join(TYPES)}")
    if not nullable and presence < 1.0:
        raise section.wrong("presence", "contradicts `nullable: false`, which means 1")
    _refuse_contradictions(column, section)
    return column


def _refuse_contradictions(column: ColumnRule, section: Section) -> None:
    if column.min is not None and column.max is not None and column.min > column.max:
        raise section.wrong("max", f"is {column.max}, below `min`, {column.min}")
    for key, types in (
        ("min", NUMERIC),
        ("max", NUMERIC),
        ("outside", NUMERIC),
        ("on_range", NUMERIC),
        ("values", ("string",)),
        ("new_values", ("string",)),
        ("on_new_values", ("string",)),
        ("pattern", ("string",)),
        ("format", ("int",)),
    ):
        if section.has(key) and column.type not in types:
            raise section.wrong(key, f"means nothing for the type {column.type}")
    for key, bases in (
        ("new_values", ("values",)),
        ("on_new_values", ("values",)),
        ("outside", ("min", "max")),
        ("on_range", ("min", "max")),
    ):
        if section.has(key) and not any(section.has(base) for base in bases):
            raise section.wrong(key, f"means nothing without `{'` or `'.join(bases)}`")
    if column.values is not None and not column.values:
        raise section.wrong("values", "is empty: no value could pass")
    if column.values and len(set(column.values)) < len(column.values):
        raise section.wrong("values", "names a value twice")
    try:
        pl.Series([""]).str.contains(
            column.pattern
        )  # polars' own dialect, which has no look-around
        re.compile(column.pattern)
    except (pl.exceptions.PolarsError, re.error) as error:
        reason = str(error).splitlines()[0]
        raise section.wrong("pattern", f"is no regular expression: {reason}") from error


def _read_rule(section: Section) -> Rule:
    rule = Rule(
        name=section.take("name", str, ""),
        expression=section.take("expression", str, ""),
        min_fraction=_fraction(section, "min_fraction", 1.0),
        action=section.choice("action", ACTIONS, "stop"),
    )
    section.finish()
    if not rule.name or not rule.expression:
        key = "expression" if rule.name else "name"
        raise section.wrong(key, "is missing")
    if rule.min_fraction == 0.0:
        raise section.wrong("min_fraction", "is 0: such a rule forbids nothing")
    try:
        pl.sql_expr(rule.expression)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise section.wrong("expression", f"is no SQL expression: {reason}") from error
    return rule


def infer(frame: pl.DataFrame) -> Schema:
    """A first schema for people to edit: types, presence, small domains, clock times; no ranges.

    Presence is the observed share less a tenth, so that next month's file is not refused for noise.
    SchemaError for a column of lists, structs or bytes.
    """
    columns = [_infer_column(frame[name]) for name in sorted(frame.columns)]
    marked = any(
        (frame[column.name] == "NA").any() for column in columns if column.type == "string"
    )
    return Schema(tuple(columns), missing=("NA",) if marked else ())


def _infer_column(series: pl.Series) -> ColumnRule:
    if series.dtype == pl.String and "NA" in series:
        series = series.replace({"NA": None})
    named = "string" if series.dtype == pl.Null else type_of(series.dtype)
    if named is None:
        raise SchemaError(f"column {series.name!r} of type {series.dtype} has no schema type")
    some = series.drop_nulls()
    for better in ("date", "datetime") if named == "string" else ():
        if len(some) and not cast(some, better).null_count():
            named = better
            break
    share = 1.0 - float(missing(series).mean() or 0.0) if len(series) else 0.0  # pyright: ignore[reportArgumentType]
    presence = 1.0 if share == 1.0 else max(0.0, int(10 * (share - 0.1)) / 10)
    values: tuple[str, ...] | None = None
    if named == "string" and len(some) and some.n_unique() <= min(_FEW, len(some) // 5):
        values = tuple(some.cast(pl.String).unique().sort().to_list())
    clock = named == "int" and some.n_unique() > 100 and bool(is_clock(some).all())
    return ColumnRule(
        series.name, named, presence=presence, values=values, format="hhmm" if clock else ""
    )


def is_clock(column: pl.Series) -> pl.Series:
    """Boolean, one per value: an hour and a minute as an integer hhmm from 0 to 2400.

    >>> is_clock(pl.Series([5, 2359, 2400, 870, 2401])).to_list()
    [True, True, True, False, False]
    """
    return (column >= 0) & (column <= 2400) & (column % 100 < 60)
