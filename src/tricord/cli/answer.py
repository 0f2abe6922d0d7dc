"""What a command answers with: data for machines and a drawing of it for people."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tricord.core.artifact import short
from tricord.core.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

TONES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.UNDECIDED: "yellow",
    Outcome.FAIL: "red",
}
WHOLE = frozenset({"ref", "when", "moved", "started", "run", "release", "model", "verdict"})
"""Columns that are never broken over two lines: they are copied from the screen."""
STATE_TONES = {
    "finished": "green", "cached": "cyan", "running": "yellow",
    "failed": "red", "refused": "red", "interrupted": "red", "skipped": "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """`data` is printed with --json; `draw` draws the same for a person; `code` is the exit code.

    `lines` is for commands that are asked so often that drawing has to cost nothing: plain text.
    """

    data: Any
    draw: "Callable[[Console], None] | None" = None
    code: int = 0
    lines: "Callable[[], Iterable[str]] | None" = None


def console(*, quiet: bool = False) -> "Console":
    """The terminal; where output goes to a file or a pipe, lines are 120 wide."""
    from rich.console import Console

    made = Console(highlight=False, quiet=quiet)
    made.on_broken_pipe = _reader_is_gone  # rich would exit with 1
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = 120
    return made


def _reader_is_gone() -> None:
    raise BrokenPipeError


def table(*columns: str, title: str | None = None, right: tuple[str, ...] = ()) -> "Table":
    """An empty table; columns named in `right` are set flush right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        whole = column in WHOLE
        made.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=whole
        )
    return made


def moment(seconds: float | None) -> str:
    """Seconds since the epoch as local time, to the second; a dash for none."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}" if seconds else "–"


def size(bytes_: float) -> str:
    """
    >>> size(999), size(12_345_678)
    ('999 B', '12.3 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if bytes_ < 1000:
            return f"{bytes_:.0f} {unit}" if unit == "B" else f"{bytes_:.1f} {unit}"
        bytes_ /= 1000
    return f"{bytes_:.1f} TB"


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """A number of things, in the singular or the plural.

    >>> count(1, "file"), count(20_000, "file"), count(2, "entry")
    ('1 file', '20,000 files', '2 entries')
    """
    if number != 1 and nouns is None:
        ending = noun[-2:]
        if ending[-1:] == "y" and ending[0] not in "aeiou":
            nouns = f"{noun[:-1]}ies"
        else:
            nouns = f"{noun}es" if ending in ("ch", "sh", "ss") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else nouns}"


def draw_verdict(on: "Console", verdict: Verdict, *, most: int = 12) -> None:
    """The outcome, then each check that is not a pass with its evidence, then how many passed."""
    from rich.markup import escape

    tone = TONES[verdict.outcome]
    on.print(
        f"[bold {tone}]{verdict.outcome}[/] {escape(verdict.question)}: {escape(verdict.subject)}"
    )
    worth_reading = sorted(
        (check for check in verdict.checks if check.outcome != Outcome.PASS),
        key=lambda check: -check.outcome.rank,
    )
    for check in worth_reading[:most]:
        on.print(f"  [{TONES[check.outcome]}]✗[/] {escape(check.message)}")
    if len(worth_reading) > most:
        on.print(f"  … and {len(worth_reading) - most} more")
    passed = sum(check.outcome == Outcome.PASS for check in verdict.checks)
    on.print(f"  [green]✓[/] {passed} of {len(verdict.checks)} checks passed")


def named(digest: str | None) -> str:
    return short(digest) if digest else "–"
