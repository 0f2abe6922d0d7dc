"""What changed in a dataset: versions, the work folder, files of every kind."""

import json
from pathlib import Path

import polars as pl
import pytest

from tricord.cli.main import main
from tricord.core.errors import DataError, NotRecorded
from tricord.data import pointers, worktree
from tricord.data.checkout import checkout
from tricord.data.diff import DatasetDiff, diff
from tricord.data.scanning import TableFile, scan, too_large
from tricord.data.sides import questions
from tricord.data.versions import add
from tricord.project import datasets
from tricord.project.project import Project


def rows(start: int, end: int, **columns: object) -> pl.DataFrame:
    return pl.DataFrame({"id": range(start, end), "x": [n * 0.5 for n in range(start, end)], **columns})  # fmt: skip


@pytest.fixture
def folder(project: Project) -> Path:
    """A dataset of tables and other files, as it was added."""
    folder = project.root / "data" / "flights"
    folder.mkdir(parents=True)
    rows(0, 10).write_csv(folder / "a.csv")
    rows(10, 20).write_parquet(folder / "b.parquet")
    rows(20, 30).write_ndjson(folder / "c.ndjson")
    rows(30, 40).write_ipc(folder / "d.arrow")
    (folder / "READ ME.md").write_text("one\ntwo\n")
    (folder / "[red]blob\n.bin").write_bytes(b"\0\1")
    add(project, folder)
    return folder


def asked(project: Project, *words: str, **options: object) -> DatasetDiff:
    (question,), only = questions(project, words)
    return diff(question.name, question.before, question.after, only=only, **options)  # pyright: ignore[reportArgumentType]


def words(found: DatasetDiff) -> dict[str, str]:
    return {change.path: change.word for change in found.files}


def test_an_unchanged_folder_has_no_difference(project: Project, folder: Path) -> None:
    found = asked(project, "flights")
    assert (found.files, found.tables, found.unchanged) == ((), (), 6)
    assert (found.before, found.after) == ("flights@v1", "work folder")


@pytest.mark.parametrize(
    ("here", "path"),
    [
        (".", "a.csv"),
        (".", "data/flights/a.csv"),
        ("data", "flights/a.csv"),
        ("data/flights", "./a.csv"),
        ("data", "data/flights/a.csv"),
        ("data", "../data/flights/[a]*"),
    ],
)
def test_a_path_is_within_the_dataset_or_from_the_working_folder_or_the_root(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch, here: str, path: str
) -> None:
    rows(1, 10).write_csv(folder / "a.csv")
    (folder / "READ ME.md").write_text("one\n")
    monkeypatch.chdir(project.root / here)
    assert words(asked(project, "flights", path)) == {"a.csv": "changed"}
    second = add(project, folder)
    for two in (["flights@v1", f"@v{second.number}"], ["flights@v1"]):
        assert words(asked(project, *two, path)) == {"a.csv": "changed"}
    assert words(asked(project, "flights@v1", str(folder))).keys() == {"a.csv", "READ ME.md"}
    with pytest.raises(DataError, match="neither side has a file"):
        asked(project, "flights", "data/flights/none.csv")


def test_files_are_added_removed_and_changed(project: Project, folder: Path) -> None:
    (folder / "new.txt").write_text("x")
    (folder / "b.parquet").unlink()
    (folder / "READ ME.md").write_text("one\nthree\nfour\n")
    (folder / "[red]blob\n.bin").write_bytes(b"\0\1\2")
    found = asked(project, "data/flights")
    assert words(found) == {
        "new.txt": "added", "b.parquet": "removed", "READ ME.md": "changed", "[red]blob\n.bin": "changed",
    }  # fmt: skip
    sizes = {change.path: (change.before, change.after, change.lines) for change in found.files}
    assert sizes["READ ME.md"] == (8, 15, (2, 1))
    assert sizes["[red]blob\n.bin"] == (2, 3, None)
    assert sizes["new.txt"] == (None, 1, None)
    (table,) = found.tables
    assert (table.rows.before, table.rows.after, table.rows.removed) == (10, 0, 10)


def test_lines_that_changed_places_are_said_to(
    project: Project, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "READ ME.md").write_text("two\none\n")
    assert asked(project, "flights").files[0].lines == (0, 0)
    assert main(["diff", "flights", "--project", str(project.root)]) == 0
    assert "in another order" in capsys.readouterr().out
    (folder / "READ ME.md").write_bytes(b"one\r\ntwo\n")
    assert asked(project, "flights").files[0].lines == (1, 1)


def test_the_first_lines_that_came_and_went_are_shown(
    project: Project, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "READ ME.md").write_text("one\n[red]\x1b\none\n2\n3\n")
    (found,) = asked(project, "flights", examples=3).files
    assert found.lines == (4, 1)
    assert found.added_lines == ("[red]\x1b", "one", "2")
    assert found.removed_lines == ("two",)
    assert main(["diff", "flights", "--project", str(project.root)]) == 0
    shown = capsys.readouterr().out
    assert "lines of READ ME.md\n  - two\n  + [red]\\x1b\n  + one\n  + 2\n  + 3\n" in shown
    assert main(["diff", "flights", "--rows", "1", "--project", str(project.root)]) == 0
    assert "  + one" not in capsys.readouterr().out


def test_an_execute_bit_is_a_change_that_status_tells_too(
    project: Project, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.csv").chmod(0o755)
    found = asked(project, "flights")
    assert worktree.compare(project, pointers.get(project.root, "flights")).changed == ("a.csv",)
    assert words(found) == {"a.csv": "changed"}
    assert (found.files[0].executable, found.files[0].lines, found.tables) == (True, None, ())
    assert main(["diff", "flights", "--project", str(project.root)]) == 0
    assert "+x" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"saved nowhere: a\.csv"):
        checkout(project, "flights")
    assert (folder / "a.csv").stat().st_mode & 0o100
    add(project, folder)
    checkout(project, "flights@v1")
    assert asked(project, "flights@v2", "@v1").files[0].executable is False
    (folder / "a.csv").chmod(0o755)
    checkout(project, "flights")  # a version has the bit: it can be brought back
    assert not (folder / "a.csv").stat().st_mode & 0o100


def test_tables_of_every_format_are_one_table(project: Project, folder: Path) -> None:
    rows(1, 11, new=["n"] * 10).write_csv(folder / "a.csv")
    rows(11, 21).write_parquet(folder / "b.parquet")
    rows(21, 31).write_ndjson(folder / "c.ndjson")
    rows(31, 41).write_ipc(folder / "d.arrow")
    found = asked(project, "flights", key=["id"])
    (table,) = found.tables
    assert (table.rows.before, table.rows.after) == (40, 40)
    # rows 10, 20 and 30 went from one file to another
    assert (table.rows.added, table.rows.removed, table.rows.changed) == (1, 1, 0)
    assert [(c.name, c.before, c.after) for c in table.columns] == [("new", None, "String")]
    each = asked(project, "flights", key=["id"], each=True)
    assert [(t.path, t.rows.added, t.rows.removed) for t in each.tables] == [
        ("a.csv", 1, 1), ("b.parquet", 1, 1), ("c.ndjson", 1, 1), ("d.arrow", 1, 1),
    ]  # fmt: skip


def test_statistics_stand_side_by_side(project: Project, folder: Path) -> None:
    rows(0, 10).with_columns(x=pl.when(pl.col("id") < 5).then(None).otherwise("x")).write_csv(folder / "a.csv")  # fmt: skip
    (table,) = asked(project, "flights", "a.csv").tables
    before, after = table.summaries["x"]
    assert before is not None
    assert after is not None
    assert (before.nulls, after.nulls, before.low, after.low) == (0.0, 0.5, 0.0, 2.5)
    assert (before.mean, after.mean, before.distinct, after.distinct) == (2.25, 3.5, 10, 5)


def test_two_versions_and_a_version_against_the_work_folder(project: Project, folder: Path) -> None:
    rows(0, 11).write_csv(folder / "a.csv")
    add(project, folder)
    (folder / "a.csv").unlink()
    assert words(asked(project, "flights@v1", "@v2")) == {"a.csv": "changed"}
    assert words(asked(project, "flights@v1", "flights@latest")) == {"a.csv": "changed"}
    assert words(asked(project, "flights@v1")) == {"a.csv": "removed"}
    found = asked(project, "flights@v2", "@v1", key=["id"])
    assert (found.before, found.after) == ("flights@v2", "flights@v1")
    assert found.tables[0].rows.removed_rows == ({"id": 10, "x": 5.0},)


def test_paths_limit_it_to_files_folders_and_patterns(project: Project, folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in ("a.csv", "READ ME.md", "sub/one.csv", "sub/two.txt"):
        (folder / name).write_text("id\n7\n")
    assert set(words(asked(project, "flights", "sub"))) == {"sub/one.csv", "sub/two.txt"}
    assert set(words(asked(project, "flights", "*.csv"))) == {"a.csv", "sub/one.csv"}
    assert set(words(asked(project, "flights", "READ ME.md", "sub/two.txt"))) == {"READ ME.md", "sub/two.txt"}  # fmt: skip
    with pytest.raises(DataError, match="neither side has a file 'nothing'"):
        asked(project, "flights", "nothing")


def test_a_dataset_of_one_file(project: Project) -> None:
    file = project.root / "weather.csv"
    rows(0, 3).write_csv(file)
    add(project, file)
    rows(1, 4).write_csv(file)
    found = asked(project, "weather", key=["id"])
    assert words(found) == {"": "changed"}
    assert (found.tables[0].rows.added, found.tables[0].rows.removed) == (1, 1)
    add(project, file)
    assert asked(project, "weather@v1", "@v2").tables[0].rows.added == 1


def test_the_pointer_may_declare_the_key(project: Project, folder: Path) -> None:
    pointer = project.root / "data" / "flights.tricord"
    pointer.write_text(pointer.read_text() + '\n[about]\nkey = "id, x"\n')
    (question,), _ = questions(project, ["flights"])
    assert question.key == ("id", "x")


def test_a_table_that_cannot_be_read_does_not_hide_the_others(
    project: Project, folder: Path
) -> None:
    (folder / "b.parquet").write_bytes(b"PAR1 no more")
    rows(0, 11).write_csv(folder / "a.csv")
    found = asked(project, "flights")
    assert [table.path for table in found.tables] == ["a.csv"]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("b.parquet: ")
    assert str(folder) not in found.problems[0]


def test_a_pointer_in_conflict_is_compared_with_the_latest_version(
    project: Project, folder: Path
) -> None:
    pointer = project.root / "data" / "flights.tricord"
    text = pointer.read_text()
    pointer.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    rows(0, 11).write_csv(folder / "a.csv")
    for found in (asked(project, "flights"), asked(project)):
        assert "the latest here (two versions are in its pointer)" in found.before
        assert words(found) == {"a.csv": "changed"}


def test_a_dataset_without_files_here_says_what_can_be_compared(project: Project) -> None:
    datasets.record(project, "made", project.put(b"1"), why="by a step")
    with pytest.raises(NotRecorded, match="no files in this work tree") as error:
        asked(project, "made")
    assert error.value.hint == "compare two versions: tricord diff made@v1 @latest"
    with pytest.raises(NotRecorded, match="no dataset 'nothing'"):
        asked(project, "nothing")
    with pytest.raises(DataError, match="of which dataset"):
        asked(project, "@v1")


def test_more_csv_than_fits_is_compared_as_text(tmp_path: Path) -> None:
    rows(0, 3).write_csv(tmp_path / "a.csv")
    file = TableFile(tmp_path / "a.csv", "a.csv")
    assert too_large([file], limit=10)
    assert not too_large([file])
    found = scan([file, file], as_text=True).collect()
    assert found["x"].to_list() == ["0.0", "0.5", "1.0"] * 2


def test_files_that_are_no_one_table_are_compared_one_by_one(project: Project) -> None:
    folder = project.root / "mixed"
    folder.mkdir()
    pl.DataFrame({"a": [[1]]}).write_parquet(folder / "one.parquet")
    pl.DataFrame({"a": [{"b": 1}]}).write_parquet(folder / "two.parquet")
    add(project, folder)
    pl.DataFrame({"a": [[2]]}).write_parquet(folder / "one.parquet")
    pl.DataFrame({"a": [{"b": 2}]}).write_parquet(folder / "two.parquet")
    found = asked(project, "mixed")
    assert [(table.path, table.rows.added) for table in found.tables] == [
        ("one.parquet", 1), ("two.parquet", 1),
    ]  # fmt: skip


def test_the_command_draws_it_and_answers_in_json(
    project: Project, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(1, 10).with_columns(x=pl.col("id") * 1.0, s=pl.lit("ü[/]")).write_csv(folder / "a.csv")
    (folder / "[red]blob\n.bin").write_bytes(b"")
    at = ["--project", str(project.root)]
    assert main(["diff", "flights", "--key", "id", *at]) == 0
    shown = capsys.readouterr().out
    assert "1 removed" in shown
    assert "9 changed" in shown
    assert "[red]blob\\n.bin" in shown
    assert "column s: new, String" in shown
    assert main(["diff", "--json", "--rows", "1", *at]) == 0
    (found,) = json.loads(capsys.readouterr().out)["datasets"]
    assert [file["change"] for file in found["files"]] == ["changed", "changed"]
    assert len(found["tables"][0]["rows"]["added_rows"]) == 1
    assert main(["diff", "flights", "--key", "nothing", *at]) == 1
    assert "next: --key with some of id, x" in capsys.readouterr().err


def test_a_key_that_was_declared_is_the_one_that_rows_are_told_apart_by(
    project: Project, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--json", "--project", str(project.root)]
    rows(0, 10).with_columns(day=pl.lit(1)).write_csv(folder / "a.csv")
    add(project, folder)
    rows(0, 10).with_columns(day=pl.lit(1), x=pl.col("id") * 2).write_csv(folder / "a.csv")
    assert main(["data", "describe", "flights", "--key", "id, day", *at]) == 0
    assert json.loads(capsys.readouterr().out)["about"] == {"key": "id, day"}
    assert main(["diff", "flights", *at]) == 0
    (table,) = json.loads(capsys.readouterr().out)["datasets"][0]["tables"]
    assert table["rows"]["key"] == ["id", "day"]
    assert main(["data", "show", "flights", *at]) == 0
    assert json.loads(capsys.readouterr().out)["about"] == {"key": "id, day"}
    assert main(["data", "describe", "flights", "--key", "", *at]) == 0
    assert json.loads(capsys.readouterr().out)["about"] == {}


def test_tables_of_different_kinds_are_compared_file_by_file(project: Project) -> None:
    folder = project.root / "trips"
    folder.mkdir()
    rows(0, 5).write_csv(folder / "trips.csv")
    pl.DataFrame({"code": ["EWR", "JFK"], "name": ["Newark", "Kennedy"]}).write_csv(folder / "airports.csv")  # fmt: skip
    add(project, folder)
    rows(0, 6).write_csv(folder / "trips.csv")
    pl.DataFrame({"code": ["EWR"], "name": ["Newark"]}).write_csv(folder / "airports.csv")
    found = asked(project, "trips")
    assert [(t.path, t.rows.added, t.rows.removed) for t in found.tables] == [
        ("airports.csv", 0, 1), ("trips.csv", 1, 0),
    ]  # fmt: skip
    by_key = asked(project, "trips", key=["id"])
    assert [table.path for table in by_key.tables] == ["trips.csv"]
    assert by_key.problems == ("airports.csv: the key 'id' is no column of both tables",)
    with pytest.raises(DataError, match="the key 'di' is no column of both tables"):
        asked(project, "trips", key=["di"])


def test_a_key_that_is_no_key_is_an_error_whether_files_are_one_table_or_not(
    project: Project, folder: Path
) -> None:
    for name in ("a.csv", "b.parquet"):
        same = pl.concat([rows(0, 9), rows(0, 1)])
        same.write_csv(folder / name) if name == "a.csv" else same.write_parquet(folder / name)
    for each in (True, False):
        with pytest.raises(DataError, match="does not tell rows apart"):
            asked(project, "flights", key=["id"], each=each)
