"""Refs: compare-and-swap, and a fact for each move (L6, L7)."""

import pytest

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.errors import LedgerError, NotRecorded, RefConflict, TricordError
from tricord.core.ref import Move
from tricord.ledger.sqlite import SqliteLedger

REF = "models/delay@champion"
A, B, V = (Digest(digit * 64) for digit in "abf")


@pytest.fixture(autouse=True)
def recorded(ledger: SqliteLedger) -> None:
    for digest in (A, B):
        ledger.add_artifact(Artifact(digest, Kind.MODEL, "onnx", 1))
    ledger.add_artifact(Artifact(V, Kind.VERDICT, "json", 1))


def test_a_ref_is_made_moved_and_deleted(ledger: SqliteLedger, clock: FixedClock):
    assert ledger.ref(REF) is None
    first = ledger.move_ref(REF, old=None, new=A, actor="ann", why="first", verdict=V)
    assert first == Move(REF, None, A, "ann", 1000.0, "first", V, 4)
    assert ledger.ref(REF) == A
    clock.time = 1001.0
    second = ledger.move_ref(REF, old=A, new=B, actor="bob", why="better")
    third = ledger.move_ref(REF, old=B, new=None, actor="bob", why="gone")
    assert ledger.ref(REF) is None
    assert ledger.refs() == {}
    again = ledger.move_ref(REF, old=None, new=A, actor="bob", why="back")
    assert ledger.moves(REF) == [first, second, third, again]
    assert ledger.verify() == 7


def test_a_conflict_says_where_the_ref_stands_and_changes_nothing(ledger: SqliteLedger):
    with pytest.raises(RefConflict, match=f"stands at nothing, not at {'a' * 12}"):
        ledger.move_ref(REF, old=A, new=B, actor="ann", why="?")
    ledger.move_ref(REF, old=None, new=A, actor="ann", why="first")
    with pytest.raises(RefConflict, match=f"{REF} stands at {'a' * 12}, not at nothing"):
        ledger.move_ref(REF, old=None, new=B, actor="bob", why="first")
    assert ledger.ref(REF) == A
    assert ledger.last_event() == 4


def test_refs_are_listed_by_prefix(ledger: SqliteLedger):
    names = ["models/delay@a", "models/delay@b", "models/other@a", "datasets/delay@a"]
    for name in names:
        ledger.move_ref(name, old=None, new=A, actor="ann", why="")
    ledger.move_ref(names[0], old=A, new=B, actor="ann", why="")
    ledger.move_ref(names[1], old=A, new=None, actor="ann", why="")
    assert ledger.refs() == {names[3]: A, names[0]: B, names[2]: A}
    assert list(ledger.refs("models/")) == [names[0], names[2]]
    assert list(ledger.refs("models/delay@")) == [names[0]]
    assert ledger.refs("models/%") == {}


def test_only_refs_move_and_only_to_what_is_recorded(ledger: SqliteLedger):
    with pytest.raises(TricordError, match="not a ref"):
        ledger.move_ref("delay", old=None, new=A, actor="ann", why="")
    with pytest.raises(LedgerError, match="nowhere"):
        ledger.move_ref(REF, old=None, new=None, actor="ann", why="")
    for unknown in ({"new": Digest("0" * 64)}, {"new": A, "verdict": Digest("0" * 64)}):
        with pytest.raises(NotRecorded, match="no artifact 000000000000"):
            ledger.move_ref(REF, old=None, actor="ann", why="", **unknown)
    assert ledger.last_event() == 3
