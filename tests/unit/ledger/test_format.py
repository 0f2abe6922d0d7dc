"""The file: append-only, chained, migrated, and refused where it is not ours."""

import sqlite3
from pathlib import Path

import pytest

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.errors import LedgerCorrupt, LedgerError, LedgerFormatError, StorageFull
from tricord.core.event import EventType
from tricord.core.run import Origin, Status
from tricord.ledger import connection, schema
from tricord.ledger.schema import FACTS, Migration, append_only
from tricord.ledger.sqlite import SqliteLedger

A = Artifact(Digest("a" * 64), Kind.MODEL, "onnx", 1, {"b": 1, "a": [1.5]})


def fill(ledger: SqliteLedger) -> None:
    origin = Origin("code", "environment")
    ledger.begin_run(
        run="r1",
        name="train",
        fingerprint="f",
        origin=origin,
        parent=None,
        params={"x": 1},
        inputs={"rows": A},
    )
    ledger.end_run("r1", Status.FINISHED, outputs={"0": A}, metrics={"auc": 0.5})
    ledger.move_ref("models/m@champion", old=None, new=A.digest, actor="ann", why="")
    ledger.append_event(EventType.ALERT_RAISED, "m", {"n": 1})


def tamper(path: Path, sql: str) -> None:
    """Change a fact as somebody would who knows how: without the triggers."""
    database = sqlite3.connect(path)
    for table in FACTS:
        database.execute(f"DROP TRIGGER IF EXISTS {table}_keeps")
        database.execute(f"DROP TRIGGER IF EXISTS {table}_stays")
    database.execute("DROP TRIGGER event_is_next")
    database.execute(sql)
    database.commit()
    database.close()


@pytest.mark.parametrize("table", FACTS)
def test_the_database_refuses_to_change_facts(ledger: SqliteLedger, path: Path, table: str):  # L4
    fill(ledger)
    database = sqlite3.connect(path, isolation_level=None)
    (column,) = database.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()
    with pytest.raises(sqlite3.IntegrityError, match=f"never changed: {table}"):
        database.execute(f"UPDATE {table} SET {column} = {column}")
    with pytest.raises(sqlite3.IntegrityError, match=f"never removed: {table}"):
        database.execute(f"DELETE FROM {table}")
    with pytest.raises(sqlite3.IntegrityError, match="no gaps"):
        database.execute("INSERT INTO event VALUES (99, 'x', 'y', 0.0, '{}', '')")
    database.close()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("UPDATE event SET time = time + 1 WHERE seq = 3", "event 3 .* was changed"),
        ("""UPDATE event SET body = '{"n":2}' WHERE seq = 5""", "event 5 .* was changed"),
        ("UPDATE event SET body = '{' WHERE seq = 2", "event 2 .* cannot be read"),
        ("UPDATE event SET type = 'joke' WHERE seq = 2", "event 2 .* cannot be read"),
        ("UPDATE event SET chain = 'xy' WHERE seq = 1", "event 1 .* was changed"),
        ("DELETE FROM event WHERE seq = 3", "event 3 .* missing; 4 follows"),
        ("UPDATE metric SET value = 0.9", "event 3 .* metric is missing or differs"),
        ("UPDATE run SET params = '{}'", "event 2 .* run is missing or differs"),
        ("UPDATE artifact SET size = 2", "event 1 .* artifact is missing or differs"),
        ("UPDATE ref_move SET new = verdict", "event 4 .* ref_move is missing or differs"),
        ("DELETE FROM run_end", "event 3 .* run_end is missing or differs"),
        ("INSERT INTO metric VALUES ('r1', 'f1', 1, 1.0)", "metric has 2 rows, .* explains 1"),
    ],
)
def test_a_changed_ledger_does_not_verify(
    ledger: SqliteLedger, path: Path, clock: FixedClock, sql: str, message: str
):  # L1 L2 L3
    fill(ledger)
    assert ledger.verify() == 5
    ledger.close()
    tamper(path, sql)
    again = SqliteLedger(path, clock)
    with pytest.raises(LedgerCorrupt, match=message):
        again.verify()
    again.close()


def test_the_chain_of_a_ledger_is_as_specified(ledger: SqliteLedger):  # L2
    import hashlib

    ledger.append_event(EventType.ALERT_RAISED, "m", {"b": 1, "a": "ü"})
    ledger.append_event(EventType.TRIGGER_FIRED, "t", {})
    first = hashlib.sha256(bytes(32) + '[1,"alert raised","m",1000.0,{"a":"ü","b":1}]'.encode())
    second = hashlib.sha256(first.digest() + b'[2,"trigger fired","t",1000.0,{}]')
    assert [event.chain for event in ledger.events()] == [first.hexdigest(), second.hexdigest()]


def test_the_file_is_durable_and_shared(ledger: SqliteLedger):
    pragmas = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 60_000,
        "application_id": 0x54524943,
    }
    for name, value in pragmas.items():
        row = ledger._database.row(f"PRAGMA {name}")
        assert row is not None
        assert row[0] == value, name


def test_a_ledger_opens_again(ledger: SqliteLedger, path: Path, clock: FixedClock):
    fill(ledger)
    ledger.close()
    again = SqliteLedger(path, clock)
    assert again.last_event() == again.verify() == 5
    again.close()


def test_a_newer_ledger_is_refused(ledger: SqliteLedger, path: Path, clock: FixedClock):
    ledger.close()
    tamper(path, "UPDATE meta SET value = '99'")
    with pytest.raises(LedgerFormatError, match="version 99") as raised:
        SqliteLedger(path, clock)
    assert raised.value.hint == "pip install --upgrade tricord"


def test_other_files_are_refused_and_left_alone(path: Path, clock: FixedClock):
    path.write_bytes(b"Dear diary, " * 100)
    with pytest.raises(LedgerFormatError, match="not even a SQLite"):
        SqliteLedger(path, clock)
    assert path.read_bytes() == b"Dear diary, " * 100
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE letters (text)")
    database.close()
    with pytest.raises(LedgerFormatError, match="not a ledger"):
        SqliteLedger(path, clock)
    with pytest.raises(LedgerError, match="cannot be opened"):
        SqliteLedger(path.parent, clock)


def test_an_older_ledger_is_migrated_and_its_facts_stay(
    ledger: SqliteLedger, path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    fill(ledger)
    ledger.close()
    note = Migration(2, ("CREATE TABLE note (seq INTEGER PRIMARY KEY, text)", *append_only("note")))
    monkeypatch.setattr(connection, "MIGRATIONS", (*schema.MIGRATIONS, note))
    monkeypatch.setattr(connection, "FORMAT", 2)
    newer = SqliteLedger(path, clock)
    assert newer.verify() == 5
    row = newer._database.row("SELECT value FROM meta")
    assert row is not None
    assert row["value"] == "2"
    assert newer._database.rows("SELECT * FROM note") == []
    newer.close()
    monkeypatch.undo()
    with pytest.raises(LedgerFormatError, match="version 2"):
        SqliteLedger(path, clock)


def test_a_migration_that_fails_leaves_the_old_version(
    ledger: SqliteLedger, path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    fill(ledger)
    ledger.close()
    wrong = Migration(2, ("CREATE TABLE note (text)", "CREATE NONSENSE"))
    monkeypatch.setattr(connection, "MIGRATIONS", (*schema.MIGRATIONS, wrong))
    monkeypatch.setattr(connection, "FORMAT", 2)
    with pytest.raises(LedgerError, match="NONSENSE"):
        SqliteLedger(path, clock)
    monkeypatch.undo()
    same = SqliteLedger(path, clock)
    assert same.verify() == 5
    same.close()


def test_migrations_are_numbered_without_gaps():
    assert [migration.number for migration in schema.MIGRATIONS] == list(
        range(1, schema.FORMAT + 1)
    )


def test_a_full_disk_changes_nothing(ledger: SqliteLedger):  # L5
    fill(ledger)
    database = ledger._database
    row = database.row("PRAGMA page_count")
    assert row is not None
    database.rows(f"PRAGMA max_page_count = {row[0]}")

    def append_much() -> None:
        for _ in range(100):
            ledger.append_event(EventType.ALERT_RAISED, "m", {"text": "x" * 3000})

    with pytest.raises(StorageFull, match="half-written"):
        append_much()
    last = ledger.last_event()
    assert ledger.verify() == last
    database.rows("PRAGMA max_page_count = 100000")
    assert ledger.append_event(EventType.ALERT_RAISED, "m", {"text": "x" * 3000}).seq == last + 1


def test_a_damaged_file_is_called_so(ledger: SqliteLedger, path: Path, clock: FixedClock):
    fill(ledger)
    ledger.close()
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(byte ^ 0xFF for byte in data[4096:])
    path.write_bytes(data)
    with pytest.raises(LedgerCorrupt, match="damaged"):
        SqliteLedger(path, clock).verify()
