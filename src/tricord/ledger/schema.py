"""The tables, as numbered migrations. See docs/reference/ledger-format.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Migration:
    """SQL that takes a ledger from version `number - 1` to `number`. Once published it never changes."""

    number: int
    statements: tuple[str, ...]


APPLICATION_ID = 0x54524943
FACTS = ("event", "artifact", "run", "run_end", "edge", "metric", "ref_move")


def append_only(table: str) -> tuple[str, str]:
    """Triggers that refuse to change or to remove a fact (L4)."""
    return (
        f"""CREATE TRIGGER {table}_keeps BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, 'facts are never changed: {table}'); END""",
        f"""CREATE TRIGGER {table}_stays BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, 'facts are never removed: {table}'); END""",
    )


_FIRST = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE event (
        seq INTEGER PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, time REAL NOT NULL,
        body TEXT NOT NULL, chain TEXT NOT NULL)""",
    "CREATE INDEX event_by_type ON event (type, seq)",
    """CREATE TRIGGER event_is_next BEFORE INSERT ON event
        WHEN NEW.seq != (SELECT coalesce(max(seq), 0) + 1 FROM event)
        BEGIN SELECT RAISE(ABORT, 'the journal has no gaps'); END""",
    """CREATE TABLE artifact (
        digest TEXT NOT NULL, kind TEXT NOT NULL, format TEXT NOT NULL, size INTEGER NOT NULL,
        meta TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES event,
        PRIMARY KEY (digest, kind, format)) WITHOUT ROWID""",
    """CREATE TABLE run (
        seq INTEGER PRIMARY KEY REFERENCES event, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        fingerprint TEXT NOT NULL, parent TEXT, started REAL NOT NULL, params TEXT NOT NULL,
        origin TEXT NOT NULL, process TEXT NOT NULL)""",
    "CREATE INDEX run_by_name ON run (name, seq)",
    "CREATE INDEX run_by_parent ON run (parent, seq) WHERE parent IS NOT NULL",
    """CREATE TABLE run_end (
        seq INTEGER PRIMARY KEY REFERENCES event, run TEXT NOT NULL UNIQUE REFERENCES run (id),
        fingerprint TEXT NOT NULL, status TEXT NOT NULL, ended REAL NOT NULL, error TEXT)""",
    "CREATE INDEX run_finished ON run_end (fingerprint, seq) WHERE status = 'finished'",
    """CREATE TABLE edge (
        run TEXT NOT NULL REFERENCES run (id), role TEXT NOT NULL CHECK (role IN ('in', 'out')),
        name TEXT NOT NULL, position INTEGER NOT NULL, digest TEXT NOT NULL, kind TEXT NOT NULL,
        format TEXT NOT NULL, PRIMARY KEY (run, role, name),
        FOREIGN KEY (digest, kind, format) REFERENCES artifact) WITHOUT ROWID""",
    "CREATE INDEX edge_by_digest ON edge (digest, role)",
    """CREATE TABLE metric (
        run TEXT NOT NULL REFERENCES run (id), name TEXT NOT NULL, position INTEGER NOT NULL,
        value REAL, PRIMARY KEY (run, name)) WITHOUT ROWID""",
    """CREATE TABLE ref_move (
        seq INTEGER PRIMARY KEY REFERENCES event, ref TEXT NOT NULL, old TEXT, new TEXT,
        actor TEXT NOT NULL, time REAL NOT NULL, why TEXT NOT NULL, verdict TEXT)""",
    "CREATE INDEX ref_move_by_ref ON ref_move (ref, seq)",
    *(statement for table in FACTS for statement in append_only(table)),
    f"PRAGMA application_id = {APPLICATION_ID}",
    "INSERT INTO meta VALUES ('format', '0')",
)

MIGRATIONS = (Migration(1, _FIRST),)
FORMAT = MIGRATIONS[-1].number
