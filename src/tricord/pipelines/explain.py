"""Why a step ran instead of being answered from the cache: what differs from its last run."""

import json
from collections.abc import Mapping
from typing import Any

from tricord.core.artifact import Artifact, Digest
from tricord.core.canonical import JSON
from tricord.core.errors import StoreError
from tricord.core.run import Status
from tricord.core.step import Step
from tricord.pipelines.fingerprint import Code
from tricord.project.project import Project


def why_it_runs(
    project: Project,
    label: str,
    step: Step[..., Any],
    code: Code,
    params: Mapping[str, JSON],
    inputs: Mapping[str, Artifact],
) -> str:
    """One line that names what changed since the newest run under this label."""
    if not step.cache:
        return "it acts, so it always runs" if step.acts else "it is declared cache=False"
    last = next(iter(project.ledger.runs(name=label, limit=1)), None)
    if last is None:
        return "its first run"
    if last.status != Status.FINISHED:
        return f"its last run was {last.status}"
    changes: list[str] = []
    if code.record() != (before := _record(project, last.origin.code)):
        parts: dict[str, str] = before.get("parts", {})
        now = code.record()["parts"]
        named = sorted(name for name in {*parts, *now} if parts.get(name) != now.get(name))
        changes.append(f"code changed: {', '.join(named[:3])}{' …' if named[3:] else ''}")
    if code.environment() != _record(project, last.origin.environment):
        changes.append("Python or a package that it reaches has another version")
    changed = sorted(
        name for name in {*inputs, *last.inputs} if inputs.get(name) != last.inputs.get(name)
    )
    if changed:
        changes.append(f"input changed: {', '.join(changed[:3])}{' …' if changed[3:] else ''}")
    differing = sorted(
        name for name in {*params, *last.params} if params.get(name) != last.params.get(name)
    )
    if differing:
        changes.append(f"parameter changed: {', '.join(differing)}")
    return "; ".join(changes) or "its stored output is gone"


def _record(project: Project, digest: str) -> dict[str, Any]:
    try:
        return json.loads(project.store.read(Digest(digest)))
    except StoreError:  # collected since; then there is nothing to compare with
        return {}
