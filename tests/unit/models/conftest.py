"""A small table of the flights example's shape, and the pipeline that is trained on it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

TEXTS = ["origin", "carrier"]
NUMBERS = ["hour", "distance", "wind", "late_before"]


@pytest.fixture(scope="session")
def columns() -> list[str]:
    return [*TEXTS, *NUMBERS]


@pytest.fixture(scope="session")
def table() -> pl.DataFrame:
    """The columns and the label `late`; `carrier`, `wind` and `late_before` have nulls."""
    rows, random = 2000, np.random.default_rng(0)
    carriers = [*"ABCDEF", None]
    frame = pl.DataFrame(
        {
            "origin": [str(v) for v in random.choice(["EWR", "JFK", "LGA"], rows)],
            "carrier": [carriers[i] for i in random.integers(0, len(carriers), rows)],
            "hour": random.integers(5, 24, rows),
            "distance": random.gamma(2.0, 400.0, rows),
            "wind": random.normal(10.0, 4.0, rows),
            "late_before": random.random(rows),
        }
    ).with_columns(
        pl.when(pl.Series(random.random(rows) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("wind", "late_before")
    )
    score = (
        frame["hour"].to_numpy() / 10
        + frame["late_before"].fill_null(0.5).to_numpy()
        + (frame["origin"] == "EWR").to_numpy()
        + random.normal(0.0, 0.7, rows)
    )
    return frame.with_columns(late=pl.Series(score > 2.6))


@pytest.fixture(scope="session")
def train(table: pl.DataFrame) -> Callable[..., Pipeline]:
    def trained(*, pandas: bool = False, handle: str = "use_encoded_value", **options: Any) -> Any:
        codes = {"unknown_value": -1} if handle == "use_encoded_value" else {}
        encoder = OrdinalEncoder(handle_unknown=handle, encoded_missing_value=-2, **codes)
        parts = [("category", encoder, TEXTS), ("number", "passthrough", NUMBERS)]
        trees = HistGradientBoostingClassifier(**{"max_iter": 20, "random_state": 0, **options})
        rows = table.select(*TEXTS, *NUMBERS)
        pipeline = Pipeline([("encode", ColumnTransformer(parts)), ("trees", trees)])
        return pipeline.fit(rows.to_pandas() if pandas else rows, table["late"].to_numpy())

    return trained


@pytest.fixture(scope="session")
def pipeline(train: Callable[..., Pipeline]) -> Pipeline:
    return train()
