"""A routing plan is checked when it is made, and comes back as it was."""

import pytest

from tricord.core.artifact import Digest, Kind
from tricord.core.errors import ServingError, TricordError
from tricord.serving.plan import Arm, RoutingPlan

A, B = Digest("a" * 64), Digest("b" * 64)


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ((), "at least one arm"),
        ((Arm(A, 0.5), Arm(B, 0.5)), "same name"),
        ((Arm(A, 0.5), Arm(B, 0.6, "canary")), "add up to 1"),
        ((Arm(A, 1.5), Arm(B, -0.5, "canary")), "between 0 and 1"),
        ((Arm(A, float("nan")),), "between 0 and 1"),
    ],
)
def test_weights_are_checked(arms: tuple[Arm, ...], message: str) -> None:
    with pytest.raises(ServingError, match=message):
        RoutingPlan("delay", arms)


def test_an_arm_without_weight_gets_nothing() -> None:
    plan = RoutingPlan("delay", (Arm(A, 1.0), Arm(B, 0.0, "canary")))
    assert {plan.route(str(key)).name for key in range(1000)} == {"live"}


def test_json_of_another_version_is_refused() -> None:
    plan = RoutingPlan("delay", (Arm(A, 1.0),), salt="s")
    assert plan.kind == Kind.ROUTING_PLAN
    with pytest.raises(ServingError):
        RoutingPlan.from_json(plan.to_json() | {"tricord": "routing-plan/2"})
    broken = plan.to_json() | {"arms": [{"release": "short", "weight": 1.0, "name": "live"}]}
    with pytest.raises(TricordError):
        RoutingPlan.from_json(broken)
