"""What a page is made of: frozen, content-agnostic sections. How they look is `rendering`'s matter.

Every text is shown as it is, never as markup, so that names out of a user's data are safe.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NamedTuple, TypeAlias

from tricord.core.errors import TricordError
from tricord.core.verdict import Verdict

Tone: TypeAlias = Literal["good", "warn", "bad", "neutral"]
Align: TypeAlias = Literal["left", "right", "center"]
Unit: TypeAlias = Literal["number", "percent"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A word or two that carry a judgement, such as "refused"."""

    text: str
    tone: Tone = "neutral"


Cell: TypeAlias = str | int | float | Badge | None


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows, down to the next heading. From three on, a page lists them on top."""

    title: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Plain paragraphs, parted by blank lines."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns; the first column names its row.

    A number is shown with the decimals that its column needs (four at most) and keeps its full
    value for copying; None and NaN show as a dash. `align` is one word per column; without it,
    columns of numbers stand right, all others left.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    align: Sequence[Align] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, 1):
            _same(f"row {number} of table {self.caption!r}", len(row), len(self.columns), "cells")
        if self.align:
            _same(f"align of table {self.caption!r}", len(self.align), len(self.columns), "words")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: a value per x, None or NaN for a gap, `low` and `high` for its band."""

    name: str
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    dashed: bool = False

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise TricordError(f"line {self.name!r} has one edge of a band, not both")
        for edge in (self.low, self.high):
            if edge is not None:
                _same(f"band of line {self.name!r}", len(edge), len(self.y), "values")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at `x`, drawn as an upright line: "retrained", "rolled back"."""

    x: str | float
    label: str
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over a common x: labels (evenly spaced, in the order given) or numbers.

    With labels, a mark's x is one of them, or a position among them counted from 0. With `time`,
    numbers are seconds since the epoch, shown in UTC. `unit` "percent" takes shares (0.227) and
    shows percentages. Thousands of points are fine.
    """

    title: str
    x: Sequence[str] | Sequence[float]
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    y_label: str = ""
    note: str = ""
    x_label: str = ""
    unit: Unit = "number"
    time: bool = False

    def __post_init__(self) -> None:
        for line in self.lines:
            _same(f"line {line.name!r} of chart {self.title!r}", len(line.y), len(self.x), "values")
        if any(isinstance(x, str) != self.labelled for x in self.x):
            raise TricordError(f"chart {self.title!r} mixes labels and numbers on its x axis")
        if not self.labelled and not all(map(_finite, self.x)):
            raise TricordError(
                f"chart {self.title!r} has a missing or infinite number on its x axis"
            )
        for mark in self.marks:
            if isinstance(mark.x, str) and mark.x not in self.x:
                raise TricordError(
                    f"mark {mark.label!r} of chart {self.title!r} stands at {mark.x!r}, which is not on its x axis"
                )
            if not isinstance(mark.x, str) and not _finite(mark.x):
                raise TricordError(f"mark {mark.label!r} of chart {self.title!r} stands nowhere")

    @property
    def labelled(self) -> bool:
        """True where x holds labels, not numbers."""
        return len(self.x) > 0 and isinstance(self.x[0], str)


@dataclass(frozen=True, slots=True)
class Bars:
    """One bar per label, from zero, either way; `intervals` and `tones` go with the values."""

    title: str
    labels: Sequence[str]
    values: Sequence[float | None]
    note: str = ""
    intervals: Sequence[tuple[float, float] | None] = ()
    tones: Sequence[Tone] = ()
    unit: Unit = "number"

    def __post_init__(self) -> None:
        for name in ("values", "intervals", "tones"):
            given: Sequence[object] = getattr(self, name)
            if given or name == "values":
                _same(f"{name} of bars {self.title!r}", len(given), len(self.labels), "entries")


@dataclass(frozen=True, slots=True)
class VerdictBox:
    """A verdict: its outcome, then every check, failed ones first, with what it rests on.

    Checks of one name share one scale, so that segments can be compared by eye.
    """

    verdict: Verdict
    title: str = ""


class Moment(NamedTuple):
    """One entry of a timeline; a plain tuple of four does as well."""

    when: str
    what: str
    tone: Tone = "neutral"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened, in the order given."""

    entries: Sequence[tuple[str, str, Tone, str]]
    title: str = ""


class Card(NamedTuple):
    """One headline figure; a plain tuple of three does as well."""

    label: str
    value: Cell
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """Headline figures, side by side."""

    cards: Sequence[tuple[str, Cell, str]]


@dataclass(frozen=True, slots=True)
class Group:
    """Sections under a title that folds them away and back."""

    title: str
    sections: Sequence["Section"]
    open: bool = False
    note: str = ""


Section: TypeAlias = Heading | Text | Table | Chart | Bars | VerdictBox | Timeline | Cards | Group


def _same(what: str, found: int, wanted: int, unit: str) -> None:
    if found != wanted:
        raise TricordError(f"{what} has {found} {unit}, not {wanted}")


def _finite(number: object) -> bool:
    return isinstance(number, Real) and math.isfinite(number)
