"""Verdict: a judgement with its evidence. Gates, canaries, monitors and triggers all speak it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from tricord.core.artifact import Kind
from tricord.core.canonical import JSON
from tricord.core.errors import TricordError


class Outcome(StrEnum):
    """Ordered from good to bad: a verdict is as bad as its worst check."""

    PASS = "pass"
    WARN = "warn"
    UNDECIDED = "undecided"  # too little data to say; a gate treats it as a no
    FAIL = "fail"

    @property
    def rank(self) -> int:
        return list(Outcome).index(self)


class Action(StrEnum):
    """What a failed check asks for."""

    STOP = "stop"  # do not go on: schema skew, a worse model, a broken release
    RETRAIN = "retrain"  # the world has moved: value skew, drift, degradation
    WARN = "warn"  # a person should look


@dataclass(frozen=True, slots=True)
class Check:
    """One question, its answer and what the answer rests on.

    `observed` and `limit` are in the unit that `name` implies; `interval` is the confidence
    interval of `observed` at `level`, both ends included. `segment` is "column=value" or None
    for all rows; `path` the column or metric; `code` a stable word for machines ("column-missing").
    `evidence` holds whatever else a person wants to see: sample rows, counts, quantiles.
    """

    name: str
    outcome: Outcome
    message: str
    code: str = ""
    path: str | None = None
    segment: str | None = None
    observed: JSON = None
    limit: JSON = None
    interval: tuple[float, float] | None = None
    level: float | None = None
    action: Action = Action.STOP
    evidence: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    def to_json(self) -> dict[str, JSON]:
        return {
            "name": self.name,
            "outcome": str(self.outcome),
            "message": self.message,
            "code": self.code,
            "path": self.path,
            "segment": self.segment,
            "observed": self.observed,
            "limit": self.limit,
            "interval": list(self.interval) if self.interval else None,
            "level": self.level,
            "action": str(self.action),
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Check":
        fields = dict(data)
        interval = fields.pop("interval", None)
        if isinstance(interval, list | tuple):
            low, high = interval  # pyright: ignore[reportUnknownVariableType]
            fields["interval"] = (low, high)
        fields["outcome"] = Outcome(str(fields["outcome"]))
        fields["action"] = Action(str(fields.get("action", Action.STOP)))
        return cls(**fields)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every check of one judgement. `subject` says what was judged, `question` what was asked.

    >>> Verdict("flights", "schema", (Check("rows", Outcome.PASS, "10 rows"),)).passed
    True
    """

    kind: ClassVar[Kind] = Kind.VERDICT

    subject: str
    question: str
    checks: tuple[Check, ...]
    evidence: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of any check; undecided where there was none to make."""
        worst = max((check.outcome for check in self.checks), key=lambda o: o.rank, default=None)
        return Outcome.UNDECIDED if worst is None else worst

    @property
    def passed(self) -> bool:
        """True where nothing failed and nothing was left undecided; warnings pass."""
        return self.outcome in (Outcome.PASS, Outcome.WARN)

    def having(self, *outcomes: Outcome) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome in outcomes)

    def asks(self, action: Action) -> bool:
        """True where a failed check asks for `action`."""
        return any(check.action == action for check in self.having(Outcome.FAIL))

    def summary(self) -> str:
        """One line: the outcome and the messages of the first checks that made it so."""
        if self.outcome == Outcome.PASS:
            return f"pass: {len(self.checks)} checks"
        reasons = [check.message for check in self.having(self.outcome)]
        shown = "; ".join(reasons[:3]) or "nothing was checked"
        more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return f"{self.outcome}: {shown}{more}"

    def to_json(self) -> dict[str, JSON]:
        return {
            "tricord": "verdict/1",
            "subject": self.subject,
            "question": self.question,
            "outcome": str(self.outcome),
            "checks": [check.to_json() for check in self.checks],
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Verdict":
        if data.get("tricord") != "verdict/1":
            raise TricordError(f"not a verdict of version 1: {data.get('tricord')!r}")
        checks: Iterable[Mapping[str, object]] = data["checks"]  # pyright: ignore[reportAssignmentType]
        evidence: Mapping[str, JSON] = data.get("evidence", {})  # pyright: ignore[reportAssignmentType]
        return cls(
            subject=str(data["subject"]),
            question=str(data["question"]),
            checks=tuple(Check.from_json(check) for check in checks),
            evidence=evidence,
        )
