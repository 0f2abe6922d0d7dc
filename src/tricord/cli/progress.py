"""What long work shows on stderr while it lasts; nothing where no terminal is there."""

import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from tricord.cli.answer import size
from tricord.core.spelling import printable

Report = Callable[[int, int, str], None]
"""Called with bytes more, items more and the name of what is being worked on. A `store.progress.Watch`."""

_PATIENCE = 0.4
"""Seconds that work may take before anything is shown."""
_EACH = 0.1


@contextmanager
def bar(what: str, total: int | None = None) -> Generator[Report]:
    """Show how far some work is, while the block lasts; `total` is bytes, if they are known.

    >>> with bar("adding", total=7) as report:
    ...     report(7, 1, "flights.csv")
    """
    shown = _Bar(what, total)
    try:
        yield shown if sys.stderr.isatty() else _nothing
    finally:
        shown.close()


def _nothing(more_bytes: int, more_items: int, label: str) -> None:
    pass


class _Bar:
    """Sums up what it is told, and draws it a few times a second. Threads may share it."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what = what
        self._total = total
        self._bytes = self._items = 0
        self._due = time.monotonic() + _PATIENCE
        self._drawn: Any = None
        self._lock = threading.Lock()

    def __call__(self, more_bytes: int, more_items: int, label: str) -> None:
        with self._lock:
            self._bytes += more_bytes
            self._items += more_items
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + _EACH
                self._draw(label)

    def close(self) -> None:
        with self._lock:
            if self._drawn is not None:
                self._drawn.stop()
                self._drawn = None

    def _draw(self, label: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        if self._drawn is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeRemainingColumn())  # fmt: skip
            self._drawn = Progress(*columns, console=Console(stderr=True), transient=True)
            self._drawn.start()
            self._drawn.add_task(self._what, total=self._total, done="")
        of = f" of {size(self._total)}" if self._total else ""
        plain = printable(label)[-40:]
        done = f"{size(self._bytes)}{of}, {self._items:,} done  {escape(plain)}"
        self._drawn.update(self._drawn.task_ids[0], completed=self._bytes, done=done)
