"""The exported model answers what the estimator answers, or there is no model."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from tricord.core.errors import ModelError
from tricord.models.export import export, prove, scores_of
from tricord.models.package import Model

NUMBERS = ["hour", "distance"]


def test_pipeline_is_exact(pipeline: Pipeline, table: pl.DataFrame, columns: list[str]) -> None:
    model = export(pipeline, table.head(500), columns=columns)
    assert model.proof is not None
    assert model.proof.probes > 100
    assert model.proof.labels_flipped == 0
    assert model.proof.largest_difference < 1e-14
    answered = model.predict(table)
    np.testing.assert_allclose(answered, scores_of(pipeline, table.select(columns)), atol=1e-14)
    assert answered.dtype == np.float64
    assert answered.shape == (len(table),)


def test_signature_says_what_came_in(
    pipeline: Pipeline, table: pl.DataFrame, columns: list[str]
) -> None:
    found = export(pipeline, table, columns=columns).signature
    assert [(c.name, c.datatype, c.nullable) for c in found.inputs] == [
        ("origin", "BYTES", False),
        ("carrier", "BYTES", True),
        ("hour", "INT64", False),
        ("distance", "FP64", False),
        ("wind", "FP64", True),
        ("late_before", "FP64", True),
    ]
    assert found.output == "probability"


def test_pandas_trained_pipeline_knows_missing_texts(
    train: Callable[..., Pipeline], table: pl.DataFrame, columns: list[str]
) -> None:
    model = export(train(pandas=True), table, columns=columns)
    assert model.proof is not None
    assert model.proof.largest_difference < 1e-14


@pytest.mark.parametrize("categories", [[0], [0, 1], [1, 2]])
def test_splits_on_categories(
    train: Callable[..., Pipeline], table: pl.DataFrame, columns: list[str], categories: list[int]
) -> None:
    fitted = train(categorical_features=categories)
    predictors = fitted.named_steps["trees"]._predictors
    assert any(predictor.nodes["is_categorical"].any() for (predictor,) in predictors)
    model = export(fitted, table, columns=columns)
    assert model.proof is not None
    assert model.proof.largest_difference < 1e-14


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=5),
        HistGradientBoostingRegressor(max_iter=5),
        HistGradientBoostingRegressor(max_iter=5, loss="poisson"),
        Pipeline([("scale", StandardScaler()), ("trees", HistGradientBoostingRegressor(max_iter=5))]),
        Pipeline([("scale", StandardScaler()), ("line", LogisticRegression())]),
        Pipeline(
            [
                ("part", ColumnTransformer([("scale", StandardScaler(), ["hour"])], remainder="passthrough")),
                ("trees", HistGradientBoostingClassifier(max_iter=5)),
            ]
        ),
        LinearRegression(),
        RandomForestClassifier(n_estimators=5, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)  # fmt: skip
def test_other_estimators(estimator: Any, table: pl.DataFrame) -> None:
    fitted = estimator.fit(table.select(NUMBERS), table["late"].to_numpy())
    model = export(fitted, table, columns=NUMBERS)
    assert model.proof is not None
    assert model.proof.largest_difference <= 1e-6
    assert model.signature.output == (
        "probability" if hasattr(estimator, "predict_proba") else "estimate"
    )


def test_columns_may_have_any_name(table: pl.DataFrame) -> None:
    rows = table.select(pl.col("hour").alias("the hour (local)"), pl.col("distance").alias("ü"))
    estimator = Pipeline(
        [
            ("part", ColumnTransformer([("scale", StandardScaler(), ["ü"])], remainder="drop")),
            ("line", LogisticRegression()),
        ]
    ).fit(rows, table["late"].to_numpy())
    assert export(estimator, rows, columns=rows.columns).proof is not None


def test_trees_that_never_split(table: pl.DataFrame) -> None:
    fitted = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=5000)
    fitted.fit(table.select(NUMBERS), table["distance"].to_numpy())
    model = export(fitted, table, columns=NUMBERS)
    np.testing.assert_allclose(model.predict(table), fitted.predict(table.select(NUMBERS)))


def test_a_model_that_differs_is_refused_with_figures(
    pipeline: Pipeline, train: Callable[..., Pipeline], table: pl.DataFrame, columns: list[str]
) -> None:
    model = export(pipeline, table, columns=columns)
    with pytest.raises(ModelError, match=r"largest difference 0\.\d+.*labels flipped \d+"):
        prove(train(max_iter=3), model, table.select(columns))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["hour", "gate"], "lacks columns of the model: gate"),
        ([], "at least one column"),
        (["hour", "hour"], "named twice"),
        (["hour", "origin"], "takes numbers only.*origin"),
    ],
)
def test_columns_that_cannot_be(table: pl.DataFrame, columns: list[str], message: str) -> None:
    fitted = LogisticRegression().fit(table.select(NUMBERS), table["late"].to_numpy())
    with pytest.raises(ModelError, match=message):
        export(fitted, table, columns=columns)


def test_three_classes_are_refused(table: pl.DataFrame) -> None:
    labels = table["hour"].to_numpy() % 3
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(table.select(NUMBERS), labels)
    with pytest.raises(ModelError, match="two classes, not 3"):
        export(fitted, table, columns=NUMBERS)


def test_encoder_that_raises_at_unknown_texts_is_refused(
    train: Callable[..., Pipeline], table: pl.DataFrame, columns: list[str]
) -> None:
    with pytest.raises(ModelError, match="served model has to answer"):
        export(train(handle="error"), table, columns=columns)


def test_predict_names_what_is_wrong(
    pipeline: Pipeline, table: pl.DataFrame, columns: list[str]
) -> None:
    model = export(pipeline, table, columns=columns)
    with pytest.raises(ModelError, match="not there: hour, wind"):
        model.predict(table.drop("hour", "wind"))
    with pytest.raises(ModelError, match="origin is Int64, expected a text"):
        model.predict(table.with_columns(origin=pl.lit(3, pl.Int64)))
    assert model.predict(table.clear()).shape == (0,)


def test_a_broken_graph_is_said(
    pipeline: Pipeline, table: pl.DataFrame, columns: list[str]
) -> None:
    good = export(pipeline, table, columns=columns)
    with pytest.raises(ModelError, match="cannot load"):
        Model(good.onnx[:500], good.signature).load()


_TWICE = """
import numpy as np, polars as pl
from hashlib import sha256
from sklearn.ensemble import HistGradientBoostingClassifier
from tricord.models.estimators import dump
from tricord.models.export import export
random = np.random.default_rng(0)
rows = pl.DataFrame({"x": random.normal(size=500), "k": random.integers(0, 5, 500)})
fitted = HistGradientBoostingClassifier(max_iter=5, random_state=0, categorical_features=[1])
fitted.fit(rows, random.random(500) < 0.4)
print(sha256(dump(fitted)).hexdigest(), sha256(export(fitted, rows, columns=["x", "k"]).onnx).hexdigest())
"""


def test_same_fit_same_bytes_in_two_processes() -> None:
    seen = {
        subprocess.run(
            [sys.executable, "-c", _TWICE],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
