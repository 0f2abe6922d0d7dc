"""Progress: long work tells a `Watch` what it has done since it last told it."""

from collections.abc import Callable

Watch = Callable[[int, int, str], None]
"""Called with bytes more, items more and the name of what is being worked on. From any thread."""


def quiet(more_bytes: int, more_items: int, label: str, /) -> None:
    """A `Watch` that shows nothing."""
