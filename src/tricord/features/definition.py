"""What a model's columns are: `FeatureSet` and `View`. Data, not code: it goes into a release.

A feature is one of two things. A *request feature* is a SQL expression over the columns of the
request itself. A *view feature* was observed earlier about an entity (the weather at an airport, the
delays of a carrier) and is looked up as it was known just before the decision.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from tricord.core.canonical import JSON
from tricord.core.errors import PlanError
from tricord.features.expression import compiled, roots

FORMAT = "features/1"
_LONGEST_TTL = 1e12  # seconds; its microseconds still fit 64 bits


@dataclass(frozen=True, slots=True)
class View:
    """Features of an entity over time, kept in a *timeline*: a table with one row per observation.

    `entity` names the columns, present in timeline and request alike, that say whose features they
    are (integers, text, booleans or dates). `time` is the timeline's column with the instant from
    which a row was known. `ttl` in seconds: a row older than that counts as unknown.

    PlanError where a definition cannot mean anything.
    """

    name: str
    entity: tuple[str, ...]
    time: str
    features: tuple[str, ...]
    ttl: float

    def __post_init__(self) -> None:
        where = f"view {self.name!r}"
        if not self.name:
            raise PlanError("a view needs a name")
        for what, names in (("entity", self.entity), ("features", self.features)):
            if isinstance(names, str):
                raise PlanError(
                    f"{what} must be a tuple of names, not the text {names!r}",
                    where=where,
                    hint=f"write ({names!r},)",
                )
            if not names or not all(names):
                raise PlanError(
                    f"{what} needs at least one name, and none may be empty", where=where
                )
            _unique(names, f"{what} of {where}")
        if not self.time:
            raise PlanError("a view needs the name of its time column", where=where)
        if not (isfinite(self.ttl) and 0 < self.ttl <= _LONGEST_TTL):
            raise PlanError(
                f"ttl must be a number of seconds above 0, up to 1e12, not {self.ttl}", where=where
            )

    @property
    def ttl_micros(self) -> int:
        """`ttl` in whole microseconds, the resolution of every look-up."""
        return round(self.ttl * 1_000_000)

    def to_json(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "entity": list(self.entity),
            "time": self.time,
            "features": list(self.features),
            "ttl": float(self.ttl),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "View":
        return cls(
            name=data["name"],
            entity=tuple(data["entity"]),
            time=data["time"],
            features=tuple(data["features"]),
            ttl=data["ttl"],
        )


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A model's columns: what they are computed from and in which order.

    `time` is the request's column with the decision instant (a datetime; without a zone it is taken
    as UTC). `request` maps a feature to a SQL expression over the request's columns, one row at a
    time: no aggregates, no window functions, no clock. `views` are joined on the request's columns.

    PlanError where a definition cannot mean anything.

    >>> rain = View("weather", ("origin",), "seen_at", ("rain",), ttl=3 * 3600)
    >>> features = FeatureSet("delay", "at", {"hour": "EXTRACT(HOUR FROM at)"}, (rain,))
    >>> features.columns, features.needs
    (('hour', 'rain'), ('at', 'origin'))
    >>> FeatureSet.from_json(features.to_json()) == features
    True
    """

    name: str
    time: str
    request: Mapping[str, str]
    views: tuple[View, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "request", dict(self.request))
        where = f"feature set {self.name!r}"
        if not self.name or not self.time:
            raise PlanError("a feature set needs a name and the name of its time column")
        _unique((view.name for view in self.views), f"views of {where}")
        _unique(self.columns, f"features of {where}")
        if not self.columns:
            raise PlanError("there is no feature", where=where)
        for feature, sql in self.request.items():
            compiled(feature, sql, where=where)
        if self.request.get(self.time, self.time) != self.time:
            raise PlanError(
                f"feature {self.time!r} would overwrite the decision instant",
                where=where,
                hint="give the feature another name",
            )
        taken = set(self.needs)
        for view in self.views:
            if clash := sorted(taken.intersection(view.features)):
                raise PlanError(
                    f"view {view.name!r} brings {', '.join(clash)}, which is a column of the request",
                    where=where,
                    hint="rename it in the timeline",
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the model, in order: the request's, then view by view."""
        return (*self.request, *(name for view in self.views for name in view.features))

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that a request must have, each once: instant, expressions, entities."""
        names = [self.time]
        for feature, sql in self.request.items():
            names += roots(compiled(feature, sql, where=self.name))
        names += [name for view in self.views for name in view.entity]
        return tuple(dict.fromkeys(names))

    def view(self, name: str) -> View:
        """The view of that name, or PlanError."""
        for view in self.views:
            if view.name == name:
                return view
        known = ", ".join(view.name for view in self.views) or "none"
        raise PlanError(f"no view {name!r} in feature set {self.name!r}", hint=f"one of: {known}")

    def to_json(self) -> dict[str, JSON]:
        """A JSON object; `request` is a list of pairs, as the order of columns matters."""
        return {
            "tricord": FORMAT,
            "name": self.name,
            "time": self.time,
            "request": [[feature, sql] for feature, sql in self.request.items()],
            "views": [view.to_json() for view in self.views],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "FeatureSet":
        if data.get("tricord") != FORMAT:
            raise PlanError(f"not a feature set of version 1: {data.get('tricord')!r}")
        fields = cast("Mapping[str, Any]", data)
        try:
            return cls(
                name=fields["name"],
                time=fields["time"],
                request=dict(fields["request"]),
                views=tuple(View.from_json(view) for view in fields["views"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError(f"not a whole feature set: {error!r}") from error


def _unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise PlanError(f"{name!r} stands twice among the {what}")
        seen.add(name)
