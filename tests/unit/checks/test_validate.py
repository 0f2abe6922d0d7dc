import json
import re
from pathlib import Path

import polars as pl
import pytest

from tricord.checks.validate import admit, check_schema, judge_table, typed, validate
from tricord.core.canonical import encode
from tricord.core.errors import Refused
from tricord.core.verdict import Action, Outcome, Verdict
from tricord.data.schema import Schema

SCHEMA = """\
schema: tricord/1
missing: ["NA"]
rows: {min: 3}
columns:
  dep: {type: int, presence: 0.6, format: hhmm}
  origin: {type: string, nullable: false, values: [EWR, JFK, LGA]}
  dest: {type: string, pattern: "[A-Z]{3}"}
  miles: {type: float, min: 1, max: 5000, on_range: retrain}
  note: {type: string, required: false}
  at: {type: datetime}
rules:
  - {name: flies, expression: "origin <> dest"}
"""
GOOD = {
    "dep": [517, 2359, 905, 5],
    "origin": ["EWR", "LGA", "JFK", "JFK"],
    "dest": ["IAH", "MIA", "BQN", None],
    "miles": [1400.0, 1416.0, 1089.0, 1576.0],
    "at": ["2013-01-01T10:00:00Z"] * 4,
}


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(SCHEMA)
    return path


def verdict_on(frame: pl.DataFrame, schema: Path) -> Verdict:
    path = schema.parent / "t.csv"
    frame.write_csv(path)
    return judge_table(path, Schema.read(schema), subject="flights")


def changed(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({**GOOD, **columns}, strict=False)


def test_a_good_table_passes_and_comes_out_typed(schema: Path) -> None:
    assert verdict_on(pl.DataFrame(GOOD), schema).outcome == Outcome.PASS
    rows = validate(schema.parent / "t.csv", schema=schema, subject="flights")
    assert rows.schema == {
        "at": pl.Datetime("us", "UTC"),
        "dep": pl.Int64,
        "dest": pl.String,
        "miles": pl.Float64,
        "note": pl.String,
        "origin": pl.String,
    }
    assert rows["note"].null_count() == 4


def test_a_file_with_another_delimiter_fails_and_says_so(schema: Path) -> None:
    path = schema.parent / "t.csv"
    pl.DataFrame(GOOD).write_csv(path, separator=";")
    (check,) = judge_table(path, Schema.read(schema), subject="flights").checks
    assert check.outcome == Outcome.FAIL
    assert "separated by ';'" in check.message


@pytest.mark.parametrize(("presence", "present"), [(0.999, 1998), (0.07, 140), (1.0, 2000)])
def test_one_row_too_few_is_told_in_rows(tmp_path: Path, presence: float, present: int) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"schema: tricord/1\ncolumns:\n  a: {{type: int, presence: {presence}}}\n")
    enough, few = (
        pl.DataFrame({"a": [1] * count + [None] * (2000 - count)})
        for count in (present, present - 1)
    )
    assert verdict_on(enough, path).passed
    (check,) = verdict_on(few, path).checks
    said = f"has a value in {present - 1:,} of 2,000 rows, less than the share {presence} of them"
    assert said in check.message


@pytest.mark.parametrize(
    ("frame", "code", "path", "outcome", "action"),
    [
        (changed().head(2), "too-few-rows", None, Outcome.FAIL, Action.STOP),
        (changed().drop("origin"), "column-missing", "origin", Outcome.FAIL, Action.STOP),
        (changed(zz=[1, 2, 3, 4]), "column-unexpected", "zz", Outcome.FAIL, Action.STOP),
        (changed(dep=["5", "6", "x", "7"]), "type-mismatch", "dep", Outcome.FAIL, Action.STOP),
        (changed(dep=[5, None, None, None]), "presence-low", "dep", Outcome.FAIL, Action.STOP),
        (changed(dep=[870, 5, 5, 5]), "format-broken", "dep", Outcome.FAIL, Action.STOP),
        (changed(dest=["IAHX"] * 4), "pattern-broken", "dest", Outcome.FAIL, Action.STOP),
        (changed(miles=[1.0, 2, 3, 9e9]), "value-out-of-range", "miles", Outcome.WARN, Action.RETRAIN),
        (changed(origin=["EWR", "JFK", "JFK", "HPN"]), "value-not-in-domain", "origin", Outcome.WARN, Action.RETRAIN),
        (changed(dest=["EWR", "MIA", "BQN", "X" * 3]), "rule-broken", "flies", Outcome.FAIL, Action.STOP),
    ],
)  # fmt: skip
def test_each_anomaly_is_told_by_its_code(
    schema: Path, frame: pl.DataFrame, code: str, path: str | None, outcome: Outcome, action: Action
) -> None:
    found = {check.code: check for check in verdict_on(frame, schema).checks}
    assert code in found
    check = found[code]
    assert (check.path, check.outcome, check.action) == (path, outcome, action)
    assert check.evidence["file"] == "flights"
    assert check.message.startswith("flights: ")


def test_a_renamed_column_is_recognised(schema: Path) -> None:
    verdict = verdict_on(pl.DataFrame(GOOD).rename({"dep": "departure"}), schema)
    messages = [check.message for check in verdict.checks]
    assert any("'departure' looks like it, renamed" in message for message in messages)
    assert any("looks like a renamed 'dep'" in message for message in messages)


def test_another_column_is_not_taken_for_a_renamed_one(schema: Path) -> None:
    verdict = verdict_on(changed(colour=["red"] * 4).drop("dep"), schema)
    assert not any("renamed" in check.message for check in verdict.checks)


def test_evidence_shows_rows_and_values(schema: Path) -> None:
    check = verdict_on(changed(dep=[5, 870, 990, 6]), schema).checks[0]
    assert check.evidence["row_numbers"] == [1, 2]
    assert check.evidence["samples"] == [870, 990]
    assert check.evidence["count"] == 2


def test_a_rule_that_cannot_be_evaluated_fails(schema: Path) -> None:
    for expression in ("nowhere > 1", "miles + 1", "miles > 'far'"):
        text = SCHEMA.replace("origin <> dest", expression)
        schema.write_text(text)
        verdict = verdict_on(pl.DataFrame(GOOD), schema)
        assert [check.code for check in verdict.checks] == ["rule-not-evaluated"]
        assert verdict.outcome == Outcome.FAIL


def test_a_rule_that_is_null_in_every_row_fails(schema: Path) -> None:
    verdict = verdict_on(changed(dest=[None] * 4), schema)
    assert "rule-not-evaluated" in {check.code for check in verdict.checks}


def test_one_broken_file_does_not_hide_among_good_ones(schema: Path, tmp_path: Path) -> None:
    folder = tmp_path / "months"
    folder.mkdir()
    for month in range(1, 7):
        frame = changed(dep=[870, 5, 5, 5]) if month == 4 else changed()
        frame.write_csv(folder / f"2013-{month:02}.csv")
    verdict = check_schema(folder, schema, subject="flights")
    assert [check.evidence["file"] for check in verdict.having(Outcome.FAIL)] == ["2013-04.csv"]
    with pytest.raises(
        Refused, match=re.escape("2013-04.csv: column 'dep' has 1 values that are no clock")
    ):
        admit(folder, schema, verdict)


def test_an_unreadable_file_is_a_failed_check_that_names_no_store_path(
    schema: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "months"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"dep,dep\n1,2\n")
    (folder / "b.parquet").write_bytes(b"PAR1 cut off")
    verdict = check_schema(folder, schema)
    assert [check.code for check in verdict.checks] == ["unreadable"] * 2
    assert str(tmp_path) not in json.dumps(verdict.to_json())


def test_admit_refuses_an_undecided_verdict(schema: Path) -> None:
    with pytest.raises(Refused):
        admit(schema, schema, Verdict("flights", "schema", ()))


def test_text_that_looks_like_a_number_stays_text(schema: Path) -> None:
    schema.write_text("schema: tricord/1\ncolumns:\n  id: {type: string}\n")
    (schema.parent / "t.csv").write_text("id\n007\n012\n")
    assert validate(schema.parent / "t.csv", schema=schema)["id"].to_list() == ["007", "012"]


def test_the_same_table_gives_the_same_bytes_wherever_it_lies(schema: Path, tmp_path: Path) -> None:
    said: set[bytes] = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        changed(origin=["EWR", "X", "Y", "JFK"], miles=[0.0, 1, 2, 3]).write_csv(folder / "t.csv")
        said.add(encode(check_schema(folder, schema).to_json()))
    assert len(said) == 1


def test_typed_keeps_only_what_the_schema_names(schema: Path) -> None:
    assert "zz" not in typed(changed(zz=[1] * 4), Schema.read(schema)).columns


def test_columns_named_like_keywords_can_be_judged(schema: Path) -> None:
    text = 'schema: tricord/1\ncolumns:\n  select: {type: int}\n  "null": {type: int}\nrules:\n'
    schema.write_text(text + "  - {name: r, expression: '\"select\" > 0'}\n")
    assert verdict_on(pl.DataFrame({"select": [1], "null": [2]}), schema).passed
