"""Raw file → prediction → drift → retraining: the flights example from January to August, as it is shipped."""

import json
import re
import subprocess
import sys

import pytest

from tricord.core.event import EventType
from tricord.core.release import Release
from tricord.monitor.trace import trace
from tricord.serving.log import folder_of, read_segments

BROKEN, SHUFFLED, STALE = 4, 6, 7
FETCHED = re.compile(
    r"""(?:<link|<iframe|<script[^>]+src|<img[^>]+src=["']?(?!data:)|@import|url\(["']?(?!data:))""",
    re.IGNORECASE,
)
"""What would make a browser ask for something that is not in the page."""


def codes(entry: dict) -> dict[tuple[str, str | None], dict]:
    """The checks of an entry's verdict that failed, by code and path."""
    checks = entry["verdict"]["checks"]
    return {(c["code"], c["path"]): c for c in checks if c["outcome"] == "fail"}


def test_the_accidents_are_in_the_months_that_the_example_says(played) -> None:
    source = (played.project.root / "month.py").read_text(encoding="utf-8")
    for name, month in (("BROKEN", BROKEN), ("SHUFFLED", SHUFFLED), ("STALE", STALE)):
        assert re.search(rf"^{name} = {month}$", source, re.MULTILINE)


def test_a_broken_delivery_stops_at_its_schema(played) -> None:
    entry = next(e for e in played.story(BROKEN) if "stopped at the schema" in e["text"])
    failed = codes(entry)
    messages = " ".join(check["message"] for check in failed.values())
    assert "'carrier' is missing; 'airline' looks like it, renamed" in messages
    for column in ("dep_time", "arr_time", "sched_dep_time", "sched_arr_time"):
        assert f"column '{column}' has" in messages
    assert entry["accident"]
    ingests = played.project.ledger.runs(name="ingest", limit=100)
    assert [str(run.status) for run in ingests].count("refused") == 1
    assert played.months[BROKEN]["flights"] > 3000, "the corrected delivery came in"


def test_a_candidate_of_shuffled_labels_is_refused_and_the_champion_stays(played) -> None:
    entry = next(e for e in played.story(SHUFFLED) if "shuffled labels" in e["text"])
    assert ("auc-worse", "auc") in codes(entry)
    (run,) = [
        run
        for run in played.project.ledger.runs(name="delay", limit=100)
        if run.params["shuffle_labels"]
    ]
    assert run.status == "refused"
    shuffled = {artifact.digest for artifact in run.outputs.values()}
    for ref in ("models/delay@champion", "releases/delay@latest"):
        moves = played.project.ledger.moves(ref)
        assert not [move for move in moves if run.started <= move.when <= (run.ended or 0)]
        assert not shuffled & {move.new for move in moves if "release" in move.why}


def test_a_release_with_stale_features_is_rolled_back_by_its_canary(played) -> None:
    month = STALE + 1
    assert played.months[month]["decision"].split(", ")[0] == "rolled back"
    entry = next(e for e in played.story(month) if "rolled back" in e["text"])
    skewed = {path: check for (code, path), check in codes(entry).items() if code == "feature-skew"}
    for column in ("temp", "origin_delay", "carrier_late"):
        evidence = skewed[f"feature.{column}"]["evidence"]
        assert evidence["null_share"] > 0.9, column
        assert evidence["live_null_share"] < 0.5, column
    ledger = played.project.ledger
    assert played.months[month]["release"] == played.months[STALE]["release"]
    for ref in ("releases/delay@latest", "models/delay@champion"):
        back = ledger.moves(ref)[-1]
        assert back.verdict is not None
        assert back.new == [move.new for move in ledger.moves(ref)][-3]
    live = played.months[month]["release"]
    assert ledger.ref("releases/delay@latest") == live
    assert ledger.ref("models/delay@champion") == played.project.load(live, Release).model


def test_monitoring_retrains_and_what_it_made_goes_live(played) -> None:
    ledger = played.project.ledger
    alerts = {event.seq: event for event in ledger.events(types=(EventType.ALERT_RAISED,))}
    fired = ledger.events(types=(EventType.TRIGGER_FIRED,))
    answered = [event for event in fired if event.body["event"] is not None]
    assert answered
    for event in answered:
        cause = alerts[event.body["event"]]
        assert cause.seq < event.seq
        assert "retrain" in cause.body["actions"]
    assert len({event.body["event"] for event in answered}) == len(answered), "once per alert"
    promoted = [m for m in played.months.values() if "promoted" in m["decision"]]
    assert promoted
    releases = [m["release"] for m in played.months.values()]
    assert len(set(releases)) == 1 + len(promoted)


def test_quality_is_what_a_model_without_leakage_has(played) -> None:
    served = [m for m in played.months.values() if "auc" in m]
    assert len(served) == len(played.months) - 1
    for month in served:
        low, high = month["auc_interval"]
        assert low < month["auc"] < high
        assert 0.55 < month["auc"] < 0.85, month
    assert 0.6 < sum(m["auc"] for m in served) / len(served) < 0.8
    frozen = sum(m["auc_never_retrained"] for m in served) / len(served)
    assert sum(m["auc"] for m in served) / len(served) > frozen, "retraining is worth it"


def test_every_request_is_answered_and_logged(played) -> None:
    served = [m for m in played.months.values() if "requests" in m]
    asked = sum(m["requests"] for m in served)
    assert asked == 900 * len(served)
    log = read_segments(folder_of(played.project.folder, "delay"))
    assert log.height == asked
    assert log["prediction_id"].n_unique() == asked
    assert log["error"].null_count() == asked
    assert log["score"].is_between(0, 1).all()


def test_store_and_ledger_are_whole(played) -> None:
    assert played.project.ledger.verify() > 0
    assert list(played.project.store.verify()) == []
    guarded = [
        ref
        for room in ("models/", "releases/", "endpoints/")
        for ref in played.project.ledger.refs(room)
    ]
    assert len(guarded) == 3
    for ref in guarded:
        for move in played.project.ledger.moves(ref):
            assert move.verdict is not None, f"{ref} moved without a verdict: {move.why}"


@pytest.mark.parametrize("month", [2, STALE + 1])
def test_every_prediction_can_be_answered_for(played, month: int) -> None:
    prediction = played.months[month]["prediction"]
    words = ["why", prediction, "--project", str(played.project.root)]
    done = subprocess.run(
        [sys.executable, "-m", "tricord", *words, "--json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=played.project.root, capture_output=True, text=True
    ).stdout.strip()
    assert answer["code"]["commit"] == commit
    versions = {data["name"]: data["version"] for data in answer["data"]}
    assert versions.keys() == {"flights", "weather", "planes"}
    assert versions["planes"] == 1
    assert versions["flights"] >= 1
    drawn = subprocess.run(
        [sys.executable, "-m", "tricord", *words], capture_output=True, text=True
    )
    assert drawn.returncode == 0
    for text in (commit[:7], f"flights v{versions['flights']}", "delivery of 2013-"):
        assert text in drawn.stdout
    found = trace(played.project, prediction)
    assert found.gate is not None
    assert found.gate.passed
    # each view stood, when the request came, where the log's features were looked up
    assert found.timelines.keys() == found.release.features.keys()
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in found.timelines.values())


def test_the_report_needs_nothing_else(played) -> None:
    report = played.project.folder / "reports" / "flights.html"
    assert played.answer["report"] == str(report)
    page = report.read_text(encoding="utf-8")
    assert FETCHED.findall(page) == []
    for month in played.months.values():
        assert month["month"] in page
    assert "airline" in page


def test_a_second_run_answers_from_the_cache(played, playing) -> None:
    events = played.project.ledger.last_event()
    again = playing(played.project.root, len(played.months))
    assert again.answer["cached"] == len(played.months)
    assert again.answer["digest"] == played.answer["digest"]
    assert again.answer["months"] == played.answer["months"]
    assert again.seconds < played.seconds / 3
    assert again.project.ledger.last_event() == events, "nothing was done again"
    again.project.close()


def test_the_same_code_and_data_come_to_the_same_digests_elsewhere(
    played, shortened, playing, another
) -> None:
    months = len(shortened["months"])
    fresh = playing(another, months)
    assert fresh.answer["cached"] == 0
    for here, there in zip(played.answer["months"], fresh.answer["months"], strict=False):
        assert {**here, "prediction": 0} == {**there, "prediction": 0}
    assert fresh.answer["digest"] == shortened["digest"]
    for month in range(1, months + 1):
        release = fresh.months[month]["release"]
        assert fresh.project.load(release, Release) == played.project.load(release, Release)
    fresh.project.close()
