"""The judge of a model: is it good, and is it no worse than the champion, overall and in each segment.

For binary classifiers. Every figure comes with its confidence interval; what the rows at hand cannot
tell is undecided, which a gate treats as a no.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tricord.checks.metrics import (
    AUC,
    auc,
    brier,
    calibration,
    expected_calibration_error,
    group_rows,
    log_losses,
    paired_bootstrap,
    worse_than,
)
from tricord.checks.significance import Floats, Ints, benjamini_hochberg
from tricord.core.canonical import JSON
from tricord.core.errors import DataError
from tricord.core.protocols import Predictor
from tricord.core.spelling import nearest
from tricord.core.step import step
from tricord.core.verdict import Action, Check, Outcome, Verdict
from tricord.data.numbers import rounded

QUESTION = "model quality"
LEVEL = 0.95
PRECISION = 0.02
"""How finely candidate and champion must be told apart, in AUC: where the interval of their difference reaches
further below the margin than this, the rows are too few to say that the candidate is no worse."""
SEGMENT_RATE = 0.01
"""False-discovery rate over the segments."""
MISCALIBRATED = 0.05
"""Mean predicted probability may miss the observed rate by this much before a person should look."""
FEW = 10
"""Positives and negatives that an AUC needs to mean anything, over all rows or in a segment."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the checks work on: labels and scores, float64 of shape (rows,)."""

    labels: Floats
    scores: Floats
    champion: Floats | None
    rows: pl.DataFrame


@step
def evaluate(
    model: Any,
    rows: pl.DataFrame,
    *,
    label: str,
    against: Any = None,
    segments: list[str] | None = None,
    margin: float = 0.0,
    minimum_auc: float = 0.55,
    min_segment_rows: int = 200,
) -> Verdict:
    """Judge a model (`predict(frame) -> probabilities`) on held-out rows, against a champion if there is one.

    - AUC: the interval must lie above `minimum_auc`.
    - Against the champion, on the same rows: fails where it is shown to be worse by more than `margin` (in AUC
      by DeLong's paired interval, in nats of log loss by a paired bootstrap); it need not be better. Undecided
      where the AUCs cannot be told apart to within 0.02.
    - Each value of the `segments` columns with enough rows: fails where it is shown to be worse by more than
      `margin` + 0.02, at a false-discovery rate of 1 % over all segments. Smaller ones are listed only.
    - Calibration: a warning where the mean probability misses the observed rate by more than 0.05.

    The label is taken out before the models see the rows. Rows without a label are dropped and counted.
    """
    known = rows.drop_nulls(label) if label in rows.columns else _no_column(label, rows)
    labels = _labels(known[label])
    evidence: dict[str, JSON] = {
        "rows": known.height,
        "rows_without_label": rows.height - known.height,
        "positives": int(labels.sum()),
    }
    if not 0 < labels.sum() < len(labels):
        return Verdict(label, QUESTION, (_one_class(known.height, labels),), evidence)
    rarer = int(min(labels.sum(), len(labels) - labels.sum()))
    if rarer < FEW:
        return Verdict(label, QUESTION, (_too_rare(rarer),), evidence)
    seen = known.drop(label)
    champion = None if against is None else _scores(against, seen)
    judged = Judged(labels, _scores(model, seen), champion, known)
    for who, scores in (("candidate", judged.scores), ("champion", champion)):
        if scores is not None and not np.isfinite(scores).all():
            return Verdict(label, QUESTION, (_not_finite(who, scores),), evidence)
    areas = auc(labels, *(s for s in (judged.scores, champion) if s is not None))
    checks = [_floor(areas, minimum_auc), _calibrated(judged)]
    if champion is not None:
        checks += [_no_worse_auc(areas, margin), _no_worse_loss(judged, champion, margin)]
    by_segment, segment_checks = _segments(judged, segments or [], margin, min_segment_rows)
    evidence |= _figures(judged, areas) | {"segments": by_segment}
    return Verdict(label, QUESTION, (*checks, *segment_checks), evidence)


def _no_column(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    raise DataError(f"no column {name!r} in the rows{nearest(name, rows.columns)}")


def _labels(column: pl.Series) -> Floats:
    """0.0 and 1.0 out of booleans or numbers 0 and 1. DataError for any other label."""
    if column.dtype == pl.Boolean or (
        column.dtype.is_numeric() and bool(column.is_in([0, 1]).all())
    ):
        return column.cast(pl.Float64).to_numpy()
    raise DataError(
        f"label {column.name!r} is neither boolean nor 0 and 1 (type {column.dtype})",
        hint="only binary classifiers are judged here",
    )


def _scores(model: Predictor, rows: pl.DataFrame) -> Floats:
    scores = np.asarray(model.predict(rows), dtype=np.float64)
    if scores.shape != (rows.height,):
        raise DataError(
            f"predict() gave an array of shape {scores.shape} for {rows.height} rows",
            hint="one probability of the positive class per row",
        )
    return scores


def _one_class(rows: int, labels: Floats) -> Check:
    what = f"all {rows:,} labels are {int(labels[0])}" if rows else "no row has a label"
    return Check(
        name="both classes present",
        outcome=Outcome.UNDECIDED,
        message=f"{what}: nothing can be said about the model",
        code="one-class" if rows else "no-rows",
        observed=rows,
        action=Action.STOP,
    )


def _too_rare(rarer: int) -> Check:
    return Check(
        name="enough of both classes",
        outcome=Outcome.UNDECIDED,
        message=f"{rarer} rows of the rarer class: at least {FEW} are needed",
        code="too-few-rows",
        observed=rarer,
        limit=FEW,
    )


def _not_finite(who: str, scores: Floats) -> Check:
    bad = ~np.isfinite(scores)
    return Check(
        name="predictions finite",
        outcome=Outcome.FAIL,
        message=f"{int(bad.sum()):,} predictions of the {who} are no numbers",
        code="prediction-not-finite",
        observed=int(bad.sum()),
        limit=0,
        evidence={"row_numbers": np.flatnonzero(bad)[:5].tolist()},
    )


def _floor(areas: AUC, minimum: float) -> Check:
    low, high = areas.interval(LEVEL)
    value = float(areas.values[0])
    outcome = Outcome.PASS if low >= minimum else Outcome.UNDECIDED
    if high < minimum or value < minimum:
        outcome = Outcome.FAIL
    return Check(
        name="AUC above the floor",
        outcome=outcome,
        message=f"AUC {value:.4f} [{low:.4f}, {high:.4f}], at least {minimum:g} demanded",
        code="auc-below-floor",
        path="auc",
        observed=rounded(value),
        limit=minimum,
        interval=(rounded(low), rounded(high)),
        level=LEVEL,
    )


def _no_worse_auc(areas: AUC, margin: float) -> Check:
    delta, low, high, _ = areas.difference(LEVEL)
    if high < -margin:
        outcome, what = Outcome.FAIL, "worse than the champion"
    elif low < -(margin + PRECISION):
        outcome, what = Outcome.UNDECIDED, "too few rows to say it is no worse than the champion"
    else:
        outcome, what = Outcome.PASS, "no worse than the champion"
    return Check(
        name="AUC against the champion",
        outcome=outcome,
        message=f"{what}: AUC {areas.values[0]:.4f} against {areas.values[1]:.4f}, "
        f"difference {delta:+.4f} [{low:+.4f}, {high:+.4f}]",
        code="auc-worse",
        path="auc",
        observed=rounded(delta),
        limit=-margin,
        interval=(rounded(low), rounded(high)),
        level=LEVEL,
        evidence={"precision": PRECISION},
    )


def _no_worse_loss(judged: Judged, champion: Floats, margin: float) -> Check:
    mine = log_losses(judged.labels, judged.scores)
    theirs = log_losses(judged.labels, champion)
    delta, low, high = paired_bootstrap(mine - theirs, level=LEVEL)
    worse = low > margin
    return Check(
        name="log loss against the champion",
        outcome=Outcome.FAIL if worse else Outcome.PASS,
        message=f"{'worse' if worse else 'no worse'} than the champion: log loss {mine.mean():.4f} "
        f"against {theirs.mean():.4f}, difference {delta:+.4f} [{low:+.4f}, {high:+.4f}]",
        code="log-loss-worse",
        path="log_loss",
        observed=rounded(delta),
        limit=margin,
        interval=(rounded(low), rounded(high)),
        level=LEVEL,
    )


def _calibrated(judged: Judged) -> Check:
    whole = calibration(judged.labels, judged.scores)[0]
    off = whole.predicted - whole.observed
    low, high = whole.interval
    missed = abs(off) > MISCALIBRATED and not low <= whole.predicted <= high
    return Check(
        name="calibration",
        outcome=Outcome.WARN if missed else Outcome.PASS,
        message=f"mean probability {whole.predicted:.4f}, observed {whole.observed:.4f} "
        f"[{low:.4f}, {high:.4f}]",
        code="miscalibrated",
        path="calibration",
        observed=rounded(off),
        limit=MISCALIBRATED,
        interval=(rounded(whole.predicted - high), rounded(whole.predicted - low)),
        level=LEVEL,
        action=Action.WARN,
    )


def _figures(judged: Judged, areas: AUC) -> dict[str, JSON]:
    labels, scores = judged.labels, judged.scores
    groups = calibration(labels, scores, bins=10)
    found: dict[str, JSON] = {
        "auc": rounded(float(areas.values[0])),
        "auc_interval": [rounded(end) for end in areas.interval(LEVEL)],
        "log_loss": rounded(float(log_losses(labels, scores).mean())),
        "brier": rounded(brier(labels, scores)),
        "base_rate": rounded(float(labels.mean())),
        "mean_prediction": rounded(float(scores.mean())),
        "calibration_error": rounded(expected_calibration_error(groups)),
        "calibration": [
            {"predicted": rounded(g.predicted), "observed": rounded(g.observed), "rows": g.rows}
            for g in groups
        ],
    }
    if judged.champion is not None:
        delta, low, high, _ = areas.difference(LEVEL)
        found |= {
            "champion_auc": rounded(float(areas.values[1])),
            "champion_log_loss": rounded(float(log_losses(labels, judged.champion).mean())),
            "auc_difference": rounded(delta),
            "auc_difference_interval": [rounded(low), rounded(high)],
        }
    return found


@dataclass(frozen=True, slots=True)
class Segment:
    """One value of a segment column: its name "column=value", its figures, and where it could be judged
    the AUCs' difference (with its interval's ends) and its p-value of being worse."""

    name: str
    column: str
    figures: dict[str, JSON]
    difference: tuple[float, float, float] = (0.0, 0.0, 0.0)
    p: float | None = None


def _segments(
    judged: Judged, columns: list[str], margin: float, least: int
) -> tuple[dict[str, JSON], list[Check]]:
    found: list[Segment] = []
    for column in columns:
        if column not in judged.rows.columns:
            _no_column(column, judged.rows)
        names = judged.rows[column].cast(pl.String).fill_null("null")
        values = names.unique().sort()
        codes = names.to_frame().join(
            pl.DataFrame({column: values, "code": np.arange(len(values))}),
            on=column,
            how="left",
            maintain_order="left",
        )["code"]
        picks = group_rows(codes.to_numpy(), len(values))
        for value, pick in zip(values, picks, strict=True):
            found.append(_segment(judged, f"{column}={value}", column, pick, margin, least))
    tested = [segment for segment in found if segment.p is not None]
    worse, adjusted = benjamini_hochberg([s.p or 0.0 for s in tested], SEGMENT_RATE)
    checks = [
        _segment_check(segment, bad, q, margin)
        for segment, bad, q in zip(tested, worse, adjusted, strict=True)
    ]
    return {segment.name: segment.figures for segment in found}, checks


def _segment(
    judged: Judged, name: str, column: str, pick: Ints, margin: float, least: int
) -> Segment:
    labels, scores = judged.labels[pick], judged.scores[pick]
    positives = int(labels.sum())
    figures: dict[str, JSON] = {"rows": len(pick), "positives": positives}
    if len(pick) < least or min(positives, len(pick) - positives) < FEW:
        return Segment(name, column, figures | {"judged": False})
    both = (scores,) if judged.champion is None else (scores, judged.champion[pick])
    areas = auc(labels, *both)
    figures |= {
        "judged": True,
        "auc": rounded(float(areas.values[0])),
        "auc_interval": [rounded(end) for end in areas.interval(LEVEL)],
        "log_loss": rounded(float(log_losses(labels, scores).mean())),
    }
    if judged.champion is None:
        return Segment(name, column, figures)
    delta, low, high, error = areas.difference(LEVEL)
    figures |= {
        "champion_auc": rounded(float(areas.values[1])),
        "auc_difference": rounded(delta),
    }
    p = worse_than(delta, error, margin + PRECISION)
    return Segment(name, column, figures, (delta, low, high), p)


def _segment_check(segment: Segment, worse: bool, q: float, margin: float) -> Check:
    delta, low, high = segment.difference
    rows = segment.figures["rows"]
    return Check(
        name="segment against the champion",
        outcome=Outcome.FAIL if worse else Outcome.PASS,
        message=f"{segment.name}: {'worse' if worse else 'no worse'} than the champion, AUC difference "
        f"{delta:+.4f} [{low:+.4f}, {high:+.4f}] on {rows:,} rows",
        code="segment-worse",
        path=segment.column,
        segment=segment.name,
        observed=rounded(delta),
        limit=rounded(-(margin + PRECISION)),
        interval=(rounded(low), rounded(high)),
        level=LEVEL,
        evidence={"rows": rows, "p_adjusted": rounded(q)},
    )
