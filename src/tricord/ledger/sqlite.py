"""The ledger in one SQLite file. What it promises is specified in docs/reference/ledger-format.md."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tricord.core.artifact import Artifact, Digest, Kind, parse_digest, short
from tricord.core.canonical import JSON
from tricord.core.clock import Clock
from tricord.core.errors import LedgerError, NotRecorded, RefConflict
from tricord.core.event import Event, EventType
from tricord.core.ref import Move, parse_ref
from tricord.core.run import Origin, Run, Status
from tricord.ledger import audit, journal, queries
from tricord.ledger.connection import Connection
from tricord.ledger.process import this_host, token

_CANDIDATES = 10


class SqliteLedger:
    """Facts in a file. Threads and processes may share it without further locks.

    >>> import tempfile
    >>> from tricord.core.clock import FixedClock
    >>> folder = tempfile.TemporaryDirectory()
    >>> ledger = SqliteLedger(Path(folder.name) / "ledger.sqlite", FixedClock())
    >>> flights = Artifact(Digest("ab" * 32), Kind.DATASET, "parquet", 10)
    >>> ledger.add_artifact(flights)
    >>> move = ledger.move_ref(
    ...     "datasets/flights@latest", old=None, new=flights.digest, actor="ann", why="added"
    ... )
    >>> ledger.ref("datasets/flights@latest") == flights.digest, ledger.last_event()
    (True, 2)
    >>> ledger.close(); folder.cleanup()
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the ledger at `path`, or make one. LedgerFormatError for a newer one or another file."""
        self._clock = clock
        self._database = Connection(path.absolute())

    def begin_run(
        self,
        *,
        run: str,
        name: str,
        fingerprint: str,
        origin: Origin,
        parent: str | None,
        params: Mapping[str, JSON],
        inputs: Mapping[str, Artifact],
    ) -> None:
        """Record that a run starts; its inputs too, where they are not recorded yet. LedgerError
        if there is a run of that id."""
        process = token(origin.pid) if origin.host == this_host() else ""
        body = journal.started(
            name=name,
            fingerprint=fingerprint,
            origin=origin,
            parent=parent,
            params=params,
            inputs=inputs,
            process=process,
        )
        with self._database.writing():
            if self._database.row("SELECT 1 FROM run WHERE id = ?", run):
                raise LedgerError(f"run {run} has been recorded already")
            self._commit_artifacts(inputs.values())
            self._append(EventType.RUN_STARTED, run, body)

    def end_run(
        self,
        run: str,
        status: Status,
        *,
        outputs: Mapping[str, Artifact],
        metrics: Mapping[str, float],
        error: str | None = None,
    ) -> None:
        """Record how a run ended. NotRecorded if it never started, LedgerError if it has ended."""
        if status == Status.RUNNING:
            raise LedgerError("a run cannot end as running")
        with self._database.writing():
            start = self._database.row("SELECT name, fingerprint FROM run WHERE id = ?", run)
            if start is None:
                raise NotRecorded(f"no run {run}", hint="tricord runs")
            if self._database.row("SELECT 1 FROM run_end WHERE run = ?", run):
                raise LedgerError(f"run {run} has ended already", hint=f"tricord show {run}")
            body = journal.ended(
                name=start["name"],
                fingerprint=start["fingerprint"],
                status=status,
                error=error,
                outputs=outputs,
                metrics=metrics,
            )
            self._commit_artifacts(outputs.values())
            self._append(EventType.RUN_ENDED, run, body)

    def add_artifact(self, artifact: Artifact) -> None:
        """Record content that no run made. What was recorded first stays."""
        with self._database.writing():
            self._commit_artifacts([artifact])

    def move_ref(
        self,
        ref: str,
        *,
        old: Digest | None,
        new: Digest | None,
        actor: str,
        why: str,
        verdict: Digest | None = None,
        made: float | None = None,
    ) -> Move:
        """Compare-and-swap: RefConflict, and no change, unless the ref stands at `old`.

        `made` is when it was made, where that was on another machine: the ledger learns of it now. NotRecorded where `new` or `verdict` is no recorded artifact.
        """
        parse_ref(ref)
        if old is None and new is None:
            raise LedgerError(f"{ref} would be moved from nowhere to nowhere")
        with self._database.writing():
            now = self.ref(ref)
            if now != old:
                raise RefConflict(
                    f"{ref} stands at {_where(now)}, not at {_where(old)}: somebody moved it",
                    where=ref,
                    hint="look at what it is now, then decide again",
                )
            for digest in (new, verdict):
                if digest is not None and self.artifact(digest) is None:
                    raise NotRecorded(f"no artifact {short(digest)} is recorded", where=ref)
            body: dict[str, JSON] = {
                "old": old,
                "new": new,
                "actor": actor,
                "why": why,
                "verdict": verdict,
            }
            if made is not None:
                body["made"] = float(made)
            event = self._append(EventType.REF_MOVED, ref, body)
        when = event.when if made is None else float(made)
        return Move(ref, old, new, actor, when, why, verdict, event.seq)

    def append_event(self, type: EventType, subject: str, body: Mapping[str, JSON]) -> Event:
        """Record an alert, a fired trigger and the like: an event that stands for itself."""
        if type in journal.DERIVED:
            raise LedgerError(f"the event {str(type)!r} is recorded by the act itself")
        with self._database.writing():
            return self._append(type, subject, body)

    def together(self) -> AbstractContextManager[None]:
        """One transaction around what this thread records within the block."""
        return self._database.writing()

    def ref(self, ref: str) -> Digest | None:
        """Where a ref stands; None where it does not exist."""
        row = self._database.row(
            "SELECT new FROM ref_move WHERE ref = ? ORDER BY seq DESC LIMIT 1", ref
        )
        return row["new"] if row else None

    def refs(self, prefix: str = "") -> Mapping[str, Digest]:
        """Every ref that exists and begins like this, sorted, and where it stands."""
        rows = self._database.rows(
            # with max(), SQLite takes the other columns from the row of the maximum
            """SELECT ref, max(seq), new FROM ref_move
               WHERE ref >= ? AND ref < ? GROUP BY ref ORDER BY ref""",
            prefix,
            prefix + queries.LAST,
        )
        return {row["ref"]: row["new"] for row in rows if row["new"] is not None}

    def moves(self, ref: str) -> Sequence[Move]:
        """All moves of a ref, oldest first."""
        rows = self._database.rows("SELECT * FROM ref_move WHERE ref = ? ORDER BY seq", ref)
        return [queries.move(row) for row in rows]

    def artifact(self, digest: Digest, kind: Kind | None = None) -> Artifact | None:
        """The recorded artifact; of several kinds or formats, the one recorded first."""
        row = self._database.row(
            """SELECT * FROM artifact WHERE digest = ?1 AND (?2 IS NULL OR kind = ?2)
               ORDER BY seq LIMIT 1""",
            digest,
            kind,
        )
        return queries.artifact(row) if row else None

    def artifacts(self, prefix: str, *, limit: int = 10) -> Sequence[Artifact]:
        """Artifacts whose digest begins like this, in the order they were recorded."""
        rows = self._database.rows(
            "SELECT * FROM artifact WHERE digest >= ? AND digest < ? ORDER BY seq LIMIT ?",
            prefix,
            prefix + queries.LAST,
            limit,
        )
        return [queries.artifact(row) for row in rows]

    def run(self, run: str) -> Run:
        """The run of that id, or the only one whose id begins like this. NotRecorded otherwise."""
        found = queries.runs(self._database, "WHERE run.id = ?", run)
        if found:
            return found[0]
        near = queries.candidates(self._database, run, _CANDIDATES + 1)
        if len(near) == 1:
            return queries.runs(self._database, "WHERE run.id = ?", near[0]["id"])[0]
        if not near:
            raise NotRecorded(f"no run {run!r}", hint="tricord runs")
        names = ", ".join(f"{row['id']} ({row['name']})" for row in near[:_CANDIDATES])
        more = ", …" if len(near) > _CANDIDATES else ""
        raise NotRecorded(
            f"several runs begin with {run!r}: {names}{more}", hint="write more of the id"
        )

    def runs(
        self, *, name: str | None = None, parent: str | None = None, limit: int = 100
    ) -> Sequence[Run]:
        """Newest first."""
        conditions = {"run.name": name, "run.parent": parent}
        given = {column: value for column, value in conditions.items() if value is not None}
        where = " AND ".join(f"{column} = ?" for column in given) or "TRUE"
        condition = f"WHERE {where} ORDER BY run.seq DESC LIMIT ?"
        return queries.runs(self._database, condition, *given.values(), limit)

    def finished(self, fingerprint: str) -> Run | None:
        """The newest finished run of a fingerprint: one look-up in an index."""
        row = self._database.row(
            """SELECT run FROM run_end WHERE fingerprint = ? AND status = 'finished'
               ORDER BY seq DESC LIMIT 1""",
            fingerprint,
        )
        return queries.runs(self._database, "WHERE run.id = ?", row["run"])[0] if row else None

    def producers(self, digest: Digest) -> Sequence[Run]:
        """Runs that have it among their outputs, oldest first."""
        return self._linked(digest, "out")

    def consumers(self, digest: Digest) -> Sequence[Run]:
        """Runs that have it among their inputs, oldest first."""
        return self._linked(digest, "in")

    def events(
        self, *, after: int = 0, types: Iterable[EventType] = (), limit: int = 1000
    ) -> Sequence[Event]:
        """Events with a higher number than `after`, oldest first; of all types where none is given."""
        wanted = [str(each) for each in types]
        condition = f"AND type IN ({', '.join('?' * len(wanted))})" if wanted else ""
        rows = self._database.rows(
            f"SELECT * FROM event WHERE seq > ? {condition} ORDER BY seq LIMIT ?",  # noqa: S608 - marks only
            after,
            *wanted,
            limit,
        )
        return [queries.event(row) for row in rows]

    def last_event(self) -> int:
        """The number of the newest event, 0 for none: some microseconds."""
        row = self._database.row("SELECT max(seq) AS seq FROM event")
        return (row["seq"] if row else None) or 0

    def verify(self) -> int:
        """The number of events that were checked: numbers, chain, and the rows that follow from each.

        LedgerCorrupt names the first event that does not hold.
        """
        database = Connection(self._database.path)  # its own, so that other threads need not wait
        try:
            return audit.verify(database)
        finally:
            database.close()

    def close(self) -> None:
        """Close the file. The ledger cannot be used after it."""
        self._database.close()

    def _append(self, type: EventType, subject: str, body: Mapping[str, JSON]) -> Event:
        """Add an event and the rows that follow from it; only inside a transaction that writes."""
        last = self._database.row("SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1")
        seq, chain = (last["seq"], last["chain"]) if last else (0, journal.START)
        when = float(self._clock.now())
        event = journal.chained(chain, seq + 1, type, subject, when, body)
        values = {
            "seq": event.seq,
            "type": str(type),
            "subject": subject,
            "time": when,
            "body": journal.text(body),
            "chain": event.chain,
        }
        self._database.insert("event", values)
        for row in journal.rows(event):
            self._database.insert(row.table, row.values)
        return event

    def _commit_artifacts(self, artifacts: Iterable[Artifact]) -> None:
        for artifact in artifacts:
            known = self._database.row(
                "SELECT 1 FROM artifact WHERE digest = ? AND kind = ? AND format = ?",
                artifact.digest,
                artifact.kind,
                artifact.format,
            )
            if known is None:
                parse_digest(artifact.digest)
                self._append(
                    EventType.ARTIFACT_COMMITTED, artifact.digest, journal.committed(artifact)
                )

    def _linked(self, digest: Digest, role: str) -> Sequence[Run]:
        condition = """WHERE run.id IN (SELECT run FROM edge WHERE digest = ? AND role = ?)
                       ORDER BY run.seq"""
        return queries.runs(self._database, condition, digest, role)


def _where(digest: Digest | None) -> str:
    return "nothing" if digest is None else short(digest)
