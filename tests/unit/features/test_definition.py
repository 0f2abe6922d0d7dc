import json

import pytest

from tricord.core import canonical
from tricord.core.errors import PlanError
from tricord.features.definition import FeatureSet, View

VIEW = View("weather", ("origin",), "seen_at", ("temp", "rain"), ttl=3 * 3600)
FEATURES = FeatureSet("delay", "at", {"z": "hhmm + 1", "a": "carrier"}, (VIEW,))


def test_columns_keep_their_order_through_json():
    data = json.loads(canonical.encode(FEATURES.to_json()))
    again = FeatureSet.from_json(data)
    assert again == FEATURES
    assert again.columns == ("z", "a", "temp", "rain")
    assert canonical.encode(again.to_json()) == canonical.encode(FEATURES.to_json())


def test_an_integer_ttl_and_a_float_one_are_the_same_definition():
    whole = View("v", ("e",), "t", ("f",), ttl=60)
    real = View("v", ("e",), "t", ("f",), ttl=60.0)
    assert canonical.encode(whole.to_json()) == canonical.encode(real.to_json())
    assert whole.ttl_micros == 60_000_000


def test_what_a_request_needs():
    assert FEATURES.needs == ("at", "hhmm", "carrier", "origin")


def test_a_view_by_name():
    assert FEATURES.view("weather") is VIEW
    with pytest.raises(PlanError, match="no view 'wether'"):
        FEATURES.view("wether")


@pytest.mark.parametrize("ttl", [0, -1.0, float("inf"), float("nan"), 1e13])
def test_a_ttl_is_some_seconds(ttl):
    with pytest.raises(PlanError, match="ttl must be"):
        View("v", ("e",), "t", ("f",), ttl=ttl)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", ("e",), "t", ("f",)), "needs a name"),
        (("v", (), "t", ("f",)), "entity needs at least one name"),
        (("v", ("e",), "t", ()), "features needs at least one name"),
        (("v", ("e",), "t", ("",)), "none may be empty"),
        (("v", "origin", "t", ("f",)), "must be a tuple of names"),
        (("v", ("e", "e"), "t", ("f",)), "stands twice"),
        (("v", ("e",), "t", ("f", "f")), "stands twice"),
        (("v", ("e",), "", ("f",)), "time column"),
    ],
)
def test_a_view_that_means_nothing(arguments, message):
    with pytest.raises(PlanError, match=message):
        View(*arguments, ttl=60.0)


@pytest.mark.parametrize(
    ("request_", "views", "message"),
    [
        ({}, (), "there is no feature"),
        ({"temp": "x"}, (VIEW,), "'temp' stands twice"),
        ({"a": "x"}, (VIEW, VIEW), "'weather' stands twice"),
        ({"at": "x"}, (VIEW,), "overwrite the decision instant"),
        ({"a": "temp"}, (VIEW,), "brings temp, which is a column of the request"),
    ],
)
def test_a_feature_set_that_means_nothing(request_, views, message):
    with pytest.raises(PlanError, match=message):
        FeatureSet("delay", "at", request_, views)


def test_the_instant_may_be_a_feature_as_it_is():
    assert FeatureSet("delay", "at", {"at": "at"}, ()).columns == ("at",)


def test_it_cannot_be_changed_from_outside():
    request = {"a": "x"}
    features = FeatureSet("delay", "at", request, ())
    request["b"] = "y"
    assert features.columns == ("a",)


@pytest.mark.parametrize(
    "data",
    [{}, {"tricord": "features/2"}, {"tricord": "features/1", "name": "f"}],
)
def test_other_json_is_refused(data):
    with pytest.raises(PlanError, match="not a"):
        FeatureSet.from_json(data)


GOLDEN = (
    '{"name":"delay","request":[["z","hhmm + 1"],["a","carrier"]],"time":"at",'
    '"tricord":"features/1","views":[{"entity":["origin"],"features":["temp","rain"],'
    '"name":"weather","time":"seen_at","ttl":10800.0}]}'
)


def test_the_stored_form_stays_readable():
    """Written by the first release; every later one must read it, and write it no other way."""
    assert canonical.encode(FEATURES.to_json()).decode() == GOLDEN
    assert FeatureSet.from_json(json.loads(GOLDEN)) == FEATURES
