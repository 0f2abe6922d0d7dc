"""A rule watches the ledger's journal and says when a pipeline is to run, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tricord.core.artifact import Digest
from tricord.core.canonical import JSON
from tricord.core.event import Event, EventType
from tricord.core.run import Status
from tricord.core.verdict import Action
from tricord.pipelines.execute import Result, Watcher, run_pipeline
from tricord.pipelines.load import find_pipeline
from tricord.project.project import Project


class Watching(Protocol):
    """What `due` asks of a rule, and `fire` writes down."""

    @property
    def name(self) -> str: ...

    @property
    def pipeline(self) -> str: ...

    @property
    def type(self) -> EventType:
        """The events that it looks at."""
        ...

    def matches(self, event: Event) -> bool: ...

    def reason(self, event: Event) -> str:
        """Why the pipeline runs, for the journal."""
        ...

    def content(self, event: Event) -> Digest | None:
        """The version that the event is about, where the rule fires once a version; else None."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Run `pipeline` when an alert about `subject` asks for `action`."""

    name: str
    pipeline: str
    subject: str
    action: Action = Action.RETRAIN

    @property
    def type(self) -> EventType:
        return EventType.ALERT_RAISED

    def matches(self, event: Event) -> bool:
        if event.type != self.type or event.subject != self.subject:
            return False
        actions = event.body.get("actions")
        return isinstance(actions, list) and str(self.action) in actions

    def reason(self, event: Event) -> str:
        return str(event.body.get("summary", ""))

    def content(self, event: Event) -> Digest | None:  # noqa: ARG002 - each alert counts
        return None


@dataclass(frozen=True, slots=True)
class NewData:
    """Run `pipeline` when a dataset has a new version: when `datasets/NAME@LABEL` moves.

    It fires once for a version, however often the ref comes back to it, and never for a version
    that a run of the same pipeline made.
    """

    name: str
    pipeline: str
    dataset: str
    label: str = "latest"

    @property
    def type(self) -> EventType:
        return EventType.REF_MOVED

    def matches(self, event: Event) -> bool:
        return (
            event.type == self.type
            and event.subject == f"datasets/{self.dataset}@{self.label}"
            and self.content(event) is not None
        )

    def reason(self, event: Event) -> str:
        return f"{event.subject} is new: {event.body.get('why') or self.content(event)}"

    def content(self, event: Event) -> Digest | None:
        new = event.body.get("new")
        return Digest(new) if isinstance(new, str) else None


def due(project: Project, rule: Watching, *, after: int = 0) -> Event | None:
    """The newest event after number `after` that the rule matches and has not fired for.

    A firing whose run was interrupted (a kill, a crash) does not count: the event is due again.
    """
    newest = None
    for event in _events(project, rule.type, after):
        newest = event if rule.matches(event) else newest
    if newest is None:
        return None
    content = rule.content(newest)
    if content is not None and _made_by(project, content, rule.pipeline):
        return None
    # a version may have come, gone and come back since the rule fired for it
    for fired in _events(project, EventType.TRIGGER_FIRED, after if content else newest.seq):
        told = fired.body.get("event") == newest.seq or (
            content is not None and fired.body.get("version") == content
        )
        if fired.subject == rule.name and told and _ran(project, rule, fired):
            return None
    return newest


def _ran(project: Project, rule: Watching, fired: Event) -> bool:
    runs = project.ledger.runs(name=rule.pipeline, limit=100)
    return any(r.started >= fired.when and r.status != Status.INTERRUPTED for r in runs)


def _made_by(project: Project, content: Digest, pipeline: str) -> bool:
    """True for a version that a run of this pipeline made: it must not start itself for ever."""
    made = project.ledger.producers(content)
    return any((project.ledger.run(r.parent) if r.parent else r).name == pipeline for r in made)


def _events(project: Project, type: EventType, after: int) -> Iterator[Event]:
    while page := project.ledger.events(after=after, types=(type,)):
        yield from page
        after = page[-1].seq


def fire(
    project: Project,
    rule: Watching,
    event: Event | None,
    *,
    params: Mapping[str, JSON] | None = None,
    reason: str = "",
    watch: Watcher = lambda _: None,
) -> Result:
    """Start the rule's pipeline: for an event, or on demand (None) for the `reason` given."""
    pipeline = find_pipeline(project, rule.pipeline)  # first: what cannot start has not fired
    why = reason or (rule.reason(event) if event else "on demand")
    body: dict[str, JSON] = {"event": event.seq if event else None, "pipeline": rule.pipeline}
    if event and (content := rule.content(event)):
        body["version"] = content
    project.append_event(EventType.TRIGGER_FIRED, rule.name, {**body, "why": why})
    return run_pipeline(project, pipeline, params, watch=watch)
