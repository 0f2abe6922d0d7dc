"""Has this table drifted from its reference: `compare(current, reference)` → verdict.

An effect alarms when it is large enough to matter AND larger than these two sample sizes produce
without drift, with the false-discovery rate held over all columns. A fixed distance alone alarms on every small
window, a p-value alone on every large one. The reference may be a stored profile: its rows need not
exist any more.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from tricord.checks.effects import (
    Histogram,
    jensen_shannon,
    largest_change,
    no_drift,
    population_stability,
    wasserstein,
)
from tricord.checks.significance import (
    Floats,
    benjamini_hochberg,
    resampled_tail,
    shares_differ,
)
from tricord.core.canonical import JSON
from tricord.core.verdict import Action, Check, Outcome, Verdict
from tricord.data.numbers import recorded, rounded
from tricord.data.statistics import Column, Statistics, profile

QUESTION = "drift"
FEW = 5  # categories rarer than this in both samples together are compared as one


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """The smallest effects that matter, and how rare a false alarm must be.

    `numeric`: Wasserstein distance in standard deviations of the reference. `categorical`:
    Jensen-Shannon distance, 0 to 1. `largest`: largest change of one category's share (L∞).
    `nulls`: change of the share of rows without a value. `new`: share of rows in categories that the reference
    never saw. `columns` overrides the first two by column. `alpha`: false-discovery rate over all effects
    of one comparison. Below `minimum_rows` in either table the verdict is undecided.
    """

    numeric: float = 0.1
    categorical: float = 0.1
    largest: float = 0.1
    nulls: float = 0.05
    new: float = 0.02
    alpha: float = 0.01
    minimum_rows: int = 30
    resamples: int = 400
    columns: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Effect:
    """One measured difference in one column: observed size, the limits, its p-value without drift."""

    column: str
    name: str
    observed: float
    minimum: float
    p: float
    quantile: float | None = None
    evidence: Mapping[str, JSON] = field(default_factory=dict[str, JSON])


def compare(
    current: pl.DataFrame | Statistics,
    reference: pl.DataFrame | Statistics,
    *,
    limits: DriftLimits | None = None,
    subject: str,
    columns: Sequence[str] | None = None,
) -> Verdict:
    """Judge each column of the reference (or those in `columns`); a failed check asks to retrain.

    A profile given as `current` must have been made with `edges=reference`. A column that is absent
    or of another type fails and asks to stop. Seeded by the columns' names: same tables, same verdict.
    """
    limits = limits or DriftLimits()
    if isinstance(reference, pl.DataFrame):
        reference = profile(reference if columns is None else reference.select(columns))
    names = reference.names if columns is None else tuple(columns)
    if isinstance(current, pl.DataFrame):
        wanted = [name for name in names if name in current.columns]
        current = profile(current.select(wanted), edges=reference)
    rows = {"rows": current.rows, "reference_rows": reference.rows}
    if min(current.rows, reference.rows) < limits.minimum_rows:
        return Verdict(subject, QUESTION, (_too_few(current, reference, limits),), rows)
    effects: list[Effect] = []
    checks: list[Check] = []
    silent: list[Column] = []
    for name in names:
        before = reference[name]
        if name not in current.names or not _comparable(current[name], before):
            checks.append(_not_comparable(name, current, before))
        else:
            found = column_effects(current[name], before, limits)
            effects += found
            silent += [] if found else [before]
    rejected, adjusted = benjamini_hochberg([effect.p for effect in effects], limits.alpha)
    for effect, alarm, q in zip(effects, rejected, adjusted, strict=True):
        checks.append(_check(effect, q, alarm and effect.observed >= effect.minimum))
    checks += [_not_compared(column, decided=bool(checks)) for column in silent]
    drifted = sorted({str(c.path) for c in checks if c.outcome == Outcome.FAIL})
    return Verdict(subject, QUESTION, tuple(checks), {**rows, "drifted": list(drifted)})


def column_effects(current: Column, reference: Column, limits: DriftLimits) -> list[Effect]:
    """The effects of one column that its values can show; none where both samples agree trivially."""
    found: list[Effect] = []
    seed = zlib.crc32(reference.name.encode())
    if min(current.values, reference.values) >= limits.minimum_rows:
        if reference.family == "numeric":
            found.append(_numeric(current, reference, limits, seed))
            found += _outside(current, reference, limits)
        elif reference.family == "categorical":
            found += _categorical(current, reference, limits, seed)
    if current.missing + reference.missing and current.count and reference.count:
        now = current.missing / current.count
        then = reference.missing / reference.count
        p = shares_differ(current.missing, current.count, reference.missing, reference.count)
        shares: dict[str, JSON] = {"share": rounded(now), "reference_share": rounded(then)}
        found.append(Effect(reference.name, "null share", abs(now - then), limits.nulls, p, None, shares))  # fmt: skip
    return found


def histogram_of(current: Column, reference: Column) -> Histogram:
    """Both columns' values on the same bins: the reference's edges, or the categories of both."""
    if reference.family == "numeric":
        edges = np.asarray(reference.edges)
        return Histogram(
            np.asarray(current.bins, np.int64), np.asarray(reference.bins, np.int64), np.diff(edges)
        )
    now, then = dict(current.top), dict(reference.top)
    pooled = {value: now.get(value, 0) + then.get(value, 0) for value in {*now, *then}}
    # where the reference's list is cut, its values were picked for being frequent in it by chance
    # too, so only those far above the cut are compared one by one
    floor = 10 * FEW if reference.rest else 0
    kept = sorted(v for v, count in pooled.items() if count >= FEW and then.get(v, 0) >= floor)
    x = [now.get(value, 0) for value in kept]
    y = [then.get(value, 0) for value in kept]
    x, y = [*x, current.values - sum(x)], [*y, reference.values - sum(y)]
    return Histogram(np.asarray(x, np.int64), np.asarray(y, np.int64), np.ones(len(x)))


def _outside(current: Column, reference: Column, limits: DriftLimits) -> list[Effect]:
    """The share of values beyond all that the reference saw: a distance on its edges ends at the last."""
    count = current.bins[0] + current.bins[-1]
    known = reference.bins[0] + reference.bins[-1]
    if not count:
        return []
    p = shares_differ(count, current.values, known, reference.values)
    name = "share outside the reference's range"
    return [Effect(reference.name, name, count / current.values, limits.new, p)]


def _numeric(current: Column, reference: Column, limits: DriftLimits, seed: int) -> Effect:
    both = histogram_of(current, reference)
    name, measure, scale = "Wasserstein distance", wasserstein, reference.std or 0.0
    if not scale:  # a constant has no spread to measure by: the share of rows that left it
        name, measure, scale = "share of values that moved", largest_change, 1.0
    now = float(measure(both))
    minimum = limits.columns.get(reference.name, limits.numeric)
    null = no_drift(measure, both, limits.resamples, seed, minimum=minimum * scale)
    evidence: dict[str, JSON] = {
        "psi": recorded(population_stability(both)),
        "mean": current.mean,
        "reference_mean": reference.mean,
        "std": current.std,
        "reference_std": reference.std,
        "outside": rounded((current.bins[0] + current.bins[-1]) / current.values),
    }
    return _effect(reference.name, name, now / scale, null / scale, minimum, limits, evidence)


def _categorical(
    current: Column, reference: Column, limits: DriftLimits, seed: int
) -> list[Effect]:
    both = histogram_of(current, reference)
    minimum = limits.columns.get(reference.name, limits.categorical)
    seen, known = dict(current.top), dict(reference.top)
    shifts = {
        value: rounded(seen.get(value, 0) / current.values - known.get(value, 0) / reference.values)
        for value in {*seen, *known}
    }
    most = sorted(shifts.items(), key=lambda pair: (-abs(pair[1]), pair[0]))[:5]
    evidence: dict[str, JSON] = {
        "psi": recorded(population_stability(both)),
        "changes": [list(pair) for pair in most],
    }
    found: list[Effect] = []
    if len(both.current) > 1:
        for name, measure, least in (
            ("Jensen-Shannon distance", jensen_shannon, minimum),
            ("largest change of a share", largest_change, limits.largest),
        ):
            null = no_drift(measure, both, limits.resamples, seed, minimum=least)
            now = float(measure(both))
            found.append(_effect(reference.name, name, now, null, least, limits, evidence))  # fmt: skip
    if reference.rest or current.rest:
        return found  # lists that were cut cannot say what is new
    fresh = {value: count for value, count in seen.items() if value not in known}
    if count := sum(fresh.values()):
        p = _p_of_new(count, current.values, list(known.values()), reference.values)
        names = sorted(fresh, key=lambda value: (-fresh[value], value))[:10]
        found.append(
            Effect(
                reference.name,
                "share in new categories",
                count / current.values,
                limits.new,
                p,
                None,
                {"new": list(names), "count": count},
            )
        )
    return found


def _p_of_new(count: int, rows: int, known: list[int], reference_rows: int) -> float:
    """The chance of so many rows in unseen categories. Without drift a row falls into one with the
    probability (rows of categories seen once) / rows, known to the variance that Good (1953, Biometrika 40:237)
    gives: as if from a smaller sample."""
    once, twice = known.count(1), known.count(2)
    if count / rows <= once / reference_rows:
        return 1.0
    weight = once / (once + 2 * twice) if once else 1.0
    return shares_differ(count, rows, round(once * weight), math.ceil(reference_rows * weight))


def _effect(
    column: str,
    name: str,
    observed: float,
    null: Floats,
    minimum: float,
    limits: DriftLimits,
    evidence: Mapping[str, JSON],
) -> Effect:
    return Effect(
        column,
        name,
        observed,
        minimum,
        resampled_tail(observed, null),
        float(np.quantile(null, 1 - limits.alpha)),
        evidence,
    )


def _check(effect: Effect, q: float, alarm: bool) -> Check:
    limit = max(effect.minimum, effect.quantile or 0.0)
    size = f"{effect.name} {effect.observed:.3f}"
    message = f"{effect.column}: {size}, limit {limit:.3f}"
    if alarm:
        message = f"{effect.column} drifted: {size}, at least {limit:.3f} with p {q:.2g}"
    return Check(
        name=effect.name,
        outcome=Outcome.FAIL if alarm else Outcome.PASS,
        message=message,
        code="drift",
        path=effect.column,
        observed=rounded(effect.observed),
        limit=rounded(limit),
        action=Action.RETRAIN,
        evidence={
            "minimum": effect.minimum,
            "no_drift_quantile": recorded(effect.quantile),
            "p": rounded(effect.p),
            "p_adjusted": rounded(q),
            **effect.evidence,
        },
    )


def _comparable(current: Column, reference: Column) -> bool:
    if not current.values or not reference.values:
        return True  # only the share of nulls can be compared, and is
    if current.family != reference.family:
        return False
    return reference.family != "numeric" or current.edges == reference.edges


def _not_comparable(name: str, current: Statistics, reference: Column) -> Check:
    there = name in current.names
    other = current[name] if there else reference
    message = f"{name} is missing"
    if there:
        message = f"{name} is {other.dtype}, the reference {reference.dtype}"
        if other.family == reference.family:
            message = f"{name} was profiled on other edges than the reference"
    return Check(
        name="column comparable",
        outcome=Outcome.FAIL,
        message=message,
        code="type-mismatch" if there else "column-missing",
        path=name,
        observed=other.dtype if there else None,
        limit=reference.dtype,
        action=Action.STOP,
    )


def _not_compared(column: Column, *, decided: bool) -> Check:
    """Times, identifiers and columns without values say nothing about drift; a table of nothing else is undecided."""
    return Check(
        name="column compared",
        outcome=Outcome.PASS if decided else Outcome.UNDECIDED,
        message=f"{column.name}: nothing to compare in a column of type {column.dtype} "
        f"with {column.distinct} distinct values",
        code="not-compared",
        path=column.name,
        action=Action.WARN,
    )


def _too_few(current: Statistics, reference: Statistics, limits: DriftLimits) -> Check:
    rows = min(current.rows, reference.rows)
    return Check(
        name="enough rows",
        outcome=Outcome.UNDECIDED,
        message=f"{current.rows:,} rows against {reference.rows:,}: at least {limits.minimum_rows} are needed",
        code="too-few-rows",
        observed=rows,
        limit=limits.minimum_rows,
        action=Action.WARN,
    )
