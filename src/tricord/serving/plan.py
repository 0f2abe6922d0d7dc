"""RoutingPlan: which release answers which share of an endpoint's requests.

A key is placed by weighted rendezvous hashing (Thaler and Ravishankar 1998; weights after Schindler and
Schomaker 2005): every arm draws a number from (salt, key, arm), and the smallest number divided by weight wins. So
an arm's share is exactly its weight, and when one arm grows it only takes keys, it loses none.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar, Final

from tricord.core.artifact import Digest, Kind, parse_digest
from tricord.core.canonical import JSON
from tricord.core.errors import ServingError

_FORMAT: Final = "routing-plan/1"
_RANGE: Final = 2.0**64


@dataclass(frozen=True, slots=True)
class Arm:
    """A release and its share of the traffic, from 0 to 1. `name` is "live", "canary" or the like."""

    release: Digest
    weight: float
    name: str = "live"

    def to_json(self) -> dict[str, JSON]:
        return {"release": self.release, "weight": self.weight, "name": self.name}


@dataclass(frozen=True)
class RoutingPlan:
    """The arms of an endpoint. Weights add up to 1; ServingError where they do not.

    Plans with the same `salt` send a key to the same arm for as long as the weights let them.

    >>> plan = RoutingPlan("delay", (Arm("a" * 64, 0.9), Arm("b" * 64, 0.1, "canary")), salt="s")
    >>> [plan.route(f"flight {number}").name for number in range(1000)].count("canary")
    122
    >>> RoutingPlan.from_json(plan.to_json()) == plan
    True
    """

    kind: ClassVar[Kind] = Kind.ROUTING_PLAN

    endpoint: str
    arms: tuple[Arm, ...]
    salt: str = ""

    def __post_init__(self) -> None:
        where = f"routing plan of {self.endpoint}"
        if not self.arms:
            raise ServingError("a routing plan needs at least one arm", where=where)
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ServingError(f"two arms have the same name: {', '.join(names)}", where=where)
        weights = [arm.weight for arm in self.arms]
        if not all(math.isfinite(weight) and 0 <= weight <= 1 for weight in weights):
            raise ServingError(f"weights must lie between 0 and 1: {weights}", where=where)
        if abs(math.fsum(weights) - 1.0) > 1e-9:
            raise ServingError(
                f"weights must add up to 1, not {math.fsum(weights)}: {weights}", where=where
            )

    def route(self, key: str) -> Arm:
        """The arm that answers for `key`: always the same one, in proportion to the weights."""
        if len(self.arms) == 1:
            return self.arms[0]
        return min(self.arms, key=lambda arm: self._distance(arm, key))

    def arm(self, release: str) -> Arm | None:
        """The first arm of a release."""
        return next((arm for arm in self.arms if arm.release == release), None)

    def _distance(self, arm: Arm, key: str) -> float:
        if arm.weight == 0:
            return math.inf
        # lengths keep ("a", "bc") and ("ab", "c") apart
        text = f"{len(self.salt)}:{self.salt}{len(arm.name)}:{arm.name}{key}"
        drawn = int.from_bytes(
            blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        )
        # exponential with rate `weight`: the smallest of several is arm i's with probability weight i
        return -math.log((drawn + 0.5) / _RANGE) / arm.weight

    def to_json(self) -> dict[str, JSON]:
        return {
            "tricord": _FORMAT,
            "endpoint": self.endpoint,
            "arms": [arm.to_json() for arm in self.arms],
            "salt": self.salt,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RoutingPlan":
        if data.get("tricord") != _FORMAT:
            raise ServingError(f"not a routing plan of version 1: {data.get('tricord')!r}")
        arms: Sequence[Mapping[str, Any]] = data["arms"]
        return cls(
            endpoint=str(data["endpoint"]),
            arms=tuple(
                Arm(parse_digest(str(arm["release"])), float(arm["weight"]), str(arm["name"]))
                for arm in arms
            ),
            salt=str(data["salt"]),
        )
