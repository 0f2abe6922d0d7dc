"""Numbers as people read them: four significant digits, thousands parted, a dash for nothing."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from numbers import Integral, Real

from tricord.web.sections import Unit

NOTHING = "–"


def finite(value: object) -> float | None:
    """The value as a float; None where there is none to draw (None, NaN, infinite, not a number)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def shown(value: object, unit: Unit = "number", digits: int = 4) -> str:
    """A number to `digits` significant digits, with its whole part never rounded away.

    >>> shown(336776), shown(0.70212), shown(1234.5678), shown(1.25e-7), shown(None)
    ('336,776', '0.7021', '1,235', '1.25e-07', '–')
    >>> shown(0.3257, "percent"), shown(True), shown(float("nan"))
    ('32.6%', 'yes', '–')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral) and unit == "number":
        return f"{int(value):,}"
    number = finite(value)
    if number is None:
        return NOTHING if value is None or value != value else str(value)
    if unit == "percent":
        return f"{trimmed(number * 100, max(1, _decimals(number * 100, digits - 1)))}%"
    if number and not 1e-4 <= abs(number) < 1e15:
        return f"{number:.{digits - 1}g}"
    return trimmed(number, _decimals(number, digits))


def exact(value: object) -> str:
    """A number as a program reads it back: shortest digits, no separators; '' for none."""
    number = finite(value)
    if number is None:
        return ""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def column(values: Iterable[object], unit: Unit = "number") -> list[str]:
    """The numbers of one table column, all with the decimals that the neediest has.

    >>> column([0.7, 0.751, None, 3])
    ['0.700', '0.751', '–', '3']
    """
    values = list(values)
    if unit == "percent":
        return [shown(value, unit) for value in values]
    floats = [finite(value) for value in values if not isinstance(value, Integral)]
    texts = [shown(number) for number in floats if number is not None]
    if any("e" in text for text in texts):
        return [shown(value) for value in values]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [
        shown(value)
        if isinstance(value, Integral) or (number := finite(value)) is None
        else f"{number:,.{decimals}f}"
        for value in values
    ]


def instant(seconds: float, span: float = 0.0) -> str:
    """A time in UTC, as fine as a stretch of `span` seconds calls for; 0 gives all of it.

    >>> instant(1356998400.0), instant(1356998400.0, 86400 * 90)
    ('2013-01-01 00:00:00', '2013-01-01')
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return shown(seconds)
    if span > 86400 * 5:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%m-%d %H:%M}" if span else f"{moment:%Y-%m-%d %H:%M:%S}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, roughly `about` of them.

    >>> ticks(0.68, 0.8)
    [0.68, 0.7, 0.72, 0.74, 0.76, 0.78, 0.8]
    """
    span = high - low
    if not 1e-300 < span < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    sizes = (1, 2, 2.5, 5)
    step = next((s * power for s in sizes if span / (s * power) <= about * 1.25), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def trimmed(number: float, decimals: int) -> str:
    """Fixed-point, without the zeros at the end."""
    text = f"{number:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _decimals(number: float, digits: int) -> int:
    """How many decimals give `digits` significant digits."""
    return 0 if number == 0 else max(0, digits - 1 - math.floor(math.log10(abs(number))))
