"""The model: what it reaches on an eighth of the flights, and that it can be had again."""

import numpy as np
import polars as pl
import pytest

from flight_features import FLIGHTS
from pipelines import define, describe, observe, prepare
from train import fit
from tricord.models.export import export


@pytest.fixture(scope="module")
def rows(tables):
    """Rows of January to April to train on, and the last ten days of April."""
    flights, weather, planes = tables
    flights = flights.filter(pl.col("month") <= 4)
    views = observe(flights, weather, planes)
    named = {view.name: table for view, table in zip(FLIGHTS.views, views, strict=True)}
    return prepare(flights, define(), named, held_out_days=10)


def auc(labels, scores):
    order = np.argsort(np.argsort(scores, kind="stable"), kind="stable") + 1
    positive = labels.sum()
    return (order[labels].sum() - positive * (positive + 1) / 2) / (
        positive * (len(labels) - positive)
    )


def test_rows_are_split_in_time(rows):
    before, held_out = rows
    assert before["scheduled_at"].max() < held_out["scheduled_at"].min()
    span = held_out["scheduled_at"].max() - held_out["scheduled_at"].min()
    assert 9 <= span.total_seconds() / 86_400 <= 10
    assert before["late"].null_count() == 0
    assert held_out.columns == ["flight_id", "scheduled_at", *FLIGHTS.columns, "late"]


def test_it_is_as_good_as_this_data_allows_and_no_better(rows):
    before, held_out = rows
    scores = fit(before).predict_proba(held_out.select(FLIGHTS.columns))[:, 1]
    reached = auc(held_out["late"].to_numpy(), scores)
    assert 0.62 < reached < 0.82, "far above means that something leaks"


def test_shuffled_labels_teach_nothing(rows):
    before, held_out = rows
    model = fit(before, shuffle_labels=True)
    scores = model.predict_proba(held_out.select(FLIGHTS.columns))[:, 1]
    assert auc(held_out["late"].to_numpy(), scores) < 0.6


def test_the_same_rows_give_the_same_model(rows):
    before, held_out = rows
    first, second = (fit(before, iterations=10) for _ in range(2))
    columns = held_out.select(FLIGHTS.columns)
    assert (first.predict_proba(columns) == second.predict_proba(columns)).all()


def test_it_exports_with_proof(rows):
    before, held_out = rows
    model = export(fit(before, iterations=20), held_out, columns=list(FLIGHTS.columns))
    assert model.signature.names == list(FLIGHTS.columns)
    assert model.proof is not None
    assert model.proof.labels_flipped == 0


def test_the_profile_has_the_models_columns(rows):
    assert set(describe(rows[0]).names) == set(FLIGHTS.columns)
