"""Boosted trees in ONNX against scikit-learn's own prediction, on data made to find ties."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tricord.models.export import export, scores_of

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, 1e300, -1e300, 5e-324]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    missing=st.booleans(),
    coarse=st.booleans(),
    categorical=st.booleans(),
    regression=st.booleans(),
)
def test_same_scores(
    seed: int, missing: bool, coarse: bool, categorical: bool, regression: bool
) -> None:
    random = np.random.default_rng(seed)
    rows = 120
    values = np.column_stack(
        [random.integers(-3, 12, rows), random.normal(size=rows), random.gamma(0.1, 1e6, rows)]
    ).astype(np.float64)
    if coarse:
        values[:, 1] = np.round(values[:, 1], 1)  # many rows exactly on a split
    if missing:
        values[random.random(values.shape) < 0.15] = np.nan
    target = (
        np.nan_to_num(values[:, 0]) % 3 + np.nan_to_num(values[:, 1]) + random.normal(size=rows)
    )
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    fitted = kind(
        max_iter=4,
        min_samples_leaf=3,
        random_state=0,
        categorical_features=[0] if categorical else None,
    ).fit(values, target if regression else target > np.median(target))
    frame = pl.DataFrame(values, schema=["a", "b", "c"])
    model = export(fitted, frame, columns=["a", "b", "c"])
    # an infinite category is refused by scikit-learn itself
    odd = random.choice(SPECIAL if not categorical else SPECIAL[3:6], (40, 3))
    odd[:, 1:] = random.choice(SPECIAL, (40, 2))
    extra = pl.DataFrame(odd, schema=["a", "b", "c"])
    np.testing.assert_allclose(
        model.predict(extra), scores_of(fitted, extra), rtol=1e-12, atol=1e-12
    )
