"""Does the ledger hold what it says? The invariants L1–L3 of docs/reference/ledger-format.md."""

from collections import Counter

from tricord.core.errors import LedgerCorrupt, TricordError
from tricord.core.event import Event
from tricord.ledger import journal, queries
from tricord.ledger.connection import Connection
from tricord.ledger.schema import FACTS

_PAGE = 1000


def verify(database: Connection) -> int:
    """The number of events that were checked; LedgerCorrupt names the first that does not hold."""
    with database.reading():
        seq, chain, counted = 0, journal.START, Counter[str]()
        while True:
            page = database.rows(
                "SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?", seq, _PAGE
            )
            for row in page:
                try:
                    event = queries.event(row)
                    expected = journal.chained(
                        chain, seq + 1, event.type, event.subject, event.when, event.body
                    )
                except (ValueError, TricordError) as error:
                    raise _corrupt(seq + 1, f"it cannot be read: {error}", database) from error
                if event.seq != seq + 1:
                    raise _corrupt(seq + 1, f"it is missing; {event.seq} follows", database)
                if event.chain != expected.chain:
                    raise _corrupt(event.seq, "its chain does not hold: it was changed", database)
                _compare(database, event, counted)
                seq, chain = event.seq, event.chain
            if len(page) < _PAGE:
                break
        counted["event"] = seq
        for table in FACTS:
            row = database.row(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - names from the code
            found = row["n"] if row else 0
            if found != counted[table]:
                raise LedgerCorrupt(
                    f"{table} has {found} rows, and the journal explains {counted[table]}",
                    where=str(database.path),
                )
    return seq


def _compare(database: Connection, event: Event, counted: Counter[str]) -> None:
    for table, key, values in journal.rows(event):
        counted[table] += 1
        columns = list(values)[:key]
        condition = " AND ".join(f"{column} = ?" for column in columns)
        row = database.row(
            f"SELECT * FROM {table} WHERE {condition}",  # noqa: S608 - names from the code
            *(values[column] for column in columns),
        )
        if row is None or dict(row) != values:
            raise _corrupt(event.seq, f"its row in {table} is missing or differs", database)


def _corrupt(seq: int, what: str, database: Connection) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"event {seq} of the journal: {what}",
        where=str(database.path),
        hint="restore the ledger from a backup",
    )
