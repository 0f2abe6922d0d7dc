"""Routing: shares are the weights, keys stay, and an arm that grows only takes."""

from math import sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.core.artifact import Digest
from tricord.serving.plan import Arm, RoutingPlan

KEYS = [f"flight {number}" for number in range(4000)]


def plan(weights: list[float], salt: str) -> RoutingPlan:
    arms = (Arm(Digest(f"{i:064x}"), w, f"arm {i}") for i, w in enumerate(weights))
    return RoutingPlan("delay", tuple(arms), salt)


def weights_of(parts: list[int]) -> list[float]:
    return [part / sum(parts) for part in parts]


parts = st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any)


@settings(deadline=None, max_examples=40)
@given(parts=parts, salt=st.text(max_size=8))
def test_shares_are_the_weights(parts: list[int], salt: str) -> None:
    weights = weights_of(parts)
    routed = [plan(weights, salt).route(key).name for key in KEYS]
    for index, weight in enumerate(weights):
        deviation = sqrt(weight * (1 - weight) / len(KEYS))
        assert abs(routed.count(f"arm {index}") / len(KEYS) - weight) <= 6 * deviation + 5 / len(
            KEYS
        )


@settings(deadline=None)
@given(parts=parts, data=st.data(), salt=st.text(max_size=8))
def test_an_arm_that_grows_only_takes(parts: list[int], data: st.DataObject, salt: str) -> None:
    grown = data.draw(st.integers(0, len(parts) - 1))
    before, after = plan(weights_of(parts), salt), list(parts)
    after[grown] += data.draw(st.integers(0, 300))
    later = plan(weights_of(after), salt)
    for key in KEYS[:300]:
        old, new = before.route(key), later.route(key)
        assert new.name in (old.name, f"arm {grown}")


@given(key=st.text(), salt=st.text())
def test_a_plan_read_back_routes_the_same(key: str, salt: str) -> None:
    made = plan([0.5, 0.25, 0.25], salt)
    assert RoutingPlan.from_json(made.to_json()).route(key) == made.route(key)
