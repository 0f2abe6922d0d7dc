"""The point-in-time join: each row gets what was known just before its decision, and nothing later."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from tricord.core.errors import DataError
from tricord.features.definition import FeatureSet, View
from tricord.features.expression import RequestFeatures
from tricord.features.instant import micros, same_kind
from tricord.features.timeline import ROW, TIME, Sorted, beside, ordered, row_keys


def join(
    rows: pl.DataFrame, features: FeatureSet, timelines: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """`rows` and beside them the feature set's columns, as known at each row's decision instant.

    Per view a row gets the last observation of its entity that is strictly earlier than the
    decision and no older than the view's ttl (an age equal to the ttl still counts), else nulls. Of
    observations with equal times the later row of the timeline wins. A null entity or a null
    instant gives nulls. Instants are compared in whole microseconds. Rows are neither lost nor
    doubled nor moved; integers keep all their digits.

    `timelines` maps each view's name to its table. DataError where a column is missing or types
    cannot be compared. Cost: a sort of the timeline and one of the rows per view.

    >>> from datetime import datetime
    >>> from tricord.features.definition import View
    >>> rain = View("weather", ("origin",), "seen_at", ("rain",), ttl=3600)
    >>> features = FeatureSet("delay", "at", {"from": "UPPER(origin)"}, (rain,))
    >>> seen = pl.DataFrame({"origin": ["jfk", "jfk"], "rain": [0.1, 0.2],
    ...     "seen_at": [datetime(2013, 1, 1, 8), datetime(2013, 1, 1, 9)]})
    >>> rows = pl.DataFrame({"origin": ["jfk"], "at": [datetime(2013, 1, 1, 9)]})
    >>> join(rows, features, {"weather": seen}).rows()
    [('jfk', datetime.datetime(2013, 1, 1, 9, 0), 'JFK', 0.1)]
    """
    where = f"feature set {features.name!r}"
    if absent := [view.name for view in features.views if view.name not in timelines]:
        raise DataError(f"no timeline for view {', '.join(absent)}", where=where)
    if features.time not in rows.columns:
        raise DataError(f"the rows have no column {features.time}", where=where)
    request = RequestFeatures(features.request, time=features.time, where=where).evaluate(rows)
    looked_up = [
        (view, _look_up(rows, features.time, view, timelines[view.name])) for view in features.views
    ]
    return beside(rows, request, looked_up)


def _look_up(rows: pl.DataFrame, time: str, view: View, timeline: pl.DataFrame) -> pl.DataFrame:
    """The view's features of each row: a frame as tall as `rows`."""
    known = ordered(view, timeline)
    instants = rows.get_column(time)
    same_kind(instants, timeline.get_column(view.time), where=f"view {view.name!r}")
    entity = row_keys(view, rows, known.keys)
    asked = pl.DataFrame(
        [micros(instants).alias(TIME), *(key.alias(str(i)) for i, key in enumerate(entity))]
    )
    return known.values[_latest(asked, known, view.ttl_micros)]


def _latest(asked: pl.DataFrame, known: Sorted, ttl: int) -> pl.Series:
    """For each row asked, where in `known.values` the observation stands that it may see."""
    positions = np.full(asked.height, known.keys.height, dtype=np.int64)  # unknown
    if asked.is_empty() or known.keys.is_empty():
        return pl.Series(positions)
    found = (
        asked.with_row_index(ROW)
        .drop_nulls()
        .sort(TIME)
        .join_asof(
            known.keys.with_row_index("found").with_columns(pl.col(TIME).alias("seen")),
            on=TIME,
            by=[name for name in asked.columns if name != TIME],
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,  # both sides were sorted just now
        )
        .filter(pl.col(TIME) - pl.col("seen") <= ttl)
    )
    positions[found.get_column(ROW).to_numpy()] = found.get_column("found").to_numpy()
    return pl.Series(positions)
