"""Numbers as records hold them: the same on every machine and with every number of threads."""

import math

DIGITS = 10
"""Significant digits that survive: sums of floats differ in the last few with the order of adding."""


def rounded(value: float) -> float:
    """`value` at ten significant digits; NaN and infinities stay as they are.

    >>> rounded(0.1 + 0.2), rounded(123456789.123456)
    (0.3, 123456789.1)
    """
    return float(f"{value:.{DIGITS}g}")


def recorded(value: float | None) -> float | None:
    """As `rounded`, and None for what JSON has no word for.

    >>> recorded(float("nan")) is None
    True
    """
    return None if value is None or not math.isfinite(value) else rounded(value)
