"""Which columns a request must hold, and of which datatype, so that a release can answer."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from tricord.features.definition import FeatureSet
from tricord.features.expression import compiled, roots
from tricord.models.package import Datatype, Signature, datatype_of
from tricord.serving.wire import Field, Wanted

_SAMPLES: Final[Mapping[Datatype, Any]] = {"INT64": 1, "FP64": 1.5, "BYTES": "1", "BOOL": True}
_INSTANT: Final = datetime(2013, 1, 1, 12, tzinfo=UTC)


def of_model(signature: Signature) -> dict[str, Field]:
    """Without a feature set: the model's own columns."""
    return {c.name: Field(c.name, c.datatype, c.nullable) for c in signature.inputs}


def of_features(
    features: FeatureSet,
    signature: Signature,
    entities: Mapping[str, Wanted | None],
    *,
    zoned: bool,
) -> dict[str, Field]:
    """What the features are made of, and what the model takes as it is.

    `entities` are the views' entity columns with the timelines' datatypes; `zoned` says whether instants
    carry a zone there. A column that only expressions read takes the datatype with which
    they yield what the model was trained on; where that does not decide, any.
    """
    inputs = of_model(signature)
    known: dict[str, Field] = {features.time: Field(features.time, "TIME", zoned=zoned)}
    for name in features.needs:
        if name in inputs:
            known.setdefault(name, inputs[name])
        elif name in entities:
            known.setdefault(name, Field(name, entities[name], nullable=True))
    for name in features.needs:
        if name not in known:
            known[name] = Field(name, _read_as(name, features, signature, known), nullable=True)
    made = {*features.columns, *features.needs}
    needed = [*features.needs, *(name for name in inputs if name not in made)]
    return {name: known.get(name) or inputs[name] for name in needed}


def _read_as(
    name: str, features: FeatureSet, signature: Signature, known: Mapping[str, Field]
) -> Datatype | None:
    """The one datatype of `name` with which every expression yields the datatype of the signature."""
    wanted = {column.name: column.datatype for column in signature.inputs}
    readers = [
        (expression, wanted[feature])
        for feature, expression in _expressions(features)
        if feature in wanted and name in roots(expression)
    ]
    for candidate in _SAMPLES:
        row = {
            other: _sample(known[other].wanted if other in known else candidate, candidate)
            for expression, _ in readers
            for other in roots(expression)
        }
        table = pl.DataFrame([row]) if row else pl.DataFrame()
        try:
            if readers and all(
                datatype_of(table.select(expression).dtypes[0]) == datatype
                for expression, datatype in readers
            ):
                return candidate
        except PolarsError:
            continue  # an expression that does not take this datatype
    return None


def _expressions(features: FeatureSet) -> Iterator[tuple[str, pl.Expr]]:
    for feature, sql in features.request.items():
        yield feature, compiled(feature, sql, where=features.name)


def _sample(wanted: Wanted | None, candidate: Datatype) -> Any:
    if wanted == "TIME":
        return _INSTANT
    return _SAMPLES[wanted or candidate]
