from pathlib import Path

import polars as pl
import pytest

from tricord.core.errors import DataError
from tricord.data.tables import read_table, sniff, table_files

FRAME = pl.DataFrame({"a": [1, 2, None], "s": ["x", None, "y"]})


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".ndjson", ".jsonl", ".arrow", ".ipc", ""])
def test_every_format_is_read_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    if suffix in (".csv", ""):
        FRAME.write_csv(path)
    elif suffix == ".parquet":
        FRAME.write_parquet(path)
    elif suffix in (".ndjson", ".jsonl"):
        FRAME.write_ndjson(path)
    else:
        FRAME.write_ipc(path)
    assert read_table(path).equals(FRAME)


def test_a_name_without_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "p")
    FRAME.write_ipc(tmp_path / "a")
    FRAME.write_ipc_stream(tmp_path / "s")
    FRAME.write_ndjson(tmp_path / "n")
    assert [sniff(tmp_path / name) for name in "pasn"] == ["parquet", "arrow", "arrow", "ndjson"]
    assert all(read_table(tmp_path / name).equals(FRAME) for name in "pasn")


def test_a_folder_is_its_files_in_path_order_with_nulls_for_lacking_columns(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "b.csv", b"a,x\n2,1.5\n")
    write(tmp_path / "a.csv", b"a\n1\n")
    write(tmp_path / "sub/c.csv", b"a,x\n3,\n")
    write(tmp_path / ".hidden.csv", b"zz\n1\n")
    write(tmp_path / "README.md", b"no table")
    frame = read_table(tmp_path, format="tree")
    assert frame.to_dict(as_series=False) == {"a": [1, 2, 3], "x": [None, 1.5, None]}
    names = [path.relative_to(tmp_path).as_posix() for path in table_files(tmp_path)]
    assert names == ["a.csv", "b.csv", "sub/c.csv"]


@pytest.mark.parametrize(
    ("data", "mark"),
    [(b"a;b\n1;2\n", "';'"), (b'"a";"b"\n1,5;2,5\n', "';'"), (b"\xef\xbb\xbfa\tb\n1\t2\n", "tabs")],
)
def test_another_delimiter_is_named(tmp_path: Path, data: bytes, mark: str) -> None:
    with pytest.raises(DataError, match=f"separated by {mark}") as caught:
        read_table(write(tmp_path / "t.csv", data))
    assert caught.value.where == f"{tmp_path / 't.csv'}, line 1"


def test_a_delimiter_in_a_quoted_name_is_part_of_it(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "t.csv", b'"a;b"\n1\n')).columns == ["a;b"]
    assert read_table(write(tmp_path / "u.csv", b"a;b,c\n1,2\n")).columns == ["a;b", "c"]


def test_numbers_behind_na_are_numbers_but_texts_stay_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b"n,code,id\n1,NA,007\nNA,DE,012\n2.5,FR,NA\n")
    assert read_table(path)["n"].to_list() == [1.0, None, 2.5]
    assert read_table(path)["code"].to_list() == ["NA", "DE", "FR"]
    assert read_table(path, as_text=["id"])["id"].to_list() == ["007", "012", "NA"]
    assert read_table(path, missing=["NA"])["code"].to_list() == [None, "DE", "FR"]


def test_a_csv_of_a_header_only_has_columns_and_no_rows(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "t.csv", b"a,b\n")).shape == (0, 2)


def test_columns_are_picked_in_the_order_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b"a,b,c\n1,2,3\n")
    assert read_table(path, columns=["c", "a"]).columns == ["c", "a"]
    with pytest.raises(DataError, match=r"no column 'bb': did you mean 'b'"):
        read_table(path, columns=["bb"])


@pytest.mark.parametrize(
    ("name", "data", "what", "where"),
    [
        ("t.csv", b"", "empty", "t.csv"),
        ("t.csv", b"a,b,a\n1,2,3\n", "column 'a' appears twice", "line 1, column 3"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "3 fields where the header has 2", "line 3"),
        ("t.csv", b"a,b\n1,2\n1", "truncated", "last line"),
        ("t.csv", b"a,b\n1,2\n1,caf\xe9\n", "not UTF-8: byte 0xe9", "line 3, byte 6"),
        ("t.csv", b"caf\xe9,b\n1,2\n", "not UTF-8", "line 1, byte 4"),
        ("t.parquet", b"hello", "truncated, or no parquet", "t.parquet"),
        ("t.arrow", b"ARROW1\0\0hello", "truncated, or no arrow", "t.arrow"),
        ("t.ndjson", b'{"a":1}\n{"a":2\n', "not readable as ndjson", "t.ndjson"),
        ("t.ndjson", b'{"a":"\xff"}\n', "not UTF-8", "line 1, byte 7"),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    tmp_path: Path, name: str, data: bytes, what: str, where: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_table(write(tmp_path / name, data))
    assert what in caught.value.what
    assert where in (caught.value.where or "")


def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    with pytest.raises(DataError, match="truncated"):
        read_table(write(tmp_path / "t.parquet", whole[:-20]))


def test_types_that_do_not_go_together_name_the_column_and_both_files(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", b"x\n1\n")
    write(tmp_path / "b.csv", b"x\none\n")
    with pytest.raises(DataError, match=r"'x' is Int64 in a\.csv and String in b\.csv"):
        read_table(tmp_path)


def test_a_missing_path_and_an_empty_folder_are_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "nope")
    with pytest.raises(DataError, match="no table in this folder"):
        read_table(tmp_path)


def test_a_quoted_line_break_is_no_truncation(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", b'a,b\n1,"two\nlines"\n')
    assert read_table(path)["b"].to_list() == ["two\nlines"]
