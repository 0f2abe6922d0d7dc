"""The model: gradient-boosted trees over the features of `flight_features`."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from flight_features import CATEGORIES, FLIGHTS

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def fit(
    rows: pl.DataFrame,
    *,
    seed: int = 0,
    learning_rate: float = 0.1,
    iterations: int = 100,
    shuffle_labels: bool = False,
) -> "Pipeline":
    """Fit on the columns of FLIGHTS and the boolean `late`. The same rows give the same model.

    Leaves are few and large (15, at least 200 flights each): a model of one month that is let grow
    learns that month's storms by heart. `shuffle_labels` breaks the labels on purpose, for the demo.
    """
    # imported here: scikit-learn takes a second to load, and planning a pipeline does not need it
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder
    from threadpoolctl import threadpool_limits

    labels = rows.get_column("late").to_numpy()
    if shuffle_labels:
        labels = np.random.default_rng(seed).permutation(labels)
    numbers = [name for name in FLIGHTS.columns if name not in CATEGORIES]
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    encode = ColumnTransformer(
        [("category", codes, list(CATEGORIES)), ("number", "passthrough", numbers)]
    )
    growth: dict[str, Any] = {
        "max_leaf_nodes": 15,
        "min_samples_leaf": 200,
        "early_stopping": False,
    }
    trees = HistGradientBoostingClassifier(
        max_iter=iterations, learning_rate=learning_rate, random_state=seed, **growth
    )
    model: Any = Pipeline([("encode", encode), ("trees", trees)])
    # one thread: the trees are the same, and OpenMP's threads spin while another process has the core
    with threadpool_limits(1, user_api="openmp"):
        return model.fit(rows.select(FLIGHTS.columns), labels)
