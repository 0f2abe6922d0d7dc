"""Codecs of tables and arrays: tables are written as Parquet, arrays as npy. No pickle.

Equal tables give equal bytes: no time, no thread count in the file.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from tricord.core.artifact import Kind
from tricord.core.canonical import encode
from tricord.core.errors import CodecError
from tricord.core.plugins import optional
from tricord.data import parquet
from tricord.data.schema import Schema
from tricord.data.statistics import Statistics
from tricord.data.tables import read_table


class PolarsTable:
    """`polars.DataFrame` as Parquet (see `data.parquet`). Reads every table format, and folders of them."""

    format: str = "parquet"
    reads: Sequence[str] = ("parquet", "csv", "ndjson", "arrow", "tree")
    kind: Kind = Kind.DATASET

    def write(self, value: Any, target: Path) -> None:
        frame = self.to_polars(value)
        unwritable = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Object)]
        if unwritable:
            raise CodecError(f"column {unwritable[0]!r} holds Python objects, not values")
        parquet.write(frame, target)

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        if format not in self.reads:
            raise CodecError(f"a table cannot be read from {format!r}", where=str(source))
        return self.from_polars(read_table(source, format=format))

    def to_polars(self, value: Any) -> pl.DataFrame:
        return cast("pl.DataFrame", value)

    def from_polars(self, frame: pl.DataFrame) -> Any:
        return frame


class PandasTable(PolarsTable):
    """`pandas.DataFrame`, as its columns: an index that means something must be a column first."""

    def to_polars(self, value: Any) -> pl.DataFrame:
        pandas = optional("pandas", extra="tables")
        optional("pyarrow", extra="tables")
        if not isinstance(value.index, pandas.RangeIndex):
            raise CodecError(
                "the frame's index is not a plain range and would be lost",
                hint="frame.reset_index(), with drop=True where it means nothing",
            )
        if len(set(value.columns)) != len(value.columns):
            raise CodecError(f"duplicate columns: {list(value.columns)}")
        return cast("pl.DataFrame", pl.from_pandas(value))

    def from_polars(self, frame: pl.DataFrame) -> Any:
        optional("pandas", extra="tables")
        optional("pyarrow", extra="tables")
        return frame.to_pandas()


class ArrowTable(PolarsTable):
    """`pyarrow.Table`. Texts come back as large strings, the layout that Parquet is read into."""

    def to_polars(self, value: Any) -> pl.DataFrame:
        read: Any = pl.from_arrow  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return cast("pl.DataFrame", read(value))

    def from_polars(self, frame: pl.DataFrame) -> Any:
        optional("pyarrow", extra="tables")
        return cast("Any", frame).to_arrow()


class Array:
    """`numpy.ndarray` as npy in C order, whatever the order it has in memory."""

    format: str = "npy"
    reads: Sequence[str] = ("npy",)
    kind: Kind = Kind.VALUE

    def write(self, value: Any, target: Path) -> None:
        array = cast("np.ndarray[Any, Any]", np.asarray(value, order="C"))
        if array.dtype.hasobject:
            raise CodecError("an array of Python objects cannot be stored without pickle")
        with target.open("wb") as file:
            np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        try:
            with source.open("rb") as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise CodecError(f"not an npy array: {error}", where=str(source)) from error


class StatisticsRecord:
    """`Statistics` as canonical JSON."""

    format: str = "json"
    reads: Sequence[str] = ("json",)
    kind: Kind = Kind.STATISTICS

    def write(self, value: Any, target: Path) -> None:
        target.write_bytes(encode(value.to_json()))

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        return Statistics.from_json(json.loads(source.read_bytes()))


class SchemaFile:
    """`Schema` as its YAML."""

    format: str = "yaml"
    reads: Sequence[str] = ("yaml", "yml", "file")
    kind: Kind = Kind.SCHEMA

    def write(self, value: Any, target: Path) -> None:
        value.write(target)

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        return Schema.read(source)
