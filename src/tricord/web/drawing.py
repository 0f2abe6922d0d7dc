"""Charts drawn still, as plain SVG paths: what a reader without scripts, and a printer, gets.

Everything here is geometry. A plot is 1000 × 1000, stretched by the page to the room there is;
ticks and labels are placed in per cent beside it, so that their text is never stretched.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tricord.core.verdict import Check
from tricord.web import figures
from tricord.web.figures import finite
from tricord.web.sections import Bars, Chart, Line

_SIZE = 1000.0
_MOST_POINTS = 400  # per line; a still picture is a few hundred pixels wide
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at `at` per cent of the axis, from the left or from the top."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line's paths: the line itself, its lone points and its band."""

    line: str
    dots: str
    band: str


@dataclass(frozen=True, slots=True)
class Still:
    """A chart's paths and ticks."""

    strokes: tuple[Stroke, ...]
    marks: tuple[float, ...]
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of numbers laid over 0 to 1."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], margin: float = 0.0) -> "Scale":
        """From the least to the greatest value, with a share of the span to spare on both sides."""
        known = [value for value in values if value is not None] or [0.0, 1.0]
        low, high = min(known), max(known)
        spare = (high / 2 - low / 2) * 2 * margin
        if low == high:
            spare = abs(low) / 10 or 1.0
        return cls(max(low - spare, -1e307), min(high + spare, 1e307))

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def positions(chart: Chart) -> list[float]:
    """Where each x stands, in the chart's own order: its number, or its place among the labels."""
    if chart.labelled:
        return [float(place) for place in range(len(chart.x))]
    return [finite(x) or 0.0 for x in chart.x]


def mark_position(chart: Chart, x: str | float) -> float:
    """Where a mark stands on the same scale."""
    return float(list(chart.x).index(x)) if isinstance(x, str) else (finite(x) or 0.0)


def still(chart: Chart) -> Still:
    """The whole chart as paths. Lines of very many points are thinned to their extremes."""
    at = positions(chart)
    marks = [mark_position(chart, mark.x) for mark in chart.marks]
    across = Scale.over([*at, *marks], 0.0 if len(at) > 60 else 0.03)
    up = Scale.over((finite(y) for line in chart.lines for y in _all(line)), 0.06)
    levels = figures.ticks(up.low, up.high)
    order = sorted(range(len(at)), key=at.__getitem__)
    xs = [across(at[place]) * _SIZE for place in order]
    return Still(
        strokes=tuple(_stroke(line, xs, order, up) for line in chart.lines),
        marks=tuple(round(across(mark) * 100, 2) for mark in marks),
        x=_x_ticks(chart, across),
        y=tuple(
            Tick(round(100 - up(value) * 100, 2), text)
            for value, text in zip(levels, figures.column(levels, chart.unit), strict=True)
        ),
    )


def _all(line: Line) -> Iterable[object]:
    yield from line.y
    yield from line.low or ()
    yield from line.high or ()


def _x_ticks(chart: Chart, across: Scale) -> tuple[Tick, ...]:
    if chart.labelled:
        step = math.ceil(len(chart.x) / 12)
        return tuple(
            Tick(round(across(float(place)) * 100, 2), str(chart.x[place]))
            for place in range(0, len(chart.x), step)
        )
    span = across.high - across.low
    if chart.time:
        values = [across.low + span * share / 4 for share in range(5)]
        texts = [figures.instant(value, span) for value in values]
    else:
        values = figures.ticks(across.low, across.high, 6)
        texts = figures.column(values)
    places = (round(across(value) * 100, 2) for value in values)
    return tuple(Tick(place, text) for place, text in zip(places, texts, strict=True))


def _stroke(line: Line, xs: list[float], order: list[int], up: Scale) -> Stroke:
    def points(values: Sequence[float | None]) -> list[tuple[float, float | None]]:
        known = (finite(values[place]) for place in order)
        return [
            (x, None if y is None else (1 - up(y)) * _SIZE) for x, y in zip(xs, known, strict=True)
        ]

    runs = _runs(points(line.y))
    band = ""
    if line.low is not None and line.high is not None:
        band = _band(points(line.low), points(line.high))
    few = len(xs) <= 60
    lone = [point for run in runs if few or len(run) == 1 for point in run]
    return Stroke(
        line=" ".join(_path(_thinned(run)) for run in runs if len(run) > 1),
        dots=" ".join(f"M{x:.1f} {y:.1f}h.01" for x, y in lone),
        band=band,
    )


def _runs(points: Iterable[tuple[float, float | None]]) -> list[Points]:
    """The stretches without a gap."""
    runs: list[Points] = [[]]
    for x, y in points:
        if y is not None:
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _band(low: list[tuple[float, float | None]], high: list[tuple[float, float | None]]) -> str:
    paths: list[str] = []
    both = [
        (x, bottom if top is not None else None, top)
        for (x, bottom), (_, top) in zip(low, high, strict=True)
    ]
    tops = iter(_runs((x, top if bottom is not None else None) for x, bottom, top in both))
    for bottoms in _runs((x, bottom) for x, bottom, _ in both):
        edge = _thinned(next(tops)) + _thinned(bottoms)[::-1]
        paths.append(_path(edge) + "Z")
    return " ".join(paths)


def _thinned(run: Points) -> Points:
    """At most `_MOST_POINTS`, keeping the least and the greatest of each stretch."""
    if len(run) <= _MOST_POINTS:
        return run
    edges = [len(run) * part // (_MOST_POINTS // 2) for part in range(_MOST_POINTS // 2 + 1)]
    kept: Points = []
    for start, end in pairwise(edges):
        stretch = run[start:end]
        extremes = {min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1])}
        kept += sorted(extremes)
    return kept


def _path(points: Points) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


@dataclass(frozen=True, slots=True)
class Range:
    """A check's figures on a common scale, in per cent from the left; None where there is none."""

    observed: float | None
    interval: tuple[float, float] | None
    limits: tuple[float, ...]
    low: str
    high: str


def ranges(checks: Sequence[Check]) -> list[Range | None]:
    """One range per check that has a number and something to hold it against.

    Checks of one name share a scale.
    """
    scales: dict[str, Scale] = {}
    for name in {check.name for check in checks}:
        known = [value for check in checks if check.name == name for value in _figures(check)]
        if known:
            scale = Scale.over(known, 0.12)
            from_zero = min(known) >= 0 and scale.low < scale.high / 2
            scales[name] = Scale(0.0, scale.high) if from_zero else scale
    return [_range(check, scales.get(check.name)) for check in checks]


def limits_of(limit: object) -> tuple[float, ...]:
    """The numbers in a limit, be it one, a list ([least, most]) or a mapping ({"max": 3})."""
    if isinstance(limit, dict):
        limit = list(limit.values())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    several: list[object] = list(limit) if isinstance(limit, list | tuple) else [limit]  # pyright: ignore[reportUnknownArgumentType]
    return tuple(number for value in several if (number := finite(value)) is not None)


def _figures(check: Check) -> list[float]:
    ends = check.interval or ()
    found = [finite(check.observed), *(finite(end) for end in ends), *limits_of(check.limit)]
    return [number for number in found if number is not None]


def _range(check: Check, scale: Scale | None) -> Range | None:
    observed, limits = finite(check.observed), limits_of(check.limit)
    ends = [end for end in map(finite, check.interval or ()) if end is not None]
    if scale is None or observed is None or not (limits or len(ends) == 2):
        return None

    def place(value: float) -> float:
        return round(scale(value) * 100, 2)

    return Range(
        observed=place(observed),
        interval=(place(ends[0]), place(ends[1])) if len(ends) == 2 else None,
        limits=tuple(place(value) for value in limits),
        low=figures.shown(scale.low, digits=3),
        high=figures.shown(scale.high, digits=3),
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in per cent from the left: where it starts, how long it is, its interval."""

    start: float
    length: float
    interval: tuple[float, float] | None


def bars(section: Bars) -> tuple[float, list[Bar | None]]:
    """Where zero stands, and each bar; None where there is no value."""
    values = [finite(value) for value in section.values]
    ends = [end for pair in section.intervals if pair for end in map(finite, pair)]
    scale = Scale.over([0.0, *values, *ends]) if any(values) or any(ends) else Scale(0.0, 1.0)
    zero = scale(0.0) * 100
    drawn: list[Bar | None] = []
    for value, pair in zip(values, section.intervals or [None] * len(values), strict=True):
        if value is None:
            drawn.append(None)
            continue
        at = scale(value) * 100
        known = [end for end in map(finite, pair or ()) if end is not None]
        interval = (
            (round(scale(known[0]) * 100, 2), round(scale(known[1]) * 100, 2))
            if len(known) == 2
            else None
        )
        drawn.append(Bar(round(min(zero, at), 2), round(abs(at - zero), 2), interval))
    return round(zero, 2), drawn
