"""Reading: rows of the tables back into the nouns of `core`."""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.event import Event, EventType
from tricord.core.ref import Move
from tricord.core.run import Origin, Run, Status
from tricord.ledger.connection import Connection
from tricord.ledger.process import gone

LAST = "\U0010ffff"
"""Sorts after every text that continues a prefix."""
_RUN = """
    SELECT run.*, run_end.status, run_end.ended, run_end.error
    FROM run LEFT JOIN run_end ON run_end.run = run.id
"""


def event(row: sqlite3.Row) -> Event:
    return Event(
        seq=row["seq"],
        type=EventType(row["type"]),
        subject=row["subject"],
        when=row["time"],
        body=json.loads(row["body"]),
        chain=row["chain"],
    )


def artifact(row: sqlite3.Row) -> Artifact:
    return Artifact(
        digest=Digest(row["digest"]),
        kind=Kind(row["kind"]),
        format=row["format"],
        size=row["size"],
        meta=json.loads(row["meta"]),
    )


def move(row: sqlite3.Row) -> Move:
    return Move(
        ref=row["ref"],
        old=row["old"],
        new=row["new"],
        actor=row["actor"],
        when=row["time"],
        why=row["why"],
        verdict=row["verdict"],
        seq=row["seq"],
    )


def runs(database: Connection, condition: str, *values: object) -> list[Run]:
    """The runs that SQL after FROM selects, whole: with their edges and metrics, in three queries."""
    with database.reading():
        found = database.rows(f"{_RUN} {condition}", *values)
        ids = json.dumps([row["id"] for row in found])
        edges = _edges(database, ids)
        metrics: dict[str, dict[str, float]] = defaultdict(dict)
        for row in database.rows(
            "SELECT * FROM metric WHERE run IN (SELECT value FROM json_each(?)) ORDER BY position",
            ids,
        ):
            value = row["value"]
            metrics[row["run"]][row["name"]] = math.nan if value is None else value
    return [_run(row, edges[row["id"]], metrics[row["id"]]) for row in found]


_Edges = dict[str, dict[str, Artifact]]


def _edges(database: Connection, ids: str) -> dict[str, _Edges]:
    edges: dict[str, _Edges] = defaultdict(lambda: {"in": {}, "out": {}})
    for row in database.rows(
        """SELECT edge.run, edge.role, edge.name, artifact.* FROM edge JOIN artifact USING (digest, kind, format)
           WHERE edge.run IN (SELECT value FROM json_each(?)) ORDER BY edge.position""",
        ids,
    ):
        edges[row["run"]][row["role"]][row["name"]] = artifact(row)
    return edges


def _run(row: sqlite3.Row, edges: _Edges, metrics: dict[str, float]) -> Run:
    origin = Origin(**json.loads(row["origin"]))
    return Run(
        id=row["id"],
        name=row["name"],
        fingerprint=row["fingerprint"],
        status=_status(row, origin),
        started=row["started"],
        origin=origin,
        parent=row["parent"],
        ended=row["ended"],
        params=json.loads(row["params"]),
        inputs=edges["in"],
        outputs=edges["out"],
        metrics=metrics,
        error=row["error"],
    )


def _status(row: sqlite3.Row, origin: Origin) -> Status:
    if row["status"] is not None:
        return Status(row["status"])
    lost = gone(origin.host, origin.pid, row["process"])
    return Status.INTERRUPTED if lost else Status.RUNNING


def candidates(database: Connection, prefix: str, limit: int) -> Sequence[Any]:
    """Ids and names of runs whose id begins like this, newest first."""
    return database.rows(
        "SELECT id, name FROM run WHERE id >= ? AND id < ? ORDER BY seq DESC LIMIT ?",
        prefix,
        prefix + LAST,
        limit,
    )
