"""Runs, artifacts, metrics and what links them."""

import math
from dataclasses import replace

import pytest

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.errors import LedgerError, NotRecorded, TricordError
from tricord.core.event import EventType
from tricord.core.protocols import Ledger
from tricord.core.run import Origin, Status
from tricord.ledger.sqlite import SqliteLedger

ORIGIN = Origin("code", "environment", commit="c0ffee", dirty=True, lock="l0", actor="ann")


def artifact(digit: str, kind: Kind = Kind.DATASET, **meta: object) -> Artifact:
    return Artifact(Digest(digit * 64), kind, "parquet", 10, meta)  # type: ignore[arg-type]


def begin(ledger: SqliteLedger, run: str, **facts: object) -> None:
    defaults: dict = {
        "name": "train",
        "fingerprint": "f1",
        "origin": ORIGIN,
        "parent": None,
        "params": {},
        "inputs": {},
    }
    ledger.begin_run(run=run, **(defaults | facts))


def end(ledger: SqliteLedger, run: str, status: Status = Status.FINISHED, **facts: object) -> None:
    defaults: dict = {"outputs": {}, "metrics": {}}
    ledger.end_run(run, status, **(defaults | facts))


def test_it_is_a_ledger(ledger: SqliteLedger):
    promised: Ledger = ledger
    assert promised.last_event() == 0
    assert promised.verify() == 0


def test_a_run_comes_back_as_it_was(ledger: SqliteLedger, clock: FixedClock):
    rows, columns = artifact("a", rows=3), artifact("b", Kind.SCHEMA)
    model = artifact("c", Kind.MODEL)
    params = {"rate": 0.1, "names": ["ü", None], "deep": {"x": True}}
    inputs = {"z": rows, "a": columns, "again": rows}
    begin(ledger, "r1", parent="p0", params=params, inputs=inputs)
    running = ledger.run("r1")
    assert (running.status, running.ended, running.started) == (Status.RUNNING, None, 1000.0)
    clock.time = 1002.5
    end(ledger, "r1", outputs={"1": model, "0": rows}, metrics={"z": 0.5, "auc": 1, "n": math.nan})
    run = ledger.run("r1")
    assert (run.id, run.name, run.fingerprint, run.parent) == ("r1", "train", "f1", "p0")
    assert (run.status, run.ended, run.error) == (Status.FINISHED, 1002.5, None)
    assert run.origin == ORIGIN
    assert run.params == params
    assert list(run.inputs.items()) == list(inputs.items())
    assert run.inputs["z"].meta == {"rows": 3}
    assert list(run.outputs.items()) == [("1", model), ("0", rows)]
    assert list(run.metrics) == ["z", "auc", "n"]
    assert run.metrics["auc"] == 1.0
    assert math.isnan(run.metrics["n"])
    assert ledger.verify() == 5


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e308, 5e-324, -0.0, 2**53 + 1])
def test_metrics_keep_every_bit(ledger: SqliteLedger, value: float):
    begin(ledger, "r1")
    end(ledger, "r1", metrics={"m": value})
    assert ledger.run("r1").metrics["m"] == float(value)
    ledger.verify()


def test_an_error_is_kept_even_if_it_is_no_valid_text(ledger: SqliteLedger):
    begin(ledger, "r1")
    end(ledger, "r1", Status.FAILED, error="no file \udcff, \0 and ✈")
    run = ledger.run("r1")
    assert (run.status, run.error) == (Status.FAILED, "no file ?, \0 and ✈")
    ledger.verify()


def test_a_run_starts_once_and_ends_once(ledger: SqliteLedger):
    begin(ledger, "r1")
    with pytest.raises(LedgerError, match="recorded already"):
        begin(ledger, "r1")
    with pytest.raises(LedgerError, match="cannot end as running"):
        end(ledger, "r1", Status.RUNNING)
    end(ledger, "r1", Status.REFUSED)
    with pytest.raises(LedgerError, match="has ended already"):
        end(ledger, "r1")
    with pytest.raises(NotRecorded):
        end(ledger, "r2")
    assert ledger.run("r1").status == Status.REFUSED
    assert ledger.last_event() == 2


def test_a_call_that_fails_changes_nothing(ledger: SqliteLedger):  # L5
    begin(ledger, "r1")
    with pytest.raises(TricordError, match="not a digest"):
        end(ledger, "r1", outputs={"0": artifact("a"), "1": artifact("Z")})
    with pytest.raises(TricordError, match="JSON"):
        begin(ledger, "r2", inputs={"x": artifact("a")}, params={"x": object()})
    assert ledger.artifact(Digest("a" * 64)) is None
    assert ledger.last_event() == 1


def test_runs_are_found_by_the_beginning_of_their_id(ledger: SqliteLedger):
    for run in ("01ab", "01ac", "02", "020"):
        begin(ledger, run)
    assert ledger.run("01ab").id == ledger.run("01ab"[:4]).id == "01ab"
    assert ledger.run("02").id == "02"
    with pytest.raises(NotRecorded, match=r"01ac \(train\), 01ab \(train\)"):
        ledger.run("01a")
    for absent in ("03", "01abc", "%", "0_"):
        with pytest.raises(NotRecorded, match="no run"):
            ledger.run(absent)


def test_runs_are_listed_newest_first(ledger: SqliteLedger):
    begin(ledger, "p", name="delay")
    for number in range(5):
        begin(ledger, f"s{number}", parent="p", name="even" if number % 2 == 0 else "odd")
    assert [run.id for run in ledger.runs()] == ["s4", "s3", "s2", "s1", "s0", "p"]
    assert [run.id for run in ledger.runs(parent="p", limit=2)] == ["s4", "s3"]
    assert [run.id for run in ledger.runs(name="odd")] == ["s3", "s1"]
    assert [run.id for run in ledger.runs(name="even", parent="q")] == []
    assert [run.id for run in ledger.runs(name="delay")] == ["p"]


def test_the_cache_is_the_newest_finished_run(ledger: SqliteLedger):
    assert ledger.finished("f1") is None
    for run, status in {
        "r1": Status.FINISHED,
        "r2": Status.FINISHED,
        "r3": Status.FAILED,
        "r4": Status.REFUSED,
    }.items():
        begin(ledger, run)
        end(ledger, run, status, outputs={"0": artifact("a")})
    begin(ledger, "r5")
    begin(ledger, "r6", fingerprint="f2")
    end(ledger, "r6")
    found = ledger.finished("f1")
    assert found is not None
    assert found.id == "r2"
    assert found.outputs["0"].digest == "a" * 64


def test_the_cache_is_one_look_up(ledger: SqliteLedger):
    plan = ledger._database.rows(
        """EXPLAIN QUERY PLAN SELECT run FROM run_end WHERE fingerprint = ?
           AND status = 'finished' ORDER BY seq DESC LIMIT 1""",
        "f1",
    )
    assert [row["detail"] for row in plan] == [
        "SEARCH run_end USING INDEX run_finished (fingerprint=?)"
    ]


def test_lineage_goes_both_ways(ledger: SqliteLedger):
    rows, model = artifact("a"), artifact("b", Kind.MODEL)
    begin(ledger, "split")
    end(ledger, "split", outputs={"0": rows, "1": rows})
    begin(ledger, "train", inputs={"rows": rows, "again": rows})
    end(ledger, "train", outputs={"0": model})
    begin(ledger, "other", inputs={"rows": rows})
    assert [run.id for run in ledger.producers(rows.digest)] == ["split"]
    assert [run.id for run in ledger.consumers(rows.digest)] == ["train", "other"]
    assert [run.id for run in ledger.producers(model.digest)] == ["train"]
    assert ledger.consumers(model.digest) == []


def test_an_artifact_is_recorded_once(ledger: SqliteLedger):
    first = artifact("a", rows=1)
    ledger.add_artifact(first)
    ledger.add_artifact(first)
    ledger.add_artifact(replace(first, meta={"rows": 2}))
    ledger.add_artifact(replace(first, kind=Kind.REPORT))
    assert ledger.last_event() == 2
    found = ledger.artifact(first.digest)
    assert found == first
    assert found.meta == {"rows": 1}
    ledger.add_artifact(replace(first, format="text"))
    assert ledger.last_event() == 3
    assert ledger.artifact(first.digest) == first
    report = ledger.artifact(first.digest, Kind.REPORT)
    assert report is not None
    assert report.kind == Kind.REPORT
    assert ledger.artifact(first.digest, Kind.MODEL) is None
    with pytest.raises(TricordError, match="not a digest"):
        ledger.add_artifact(replace(first, digest=Digest("abc")))


def test_a_run_keeps_the_format_that_it_wrote(ledger: SqliteLedger):
    """The text "1" and the number 1 are the same bytes, and not the same value."""
    number = Artifact(Digest("1" * 64), Kind.VALUE, "json", 1)
    text = replace(number, format="text")
    begin(ledger, "r1")
    end(ledger, "r1", outputs={"0": number, "1": text})
    assert ledger.run("r1").outputs == {"0": number, "1": text}


def test_every_act_is_an_event(ledger: SqliteLedger):
    model = artifact("b", Kind.MODEL)
    begin(ledger, "r1", params={"x": 1}, inputs={"rows": artifact("a")})
    end(ledger, "r1", outputs={"0": model}, metrics={"auc": 0.75})
    ledger.move_ref("models/m@champion", old=None, new=model.digest, actor="ann", why="first")
    alert = ledger.append_event(EventType.ALERT_RAISED, "endpoints/m", {"drift": 0.3})
    events = ledger.events()
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.type for event in events] == [
        EventType.ARTIFACT_COMMITTED,
        EventType.RUN_STARTED,
        EventType.ARTIFACT_COMMITTED,
        EventType.RUN_ENDED,
        EventType.REF_MOVED,
        EventType.ALERT_RAISED,
    ]
    assert events[3].body["status"] == "finished"
    assert events[3].body["outputs"] == [["0", model.digest, "model", "parquet"]]
    assert events[5] == alert
    assert ledger.events(after=4, limit=1) == events[4:5]
    assert ledger.events(types=[EventType.RUN_ENDED, EventType.ALERT_RAISED]) == [
        events[3],
        events[5],
    ]
    assert ledger.events(after=6) == []
    assert ledger.last_event() == 6


def test_only_the_act_itself_records_its_event(ledger: SqliteLedger):
    with pytest.raises(LedgerError, match="act itself"):
        ledger.append_event(EventType.REF_MOVED, "models/m@champion", {})
    assert ledger.last_event() == 0
