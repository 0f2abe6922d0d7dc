"""The clock. Everything that records a time asks one, so that tests and replays can set it."""

import os
import time
from dataclasses import dataclass
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


class SystemClock:
    def now(self) -> float:
        return time.time()


@dataclass
class FixedClock:
    """A clock that stands still until it is moved, for tests and replays."""

    time: float = 0.0

    def now(self) -> float:
        return self.time


def new_id(clock: Clock) -> str:
    """26 characters that sort by time: 48 bits of milliseconds, 80 random bits (the ULID layout).

    >>> len(new_id(FixedClock(1.0)))
    26
    """
    number = (int(clock.now() * 1000) << 80) | int.from_bytes(os.urandom(10))
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
