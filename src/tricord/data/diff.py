"""How two versions of a dataset differ, or a version and the work folder: files, and the tables in them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from tricord.core.artifact import Digest
from tricord.core.canonical import JSON
from tricord.core.errors import DataError
from tricord.data import choosing
from tricord.data.rows import ColumnChange, RowChanges, column_changes, compare
from tricord.data.scanning import (
    TableFile,
    alike,
    frames,
    is_table,
    scan,
    together,
    too_large,
)
from tricord.data.summary import Summary, summaries
from tricord.store.progress import Watch, quiet

TEXT = 4 << 20
"""Bytes up to which two text files are compared by lines."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file of one side: the path it goes by, its digest and size, how to come by its bytes, and whether
    it may be executed (of a dataset that is one file, no version says)."""

    path: str
    digest: Digest
    size: int
    place: Callable[[], Path]
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: how it is called, and its files by their path in the dataset."""

    title: str
    files: Mapping[str, Item]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs: its size in bytes before and after, None on the side that lacks it.

    `lines` are how many lines were added and removed, where both are texts: (0, 0) if only their order is
    another; of those `added_lines` and `removed_lines` are the first. `executable` is the execute
    bit that it has after, None where that is as it was.
    """

    path: str
    before: int | None
    after: int | None
    lines: tuple[int, int] | None = None
    executable: bool | None = None
    added_lines: tuple[str, ...] = ()
    removed_lines: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class TableChange:
    """How the table in one file, or in all files that differ (`path` is None), changed.

    `summaries` are by column, (before, after). `as_text`: too large to tell the types of its cells.
    """

    path: str | None
    files: int
    columns: tuple[ColumnChange, ...]
    rows: RowChanges
    summaries: Mapping[str, tuple[Summary | None, Summary | None]]
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What `tricord diff` answers for one dataset. `problems` are tables that could not be compared."""

    name: str
    before: str
    after: str
    files: tuple[FileChange, ...]
    unchanged: int
    tables: tuple[TableChange, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, JSON]:
        found: dict[str, Any] = asdict(self)
        for one, change in zip(found["files"], self.files, strict=True):
            one["change"] = change.word
        for one, table in zip(found["tables"], self.tables, strict=True):
            one["rows"]["unchanged"] = table.rows.unchanged
        return found


def diff(
    name: str,
    before: Side,
    after: Side,
    *,
    only: Sequence[str] = (),
    key: Sequence[str] = (),
    examples: int = 5,
    each: bool = False,
    watch: Watch = quiet,
) -> DatasetDiff:
    """Compare two sides. `only` limits it to files, folders or patterns of paths.

    The tables of all files that differ are compared as one (a row that went from one file to another
    has not changed), with `each` file by file. Files of equal digest are never read.
    """
    old, new = _chosen(before, after, only)
    differing = [path for path in sorted({*old, *new}) if not _same(old.get(path), new.get(path))]
    files = tuple(_file_change(path, old.get(path), new.get(path), examples) for path in differing)
    pairs = [
        (path, old.get(path), new.get(path))
        for path in differing
        if not _same_content(old.get(path), new.get(path))
    ]
    tables, problems = _tables(
        [pair for pair in pairs if any(item and is_table(item.path) for item in pair[1:])],
        key, examples, watch, each=each,
    )  # fmt: skip
    unchanged = len({*old, *new}) - len(differing)
    return DatasetDiff(name, before.title, after.title, files, unchanged, tables, problems)


def _same(old: Item | None, new: Item | None) -> bool:
    return _same_content(old, new) and _bit(old, new) is None


def _same_content(old: Item | None, new: Item | None) -> bool:
    return old is not None and new is not None and old.digest == new.digest


def _bit(old: Item | None, new: Item | None) -> bool | None:
    """The execute bit that a file got or lost."""
    return new.executable if old and new and old.executable != new.executable else None


def _chosen(
    before: Side, after: Side, only: Sequence[str]
) -> tuple[Mapping[str, Item], Mapping[str, Item]]:
    if not only:
        return before.files, after.files
    wanted = [text.rstrip("/") for text in only]
    chosen = [
        {
            path: item
            for path, item in side.files.items()
            if any(choosing.matches(path, name) for name in wanted)
        }
        for side in (before, after)
    ]
    if not any(chosen):
        raise DataError(
            f"neither side has a file {' or '.join(map(repr, wanted))}",
            where=f"{before.title}, {after.title}",
        )
    return chosen[0], chosen[1]


def _file_change(path: str, old: Item | None, new: Item | None, examples: int) -> FileChange:
    found = FileChange(
        path, old.size if old else None, new.size if new else None, executable=_bit(old, new)
    )
    if old and new and old.digest != new.digest and not is_table(path) and max(old.size, new.size) <= TEXT:  # fmt: skip
        lines = _lines(old.place().read_bytes(), new.place().read_bytes())
        if lines is not None:
            added, removed = (side[:examples] for side in lines)
            return replace(
                found,
                lines=(len(lines[0]), len(lines[1])),
                added_lines=added,
                removed_lines=removed,
            )
    return found


def _lines(old: bytes, new: bytes) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Lines added and removed in the order of their text, wherever they stand: none of either if they are
    in another order. None for what is no text."""
    try:
        if "\0" in old.decode("utf-8") or "\0" in new.decode("utf-8"):
            return None
    except UnicodeDecodeError:
        return None
    before, after = (data.splitlines(keepends=True) for data in (old, new))
    return _beyond(after, before), _beyond(before, after)


def _beyond(lines: Sequence[bytes], others: Sequence[bytes]) -> tuple[str, ...]:
    """The lines that are there more often than among the others, without their ends."""
    left = Counter(others)
    found: list[str] = []
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line.decode("utf-8").rstrip("\r\n"))
    return tuple(found)


_Pair = tuple[str, Item | None, Item | None]


def _tables(
    pairs: Sequence[_Pair], key: Sequence[str], examples: int, watch: Watch, *, each: bool
) -> tuple[tuple[TableChange, ...], tuple[str, ...]]:
    """As one table, or file by file; so also where the files are no one table."""
    if len(pairs) > 1 and not each and (whole := _as_one(pairs, key, examples, watch)):
        return (whole,), ()
    tables: list[TableChange] = []
    problems: list[DataError] = []
    for path, one, other in pairs:
        try:
            old, new = (_table_files([item], watch) for item in (one, other))
            as_text = too_large((*old, *new))
            sides = scan(old, as_text=as_text), scan(new, as_text=as_text)
            tables.append(_table(path, 1, sides, key, examples, as_text=as_text))
        except DataError as error:
            problems.append(DataError(error.what, where=error.where or path, hint=error.hint))
    if key and problems and not any(table.rows.key for table in tables):
        raise problems[0]  # no table has that key: a slip of the pen
    return tuple(tables), tuple(f"{problem.where}: {problem.what}" for problem in problems)


def _as_one(
    pairs: Sequence[_Pair], key: Sequence[str], examples: int, watch: Watch
) -> TableChange | None:
    """None where the files cannot be read as one table: what is wrong is then told file by file."""
    old = _table_files([one for _, one, _ in pairs], watch)
    new = _table_files([other for _, _, other in pairs], watch)
    as_text = too_large((*old, *new))
    try:
        before, after = frames(old, as_text=as_text), frames(new, as_text=as_text)
        if not alike([*before, *after]):
            return None
        sides = together(before), together(after)
    except DataError:
        return None
    return _table(None, len(pairs), sides, key, examples, as_text=as_text)


def _table(
    path: str | None,
    files: int,
    sides: tuple[pl.LazyFrame, pl.LazyFrame],
    key: Sequence[str],
    examples: int,
    *,
    as_text: bool,
) -> TableChange:
    before, after = sides
    schemas = before.collect_schema(), after.collect_schema()
    rows = compare(before, after, key=key if all(schemas) else (), examples=examples)
    was, now = summaries(before, rows.before), summaries(after, rows.after)
    return TableChange(
        path=path,
        files=files,
        columns=column_changes(*schemas) if all(schemas) else (),
        rows=rows,
        summaries={name: (was.get(name), now.get(name)) for name in {**now, **was}},
        as_text=as_text,
    )


def _table_files(items: Iterable[Item | None], watch: Watch) -> list[TableFile]:
    files: list[TableFile] = []
    for item in items:
        if item is not None and is_table(item.path):
            files.append(TableFile(item.place(), item.path))
            watch(item.size, 1, item.path)
    return files
