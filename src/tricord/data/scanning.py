"""Tables read piece by piece: what is larger than memory can still be gone through.

Files that fit are read as `data.tables` reads them, with all its care. Of more CSV than that, every
cell is taken as text, since types cannot be told from a part of the rows.
"""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from tricord.core.errors import DataError
from tricord.data.tables import STREAM, SUFFIXES, Format, read_table

READ_WHOLE = 256 << 20
"""Bytes of CSV and JSON lines, of both sides of a comparison together, that are read into memory."""


class TableFile(NamedTuple):
    """A table's file: where its bytes are, and the path that it goes by."""

    place: Path
    path: str

    @property
    def format(self) -> Format:
        return SUFFIXES[Path(self.path).suffix.lower()]


def is_table(path: str) -> bool:
    """True for a file name that table files have.

    >>> is_table("2013/01.csv"), is_table("README.md")
    (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


def too_large(files: Iterable[TableFile], limit: int = READ_WHOLE) -> bool:
    """True where texts that make up the table are not to be held in memory."""
    texts = (file for file in files if file.format in ("csv", "ndjson"))
    return sum(file.place.stat().st_size for file in texts) > limit


def scan(files: Sequence[TableFile], *, as_text: bool = False) -> pl.LazyFrame:
    """The rows of files one after the other, under the union of their columns; none: an empty table.

    `as_text` reads CSV lazily, each cell as a text. DataError: unreadable, or types that do not go together.
    """
    return together(frames(files, as_text=as_text))


Frame = pl.LazyFrame | pl.DataFrame


def frames(files: Sequence[TableFile], *, as_text: bool = False) -> list[Frame]:
    """Each file's rows, read already where they fit. DataError for what cannot be read."""
    return [_scan(file, as_text=as_text) for file in files]


def alike(found: Sequence[Frame]) -> bool:
    """False where some of them are tables of another kind: they share less than half of their columns
    with the widest one."""
    columns = [set(frame.collect_schema()) for frame in found]
    widest = max(columns, key=len, default=set[str]())
    return all(2 * len(names & widest) >= len(names) for names in columns)


def together(found: Sequence[Frame]) -> pl.LazyFrame:
    """The rows of several tables under the union of their columns. DataError for types that do not go together."""
    lazy: list[pl.LazyFrame] = []
    whole: list[pl.DataFrame] = []
    for frame in found:
        if isinstance(frame, pl.DataFrame):
            whole.append(frame)
        else:
            lazy.append(frame)
    with _reading("the files", "do not go together"):
        if whole:  # at once: thousands of small ones are no plan to be made again for each question
            lazy.append(pl.concat(whole, how="diagonal_relaxed", rechunk=False).lazy())
        if len(lazy) == 1:
            return lazy[0]
        joined = pl.concat(lazy, how="diagonal_relaxed") if lazy else pl.LazyFrame()
        joined.collect_schema()
    return joined


def _scan(file: TableFile, *, as_text: bool) -> Frame:
    if not file.place.stat().st_size:
        raise DataError("the file is empty", where=file.path)
    with _reading(file.path, f"cannot be read as {file.format}"):
        lazy = _lazy(file, as_text=as_text)
        if lazy is not None:
            lazy.collect_schema()
            return lazy
    try:
        frame = read_table(file.place, format=file.format)
    except DataError as error:  # it goes by another name than the store's
        where = (error.where or "").replace(str(file.place), file.path)
        raise DataError(error.what, where=where, hint=error.hint) from error
    empty = [column.name for column in frame if column.null_count() == frame.height]
    return frame.with_columns(pl.lit(None).alias(name) for name in empty) if empty else frame


def _lazy(file: TableFile, *, as_text: bool) -> pl.LazyFrame | None:
    if file.format == "parquet":
        return pl.scan_parquet(file.place, glob=False)
    if file.format == "arrow":
        with file.place.open("rb") as start:
            stream = start.read(4) == STREAM
        return None if stream else pl.scan_ipc(file.place, glob=False)
    if as_text and file.format == "csv":
        return pl.scan_csv(file.place, glob=False, infer_schema=False)
    if as_text and file.format == "ndjson":
        return pl.scan_ndjson(file.place, infer_schema_length=100_000)
    return None


@contextlib.contextmanager
def _reading(where: str, what: str) -> Generator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{what}: {reason}", where=where) from error
