from pathlib import Path

import polars as pl
import pytest

from tricord.core.errors import SchemaError
from tricord.data.schema import ColumnRule, Rule, Schema, infer


def read(tmp_path: Path, text: str) -> Schema:
    (tmp_path / "s.yaml").write_text(text)
    return Schema.read(tmp_path / "s.yaml")


def test_write_and_read_again(tmp_path: Path) -> None:
    schema = Schema(
        columns=(
            ColumnRule("NO", "string", values=("NO", "1e3", "null"), new_values=0.01),
            ColumnRule("b", "float", presence=0.5, min=0.0, outside=0.1, on_range="warn"),
            ColumnRule("c", "int", required=False, presence=1.0, format="hhmm"),
            ColumnRule("d", "string", pattern="[A-Z]{2}: #"),
        ),
        rules=(Rule("b: positive", "b > 0 AND d <> 'x'", 0.9, "warn"),),
        missing=("NA", ""),
        unexpected="warn",
        min_rows=10,
    )
    schema.write(tmp_path / "s.yaml")
    text = (tmp_path / "s.yaml").read_text()
    assert Schema.read(tmp_path / "s.yaml") == schema
    assert text == Schema.read(tmp_path / "s.yaml").to_yaml()
    assert text.startswith("#")


HEAD = "schema: tricord/1\ncolumns:\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (HEAD + "  a: {type: int}\nrulse: []\n", 4, "unknown key 'rulse': did you mean 'rules'"),
        (HEAD + "  a: {tpye: int}\n", 3, "unknown key 'tpye': did you mean 'type'"),
        ("schema: tricord/1\ncolums:\n  a: {type: int}\n", 2, "did you mean 'columns'"),
        (HEAD + "  a: {type: integer}\n", 3, "is 'integer', not one of int"),
        (HEAD + "  a:\n    type: int\n    presense: 1\n", 5, "did you mean 'presence'"),
        (HEAD + "  a:\n    type: int\n    min: 3\n    max: 1\n", 6, "below `min`"),
        (HEAD + "  a: {type: int, presence: 1.5}\n", 3, "share of rows between 0 and 1"),
        (HEAD + "  a: {type: int, nullable: false, presence: 0.5}\n", 3, "contradicts"),
        (HEAD + "  a: {type: int, values: ['x']}\n", 3, "means nothing for the type int"),
        (HEAD + "  a: {type: string, new_values: 0.1}\n", 3, "without `values`"),
        (HEAD + "  a: {type: string, values: [NO, YES]}\n", 3, "put it in quotes"),
        (HEAD + "  a: {type: string, values: [x, x]}\n", 3, "twice"),
        (HEAD + "  a: {type: string, pattern: '['}\n", 3, "no regular expression"),
        (HEAD + "  a: {type: int}\n  a: {type: int}\n", 4, "appears twice"),
        (HEAD + "  a: {presence: 1.0}\n", 3, "'type' is missing"),
        (HEAD + "  a: 3\n", 3, "must be a mapping"),
        (HEAD + "  a: {type: int}\nrules:\n  - name: r\n    expression: a >> > 1\n", 6, "no SQL"),
        (HEAD + "  a: {type: int}\nrules:\n  - name: r\n", 5, "'expression' is missing"),
        (HEAD + "  a: {type: int}\nrows: {min: many}\n", 4, "must be of type int"),
        ("columns:\n  a: {type: int}\n", 1, "must say tricord/1"),
        ("schema: tricord/1\n", 1, "names at least one column"),
        ("- a\n", 1, "no mapping"),
        ("a: [\n", 2, "not YAML"),
    ],
)
def test_a_wrong_schema_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        read(tmp_path, text)
    assert what in caught.value.what
    assert f"s.yaml, line {line}" in (caught.value.where or "")


def test_infer_proposes_types_presence_domains_and_clock_times() -> None:
    clocks = [hour * 100 + minute for hour in range(24) for minute in (0, 15, 30, 45, 59)]
    frame = pl.DataFrame(
        {
            "when": ["2013-01-01T10:00:00Z"] * 120,
            "clock": clocks,
            "city": ["Bonn", "Ulm", None] * 40,
            "mark": ["NA", "x"] * 60,
            "x": [0.5] * 120,
        }
    )
    schema = infer(frame)
    assert schema["when"].type == "datetime"
    assert schema["clock"].format == "hhmm"
    assert schema["city"].values == ("Bonn", "Ulm")
    assert (schema["city"].presence, schema["x"].presence) == (0.5, 1.0)
    assert schema.missing == ("NA",)
    assert schema.names == tuple(sorted(frame.columns))


def test_a_nested_column_has_no_schema_type() -> None:
    with pytest.raises(SchemaError, match="'l'"):
        infer(pl.DataFrame({"l": [[1]]}))
