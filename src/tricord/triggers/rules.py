"""A rule watches the ledger's journal and says when a pipeline is to run, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tricord.core.canonical import JSON
from tricord.core.event import Event, EventType
from tricord.core.run import Status
from tricord.core.verdict import Action
from tricord.pipelines.execute import Result, Watcher, run_pipeline
from tricord.pipelines.load import find_pipeline
from tricord.project.project import Project


@dataclass(frozen=True, slots=True)
class Rule:
    """Run `pipeline` when an alert about `subject` asks for `action`."""

    name: str
    pipeline: str
    subject: str
    action: Action = Action.RETRAIN

    def matches(self, event: Event) -> bool:
        if event.type != EventType.ALERT_RAISED or event.subject != self.subject:
            return False
        actions = event.body.get("actions")
        return isinstance(actions, list) and str(self.action) in actions


def due(project: Project, rule: Rule, *, after: int = 0) -> Event | None:
    """The newest event after number `after` that the rule matches and has not fired for.

    A firing whose run was interrupted (a kill, a crash) does not count: the event is due again.
    """
    alerts = [
        event for event in _events(project, EventType.ALERT_RAISED, after) if rule.matches(event)
    ]
    if not alerts:
        return None
    newest = alerts[-1]
    for fired in _events(project, EventType.TRIGGER_FIRED, newest.seq):
        if fired.subject == rule.name and fired.body.get("event") == newest.seq:
            runs = project.ledger.runs(name=rule.pipeline, limit=100)
            if any(r.started >= fired.when and r.status != Status.INTERRUPTED for r in runs):
                return None
    return newest


def _events(project: Project, type: EventType, after: int) -> Iterator[Event]:
    while page := project.ledger.events(after=after, types=(type,)):
        yield from page
        after = page[-1].seq


def fire(
    project: Project,
    rule: Rule,
    event: Event | None,
    *,
    params: Mapping[str, JSON] | None = None,
    reason: str = "",
    watch: Watcher = lambda _: None,
) -> Result:
    """Start the rule's pipeline: for an event, or on demand (None) for the `reason` given."""
    pipeline = find_pipeline(project, rule.pipeline)  # first: what cannot start has not fired
    why = reason or (str(event.body.get("summary", "")) if event else "on demand")
    body: dict[str, JSON] = {"event": event.seq if event else None, "pipeline": rule.pipeline}
    project.append_event(EventType.TRIGGER_FIRED, rule.name, {**body, "why": why})
    return run_pipeline(project, pipeline, params, watch=watch)
