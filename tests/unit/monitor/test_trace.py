"""From one prediction back to everything that it came from."""

from time import time

import pytest

from tricord.core.errors import NotRecorded
from tricord.monitor.trace import trace
from tricord.monitor.window import window
from tricord.rollout import canary


def test_a_prediction_leads_to_its_release_gate_run_and_data(small, flights_of) -> None:
    small.start()
    small.asked(flights_of(3, seed=1), arm="canary", time=time())
    canary.abort(small.project, "delay", why="enough seen")
    # the same plan again: the prediction was made under its first move
    canary.start(small.project, "delay", small.releases[1], weight=0.5)
    prediction = window(small.project, "delay")["prediction_id"][0]
    found = trace(small.project, prediction)
    assert [row["prediction_id"] for row in found.rows] == [prediction]
    assert found.release_digest == small.releases[1].digest
    assert found.plan_move is not None
    assert found.plan_move.why == "canary at 50%"
    assert found.plan_move.when <= found.rows[0]["time"]
    assert found.gate is not None
    assert found.gate.passed
    assert (found.run.name, found.run.outputs["result"]) == ("export", found.model)
    assert found.pipeline is not None
    assert found.pipeline.params["iterations"] == 12
    (data,) = found.data
    assert (data.name, data.number) == ("flights", 1)
    assert data.digest == small.project.ledger.ref("datasets/flights@latest")


def test_an_unknown_prediction_is_named(small) -> None:
    with pytest.raises(NotRecorded, match="no prediction"):
        trace(small.project, f"{'0' * 26}-1")
