"""Ref: a movable name. Each move is a compare-and-swap and a fact in the ledger."""

import re
from dataclasses import dataclass

from tricord.core.artifact import Digest
from tricord.core.errors import TricordError

_NAME = re.compile(
    r"(?P<room>[a-z][a-z-]*)/(?P<name>[^\W_][\w.-]*)@(?P<label>[^\W_][\w.-]*)", re.UNICODE
)
ROOMS = ("datasets", "features", "models", "releases", "endpoints", "statistics", "schemas")


def parse_ref(text: str) -> tuple[str, str, str]:
    """Room, name and label of a ref.

    >>> parse_ref("models/delay@champion")
    ('models', 'delay', 'champion')
    """
    match = _NAME.fullmatch(text)
    if match is None or match["room"] not in ROOMS:
        raise TricordError(
            f"not a ref: {text!r}",
            hint=f"write ROOM/NAME@LABEL, with ROOM one of {', '.join(ROOMS)}",
        )
    return match["room"], match["name"], match["label"]


@dataclass(frozen=True, slots=True)
class Move:
    """One move of a ref: who moved it, when, from where, to where, why, and past which verdict.

    `old` is None where the ref was new, `new` is None where it was deleted. `seq` is the number
    of the ledger's event. A move without a verdict was signed for by its actor.
    """

    ref: str
    old: Digest | None
    new: Digest | None
    actor: str
    when: float
    why: str
    verdict: Digest | None
    seq: int
