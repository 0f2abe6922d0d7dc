"""Features for single requests: the same values as `join`, from memory, in microseconds."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from tricord.core.errors import DataError
from tricord.features.definition import FeatureSet, View
from tricord.features.expression import RequestFeatures
from tricord.features.instant import micros, micros_of, same_kind
from tricord.features.timeline import TIME, beside, of, ordered, row_keys


class OnlineView:
    """One view's timeline, laid out for look-ups. Immutable: newer observations make a new one.

    Memory: 8 bytes per observation, the features' columns, and one dict entry per entity.
    """

    def __init__(self, view: View, timeline: pl.DataFrame) -> None:
        known = ordered(view, timeline)
        by = [name for name in known.keys.columns if name != TIME]
        grouped = known.keys.with_row_index("at").sort([*by, TIME, "at"])
        order = grouped.get_column("at")
        lengths = grouped.group_by(by, maintain_order=True).len()
        spans: dict[Any, tuple[int, int]] = {}
        start = 0
        for *entity, length in lengths.iter_rows():
            key = entity[0] if len(by) == 1 else tuple(entity)
            spans[key] = (start, start + length)
            start += length
        self.view = view
        self._spans = spans
        self._times = array("q", grouped.get_column(TIME).to_numpy().tobytes())
        self._unknown = start  # the row after the last one holds nulls
        self._values = known.values[pl.concat([order, pl.Series([start], dtype=order.dtype)])]
        self._keys = known.keys.clear()
        self._seen = timeline.get_column(view.time).clear()
        self._ttl = view.ttl_micros

    def __len__(self) -> int:
        """How many observations it holds."""
        return self._unknown

    def read(self, entity: Sequence[object], instant: datetime) -> tuple[object, ...]:
        """The features of one entity just before `instant` (UTC where it has no zone), or Nones.

        `entity` holds one value per entity column, of the timeline's types.
        """
        key = entity[0] if len(self.view.entity) == 1 else tuple(entity)
        return self._values.row(self._position(key, micros_of(instant)))

    def look_up(self, rows: pl.DataFrame, time: str) -> pl.DataFrame:
        """The features of each row at the instant in its column `time`: as tall as `rows`."""
        instants = rows.get_column(time)
        same_kind(instants, self._seen, where=of(self.view))
        keys = row_keys(self.view, rows, self._keys)
        entities = keys[0].to_list() if len(keys) == 1 else list(zip(*keys, strict=True))
        moments = micros(instants).to_list()
        if len(moments) == 1:
            return self._values.slice(self._position(entities[0], moments[0]), 1)
        return self._values[list(map(self._position, entities, moments))]

    def _position(self, key: Any, instant: int | None) -> int:
        span = self._spans.get(key)
        if span is None or instant is None:
            return self._unknown
        # the last observation strictly before the instant; of equal times the later row
        position = bisect_left(self._times, instant, *span) - 1
        if position < span[0] or instant - self._times[position] > self._ttl:
            return self._unknown
        return position


class OnlineFeatures:
    """A feature set with its views in memory. Immutable, so threads may share it."""

    def __init__(self, features: FeatureSet, views: Mapping[str, OnlineView]) -> None:
        where = f"feature set {features.name!r}"
        for view in features.views:
            if view.name not in views:
                raise DataError(f"no timeline for view {view.name}", where=where)
            if views[view.name].view != view:
                raise DataError(
                    f"view {view.name!r} was laid out for another definition", where=where
                )
        self.features = features
        self._views = [views[view.name] for view in features.views]
        self._request = RequestFeatures(features.request, time=features.time, where=where)
        self._where = where

    def enrich(self, rows: pl.DataFrame) -> pl.DataFrame:
        """What `join` gives for the same rows and timelines: the same values, dtypes and order.

        Meant for 1 to some thousand rows. DataError as for `join`.
        """
        if self.features.time not in rows.columns:
            raise DataError(f"the rows have no column {self.features.time}", where=self._where)
        request = self._request.evaluate(rows)
        looked_up = [(v.view, v.look_up(rows, self.features.time)) for v in self._views]
        return beside(rows, request, looked_up)
