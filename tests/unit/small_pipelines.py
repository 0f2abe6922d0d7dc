"""The pipelines of the small project that the rooms above serving are tested on."""

from typing import Any

import numpy as np
import polars as pl

from tricord import artifact, dataset, evaluate, pipeline, release, step
from tricord.data.statistics import Statistics, profile
from tricord.models.export import export

COLUMNS = ["origin", "hour"]


@step
def split(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    cut = rows.height * 2 // 3
    return rows[:cut], rows[cut:]


@step
def train(rows: pl.DataFrame, *, iterations: int, shuffle: bool) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    labels = rows["late"].to_numpy()
    if shuffle:
        labels = np.random.default_rng(0).permutation(labels)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    parts = [("text", codes, ["origin"]), ("number", "passthrough", ["hour"])]
    trees = HistGradientBoostingClassifier(max_iter=iterations, random_state=0)
    made = Pipeline([("encode", ColumnTransformer(parts)), ("trees", trees)])
    return made.fit(rows.select(COLUMNS), labels)


@step
def describe(rows: pl.DataFrame) -> Statistics:
    return profile(rows.select(COLUMNS))


@pipeline
def delay(*, iterations: int = 10, shuffle: bool = False) -> None:
    rows, held_out = split(dataset("flights"))
    model: Any = export(
        train(rows, iterations=iterations, shuffle=shuffle), held_out, columns=COLUMNS
    )
    champion = artifact("models/delay@champion", optional=True)
    verdict: Any = evaluate(model, held_out, label="late", against=champion, margin=0.1)
    profiled: Any = describe(rows)
    release(model, name="delay", on=verdict, reference=profiled)
