"""`tricord diff`: what changed in a dataset: files, and rows, columns and cells of its tables."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tricord.cli.answer import Answer, size, table
from tricord.cli.progress import bar
from tricord.core.spelling import printable
from tricord.project.project import Project

if TYPE_CHECKING:
    from tricord.data.diff import DatasetDiff, FileChange, TableChange
    from tricord.data.rows import RowChanges
    from tricord.data.summary import Summary

EXAMPLE = "tricord diff flights@v1 @v2 --key flight,day"
_MOST_FILES = 20
_TONES = {"added": "green", "removed": "red", "changed": "yellow"}
_WIDE = 28
_WIDEST = 200
"""Characters of a line that are shown."""


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="NAME, NAME@A (both against the work folder), or NAME@A @B; then paths within. "
        "Default: every dataset of the work tree",
    )
    parser.add_argument("--key", default="", help="columns that tell rows apart: COL,COL")
    parser.add_argument(
        "--rows", type=int, default=5, help="examples of rows and of lines to show (5)"
    )
    parser.add_argument("--each", action="store_true", help="tables file by file, not as one")


def run(arguments: Namespace) -> Answer:
    from tricord.data.diff import diff
    from tricord.data.sides import questions

    project = Project.open(arguments.project)
    asked, only = questions(project, arguments.what)
    key = tuple(name.strip() for name in arguments.key.split(",") if name.strip())
    with bar("comparing") as watch:
        found = [
            diff(
                question.name,
                question.before,
                question.after,
                only=only,
                key=key or question.key,
                examples=max(arguments.rows, 0),
                each=arguments.each,
                watch=watch,
            )
            for question in asked
        ]
    data = {"datasets": [one.to_json() for one in found]}
    return Answer(data, lambda on: _draw(on, found))


def _draw(on: Any, found: "list[DatasetDiff]") -> None:
    if not found:
        on.print("no datasets here\n  next: tricord add PATH")
    for number, one in enumerate(found):
        if number:
            on.print()
        _draw_dataset(on, one)


def _draw_dataset(on: Any, found: "DatasetDiff") -> None:
    from rich.markup import escape

    same = "" if found.files else ": no difference"
    on.print(f"[bold]{escape(found.name)}[/]  {escape(found.before)} → {escape(found.after)}{same}")
    if not found.files:
        return
    drawn = table("file", "", "before", "after", "lines", right=("before", "after"))
    for change in found.files[:_MOST_FILES]:
        drawn.add_row(
            escape(printable(change.path or "(the file)")),
            f"[{_TONES[change.word]}]{change.word}[/]",
            "–" if change.before is None else size(change.before),
            "–" if change.after is None else size(change.after),
            _lines(change),
        )
    on.print(drawn)
    if len(found.files) > _MOST_FILES:
        on.print(f"  … and {len(found.files) - _MOST_FILES} more; --json lists all")
    for change in found.files[:_MOST_FILES]:
        _draw_lines(on, change)
    for one in found.tables:
        _draw_table(on, one)
    for problem in found.problems:
        on.print(f"[yellow]not compared as a table[/]: {escape(problem)}")


def _lines(change: "FileChange") -> str:
    if change.executable is not None:
        bit = "[green]+x[/]" if change.executable else "[red]-x[/]"
        return f"{_lines(replace(change, executable=None))} {bit}".strip()
    if change.lines is None:
        return ""
    added, removed = change.lines
    if not (added or removed):
        return "[yellow]in another order[/]"
    return f"[green]+{added}[/] [red]-{removed}[/]"


def _draw_lines(on: Any, change: "FileChange") -> None:
    """The first lines of a text that went and that came."""
    from rich.markup import escape

    if not (change.added_lines or change.removed_lines):
        return
    on.print(f"\n[bold]lines[/] of {escape(printable(change.path or '(the file)'))}")
    for tone, sign, lines in (
        ("red", "-", change.removed_lines),
        ("green", "+", change.added_lines),
    ):
        for line in lines:
            text = line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"
            on.print(f"  [{tone}]{sign}[/] {escape(printable(text))}", soft_wrap=True)


def _draw_table(on: Any, found: "TableChange") -> None:
    from rich.markup import escape

    rows = found.rows
    which = f"the {found.files} files that differ" if found.path is None else found.path or "table"
    on.print(f"\n[bold]rows[/] of {escape(printable(which))}: {rows.before:,} → {rows.after:,}")
    parts = [f"[green]{rows.added:,} added[/]", f"[red]{rows.removed:,} removed[/]"]
    if rows.key:
        parts.append(f"[yellow]{rows.changed:,} changed[/]")
    by = f" by {', '.join(rows.key)}" if rows.key else ", whole rows compared (--key COL tells changed rows)"  # fmt: skip
    on.print(f"  {', '.join(parts)}, {rows.unchanged:,} unchanged{escape(by)}")
    if found.as_text:
        on.print("  too large to tell types: each cell was compared as text")
    for column in found.columns:
        on.print(f"  column {escape(column.name)}: {_column(column.before, column.after)}")
    if rows.cells:
        of = f" (of {rows.cells_of:,} changed rows)" if rows.cells_of < rows.changed else ""
        counts = sorted(rows.cells.items(), key=lambda pair: -pair[1])
        on.print(f"  cells changed{of}: " + escape(", ".join(f"{name} {count:,}" for name, count in counts)))  # fmt: skip
    _draw_statistics(on, found)
    _draw_examples(on, rows)


def _column(before: str | None, after: str | None) -> str:
    from rich.markup import escape

    if before is None:
        return f"[green]new[/], {escape(after or '')}"
    if after is None:
        return f"[red]gone[/], was {escape(before)}"
    return f"[yellow]{escape(before)} → {escape(after)}[/]"


def _draw_statistics(on: Any, found: "TableChange") -> None:
    """Columns whose statistics differ, side by side."""
    from rich.markup import escape

    differing = {name: pair for name, pair in found.summaries.items() if None not in pair and pair[0] != pair[1]}  # fmt: skip
    if not differing:
        return
    drawn = table("column", "nulls", "min", "mean", "max", "distinct")
    for name, (before, after) in differing.items():
        if before is None or after is None:
            continue
        drawn.add_row(
            escape(name),
            _pair(_share(before), _share(after)),
            _pair(_shown(before.low), _shown(after.low)),
            _pair(_shown(before.mean), _shown(after.mean)),
            _pair(_shown(before.high), _shown(after.high)),
            _pair(_distinct(before), _distinct(after)),
        )
    on.print(drawn)


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _share(found: "Summary") -> str:
    nans = f" {found.nans:.1%} NaN" if found.nans else ""
    return f"{found.nulls:.1%}{nans}"


def _distinct(found: "Summary") -> str:
    return f"{'' if found.exact else '≈ '}{found.distinct:,}"


def _shown(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    text = f"{value:.6g}" if isinstance(value, float) else printable(str(value))
    return escape(text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…")


def _draw_examples(on: Any, rows: "RowChanges") -> None:
    from rich.markup import escape

    for tone, sign, some in (("green", "+", rows.added_rows), ("red", "-", rows.removed_rows)):
        for row in some:
            cells = "  ".join(f"[dim]{escape(name)}[/]={_shown(value)}" for name, value in row.items())  # fmt: skip
            on.print(f"  [{tone}]{sign}[/] {cells}", soft_wrap=True)
    for changed in rows.changed_rows:
        key = "  ".join(f"[dim]{escape(name)}[/]={_shown(value)}" for name, value in changed.key.items())  # fmt: skip
        cells = "  ".join(
            f"[dim]{escape(name)}[/]: [red]{_shown(old)}[/] → [green]{_shown(new)}[/]"
            for name, (old, new) in changed.cells.items()
        )
        on.print(f"  [yellow]~[/] {key}  {cells}", soft_wrap=True)
