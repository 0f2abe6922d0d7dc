"""From sections to HTML: each section becomes what its template needs, and nothing else.

One file comes out, with style, scripts and data inside. Its Content-Security-Policy allows no load
from anywhere and no script but the ones written here, by their hash. Equal content gives equal bytes.
"""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any, TypeAlias, cast

from tricord.core.plugins import optional
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.web import drawing, figures
from tricord.web.sections import (
    Badge,
    Bars,
    Cards,
    Cell,
    Chart,
    Group,
    Heading,
    Section,
    Table,
    Text,
    Timeline,
    Tone,
    VerdictBox,
)

View: TypeAlias = dict[str, Any]

TONES: Mapping[Outcome, Tone] = {
    Outcome.PASS: "good",
    Outcome.WARN: "warn",
    Outcome.UNDECIDED: "neutral",
    Outcome.FAIL: "bad",
}
_MOST_TABLE_POINTS = 400  # beyond that, a chart's figures are given as CSV
_MOST_EVIDENCE = 4000  # characters of one entry
_MOST_EVIDENCE_ROWS = 20
_FOLD_PASSED = 3  # more passed checks than that are folded away, where others did not pass


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole page. MissingDependency where jinja2 is not installed."""
    number = count(1)
    views = [view(section, number) for section in sections]
    script = _script() if any(map(_has_chart, sections)) else ""
    headings = [one for one in views if one["kind"] == "heading"]
    html: str = (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            subtitle=subtitle,
            sections=views,
            contents=headings if len(headings) > 2 else [],
            style=_style(bool(script)),
            script=script,
            script_hash=_hash(script) if script else "",
        )
    )
    return html.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no bytes


def view(section: Section, number: Iterator[int]) -> View:
    """What the template of the section's kind needs. `number` gives ids, in page order."""
    match section:
        case Heading():
            found = {"kind": "heading", "title": section.title, "note": section.note}
        case Text():
            found = {"kind": "text", "paragraphs": _paragraphs(section.text)}
        case Table():
            found = _table(section)
        case Chart():
            found = _chart(section)
        case Bars():
            found = _bars(section)
        case VerdictBox():
            found = _verdict(section.verdict, section.title)
        case Timeline():
            found = _timeline(section)
        case Cards():
            cards = [(label, _cell(value), note) for label, value, note in section.cards]
            found = {"kind": "cards", "cards": cards}
        case Group():
            found = {
                "kind": "group",
                "title": section.title,
                "note": section.note,
                "open": section.open,
                "sections": [view(one, number) for one in section.sections],
            }
    return {**found, "id": f"s{next(number)}"}


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]


def _cell(value: Cell, text: str | None = None) -> View:
    """One cell: its text, its tone, and its exact value where the text rounds it."""
    if isinstance(value, Badge):
        return {"text": value.text, "tone": value.tone}
    if value is None or isinstance(value, str):
        return {"text": value or (figures.NOTHING if value is None else "")}
    text = figures.shown(value) if text is None else text
    exact = "" if isinstance(value, bool) else figures.exact(value)
    return {"text": text, "exact": exact if exact != text else ""}


def _table(table: Table) -> View:
    columns: list[list[View]] = []
    align: list[str] = []
    for place in range(len(table.columns)):
        cells = [row[place] for row in table.rows]
        numeric = [isinstance(c, int | float) and not isinstance(c, bool) for c in cells]
        empty = [cell is None for cell in cells]
        texts = iter(figures.column(c for c, is_one in zip(cells, numeric, strict=True) if is_one))
        columns.append(
            [
                _cell(cell, next(texts) if is_one else None)
                for cell, is_one in zip(cells, numeric, strict=True)
            ]
        )
        right = any(numeric) and all(a or b for a, b in zip(numeric, empty, strict=True))
        align.append("right" if right else "left")
    return {
        "kind": "table",
        "caption": table.caption,
        "columns": list(zip(table.columns, table.align or align, strict=True)),
        "rows": [list(row) for row in zip(*columns, strict=True)],
        "align": list(table.align or align),
    }


def _chart(chart: Chart) -> View:
    still = drawing.still(chart)
    header, rows = _figures_of(chart)
    many = len(rows) > _MOST_TABLE_POINTS
    return {
        "kind": "chart",
        "chart": chart,
        "still": still,
        "drawn": any(stroke.line or stroke.dots for stroke in still.strokes),
        "lines": list(zip(chart.lines, still.strokes, strict=True)),
        "marks": list(zip(chart.marks, still.marks, strict=True)),
        "label": _described(chart),
        "events": [(_x_text(chart, mark.x), mark) for mark in chart.marks],
        "header": header,
        "rows": [] if many else rows,
        "csv": _csv(header, rows) if many else "",
        "json": _embedded(_data(chart)),
    }


def _x_text(chart: Chart, x: str | float) -> str:
    if isinstance(x, str):
        return x
    if chart.labelled:
        place = int(x)
        return str(chart.x[place]) if 0 <= place < len(chart.x) else figures.shown(x)
    return figures.instant(x) if chart.time else figures.exact(x)


def _figures_of(chart: Chart) -> tuple[list[str], list[list[str]]]:
    header = [chart.x_label or ("time (UTC)" if chart.time else "x" if not chart.labelled else "")]
    columns = [[_x_text(chart, x) for x in chart.x]]
    for line in chart.lines:
        header.append(line.name)
        columns.append([_brief(y) for y in line.y])
        for edge, values in (("low", line.low), ("high", line.high)):
            if values is not None:
                header.append(f"{line.name}, {edge}")
                columns.append([_brief(y) for y in values])
    return header, [list(row) for row in zip(*columns, strict=True)]


def _brief(value: float | None) -> str:
    """Ten significant digits: more than a picture holds, and half of what a float may take."""
    number = figures.finite(value)
    return "" if number is None else figures.exact(float(f"{number:.10g}"))


def _csv(header: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _described(chart: Chart) -> str:
    """The chart in a sentence, for readers who do not see it."""
    parts = [f"Line chart: {chart.title}."]
    if len(chart.x):
        first, last = _x_text(chart, chart.x[0]), _x_text(chart, chart.x[-1])
        parts.append(f"{len(chart.x)} points from {first} to {last}.")
    for line in chart.lines:
        known = [value for value in map(figures.finite, line.y) if value is not None]
        if known:
            low, high, last = (
                figures.shown(value, chart.unit) for value in (min(known), max(known), known[-1])
            )
            parts.append(f"{line.name}: between {low} and {high}, last {last}.")
    parts += [f"{_x_text(chart, mark.x)}: {mark.label}." for mark in chart.marks]
    return " ".join(parts)


def _data(chart: Chart) -> View:
    """What report.js draws from, ordered by x."""
    at = drawing.positions(chart)
    order = sorted(range(len(at)), key=at.__getitem__)

    def rounded(values: Sequence[float | None] | None) -> list[float | None] | None:
        if values is None:
            return None
        known = (figures.finite(values[place]) for place in order)
        return [None if value is None else float(f"{value:.7g}") for value in known]

    return {
        "labels": list(chart.x) if chart.labelled else None,
        "x": [at[place] for place in order],
        "time": chart.time,
        "unit": chart.unit,
        "lines": [
            {
                "name": line.name,
                "y": rounded(line.y),
                "low": rounded(line.low),
                "high": rounded(line.high),
                "dashed": line.dashed,
            }
            for line in chart.lines
        ],
        "marks": [
            {"x": drawing.mark_position(chart, mark.x), "label": mark.label, "tone": mark.tone}
            for mark in chart.marks
        ],
    }


def _bars(section: Bars) -> View:
    zero, drawn = drawing.bars(section)
    nobody: list[None] = [None] * len(section.labels)
    intervals = section.intervals or nobody
    ends = [end for interval in intervals for end in interval or (None, None)]
    texts = figures.column([*section.values, *ends], section.unit)
    low, high = texts[len(nobody) :: 2], texts[len(nobody) + 1 :: 2]
    rows = [
        {
            "label": label,
            "bar": bar,
            "text": text,
            "interval": f"{low[place]} to {high[place]}" if intervals[place] else "",
            "tone": tone or "",
        }
        for place, (label, text, bar, tone) in enumerate(
            zip(
                section.labels,
                texts[: len(nobody)],
                drawn,
                section.tones or nobody,
                strict=True,
            )
        )
    ]
    return {"kind": "bars", "bars": section, "zero": zero, "rows": rows}


def _timeline(section: Timeline) -> View:
    entries = [
        {"when": when, "what": what, "tone": tone, "detail": _paragraphs(detail)}
        for when, what, tone, detail in section.entries
    ]
    return {"kind": "timeline", "title": section.title, "entries": entries}


def _verdict(verdict: Verdict, title: str) -> View:
    checks = sorted(verdict.checks, key=lambda check: -check.outcome.rank)
    views = [_check(*one) for one in zip(checks, drawing.ranges(checks), strict=True)]
    passed = len(verdict.having(Outcome.PASS))
    fold = passed > _FOLD_PASSED and passed < len(checks)
    return {
        "kind": "verdict",
        "title": title or verdict.subject,
        "subject": verdict.subject if title else "",
        "question": verdict.question,
        "outcome": str(verdict.outcome),
        "tone": TONES[verdict.outcome],
        "counts": [
            (len(found), str(outcome))
            for outcome in reversed(Outcome)
            if (found := verdict.having(outcome))
        ],
        "checks": views[: len(views) - passed] if fold else views,
        "folded": views[len(views) - passed :] if fold else [],
        "evidence": _evidence(verdict.evidence),
    }


def _check(check: Check, drawn: drawing.Range | None) -> View:
    about = [check.name, *(word for word in (check.path, check.segment, check.code) if word)]
    level = "interval"
    if check.level is not None:
        level = f"{figures.shown(check.level, 'percent')} interval"
    observed, low, high, limit = _alike(
        check.observed, *(check.interval or (None, None)), check.limit
    )
    terms = [
        ("observed", observed),
        (level, f"{low} to {high}" if check.interval else ""),
        ("limit", limit),
    ]
    unmet = check.outcome in (Outcome.FAIL, Outcome.UNDECIDED)
    return {
        "outcome": str(check.outcome),
        "tone": TONES[check.outcome],
        "message": check.message,
        "about": list(dict.fromkeys(about)),
        "action": str(check.action) if unmet else "",
        "terms": [(term, text) for term, text in terms if text],
        "range": drawn,
        "evidence": _evidence(check.evidence),
    }


def _alike(*values: object) -> list[str]:
    """Figures of one check, the fractions among them with the same decimals."""
    texts = figures.column(values)
    return [
        text if isinstance(value, float) else _plain(value)
        for value, text in zip(values, texts, strict=True)
    ]


def _plain(value: object) -> str:
    """A figure of a check as short text; '' for none."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | int() | float():
            return figures.shown(value)
        case dict():
            pairs = cast("Mapping[str, object]", value).items()
            return ", ".join(f"{key} {_plain(one)}" for key, one in sorted(pairs))
        case [int() | float() as low, int() | float() as high]:
            return f"{figures.shown(low)} to {figures.shown(high)}"
        case list() | tuple():
            return ", ".join(map(_plain, cast("Sequence[object]", value)))
        case _:
            return str(value)


def _evidence(evidence: Mapping[str, object]) -> list[View]:
    return [{"name": name, **_exhibit(evidence[name])} for name in sorted(evidence)]


def _exhibit(value: object) -> View:
    """One piece of evidence as a text, a table of rows, or JSON, cut where it is very long."""
    if isinstance(value, list | tuple) and value:
        rows = list(cast("Sequence[object]", value))
        if all(isinstance(row, Mapping) for row in rows):
            return _exhibit_rows(cast("list[Mapping[str, object]]", rows))
        if all(isinstance(row, str | int | float) for row in rows):
            return _cut(", ".join(map(_plain, rows)))
    if isinstance(value, str | int | float) or value is None:
        text = _plain(value) or figures.NOTHING
    else:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
    return _cut(text)


def _cut(text: str) -> View:
    if len(text) > _MOST_EVIDENCE:
        cut = f"{len(text) - _MOST_EVIDENCE:,} more characters not shown"
        return {"text": text[:_MOST_EVIDENCE], "cut": cut}
    return {"text": text}


def _exhibit_rows(rows: list[Mapping[str, object]]) -> View:
    names = list(dict.fromkeys(name for row in rows for name in sorted(row)))
    some = rows[:_MOST_EVIDENCE_ROWS]
    more = len(rows) - len(some)
    return {
        "columns": names,
        "rows": [[_plain(row.get(name)) for name in names] for row in some],
        "cut": f"{more:,} more rows not shown" if more else "",
    }


def _has_chart(section: Section) -> bool:
    inner = section.sections if isinstance(section, Group) else ()
    return isinstance(section, Chart) or any(map(_has_chart, inner))


def _embedded(data: View) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@cache
def _asset(path: str) -> str:
    return files("tricord.web").joinpath(path).read_text(encoding="utf-8").strip()


def _style(charts: bool) -> str:
    plot = _asset("vendor/uplot/uPlot.min.css") if charts else ""
    return plot + "\n" + _asset("assets/report.css")


@cache
def _script() -> str:
    """uPlot, with its licence as that asks, and the code that draws with it."""
    parts = (
        f"/*\n{_asset('vendor/uplot/LICENSE')}\n*/",
        _asset("vendor/uplot/uPlot.iife.min.js"),
        _asset("assets/report.js"),
    )
    return "\n" + "\n".join(parts) + "\n"


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()


@cache
def _environment() -> Any:
    jinja2 = optional("jinja2", extra="web")
    names = ("report.html", "sections.html")
    return jinja2.Environment(
        loader=jinja2.DictLoader({name: _asset(f"templates/{name}") for name in names}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
