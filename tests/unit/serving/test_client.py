"""The client against a real server: answers, arms by key, what it waits for, and whose fault an error is."""

import socket
import time
from datetime import datetime, timedelta, timezone

import polars as pl
import pytest

from tricord.core.errors import BadRequest, NotReady, ServingError
from tricord.serving.client import Client, _sent

ROW = {"origin": "EWR", "hour": 7, "wind": 1.5}


@pytest.fixture
def asking(site, serving):
    """A site with one release live, and a client of its server."""
    site.go(1.0)
    with serving(site.project) as server:
        client = Client(server.url, "delay")
        yield site, client
        client.close()


def test_a_prediction_is_the_models_own(asking) -> None:
    site, client = asking
    score, answer = client.predict(ROW, key="a")
    (expected,) = site.models[0].predict(pl.DataFrame([ROW]))
    assert score == expected
    assert (answer["release"], answer["arm"]) == (site.releases[0], "live")
    assert answer["prediction_id"] != client.predict(ROW, key="a")[1]["prediction_id"]


def test_a_missing_value_is_sent_as_one(asking) -> None:
    site, client = asking
    row = {**ROW, "wind": None}
    score, _ = client.predict(row, key="a")
    frame = pl.DataFrame([row], schema_overrides={"wind": pl.Float64})
    assert score == site.models[0].predict(frame)[0]


def test_the_key_decides_which_arm_answers(asking) -> None:
    site, client = asking
    plan = site.go(0.5, 0.5)
    client.wait_for(plan, seconds=120)
    arms = {key: client.predict(ROW, key=key)[1]["arm"] for key in map(str, range(40))}
    assert set(arms.values()) == {"live", "canary"}
    assert arms == {key: client.predict(ROW, key=key)[1]["arm"] for key in arms}


def test_metadata_names_inputs_and_plan(asking) -> None:
    _, client = asking
    found = client.metadata()
    assert [field["name"] for field in found["inputs"]] == list(ROW)
    assert found["parameters"]["plan"]


def test_waiting_for_a_plan_that_does_not_come_says_so(asking) -> None:
    _, client = asking
    with pytest.raises(ServingError, match="did not take up the plan 000000000000"):
        client.wait_for("0" * 64, seconds=0.1)


def test_a_wrong_request_is_the_clients_fault_and_the_connection_lives_on(asking) -> None:
    _, client = asking
    with pytest.raises(BadRequest, match="400"):
        client.predict({**ROW, "hour": "noon"}, key="a")
    with pytest.raises(BadRequest):
        client.predict({"origin": "EWR"}, key="a")
    assert 0 < client.predict(ROW, key="a")[0] < 1


def test_another_endpoint_is_not_served_here(asking, serving) -> None:
    _, client = asking
    other = Client(client._url, "other")
    with pytest.raises(ServingError, match="404"):
        other.metadata()
    other.close()


def test_before_the_first_plan_the_server_is_not_ready(site, serving) -> None:
    with serving(site.project) as server:
        client = Client(server.url, "delay")
        with pytest.raises(NotReady, match="503"):
            client.metadata()
        plan = site.go(1.0)
        client.wait_for(plan, seconds=120)
        assert 0 < client.predict(ROW, key="a")[0] < 1
        client.close()


def test_a_server_that_is_gone_is_named(site, serving) -> None:
    with socket.socket() as held:  # nobody else gets its number, and nobody listens
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        client = Client(url, "delay", timeout=2)
        with pytest.raises(ServingError, match="no answer") as caught:
            client.predict(ROW, key="a")
        assert caught.value.where == url
        client.close()


def test_instants_are_sent_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    summer = datetime(2013, 7, 1, 6, 30, tzinfo=timezone(timedelta(hours=-4)))
    without_zone = summer.replace(tzinfo=None)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        sent = [_sent(value) for value in (summer, without_zone, "JFK")]
    time.tzset()
    assert sent == ["2013-07-01T10:30:00.000000Z", "2013-07-01T06:30:00.000000Z", "JFK"]
