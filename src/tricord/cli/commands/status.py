"""`tricord status`: what there is, and what changed."""

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from tricord.cli.answer import Answer, count, moment, named, size
from tricord.core.spelling import printable
from tricord.data.overview import Dataset, Standing, overview
from tricord.data.worktree import Changes
from tricord.project.datasets import ROOM
from tricord.project.project import Project

EXAMPLE = "tricord status --json"
_MOST = 8
"""Changed files of a dataset that are named; --json names all."""
_LONGEST = 48
"""Characters of a name or path in its column; --json has all of them."""
_QUIET = (Standing.UNCHANGED, Standing.ELSEWHERE)
_YELLOW, _BOLD, _PLAIN = "\x1b[33m", "\x1b[1m", "\x1b[0m"


def arguments(parser: ArgumentParser) -> None:
    pass


def run(arguments: Namespace) -> Answer:
    project = Project.open(arguments.project)
    found = overview(project)
    others: list[dict[str, Any]] = []
    for ref, digest in project.ledger.refs().items():
        if not ref.startswith(ROOM):
            moves = project.ledger.moves(ref)
            row: dict[str, Any] = {"ref": ref, "digest": digest, "moves": len(moves)}
            row |= {"when": moves[-1].when, "actor": moves[-1].actor, "why": moves[-1].why}
            others.append(row)
    data = {
        "project": project.name,
        "root": str(project.root),
        "datasets": [dataset.to_json() for dataset in found],
        "refs": others,
    }
    project.close()
    return Answer(data, lines=lambda: _lines(project, found, others))


def _lines(project: Project, found: Sequence[Dataset], refs: Sequence[Any]) -> Iterator[str]:
    yield f"{_toned(_BOLD, project.name)}  {project.root}"
    if not found and not refs:
        yield "nothing here yet\n  next: tricord add FILE"
        return
    if found:
        yield ""
        rows = [_row(dataset) for dataset in found]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for dataset, row in zip(found, rows, strict=True):
            cells = [cell.ljust(width) for cell, width in zip(row, wide, strict=True)]
            last = row[-1] if dataset.standing in _QUIET else _toned(_YELLOW, row[-1])
            yield "  ".join([*cells[:-1], last]).rstrip()
            yield from _details(dataset)
    if refs:
        yield ""
        rows = [
            [row["ref"], named(row["digest"]), moment(row["when"]), printable(row["actor"]), printable(row["why"])]
            for row in refs
        ]  # fmt: skip
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True))
            yield _cut(line.rstrip())


def _row(dataset: Dataset) -> list[str]:
    version = f"v{dataset.number}" if dataset.number else named(dataset.digest)
    return [
        _short(dataset.name),
        version,
        "–" if dataset.size is None else size(dataset.size),
        "–" if dataset.files is None else count(dataset.files, "file"),
        moment(dataset.moved.when if dataset.moved else None),
        _short(dataset.path or "–"),
        _state(dataset),
    ]


def _state(dataset: Dataset) -> str:
    changes = dataset.changes
    if dataset.standing == Standing.PARTLY:
        return f"{dataset.standing}, {_here(dataset)}"
    if dataset.standing != Standing.CHANGED or changes is None:
        return "–" if dataset.standing == Standing.ELSEWHERE else str(dataset.standing)
    parts = {"added": changes.added, "removed": changes.removed, "changed": changes.changed}
    words = [f"{len(names):,} {word}" for word, names in parts.items() if names]
    return ", ".join([*words, *([f"{_here(dataset)} here"] if changes.lacking else [])])


def _here(dataset: Dataset) -> str:
    """How many of a version's files were brought to this work tree."""
    lacking = 0 if dataset.changes is None else len(dataset.changes.lacking)
    files = dataset.files or lacking
    return f"{files - lacking:,} of {files:,}"


def _details(dataset: Dataset) -> Iterator[str]:
    if dataset.problem:
        yield f"    {dataset.problem}"
    if dataset.standing == Standing.CHANGED and dataset.changes:
        yield from _files(dataset.changes)
    if dataset.next:
        yield f"    next: {dataset.next}"


def _files(changes: Changes) -> Iterator[str]:
    named_ = [
        (word, name)
        for word, names in (
            ("added  ", changes.added),
            ("removed", changes.removed),
            ("changed", changes.changed),
        )
        for name in names
    ]
    for word, name in named_[:_MOST]:
        yield f"    {word}  {printable(name)}"
    if len(named_) > _MOST:
        yield f"    … and {len(named_) - _MOST:,} more"


def _short(text: str) -> str:
    """A name or path; a long one must not widen every row."""
    plain = printable(text)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _cut(line: str) -> str:
    if not sys.stdout.isatty():
        return line
    wide = shutil.get_terminal_size().columns
    return line if len(line) <= wide else line[: wide - 1] + "…"


def _toned(tone: str, text: str) -> str:
    return f"{tone}{text}{_PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
