"""The nouns: what they refuse, and that records survive a round trip."""

import json
import math
import pickle

import pytest

from tricord.core import canonical
from tricord.core.artifact import Digest, parse_digest
from tricord.core.clock import FixedClock, new_id
from tricord.core.errors import PointerConflict, RefConflict, StepFailed, TricordError
from tricord.core.ref import parse_ref
from tricord.core.release import Release
from tricord.core.verdict import Action, Check, Outcome, Verdict

DIGEST = Digest("ab" * 32)


def test_verdict_is_as_bad_as_its_worst_check() -> None:
    good, bad = (
        Check("a", Outcome.PASS, "fine"),
        Check("b", Outcome.FAIL, "broken", action=Action.RETRAIN),
    )
    unsure = Check("c", Outcome.UNDECIDED, "too few rows")
    assert Verdict("x", "q", (good,)).passed
    assert Verdict("x", "q", (good, Check("w", Outcome.WARN, "look"))).passed
    assert not Verdict("x", "q", (good, unsure)).passed
    assert Verdict("x", "q", (unsure, bad, good)).outcome == Outcome.FAIL
    assert Verdict("x", "q", (bad,)).asks(Action.RETRAIN)
    assert not Verdict("x", "q", (bad,)).asks(Action.STOP)


def test_a_verdict_without_checks_lets_nothing_by() -> None:
    assert Verdict("x", "q", ()).outcome == Outcome.UNDECIDED
    assert not Verdict("x", "q", ()).passed


def test_records_survive_json() -> None:
    check = Check("auc", Outcome.WARN, "low", interval=(0.1, 0.2), level=0.95, evidence={"rows": 3})
    verdict = Verdict("model", "gate", (check,), {"auc": 0.5})
    assert Verdict.from_json(json.loads(canonical.encode(verdict.to_json()))) == verdict
    release = Release("delay", DIGEST, "code", "env", data={"flights": DIGEST}, verdicts=(DIGEST,))
    assert Release.from_json(json.loads(canonical.encode(release.to_json()))) == release


def test_records_of_another_version_are_refused() -> None:
    with pytest.raises(TricordError, match="version 1"):
        Verdict.from_json({"tricord": "verdict/9"})
    with pytest.raises(TricordError, match="version 1"):
        Release.from_json({"name": "x"})


@pytest.mark.parametrize(
    "text", ["", "models/x", "model/x@y", "models/@y", "models/x@", "a b/c@d", "models/x@y/../z"]
)
def test_what_is_no_ref_is_refused(text: str) -> None:
    with pytest.raises(TricordError, match="not a ref"):
        parse_ref(text)


@pytest.mark.parametrize("text", ["", "AB" * 32, "ab" * 31, "../" + "a" * 61, "ab" * 32 + "\n"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(TricordError, match="not a digest"):
        parse_digest(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": object()}, {1, 2}])
def test_canonical_refuses_what_json_has_not(value: object) -> None:
    with pytest.raises(TricordError):
        canonical.encode(value)  # type: ignore[arg-type]


def test_ids_sort_by_time() -> None:
    clock = FixedClock(1.0)
    first = new_id(clock)
    clock.time = 2.0
    assert first < new_id(clock)
    assert len({new_id(clock) for _ in range(1000)}) == 1000


def test_errors_keep_what_they_say_between_processes() -> None:
    for cls in (StepFailed, RefConflict):
        error = pickle.loads(pickle.dumps(cls("what", where="where", hint="hint")))
        assert (type(error), error.what, error.where, error.hint) == (cls, "what", "where", "hint")
    conflict = PointerConflict("what", name="flights", where="where", hint="hint")
    again = pickle.loads(pickle.dumps(conflict))
    assert (type(again), again.name, str(again)) == (PointerConflict, "flights", str(conflict))
