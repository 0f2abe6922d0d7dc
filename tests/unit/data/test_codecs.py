from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tricord.core.errors import CodecError
from tricord.core.plugins import load
from tricord.data.schema import infer
from tricord.data.statistics import profile

FRAME = pl.DataFrame({"a": [1, 2, None], "s": ["x", None, "y"], "t": [0.5, float("nan"), None]})


def written(name: str, value: Any, path: Path) -> Any:
    codec = load("tricord.codecs", name)()
    codec.write(value, path)
    return codec.read(path, codec.format, type(value))


def test_a_polars_frame_comes_back_equal_and_its_chunks_do_not_show(tmp_path: Path) -> None:
    assert written("polars.DataFrame", FRAME, tmp_path / "a").equals(FRAME)
    chunked = pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)
    written("polars.DataFrame", chunked, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_pandas_frame_comes_back_equal(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", "y"]})
    pd.testing.assert_frame_equal(written("pandas.DataFrame", frame, tmp_path / "a"), frame)


def test_a_pandas_index_is_not_lost_in_silence(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    with pytest.raises(CodecError, match="index"):
        written("pandas.DataFrame", frame, tmp_path / "a")


def test_an_arrow_table_comes_back_equal(tmp_path: Path) -> None:
    table = pa.table({"a": [1, None], "f": [0.5, 1.5]})
    assert written("pyarrow.Table", table, tmp_path / "a").equals(table)


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.array(3), np.empty((0, 2), np.int8)]
)
def test_an_array_comes_back_equal(tmp_path: Path, array: np.ndarray) -> None:
    back = written("numpy.ndarray", array, tmp_path / "a")
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_the_order_in_memory_does_not_change_the_bytes(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    written("numpy.ndarray", array, tmp_path / "c")
    written("numpy.ndarray", np.asfortranarray(array), tmp_path / "f")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "f").read_bytes()


def test_python_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="pickle"):
        written("numpy.ndarray", np.array([object()]), tmp_path / "a")
    with pytest.raises(CodecError, match="Python objects"):
        written("polars.DataFrame", pl.DataFrame({"o": [object()]}), tmp_path / "b")


def test_bytes_that_are_no_array_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    with pytest.raises(CodecError, match="npy"):
        load("tricord.codecs", "numpy.ndarray")().read(tmp_path / "a", "npy", np.ndarray)


def test_statistics_and_schemas_are_artifacts_too(tmp_path: Path) -> None:
    statistics, schema = profile(FRAME), infer(FRAME)
    assert written("tricord.Statistics", statistics, tmp_path / "a") == statistics
    assert written("tricord.Schema", schema, tmp_path / "b") == schema
