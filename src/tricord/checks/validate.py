"""Is this table what its schema says? Judged file by file: one broken month must not hide in ten good ones.

rows = validate(dataset("flights"), schema=file("schemas/flights.yaml"))
"""

from pathlib import Path

import polars as pl

from tricord.checks.anomalies import file_checks
from tricord.core.errors import DataError, Refused
from tricord.core.step import step
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.data.schema import Schema
from tricord.data.tables import read_table, table_files
from tricord.data.types import DTYPES, cast

QUESTION = "schema"


def judge_table(source: Path, schema: Schema, *, subject: str) -> Verdict:
    """Every anomaly of every file. Breaches of the schema's form fail and ask to stop; those of its
    values (new categories, a range) fail or warn as the schema says. No anomaly: one check per file.

    Evidence: files, rows, and per check the file, counts, and sample rows (numbered from 0).
    """
    files = table_files(source)
    checks: list[Check] = []
    rows = 0
    for path in files:
        label = path.relative_to(source).as_posix() if path != source else subject
        try:
            frame = read_table(path, missing=schema.missing, as_text=schema.texts())
        except DataError as error:
            checks.append(_unreadable(error, path, label))
            continue
        rows += frame.height
        found = file_checks(frame, schema, label)
        checks += found or [_good(frame, label)]
    failed = sum(check.outcome == Outcome.FAIL for check in checks)
    return Verdict(
        subject, QUESTION, tuple(checks), {"files": len(files), "rows": rows, "failed": failed}
    )


def _good(frame: pl.DataFrame, label: str) -> Check:
    return Check(
        name="file as the schema says",
        outcome=Outcome.PASS,
        message=f"{label}: {frame.height:,} rows, {frame.width} columns as the schema says",
        code="as-expected",
        observed=frame.height,
        evidence={"file": label, "rows": frame.height, "columns": frame.width},
    )


def _unreadable(error: DataError, path: Path, label: str) -> Check:
    where = (error.where or "").replace(
        str(path), label
    )  # the store's paths mean nothing to anybody
    return Check(
        name="file readable",
        outcome=Outcome.FAIL,
        message=f"{label}: {error.what}",
        code="unreadable",
        evidence={"file": label, "where": where},
    )


@step
def check_schema(source: Path, schema: Path, *, subject: str = "dataset") -> Verdict:
    """The verdict on a dataset (a file or a folder of table files) by a schema's YAML file."""
    return judge_table(source, Schema.read(schema), subject=subject)


@step
def admit(source: Path, schema: Path, verdict: Verdict) -> pl.DataFrame:
    """The typed table: the schema's columns in the schema's order and types, all files' rows.

    Refused, with the evidence, unless the verdict passed. A column that may be absent, and is, is null.
    """
    if not verdict.passed:
        raise Refused(
            f"{verdict.subject} is not admitted: {_story(verdict)}",
            hint="correct the data and add it again, or change the schema and have that reviewed",
        )
    rules = Schema.read(schema)
    frames: list[pl.DataFrame] = []
    for path in table_files(source):
        frame = read_table(path, missing=rules.missing, as_text=rules.texts())
        frames.append(typed(frame, rules))
    return pl.concat(frames, rechunk=True)


def typed(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The schema's columns of a frame, cast losslessly; values that cannot be cast become null."""
    return pl.DataFrame(
        [
            cast(frame[column.name], column.type)
            if column.name in frame.columns
            else pl.Series(column.name, [None], dtype=DTYPES[column.type]).new_from_index(
                0, frame.height
            )
            for column in schema.columns
        ]
    )


def validate(source: Path, *, schema: Path, subject: str = "dataset") -> pl.DataFrame:
    """Judge and admit: in a pipeline two steps, so that the verdict is on record when it refuses."""
    verdict = check_schema(source, schema, subject=subject)
    return admit(source, schema, verdict)


def _story(verdict: Verdict) -> str:
    """The failed checks, one line each with its evidence."""
    bad = verdict.having(Outcome.FAIL, Outcome.UNDECIDED)
    lines = [f"{len(bad)} of {len(verdict.checks)} checks failed"]
    for check in bad[:20]:
        samples = check.evidence.get("samples")
        lines.append(f"  {check.message}" + (f"; for instance {samples}" if samples else ""))
    if len(bad) > 20:
        lines.append(f"  … and {len(bad) - 20} more")
    return "\n".join(lines)
