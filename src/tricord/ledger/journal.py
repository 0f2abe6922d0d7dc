"""The journal: events in a gapless hash chain, and the rows that follow from each. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from tricord.core import canonical
from tricord.core.artifact import Artifact
from tricord.core.canonical import JSON
from tricord.core.event import Event, EventType
from tricord.core.run import Origin

START = "00" * 32
"""The chain before the first event."""

Value = str | int | float | None


class Row(NamedTuple):
    """A fact in a table; the first `key` columns identify it."""

    table: str
    key: int
    values: Mapping[str, Value]


def text(value: JSON) -> str:
    """Canonical JSON as text, as the tables hold it. TricordError for what JSON has no form for."""
    return canonical.encode(value).decode("utf-8")


def chained(
    chain: str, seq: int, type: EventType, subject: str, when: float, body: Mapping[str, JSON]
) -> Event:
    """The event with its place in the chain. `chain` is that of the event before it.

    >>> chained(START, 1, EventType.ALERT_RAISED, "delay", 0.0, {}).chain[:12]
    '0a8bd4bb13c6'
    """
    import hashlib  # loads OpenSSL, which readers of the ledger do without

    content = canonical.encode([seq, str(type), subject, when, body])
    digest = hashlib.sha256(bytes.fromhex(chain) + content).hexdigest()
    return Event(seq, type, subject, when, body, digest)


def committed(artifact: Artifact) -> dict[str, JSON]:
    """The body of the event "artifact committed"."""
    return {
        "kind": str(artifact.kind),
        "format": artifact.format,
        "size": artifact.size,
        "meta": dict(artifact.meta),
    }


def started(
    *,
    name: str,
    fingerprint: str,
    origin: Origin,
    parent: str | None,
    params: Mapping[str, JSON],
    inputs: Mapping[str, Artifact],
    process: str,
) -> dict[str, JSON]:
    """The body of the event "run started"."""
    return {
        "name": name,
        "fingerprint": fingerprint,
        "parent": parent,
        "params": dict(params),
        "origin": asdict(origin),
        "process": process,
        "inputs": _links(inputs),
    }


def ended(
    *,
    name: str,
    fingerprint: str,
    status: str,
    error: str | None,
    outputs: Mapping[str, Artifact],
    metrics: Mapping[str, float],
) -> dict[str, JSON]:
    """The body of the event "run ended"."""
    return {
        "name": name,
        "fingerprint": fingerprint,
        "status": status,
        "error": None if error is None else error.encode("utf-8", "replace").decode("utf-8"),
        "outputs": _links(outputs),
        "metrics": [[metric, _number(value)] for metric, value in metrics.items()],
    }


def _links(artifacts: Mapping[str, Artifact]) -> list[JSON]:
    return [
        [name, artifact.digest, str(artifact.kind), artifact.format]
        for name, artifact in artifacts.items()
    ]


def _number(value: float) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def _real(value: float | str) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number  # SQLite has no NaN


def rows(event: Event) -> list[Row]:
    """Everything that an event puts into the other tables (L3)."""
    make = _ROWS.get(event.type)
    # bodies were written by the functions above, or verify() is about to say otherwise
    return make(event, event.body) if make else []


def _artifact_rows(event: Event, body: Mapping[str, Any]) -> list[Row]:
    values = {
        "digest": event.subject,
        "kind": body["kind"],
        "format": body["format"],
        "size": body["size"],
        "meta": text(body["meta"]),
        "seq": event.seq,
    }
    return [Row("artifact", 3, values)]


def _run_rows(event: Event, body: Mapping[str, Any]) -> list[Row]:
    values = {
        "seq": event.seq,
        "id": event.subject,
        "name": body["name"],
        "fingerprint": body["fingerprint"],
        "parent": body["parent"],
        "started": event.when,
        "params": text(body["params"]),
        "origin": text(body["origin"]),
        "process": body["process"],
    }
    return [Row("run", 1, values), *_edges(event.subject, "in", body["inputs"])]


def _run_end_rows(event: Event, body: Mapping[str, Any]) -> list[Row]:
    values = {
        "seq": event.seq,
        "run": event.subject,
        "fingerprint": body["fingerprint"],
        "status": body["status"],
        "ended": event.when,
        "error": body["error"],
    }
    metrics = [
        Row("metric", 2, {"run": event.subject, "name": name, "position": i, "value": _real(value)})
        for i, (name, value) in enumerate(body["metrics"])
    ]
    return [Row("run_end", 1, values), *_edges(event.subject, "out", body["outputs"]), *metrics]


def _edges(run: str, role: str, links: Sequence[tuple[str, str, str, str]]) -> list[Row]:
    names = ("run", "role", "name", "position", "digest", "kind", "format")
    return [
        Row("edge", 3, dict(zip(names, (run, role, name, i, *artifact), strict=True)))
        for i, (name, *artifact) in enumerate(links)
    ]


def _move_rows(event: Event, body: Mapping[str, Any]) -> list[Row]:
    values = {
        "seq": event.seq,
        "ref": event.subject,
        "old": body["old"],
        "new": body["new"],
        "actor": body["actor"],
        "time": body.get("made", event.when),
        "why": body["why"],
        "verdict": body["verdict"],
    }
    return [Row("ref_move", 1, values)]


_ROWS = {
    EventType.ARTIFACT_COMMITTED: _artifact_rows,
    EventType.RUN_STARTED: _run_rows,
    EventType.RUN_ENDED: _run_end_rows,
    EventType.REF_MOVED: _move_rows,
}
DERIVED = frozenset(_ROWS)
"""Types of event that only the ledger's own calls may append, as they put rows into tables."""
