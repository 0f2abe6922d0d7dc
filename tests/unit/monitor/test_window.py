"""Windows of the prediction log: one row per key, and a dataset of them."""

import pytest

from tricord.core.errors import NotRecorded
from tricord.core.event import EventType
from tricord.monitor.window import collect, window


def test_a_request_that_was_sent_again_counts_once_with_its_newest_answer(small, flights_of):
    small.start()
    rows = flights_of(20, seed=1)
    small.asked(rows, time=1000.0)
    small.asked(rows[:5], time=2000.0, hide="hour")
    small.asked(rows[5:8], time=500.0, hide="hour")  # older than what is there
    found = window(small.project, "delay")
    assert found["key"].to_list() == sorted(rows["key"].to_list())
    newest = found.filter(found["feature.hour"].is_null())["key"].to_list()
    assert sorted(newest) == sorted(rows["key"][:5].to_list())


def test_a_window_takes_only_the_keys_and_the_time_that_it_is_asked_for(small, flights_of):
    small.start()
    rows = flights_of(20, seed=1)
    small.asked(rows[:10], time=1000.0)
    small.asked(rows[10:], time=2000.0)
    assert window(small.project, "delay", since=2000.0).height == 10
    keys = rows["key"][8:12].to_list()
    assert sorted(window(small.project, "delay", keys=keys)["key"].to_list()) == sorted(keys)
    with pytest.raises(NotRecorded, match="nothing"):
        window(small.project, "delay", since=2000.5)
    with pytest.raises(NotRecorded, match="tricord serve other"):
        window(small.project, "other")


def test_a_collected_window_is_a_dataset_version_and_an_event(small, flights_of):
    small.start()
    small.asked(flights_of(20, seed=1))
    rows = window(small.project, "delay")
    artifact = collect(small.project, "delay", rows)
    assert small.project.load("datasets/delay-predictions@latest").equals(rows)
    (event,) = small.project.ledger.events(types=(EventType.LOG_COLLECTED,))
    assert event.body == {"dataset": artifact.digest, "rows": 20}
    assert collect(small.project, "delay", rows).digest == artifact.digest
    assert len(small.project.ledger.moves("datasets/delay-predictions@latest")) == 1
