"""From a fitted estimator to a Model, with a proof that both answer the same."""

from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np
import polars as pl

from tricord.core.errors import ModelError
from tricord.core.plugins import optional
from tricord.core.step import step
from tricord.models.graph import build, encoder_columns, trees_of
from tricord.models.package import Column, Floats, Model, Proof, Signature, datatype_of
from tricord.models.trees import split_points

TOLERANCE: Final = 1e-6
_SPLITS_PER_COLUMN: Final = 50
_UNKNOWN_TEXT: Final = "a text that no training row had"


@step
def export(estimator: Any, sample: pl.DataFrame, *, columns: list[str]) -> Model:
    """The ONNX model of a fitted scikit-learn `estimator` over `columns`, in that order.

    `sample` gives the types and the rows that both are compared on: rows as the model will meet them, missing
    values included. To them are added rows with missing values, unknown texts, and
    values on and next to the trees' splits. ModelError, with the figures, where any score differs by more than
    1e-6 or any row falls on the other side of 0.5.
    """
    signature = _signature(estimator, sample, columns)
    model = Model(build(estimator, signature), signature)
    rows = sample.select(columns)
    made_up = probes(estimator, rows, signature)
    every = pl.concat([rows, made_up])
    return Model(model.onnx, signature, prove(estimator, model, every, probes=len(made_up)))


def prove(estimator: Any, model: Model, rows: pl.DataFrame, *, probes: int = 0) -> Proof:
    """Compare estimator and model on `rows`; ModelError where they are not the same."""
    expected = scores_of(estimator, rows)
    answered = model.predict(rows)
    same = (expected == answered) | (np.isnan(expected) & np.isnan(answered))
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.abs(expected - answered))
    differences = np.where(np.isnan(differences), np.inf, differences)
    classifier = hasattr(estimator, "predict_proba")
    flipped = int(np.sum((expected > 0.5) != (answered > 0.5))) if classifier else 0
    largest = float(differences.max(initial=0.0))
    scale = 1.0 if classifier else max(1.0, float(np.abs(expected).max(initial=0.0)))
    if largest > TOLERANCE * scale or flipped:
        worst = int(differences.argmax())
        raise ModelError(
            f"ONNX and the estimator disagree on {len(rows)} rows: largest difference "
            f"{largest:.3g} (allowed {TOLERANCE * scale:.3g}), labels flipped {flipped}",
            where=f"{expected[worst]!r} became {answered[worst]!r} for {rows.row(worst, named=True)}",
        )
    return Proof(len(rows), probes, largest, flipped, TOLERANCE)


def scores_of(estimator: Any, rows: pl.DataFrame) -> Floats:
    """What the estimator itself answers, float64 of shape (rows,)."""
    given = _as_trained(estimator, rows)
    if hasattr(estimator, "predict_proba"):
        probabilities = cast("Floats", np.asarray(estimator.predict_proba(given)))
        return probabilities[:, 1].astype(np.float64)
    return np.asarray(estimator.predict(given), dtype=np.float64).reshape(-1)


def probes(estimator: Any, rows: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    """Rows made up to find a difference; each varies the sample's first row in one column."""
    base = rows.head(1)
    trees = trees_of(estimator)
    made = [base.clear()]
    splits = _splits(estimator, rows)
    for column in signature.inputs:
        dtype = rows.schema[column.name]
        if trees is not None or column.nullable:
            made.append(_varied(base, column.name, pl.Series([None], dtype=dtype)))
        if column.datatype == "BYTES" and isinstance(dtype, pl.String):
            made.append(_varied(base, column.name, pl.Series([_UNKNOWN_TEXT, ""])))
        elif column.name in splits and dtype.is_float():
            made.append(_varied(base, column.name, pl.Series(splits[column.name], dtype=dtype)))
    if trees is not None:
        made.append(base.with_columns(pl.lit(None, rows.schema[n]).alias(n) for n in rows.columns))
    return pl.concat(made)


def _varied(base: pl.DataFrame, name: str, values: pl.Series) -> pl.DataFrame:
    others = base.drop(name)
    return others.join(values.alias(name).to_frame(), how="cross").select(base.columns)


def _splits(estimator: Any, rows: pl.DataFrame) -> Mapping[str, Floats]:
    found: dict[str, Floats] = {}
    trees = trees_of(estimator)
    places = None if trees is None else encoder_columns(estimator, rows.columns)
    if places is None:
        return found
    for place, points in split_points(trees).items():
        name = places[place]
        if name is not None:
            spread = np.linspace(0, len(points) - 1, min(len(points), _SPLITS_PER_COLUMN))
            chosen = points[spread.astype(np.int64)]
            around = (np.nextafter(chosen, -np.inf), chosen, np.nextafter(chosen, np.inf))
            found[name] = np.concatenate(around)
    return found


def _signature(estimator: Any, sample: pl.DataFrame, columns: list[str]) -> Signature:
    if not columns:
        raise ModelError("a model needs at least one column")
    if len(set(columns)) != len(columns):
        raise ModelError("the same column is named twice", where=", ".join(columns))
    missing = [name for name in columns if name not in sample.columns]
    if missing:
        raise ModelError(
            f"the sample lacks columns of the model: {', '.join(missing)}",
            hint="pass rows as they were trained on",
        )
    if sample.is_empty():
        raise ModelError("the sample is empty: nothing to prove the export on")
    inputs: list[Column] = []
    for name in columns:
        values = sample.get_column(name)
        datatype = datatype_of(values.dtype)
        if datatype is None:
            raise ModelError(
                f"column {name!r} is {values.dtype}: a model takes numbers, texts and booleans",
                hint="turn it into numbers in a feature first",
            )
        inputs.append(Column(name, datatype, nullable=_has_missing(values)))
    classes = getattr(estimator, "classes_", None)
    if hasattr(estimator, "predict_proba"):
        if classes is None or len(classes) != 2:
            raise ModelError(
                f"{type(estimator).__name__} must be fitted on two classes, "
                f"not {0 if classes is None else len(classes)}"
            )
        return Signature(tuple(inputs), _free("probability", columns))
    return Signature(tuple(inputs), _free("estimate", columns))


def _has_missing(values: pl.Series) -> bool:
    return bool(values.has_nulls() or (values.dtype.is_float() and values.is_nan().any()))


def _free(output: str, columns: list[str]) -> str:
    if output in columns:
        raise ModelError(f"a column of the model is called {output!r}, as its output is")
    return output


def _as_trained(estimator: Any, rows: pl.DataFrame) -> Any:
    """The rows as the kind of table that the estimator was fitted on."""
    if not hasattr(estimator, "feature_names_in_"):
        return rows.cast(pl.Float64).to_numpy()
    if not any(_knows_nan_text(step) for step in _leaves(estimator)):
        return rows
    # Categories learnt from a pandas table hold NaN for a missing text, which None would not match.
    pandas = optional("pandas", extra="tables")
    return pandas.DataFrame(
        {
            name: pandas.Series(
                [float("nan") if value is None else value for value in rows[name]], dtype=object
            )
            if isinstance(rows.schema[name], pl.String)
            else rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            for name in rows.columns
        }
    )


def _leaves(estimator: Any) -> list[Any]:
    found: list[Any] = []
    for _, part in getattr(estimator, "steps", [("", estimator)]):
        found += [item[1] for item in getattr(part, "transformers_", [("", part)])]
    return found


def _knows_nan_text(part: Any) -> bool:
    return any(
        isinstance(value, float) and np.isnan(value)
        for values in getattr(part, "categories_", ())
        if values.dtype == object
        for value in values
    )
