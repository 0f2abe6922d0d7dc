"""The two pipelines: `ingest` admits what was delivered, `delay` makes and releases a model of it.

tricord run ingest
tricord run delay -p learning_rate=0.05
"""

from datetime import timedelta
from typing import Any

import polars as pl

from flight_features import FLIGHTS, outcomes, requests, timelines
from train import fit
from tricord import artifact, dataset, evaluate, join, pipeline, release, step, validate
from tricord.core.step import file
from tricord.data.statistics import Statistics, profile
from tricord.features.definition import FeatureSet
from tricord.features.materialize import materialize, online_ref
from tricord.models.export import export

COLUMNS = list(FLIGHTS.columns)
Timelines = tuple[
    pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame
]
"""One table per view of FLIGHTS, in their order."""


@step
def observe(flights: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame) -> Timelines:
    """What was known about airports, carriers, destinations and aircraft, and since when."""
    found = timelines(flights, weather, planes)
    first, second, third, fourth, fifth, sixth = (found[view.name] for view in FLIGHTS.views)
    return first, second, third, fourth, fifth, sixth


@step
def define() -> FeatureSet:
    """The definition of the features, which a release carries to serving."""
    return FLIGHTS


@step
def prepare(
    flights: pl.DataFrame,
    features: FeatureSet,
    views: dict[str, pl.DataFrame],
    *,
    held_out_days: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows to train on and rows held out: those of the last `held_out_days` days, in time's order.

    Columns: `flight_id`, `scheduled_at`, the model's columns, and `late`. Flights without an
    outcome (cancelled, landed elsewhere) are in neither.
    """
    known = outcomes(flights).select("flight_id", "late")
    rows = requests(flights).join(known, on="flight_id", how="left", maintain_order="left")
    rows = rows.drop_nulls("late").sort("scheduled_at", "flight_id")
    table = join(rows, features, views).select(
        "flight_id", "scheduled_at", *features.columns, "late"
    )
    cut = pl.col("scheduled_at").max() - timedelta(days=held_out_days)
    held_out = table.select(pl.col("scheduled_at") > cut).to_series()
    return table.filter(~held_out), table.filter(held_out)


@step
def train(
    rows: pl.DataFrame,
    *,
    seed: int = 0,
    learning_rate: float = 0.1,
    iterations: int = 100,
    shuffle_labels: bool = False,
) -> Any:
    """A fitted scikit-learn pipeline."""
    return fit(
        rows,
        seed=seed,
        learning_rate=learning_rate,
        iterations=iterations,
        shuffle_labels=shuffle_labels,
    )


@step
def describe(rows: pl.DataFrame) -> Statistics:
    """The profile of the training rows, which monitoring compares the served ones with."""
    return profile(rows.select(COLUMNS))


def admitted() -> tuple[Any, dict[str, Any]]:
    """The delivered flights, and the views' timelines: every step of it is shared through the cache."""
    flights = validate(dataset("flights"), schema=file("schemas/flights.yaml"), subject="flights")
    weather = validate(dataset("weather"), schema=file("schemas/weather.yaml"), subject="weather")
    planes = validate(dataset("planes"), schema=file("schemas/planes.yaml"), subject="planes")
    views = observe(flights, weather, planes)
    return flights, {view.name: table for view, table in zip(FLIGHTS.views, views, strict=True)}


@pipeline
def ingest() -> None:
    """Judge the newest delivery by its schema, and let serving look the features up in it."""
    _, views = admitted()
    materialize(views)


@pipeline
def delay(
    *,
    held_out_days: int = 10,
    seed: int = 0,
    learning_rate: float = 0.1,
    iterations: int = 100,
    shuffle_labels: bool = False,
    pinned: dict[str, str] | None = None,
) -> None:
    """Train on all that was delivered, judge against the champion, release past the verdict.

    `shuffle_labels` and `pinned` (view → timeline that the release must always use, stale from the
    next day on) are the two accidents of the demo.
    """
    flights, views = admitted()
    features: Any = define()
    rows, held_out = prepare(flights, features, views, held_out_days=held_out_days)
    estimator = train(
        rows,
        seed=seed,
        learning_rate=learning_rate,
        iterations=iterations,
        shuffle_labels=shuffle_labels,
    )
    model: Any = export(estimator, held_out, columns=COLUMNS)
    verdict: Any = evaluate(
        model,
        held_out,
        label="late",
        against=artifact("models/delay@champion", optional=True),
        segments=["origin", "carrier"],
    )
    profile_of_rows: Any = describe(rows)
    release(
        model,
        name="delay",
        on=verdict,
        feature_set=features,
        features={v.name: (pinned or {}).get(v.name, online_ref(v.name)) for v in FLIGHTS.views},
        reference=profile_of_rows,
    )
