"""Event: one line of the ledger's append-only journal."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tricord.core.canonical import JSON


class EventType(StrEnum):
    ARTIFACT_COMMITTED = "artifact committed"
    RUN_STARTED = "run started"
    RUN_ENDED = "run ended"
    REF_MOVED = "ref moved"
    ALERT_RAISED = "alert raised"
    TRIGGER_FIRED = "trigger fired"
    LOG_COLLECTED = "log collected"


@dataclass(frozen=True, slots=True)
class Event:
    """`seq` counts from 1 without gaps; `subject` is what it is about (a digest, run id or ref).

    `chain` is SHA-256 over the chain before it and this event's own content, so that a journal
    that was changed afterwards does not verify.
    """

    seq: int
    type: EventType
    subject: str
    when: float
    body: Mapping[str, JSON]
    chain: str
