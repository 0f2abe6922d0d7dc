"""Parquet as we write it: equal tables, equal bytes; a changed row, a changed page; every type back."""

import datetime as dt
import itertools
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tricord.core.errors import CodecError
from tricord.data import parquet
from tricord.store.chunks import cut
from tricord.store.digest import of_bytes

SMALL, LARGE = 3, 45_000
COLUMNS: dict[str, pl.Series] = {
    "category": pl.Series(["a", "b", None], dtype=pl.Categorical),
    "enum": pl.Series(["x", "y", None], dtype=pl.Enum(["y", "x", "z"])),
    "decimal": pl.Series([Decimal("1.25"), Decimal("-3.50"), None], dtype=pl.Decimal(20, 2)),
    "duration": pl.Series([1, -2, None], dtype=pl.Duration("ms")),
    "naive": pl.Series([1, 2, None], dtype=pl.Datetime("ns")),
    "zoned": pl.Series([1, 2, None], dtype=pl.Datetime("us", "Europe/Berlin")),
    "time": pl.Series([dt.time(1), None, dt.time(23, 59, 59, 999999)]),
    "date": pl.Series([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
    "list": pl.Series([[1, 2], [], None]),
    "array": pl.Series([[1, 2], [3, 4], None], dtype=pl.Array(pl.Int8, 2)),
    "struct": pl.Series([{"a": 1, "b": "x"}, {"a": None, "b": None}, None], dtype=pl.Struct({"a": pl.Int32, "b": pl.String})),
    "within": pl.Series([[{"a": 1}], [], None], dtype=pl.List(pl.Struct({"a": pl.Int64}))),
    "bytes": pl.Series([b"\x00\xff", b"", None]),
    "null": pl.Series([None, None, None], dtype=pl.Null),
    "bool": pl.Series([True, False, None]),
    "u64": pl.Series([2**64 - 1, 2, None], dtype=pl.UInt64),
    "i8": pl.Series([-128, 2, None], dtype=pl.Int8),
    "f32": pl.Series([math.nan, -math.inf, None], dtype=pl.Float32),
    "text": pl.Series(["ü", "", None]),
    "i128": pl.Series([2**100, 2, None], dtype=pl.Int128),
}  # fmt: skip


def written(frame: pl.DataFrame, path: Path) -> bytes:
    parquet.write(frame, path)
    return path.read_bytes()


@pytest.mark.parametrize("rows", [SMALL, LARGE])
@pytest.mark.parametrize("name", COLUMNS)
def test_every_type_comes_back(name: str, rows: int, tmp_path: Path) -> None:
    column = COLUMNS[name]
    frame = pl.DataFrame(
        {"n": range(rows), "m": range(rows), "o": range(rows), name: column.new_from_index(0, 0).extend(column[np.arange(rows) % 3])}
    )  # fmt: skip
    written(frame, tmp_path / "t")
    back = pl.read_parquet(tmp_path / "t")
    assert back.schema == frame.schema
    assert back.equals(frame)
    assert (parquet.content_size(frame) >= parquet.LARGE) == (rows == LARGE)


@pytest.mark.parametrize(
    "frame", [pl.DataFrame(), pl.DataFrame(schema={"a": pl.Int8, "s": pl.String})]
)
def test_tables_without_rows_or_columns_come_back(frame: pl.DataFrame, tmp_path: Path) -> None:
    written(frame, tmp_path / "t")
    assert pl.read_parquet(tmp_path / "t").equals(frame)


def table(rows: int, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "id": np.arange(rows),
            "carrier": random.choice(np.array(["AA", "B6", "DL"]), rows),
            "delay": random.normal(size=rows).round(1),
            "x": random.normal(size=rows),
        }
    )


@pytest.mark.parametrize("rows", [100, 60_000])
def test_equal_tables_give_equal_bytes_however_they_lie_in_memory(
    rows: int, tmp_path: Path
) -> None:
    frame = table(rows).with_columns(c=pl.col("carrier").cast(pl.Categorical))
    chunked = pl.concat([frame[:7], frame[7:50], frame[50:]], rechunk=False)
    sliced = pl.concat([table(9, 1).with_columns(c=pl.lit("Z").cast(pl.Categorical)), frame])[9:]
    assert sliced.equals(frame)
    first = written(frame, tmp_path / "a")
    assert written(chunked, tmp_path / "b") == first
    assert written(sliced, tmp_path / "c") == first


def new_share(before: bytes, after: bytes) -> float:
    """Bytes of the chunks that the store does not have yet, as a share of all that it had."""
    known = {of_bytes(bytes(chunk)) for chunk in cut(iter([before]))}
    fresh = {of_bytes(bytes(chunk)): len(chunk) for chunk in cut(iter([after]))}
    return sum(size for name, size in fresh.items() if name not in known) / len(before)


def test_a_change_of_the_rows_is_a_change_of_few_bytes(tmp_path: Path) -> None:
    rows = 1_000_000
    frame, fresh = table(rows), table(rows // 100, 1)
    middle = rows // 2
    before = written(frame, tmp_path / "a")
    changes: dict[str, Any] = {
        "appended": pl.concat([frame, fresh]),
        "inserted": pl.concat([frame[:middle], fresh, frame[middle:]]),
        "deleted": pl.concat([frame[:middle], frame[middle + rows // 100 :]]),
        "replaced": pl.concat([frame[:middle], fresh, frame[middle + rows // 100 :]]),
    }
    shares = {name: new_share(before, written(after, tmp_path / name)) for name, after in changes.items()}  # fmt: skip
    # what it costs beyond the new rows does not grow with the table: of ten million rows it is 1.8 % at most
    assert max(shares.values()) < 0.16, shares
    # the present layout of row groups stores half of it for the same insertion
    frame.write_parquet(tmp_path / "old", row_group_size=250_000)
    changes["inserted"].write_parquet(tmp_path / "new", row_group_size=250_000)
    assert new_share((tmp_path / "old").read_bytes(), (tmp_path / "new").read_bytes()) > 0.4


def test_the_size_of_the_values_chooses_the_writer(tmp_path: Path) -> None:
    texts = pl.DataFrame({"s": ["x" * parquet.LARGE]})
    assert parquet.content_size(texts) > parquet.LARGE
    for name, frame in itertools.chain({"texts": texts, "few": table(10)}.items()):
        written(frame, tmp_path / name)
        assert pl.read_parquet(tmp_path / name).equals(frame)


def test_what_parquet_has_no_column_for_is_told(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="cannot be written as Parquet"):
        parquet.write(pl.DataFrame({"s": [{}]}, schema={"s": pl.Struct({})}), tmp_path / "t")
