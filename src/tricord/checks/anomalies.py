"""What can be wrong with one file of a dataset: the anomalies, each a check with its evidence.

| code | means | asks for |
|---|---|---|
| too-few-rows | fewer rows than the schema demands | stop |
| column-missing, column-unexpected | a column is absent, or not in the schema; says when it looks renamed | stop |
| type-mismatch | values that have no counterpart in the column's type | stop |
| presence-low | too few rows have a value | stop |
| format-broken, pattern-broken | a clock time or a text of the wrong form | stop |
| value-out-of-range | below `min`, above `max` | `on_range` |
| value-not-in-domain | more new values than tolerated | `on_new_values` |
| rule-broken | a rule over several columns does not hold | its `action` |
| rule-not-evaluated | a rule could not be evaluated: that is a failure, never a silent pass | stop |
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from tricord.core.canonical import JSON
from tricord.core.verdict import Action, Check, Outcome
from tricord.data.numbers import recorded, rounded
from tricord.data.schema import ColumnRule, Rule, Schema, is_clock
from tricord.data.types import cast, missing

SAMPLES = 5
"""Rows shown per anomaly."""


def file_checks(frame: pl.DataFrame, schema: Schema, file: str) -> list[Check]:
    """The anomalies of one file; empty where there is none. Every message begins with the file."""
    found = [
        *_rows(frame, schema),
        *_columns(frame, schema),
        *(check for name in schema.names if name in frame.columns for check in _values(frame[name], schema[name])),
        *(check for rule in schema.rules for check in _rule(frame, schema, rule)),
    ]  # fmt: skip
    return [
        replace(
            check, message=f"{file}: {check.message}", evidence={"file": file, **check.evidence}
        )
        for check in found
    ]


def _anomaly(
    code: str,
    message: str,
    *,
    path: str | None = None,
    observed: JSON = None,
    limit: JSON = None,
    action: str = "stop",
    evidence: Mapping[str, JSON] | None = None,
) -> Check:
    """A breach that asks to stop fails; one that asks for less lets the data pass with a warning."""
    return Check(
        name=code.replace("-", " "),
        outcome=Outcome.FAIL if action == "stop" else Outcome.WARN,
        message=message,
        code=code,
        path=path,
        observed=observed,
        limit=limit,
        action=Action(action),
        evidence=evidence or {},
    )


def _rows(frame: pl.DataFrame, schema: Schema) -> Iterator[Check]:
    if frame.height < schema.min_rows:
        yield _anomaly(
            "too-few-rows",
            f"{frame.height:,} rows, fewer than {schema.min_rows:,}",
            observed=frame.height,
            limit=schema.min_rows,
        )


def _columns(frame: pl.DataFrame, schema: Schema) -> Iterator[Check]:
    lost = [c for c in schema.columns if c.name not in frame.columns]
    extra = [name for name in frame.columns if name not in schema.names]
    renamed = _renamed(frame, lost, extra)
    became = {old: new for new, old in renamed.items()}
    for column in lost:
        if column.required:
            also = (
                f"; {became[column.name]!r} looks like it, renamed" if column.name in became else ""
            )
            yield _anomaly(
                "column-missing",
                f"column {column.name!r} is missing{also}",
                path=column.name,
                limit=column.type,
                evidence={"looks_like": became.get(column.name)},
            )
    for name in extra:
        if schema.unexpected == "ignore" and name not in renamed:
            continue
        also = f": looks like a renamed {renamed[name]!r}" if name in renamed else ""
        yield _anomaly(
            "column-unexpected",
            f"column {name!r} is not in the schema{also}",
            path=name,
            observed=str(frame.schema[name]),
            action="stop" if name in renamed else schema.unexpected,
            evidence={"looks_like": renamed.get(name), "samples": _samples(frame[name])},
        )


def _renamed(frame: pl.DataFrame, lost: list[ColumnRule], extra: list[str]) -> dict[str, str]:
    """New name → missing name, best matches first; each column is used once.

    A match needs values that the missing column's rule accepts. How alike the names are decides
    between several; with no likeness at all only a rule that says more than a type convinces.
    """
    scores: list[tuple[float, str, str]] = []
    for column in lost:
        telling = bool(column.values or column.pattern or column.format) or column.type in (
            "bool",
            "date",
            "time",
            "datetime",
        )
        for name in extra:
            likeness = difflib.SequenceMatcher(None, name.lower(), column.name.lower()).ratio()
            series = frame[name].alias(column.name)
            if series.null_count() == len(series) or any(_values(series, column)):
                continue
            if likeness >= 0.5 or telling:
                scores.append((likeness + 0.25 * telling, name, column.name))
    pairs: dict[str, str] = {}
    for _, name, old in sorted(scores, key=lambda found: (-found[0], found[1], found[2])):
        if name not in pairs and old not in pairs.values():
            pairs[name] = old
    return pairs


def _values(series: pl.Series, rule: ColumnRule) -> Iterator[Check]:
    """Anomalies of a column that is there. Values of a wrong type are not judged any further."""
    gone = missing(series)
    values = cast(series, rule.type)
    strange = values.is_null() & ~gone
    count = _count(strange)
    if count:
        yield _anomaly(
            "type-mismatch",
            f"column {rule.name!r} has {count:,} values that are no {rule.type}",
            path=rule.name,
            observed=str(series.dtype),
            limit=rule.type,
            evidence=_rows_of(series, strange, count),
        )
    rows, present = len(series), len(series) - _count(gone)
    if rows and present / rows < rule.presence:  # 0.07 * 100 would ask for more than 7
        yield _anomaly(
            "presence-low",
            f"column {rule.name!r} has a value in {present:,} of {rows:,} rows, "
            f"less than the share {rule.presence} of them",
            path=rule.name,
            observed=rounded(present / rows),
            limit=rule.presence,
            evidence={"count": rows - present, "rows": rows},
        )
    some = values.drop_nulls()
    if len(some):
        yield from _form(values, rule)
        yield from _domain(values, some, rule)
        yield from _range(values, some, rule)


def _form(values: pl.Series, rule: ColumnRule) -> Iterator[Check]:
    if rule.format == "hhmm":
        broken = ~is_clock(values).fill_null(value=True)
        if count := _count(broken):
            yield _anomaly(
                "format-broken",
                f"column {rule.name!r} has {count:,} values that are no clock time (hhmm)",
                path=rule.name,
                observed=count,
                limit=0,
                evidence=_rows_of(values, broken, count),
            )
    if rule.pattern:
        broken = ~values.str.contains(f"^(?:{rule.pattern})$").fill_null(value=True)
        if count := _count(broken):
            yield _anomaly(
                "pattern-broken",
                f"column {rule.name!r} has {count:,} values unlike {rule.pattern}",
                path=rule.name,
                observed=count,
                limit=0,
                evidence=_rows_of(values, broken, count),
            )


def _domain(values: pl.Series, some: pl.Series, rule: ColumnRule) -> Iterator[Check]:
    if rule.values is None:
        return
    new = ~values.is_in(list(rule.values)).fill_null(value=True)
    count = _count(new)
    if count > rule.new_values * len(some):
        fresh = values.filter(new).value_counts(sort=True).sort(["count", rule.name], descending=[True, False])  # fmt: skip
        names = [str(value) for value in fresh[rule.name].head(10)]
        yield _anomaly(
            "value-not-in-domain",
            f"column {rule.name!r} has {fresh.height} new values in {count:,} rows: "
            f"{', '.join(names)}",
            path=rule.name,
            observed=rounded(count / len(some)),
            limit=rule.new_values,
            action=rule.on_new_values,
            evidence={"new_values": names, **_rows_of(values, new, count)},
        )


def _range(values: pl.Series, some: pl.Series, rule: ColumnRule) -> Iterator[Check]:
    if rule.min is None and rule.max is None:
        return
    low = float("-inf") if rule.min is None else rule.min
    high = float("inf") if rule.max is None else rule.max
    out = ((values < low) | (values > high)).fill_null(value=False)
    count = _count(out)
    if count > rule.outside * len(some):
        bounds = some.cast(pl.Float64)
        seen = [recorded(float(bounds.min())), recorded(float(bounds.max()))]  # pyright: ignore[reportArgumentType]
        yield _anomaly(
            "value-out-of-range",
            f"column {rule.name!r} has {count:,} values outside of [{low:g}, {high:g}]: "
            f"they run from {bounds.min():g} to {bounds.max():g}",
            path=rule.name,
            observed=list(seen),
            limit=[rule.min, rule.max],
            action=rule.on_range,
            evidence=_rows_of(values, out, count),
        )


def _rule(frame: pl.DataFrame, schema: Schema, rule: Rule) -> Iterator[Check]:
    """Rules see the typed columns, so that a text that spells a number compares as one."""
    if not frame.height:
        return
    known = [name for name in frame.columns if name in schema.names]
    ready = frame.with_columns(cast(frame[name], schema[name].type) for name in known)
    try:
        holds = ready.select(pl.sql_expr(rule.expression).alias("holds"))["holds"]
        answered = len(holds) - holds.null_count()
        problem = "" if holds.dtype == pl.Boolean else f"it yields {holds.dtype}, not true or false"
        if not problem and not answered:
            problem = "it is NULL in every row"
    except pl.exceptions.PolarsError as error:
        holds, answered, problem = pl.Series("holds", [None]), 0, str(error).splitlines()[0]
    if problem:
        yield _anomaly(
            "rule-not-evaluated",
            f"rule {rule.name!r} cannot be evaluated: {problem}",
            path=rule.name,
            limit=rule.min_fraction,
            evidence={"expression": rule.expression},
        )
        return
    if len(holds) == 1 < frame.height:
        holds = holds.new_from_index(0, frame.height)
        answered = frame.height
    broken = ~holds.fill_null(value=True)
    count = _count(broken)
    if answered - count < rule.min_fraction * answered:
        named = [name for name in frame.columns if name in rule.expression]
        yield _anomaly(
            "rule-broken",
            f"rule {rule.name!r} is broken in {count:,} of {answered:,} rows",
            path=rule.name,
            observed=rounded(1 - count / answered),
            limit=rule.min_fraction,
            action=rule.action,
            evidence={
                "expression": rule.expression,
                "count": count,
                "rows": frame.height,
                "row_numbers": broken.arg_true().head(SAMPLES).to_list(),
                "samples": [
                    {name: _json(value) for name, value in row.items()}
                    for row in frame.filter(broken).head(SAMPLES).select(named).to_dicts()
                ],
            },
        )


def _count(mask: pl.Series) -> int:
    return int(mask.sum())


def _rows_of(series: pl.Series, mask: pl.Series, count: int) -> dict[str, JSON]:
    return {
        "count": count,
        "rows": len(series),
        "row_numbers": mask.arg_true().head(SAMPLES).to_list(),
        "samples": _samples(series.filter(mask)),
    }


def _samples(series: pl.Series) -> list[JSON]:
    return [_json(value) for value in series.drop_nulls().head(SAMPLES)]


def _json(value: object) -> JSON:
    if isinstance(value, float):
        return recorded(value)
    return value if isinstance(value, bool | int | str) or value is None else str(value)
