"""Compare-and-swap as a state machine: two open ledgers on one file against a plain dictionary."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.errors import RefConflict
from tricord.core.event import EventType
from tricord.ledger.sqlite import SqliteLedger

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
DIGESTS = [Digest(digit * 64) for digit in "0123"]
REFS = ["models/a@x", "models/a@y", "models/ab@x", "endpoints/ü@live"]
ref = st.sampled_from(REFS)
digest = st.sampled_from(DIGESTS)
who = st.integers(0, 1)


class Refs(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.path = Path(self.folder.name) / "ledger.sqlite"
        self.clock = FixedClock(1.0)
        self.ledgers = [SqliteLedger(self.path, self.clock) for _ in range(2)]
        for each in DIGESTS:
            self.ledgers[0].add_artifact(Artifact(each, Kind.MODEL, "onnx", 1))
        self.model: dict[str, Digest] = {}
        self.history: list[tuple[str, Digest | None, Digest | None]] = []
        self.events = len(DIGESTS)

    @rule(who=who, ref=ref, old=st.none() | digest, new=st.none() | digest)
    def try_to_move(self, who: int, ref: str, old: Digest | None, new: Digest | None) -> None:
        if old is None and new is None:
            return
        if self.model.get(ref) == old:
            self.move(who, ref, new)
        else:
            with pytest.raises(RefConflict):
                self.ledgers[who].move_ref(ref, old=old, new=new, actor="a", why="w")

    @rule(who=who, ref=ref, new=digest)
    def move(self, who: int, ref: str, new: Digest | None) -> None:
        old = self.model.get(ref)
        self.clock.time += 1
        moved = self.ledgers[who].move_ref(ref, old=old, new=new, actor="a", why="w")
        self.events += 1
        assert (moved.seq, moved.old, moved.new) == (self.events, old, new)
        self.history.append((ref, old, new))
        if new is None:
            del self.model[ref]
        else:
            self.model[ref] = new

    @rule(who=who)
    def note(self, who: int) -> None:
        event = self.ledgers[who].append_event(EventType.ALERT_RAISED, "m", {"n": self.events})
        self.events += 1
        assert event.seq == self.events

    @rule(who=who)
    def open_again(self, who: int) -> None:
        self.ledgers[who].close()
        self.ledgers[who] = SqliteLedger(self.path, self.clock)

    @invariant()
    def both_see_the_same(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        for ledger in self.ledgers:
            assert dict(ledger.refs()) == dict(sorted(self.model.items()))
            assert {name: ledger.ref(name) for name in REFS} == {
                name: self.model.get(name) for name in REFS
            }
            assert list(ledger.refs("models/a@")) == sorted(
                name for name in self.model if name.startswith("models/a@")
            )
            assert ledger.last_event() == self.events

    def teardown(self) -> None:
        if not hasattr(self, "ledgers"):
            return
        assert self.ledgers[0].verify() == self.events
        for name in REFS:
            moves = [(move.ref, move.old, move.new) for move in self.ledgers[0].moves(name)]
            assert moves == [move for move in self.history if move[0] == name]
        for ledger in self.ledgers:
            ledger.close()
        self.folder.cleanup()


TestRefs = Refs.TestCase
TestRefs.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
