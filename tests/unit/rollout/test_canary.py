"""A canary from its start to its end: refs move only past verdicts, and go back where they stood."""

import pytest

from tricord.core.artifact import Kind
from tricord.core.errors import NotRecorded, Refused
from tricord.core.release import Release
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.project.project import Project
from tricord.rollout import canary

LIVE = "endpoints/delay@live"


def test_the_first_release_has_all_traffic_past_its_gate(small) -> None:
    plan = canary.start(small.project, "delay", small.releases[0])
    assert [(arm.name, arm.weight, arm.release) for arm in plan.arms] == [
        ("live", 1.0, small.releases[0].digest)
    ]
    (move,) = small.project.ledger.moves(LIVE)
    gate = small.project.load(small.releases[0], Release).verdicts[0]
    assert move.verdict == gate
    assert small.project.load(gate, Verdict).passed


def test_a_canary_goes_from_share_to_share_to_all(small) -> None:
    small.start(weight=0.1)
    now = canary.state(small.project, "delay")
    assert now is not None
    assert (now.live.weight, now.live.release) == (0.9, small.releases[0].digest)
    assert now.canary is not None
    assert (now.canary.weight, now.canary.release) == (0.1, small.releases[1].digest)
    good = small.project.put(Verdict("canary", "q", (Check("a", Outcome.PASS, "fine"),)))
    canary.advance(small.project, "delay", small.releases[1], weight=0.5, verdict=good)
    plan = canary.promote(small.project, "delay", good, why="it passed")
    assert [(arm.name, arm.weight, arm.release) for arm in plan.arms] == [
        ("live", 1.0, small.releases[1].digest)
    ]
    moves = small.project.ledger.moves(LIVE)
    assert [move.verdict for move in moves[-2:]] == [good.digest] * 2
    assert all(move.verdict for move in moves), "no move without a verdict"
    salts = {small.project.load(str(move.new), canary.RoutingPlan).salt for move in moves[1:]}
    assert len(salts) == 1, "a key that has seen the canary keeps it"


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.UNDECIDED])
def test_nothing_moves_past_a_verdict_that_did_not_pass(small, outcome: Outcome) -> None:
    small.start()
    before = small.refs()
    bad = small.project.put(Verdict("canary", "q", (Check("a", outcome, "not so"),)))
    with pytest.raises(Refused, match="not so"):
        canary.promote(small.project, "delay", bad)
    with pytest.raises(Refused, match="not so"):
        canary.advance(small.project, "delay", small.releases[1], weight=0.9, verdict=bad)
    assert small.refs() == before


def test_a_promotion_without_a_verdict_is_signed_for(small) -> None:
    small.start()
    canary.promote(small.project, "delay", None, why="urgent", signed=True)
    move = small.project.ledger.moves(LIVE)[-1]
    assert move.verdict is None
    assert move.why == "urgent (signed for by tester)"


def test_one_rollout_at_a_time_and_never_what_is_served_already(small) -> None:
    canary.start(small.project, "delay", small.releases[0])
    with pytest.raises(Refused, match="already"):
        canary.start(small.project, "delay", small.releases[0])
    canary.start(small.project, "delay", small.releases[1])
    before = small.refs()
    with pytest.raises(Refused, match="under way"):
        canary.start(small.project, "delay", small.releases[1])
    assert small.refs() == before


def test_an_abort_puts_the_endpoint_the_champion_and_latest_back(small) -> None:
    canary.start(small.project, "delay", small.releases[0])
    alone = small.project.ledger.ref(LIVE)
    canary.start(small.project, "delay", small.releases[1])
    bad = small.project.put(Verdict("canary", "q", (Check("a", Outcome.FAIL, "stale"),)))
    plan = canary.abort(small.project, "delay", bad, why="stale")
    first = small.project.load(small.releases[0], Release)
    assert [arm.release for arm in plan.arms] == [small.releases[0].digest]
    assert small.refs() == {
        LIVE: alone,
        "models/delay@champion": first.model,
        "releases/delay@latest": small.releases[0].digest,
    }
    for ref in small.refs():
        assert small.project.ledger.moves(ref)[-1].verdict == bad.digest


def test_a_rollback_goes_to_the_last_release_that_had_all_traffic(small) -> None:
    with pytest.raises(NotRecorded, match="no endpoint"):
        canary.rollback(small.project, "delay", why="x")
    canary.start(small.project, "delay", small.releases[0])
    with pytest.raises(Refused, match="nothing else before"):
        canary.rollback(small.project, "delay", why="x")
    before = small.project.ledger.ref(LIVE)
    canary.start(small.project, "delay", small.releases[1])
    canary.promote(small.project, "delay", None, signed=True)
    plan = canary.rollback(small.project, "delay", why="complaints")
    assert plan.arms[0].release == small.releases[0].digest
    assert small.project.ledger.ref(LIVE) == before
    assert small.project.ledger.ref("releases/delay@latest") == small.releases[0].digest
    assert small.project.ledger.moves(LIVE)[-1].why == "complaints"


def test_a_rollback_while_a_canary_is_under_way_takes_it_out(small) -> None:
    small.start()
    plan = canary.rollback(small.project, "delay", why="no")
    assert [arm.release for arm in plan.arms] == [small.releases[0].digest]
    assert small.project.ledger.ref("releases/delay@latest") == small.releases[0].digest


def test_what_was_released_since_is_not_withdrawn(small) -> None:
    small.start()
    newer = small.project.put({"another": "model"}, kind=Kind.MODEL)
    small.project.move("models/delay@champion", newer.digest, why="since", signed=True)
    canary.abort(small.project, "delay", why="no")
    assert small.project.ledger.ref("models/delay@champion") == newer.digest
    assert small.project.ledger.ref("releases/delay@latest") == small.releases[0].digest


def test_a_canary_that_sees_the_same_as_live_passes(small, flights_of) -> None:
    small.start()
    small.asked(flights_of(200, seed=1))
    small.asked(flights_of(200, seed=2), arm="canary")
    kept, verdict = canary.judge(small.project, "delay", minimum_rows=100)
    assert verdict.passed, verdict.summary()
    assert verdict.evidence["rows"] == 200
    canary.promote(small.project, "delay", kept)


def test_a_canary_that_misses_a_feature_fails_with_its_name(small, flights_of) -> None:
    small.start()
    small.asked(flights_of(200, seed=1))
    small.asked(flights_of(200, seed=2), arm="canary", hide="hour")
    _, verdict = canary.judge(small.project, "delay", minimum_rows=100)
    (failed,) = verdict.having(Outcome.FAIL)
    assert failed.path == "feature.hour"
    assert failed.evidence["null_share"] == 1.0
    assert failed.evidence["live_null_share"] == 0.0


def test_only_the_traffic_of_the_plan_of_now_counts(small, flights_of) -> None:
    small.start(weight=0.2)
    small.asked(flights_of(300, seed=1))
    small.asked(flights_of(300, seed=2), arm="canary", hide="hour")
    canary.advance(small.project, "delay", small.releases[1], weight=0.5)
    small.asked(flights_of(40, seed=3))
    small.asked(flights_of(40, seed=4), arm="canary")
    _, verdict = canary.judge(small.project, "delay", minimum_rows=100)
    assert verdict.outcome == Outcome.UNDECIDED
    assert (verdict.evidence["rows"], verdict.evidence["live_rows"]) == (40, 40)


def test_without_a_rollout_there_is_nothing_to_judge(project: Project) -> None:
    with pytest.raises(NotRecorded, match="no endpoint"):
        canary.judge(project, "delay")
    assert canary.state(project, "delay") is None


def test_going_back_twice_does_not_bring_the_bad_release_back(small) -> None:
    small.start()
    canary.promote(small.project, "delay", None, why="urgent", signed=True)
    plan = canary.rollback(small.project, "delay", why="it was bad")
    assert plan.arms[0].release == small.releases[0].digest
    before = small.refs()
    with pytest.raises(Refused, match="has served nothing else before"):
        canary.rollback(small.project, "delay", why="once more")
    assert small.refs() == before


def test_a_verdict_about_another_plan_promotes_nothing(small) -> None:
    small.start(weight=0.1)
    about = {"plan": small.project.ledger.ref(LIVE)}
    good = small.project.put(
        Verdict("canary", "q", (Check("a", Outcome.PASS, "fine"),), evidence=about)
    )
    canary.advance(small.project, "delay", small.releases[1], weight=0.5)
    with pytest.raises(Refused, match="not about the plan that stands"):
        canary.promote(small.project, "delay", good)


def test_who_is_asked_does_not_depend_on_who_committed(small) -> None:
    small.start()
    now = canary.state(small.project, "delay")
    assert now is not None
    assert now.plan.salt == small.project.load(small.releases[1], Release).model


@pytest.mark.parametrize("promoted", [False, True])
def test_going_back_can_be_killed_half_way_and_done_again(
    small, promoted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.start()
    if promoted:
        canary.promote(small.project, "delay", None, why="urgent", signed=True)
    back = Project.roll_back

    def dies(self: Project, ref: str, **rest: object) -> object:
        if ref == LIVE:
            raise KeyboardInterrupt
        return back(self, ref, **rest)

    monkeypatch.setattr(Project, "roll_back", dies)
    with pytest.raises(KeyboardInterrupt):
        canary.rollback(small.project, "delay", why="it is bad")
    monkeypatch.undo()
    plan = canary.rollback(small.project, "delay", why="it is bad")
    first = small.releases[0].digest
    assert plan.arms[0].release == first
    assert small.project.ledger.ref("releases/delay@latest") == first
    champion = small.project.ledger.ref("models/delay@champion")
    assert champion == small.project.load(first, Release).model


def test_a_failure_counts_however_often_it_was_tried_again(small, flights_of) -> None:
    small.start()
    small.asked(flights_of(400, seed=1))
    rows = flights_of(400, seed=2)
    small.asked(rows, arm="canary", time=1000.0, error="boom")
    small.asked(rows, arm="canary", time=1001.0)
    _, verdict = canary.judge(small.project, "delay")
    assert verdict.outcome == Outcome.FAIL
    assert any("error" in check.name for check in verdict.having(Outcome.FAIL))
