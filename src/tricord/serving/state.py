"""What a server holds in memory: the routing plan and, for each of its releases, model and features."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from tricord.core.artifact import Digest
from tricord.core.errors import NotReady, ServingError
from tricord.core.release import Release
from tricord.features.definition import FeatureSet, View
from tricord.features.online import OnlineFeatures, OnlineView
from tricord.models.package import Model, datatype_of
from tricord.project.project import Project
from tricord.serving import fields
from tricord.serving.plan import RoutingPlan
from tricord.serving.wire import Field, Wanted


@dataclass(frozen=True, slots=True)
class LoadedView:
    """A view's timeline, laid out for look-ups, and what its request columns must look like."""

    digest: Digest
    online: OnlineView
    entities: Mapping[str, Wanted | None]
    zoned: bool


@dataclass(frozen=True)
class LoadedRelease:
    """A release ready to answer. `fields` are the columns of a request, by name, in order."""

    digest: Digest
    release: Release
    model: Model
    fields: Mapping[str, Field]
    features: OnlineFeatures | None = None
    views: Mapping[str, LoadedView] | None = None

    @cached_property
    def zoned(self) -> bool:
        """True where the instants of a request carry a time zone."""
        return all(field.zoned for field in self.fields.values())


@dataclass(frozen=True)
class State:
    """One moment of a server. Never changed: a moved ref makes another one.

    `sources` are the refs that it was made from, and where they stood.
    """

    plan: RoutingPlan
    plan_digest: Digest
    releases: Mapping[Digest, LoadedRelease]
    sources: Mapping[str, Digest | None]


def plan_ref(endpoint: str) -> str:
    """The ref that an endpoint is served by."""
    return f"endpoints/{endpoint}@live"


def moved(project: Project, state: State) -> bool:
    """True where a ref that `state` was made from stands elsewhere now."""
    return any(project.ledger.ref(ref) != digest for ref, digest in state.sources.items())


def load(project: Project, endpoint: str, previous: State | None = None) -> State:
    """The state that the refs ask for now; what `previous` has in memory already is taken over.

    NotReady where the endpoint has no plan yet. Any other error means that a plan cannot be served.
    """
    ref = plan_ref(endpoint)
    digest = project.ledger.ref(ref)
    if digest is None:
        raise NotReady(f"nothing is live at {endpoint}", hint=f"tricord rollout start {endpoint}")
    plan = project.load(digest, RoutingPlan)
    if plan.endpoint != endpoint:
        raise ServingError(f"{ref} names a plan of another endpoint: {plan.endpoint}")
    sources: dict[str, Digest | None] = {ref: digest}
    releases: dict[Digest, LoadedRelease] = {}
    for arm in plan.arms:
        if arm.release not in releases:
            releases[arm.release] = _release(project, arm.release, sources, previous)
    return State(plan, digest, releases, sources)


def _release(
    project: Project, digest: Digest, sources: dict[str, Digest | None], previous: State | None
) -> LoadedRelease:
    release = project.load(digest, Release)
    model = _model(project, release.model, previous)
    if release.feature_set is None:
        return LoadedRelease(digest, release, model, fields.of_model(model.signature))
    features = project.load(release.feature_set, FeatureSet)
    views: dict[str, LoadedView] = {}
    for view in features.views:
        place = release.features.get(view.name, f"features/{view.name}@online")
        at = project.resolve(place).digest
        if "@" in place:
            # of two looks at a ref the earlier one counts: a move in between is then seen as one
            at = sources.setdefault(place, at) or at
        views[view.name] = _view(project, view, at, previous)
    online = OnlineFeatures(features, {name: view.online for name, view in views.items()})
    zones = {view.zoned for view in views.values()}
    if len(zones) > 1:
        raise ServingError("some views have times with a zone and some without")
    entities: dict[str, Wanted | None] = {}
    for view in views.values():
        entities |= view.entities
    asked = fields.of_features(features, model.signature, entities, zoned=zones != {False})
    return LoadedRelease(digest, release, model, asked, online, views)


def _model(project: Project, digest: Digest, previous: State | None) -> Model:
    for loaded in previous.releases.values() if previous else ():
        if loaded.release.model == digest:
            return loaded.model
    model = project.load(digest, Model)
    model.load()
    return model


def _view(project: Project, view: View, digest: Digest, previous: State | None) -> LoadedView:
    for loaded in previous.releases.values() if previous else ():
        for known in (loaded.views or {}).values():
            if known.digest == digest and known.online.view == view:
                return known
    timeline = project.load(digest, pl.DataFrame)
    online = OnlineView(view, timeline)
    time = timeline.schema[view.time]
    return LoadedView(
        digest,
        online,
        {name: datatype_of(timeline.schema[name]) for name in view.entity},
        zoned=isinstance(time, pl.Datetime) and time.time_zone is not None,
    )
