"""Running a plan: each step is looked up by fingerprint, else run, recorded and kept.

What finished is never done again: after a failure, an interruption or a kill, the next run of the
same pipeline finds the finished steps in the ledger and goes on from there.
"""

import contextlib
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from tricord.core import canonical
from tricord.core.artifact import Artifact, Kind
from tricord.core.canonical import JSON
from tricord.core.errors import CodecError, Refused, StepFailed, StoreError, TricordError
from tricord.core.run import Status
from tricord.core.step import PROJECT, Pending, Pipeline
from tricord.pipelines.explain import why_it_runs
from tricord.pipelines.fingerprint import Code, code_of, step_fingerprint
from tricord.pipelines.plan import (
    RESULT,
    Node,
    Plan,
    Source,
    make_plan,
    replace_artifacts,
    where_defined,
)
from tricord.project.project import Project
from tricord.store import digest


class StepState(StrEnum):
    RUNNING = "running"
    CACHED = "cached"
    FINISHED = "finished"
    FAILED = "failed"
    REFUSED = "refused"
    SKIPPED = "skipped"  # a step that it needs did not finish


@dataclass(frozen=True, slots=True)
class StepReport:
    """How a step stands. `seconds` is wall time; `why` says why it was not answered by the cache."""

    label: str
    state: StepState
    why: str = ""
    run: str | None = None
    seconds: float = 0.0
    outputs: Mapping[str, Artifact] = field(default_factory=dict[str, Artifact])
    error: TricordError | None = None

    def to_json(self) -> dict[str, JSON]:
        return {
            "step": self.label,
            "state": str(self.state),
            "why": self.why,
            "run": self.run,
            "seconds": round(self.seconds, 4),
            "outputs": {name: artifact.digest for name, artifact in self.outputs.items()},
            "error": str(self.error) if self.error else None,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a pipeline's run."""

    run: str
    steps: tuple[StepReport, ...]

    def step(self, label: str) -> StepReport:
        return next(step for step in self.steps if step.label == label)

    @property
    def refused(self) -> StepReport | None:
        return next((step for step in self.steps if step.state == StepState.REFUSED), None)

    @property
    def cached(self) -> int:
        return sum(step.state == StepState.CACHED for step in self.steps)


Watcher = Callable[[StepReport], None]


def run_pipeline(
    project: Project,
    pipeline: Pipeline[...],
    params: Mapping[str, JSON] | None = None,
    *,
    watch: Watcher = lambda _: None,
) -> Result:
    """Run a pipeline to its end. StepFailed names the first step that raised, after all others
    that could still run have run; a refusal by a verdict is a result, not an error."""
    project.sweep()
    plan = make_plan(project, pipeline, params or {})
    code = Code(project.root, pipeline)
    with (
        project.scratch() as scratch,
        project.recording(
            plan.name,
            _plan_fingerprint(plan),
            origin=project.origin(code=code.record(), packages=code.environment()),
            params=plan.params,
            inputs=plan.sources,
        ) as recording,
    ):
        execution = _Execution(project, recording.id, scratch, watch)
        reports = tuple(execution.advance(node) for node in plan.nodes)
        for report in reports:
            for name, found in report.outputs.items():
                recording.outputs[f"{report.label}.{name}"] = found
        recording.outputs["steps"] = project.encode(
            [report.to_json() for report in reports], kind=Kind.REPORT
        )
        for report in reports:
            if report.state == StepState.FAILED and report.error:
                raise report.error
            if report.state == StepState.REFUSED:
                recording.status, recording.error = Status.REFUSED, str(report.error)
    return Result(recording.id, reports)


def _plan_fingerprint(plan: Plan) -> str:
    sources = {name: artifact.digest for name, artifact in plan.sources.items()}
    known = {"tricord": "pipeline/1", "name": plan.name, "params": plan.params, "inputs": sources}
    return digest.of_bytes(canonical.encode(known))


class _Execution:
    """One run of a plan: the outputs so far, and what happens to the next node."""

    def __init__(self, project: Project, run: str, scratch: Path, watch: Watcher) -> None:
        self.project = project
        self.run = run
        self.scratch = scratch
        self.watch = watch
        self.outputs: dict[int, Mapping[str, Artifact]] = {}

    def advance(self, node: Node) -> StepReport:
        """Answer a node from the cache or run it; never raises what the step raised."""
        if missing := node.needs() - self.outputs.keys():
            report = StepReport(
                node.label, StepState.SKIPPED, why=f"needs {len(missing)} that failed"
            )
        else:
            report = self._answer(node)
        if report.state in (StepState.CACHED, StepState.FINISHED):
            self.outputs[node.index] = report.outputs
        self.watch(report)
        return report

    def _answer(self, node: Node) -> StepReport:
        started = time.perf_counter()
        code = code_of(self.project.root, node.step.function)
        inputs = {
            f"{name}{path}": self._artifact(found)
            for name, argument in node.arguments.items()
            for path, found in argument.artifacts()
        }
        fingerprint = step_fingerprint(
            node.step.name,
            node.interface,
            code,
            self._filled(node, lambda artifact: {"$": artifact.digest}),
        )
        if node.step.cache and (hit := self.project.finished(fingerprint)):
            seconds = time.perf_counter() - started
            return StepReport(node.label, StepState.CACHED, "", hit.id, seconds, hit.outputs)
        params = self._filled(node, lambda _: None)
        why = why_it_runs(self.project, node.label, node.step, code, params, inputs)
        self.watch(StepReport(node.label, StepState.RUNNING, why))
        origin = self.project.origin(code=code.record(), packages=code.environment())
        outputs, run, error, state = {}, None, None, StepState.FINISHED
        try:
            with self.project.recording(
                node.label,
                fingerprint,
                origin=origin,
                parent=self.run,
                params=params,
                inputs=inputs,
            ) as recording:
                run, outputs = recording.id, recording.outputs
                try:
                    self._call(node, outputs)
                except Refused:
                    raise
                except TricordError as failure:
                    raise self._named(node, failure) from failure
        except Refused as refusal:
            state, error = StepState.REFUSED, refusal
        except StepFailed as failure:
            state, error = StepState.FAILED, failure
        seconds = time.perf_counter() - started
        return StepReport(node.label, state, why, run, seconds, outputs, error)

    def _named(self, node: Node, error: TricordError) -> StepFailed:
        """The failure with its inputs called by their names: where the store keeps them helps nobody."""
        names: dict[str, str] = {}
        for name, argument in node.arguments.items():
            for _, found in argument.artifacts():
                label = found.name if isinstance(found, Source) else f"its input {name!r}"
                artifact = self._artifact(found)
                names[str(self.scratch / artifact.digest)] = label
                with contextlib.suppress(StoreError):  # a folder has no path of its own
                    names[str(self.project.store.path(artifact.digest))] = label

        def plain(text: str | None) -> str | None:
            for path, label in names.items():
                text = text.replace(path, label) if text else text
            return text

        if not isinstance(error, StepFailed):
            error = _failed(node, error.what, where=error.where, hint=error.hint)
        return StepFailed(plain(error.what) or "", where=plain(error.where), hint=plain(error.hint))

    def _artifact(self, found: Pending | Source) -> Artifact:
        if isinstance(found, Source):
            return found.artifact
        return self.outputs[found.node][RESULT if found.output is None else str(found.output)]

    def _filled(self, node: Node, by: Callable[[Artifact], JSON]) -> dict[str, JSON]:
        return {
            name: replace_artifacts(argument.value, lambda found: by(self._artifact(found)))
            for name, argument in node.arguments.items()
        }

    def _call(self, node: Node, outputs: dict[str, Artifact]) -> None:
        arguments: dict[str, Any] = {}
        for name, argument in node.arguments.items():
            top = isinstance(argument.value, Pending | Source)
            want = argument.want if top else argument.inner
            arguments[name] = replace_artifacts(
                argument.value,
                lambda found, want=want: self._decoded(self._artifact(found), want),
            )
        if node.step.acts:
            arguments[PROJECT] = self.project
        value = self._attempt(node, arguments)
        values = {RESULT: value}
        if node.width is not None:
            if not isinstance(value, tuple) or len(cast("tuple[Any, ...]", value)) != node.width:
                raise _failed(node, f"returned no tuple of {node.width} as its annotation says")
            values = {str(index): item for index, item in enumerate(cast("tuple[Any, ...]", value))}
        for name, item in values.items():
            if item is None and node.returns_nothing:
                continue
            if item is None:
                raise _failed(node, "returned None where its annotation promises a value")
            try:
                outputs[name] = self.project.encode(item)
            except CodecError as error:
                raise _failed(node, error.what, hint=error.hint) from error

    def _decoded(self, artifact: Artifact, want: type) -> Any:
        """The value; the artifact itself for a step that asks for one (`release` names digests)."""
        if want is Artifact:
            return artifact
        return self.project.decode(artifact, want, self.scratch)

    def _attempt(self, node: Node, arguments: dict[str, Any]) -> Any:
        for attempt in range(node.step.retries + 1):
            try:
                return node.step.function(**arguments)
            except Refused:
                raise
            except TricordError as error:
                if attempt == node.step.retries:
                    raise _failed(node, error.what, where=error.where, hint=error.hint) from error
            except (Exception, SystemExit) as error:  # a step is a user's code
                if attempt == node.step.retries:
                    what = f"{type(error).__name__}: {error}"
                    raise _failed(node, what, where=_line_of(error)) from error
            time.sleep(min(0.1 * 2**attempt, 5.0))
        raise AssertionError("unreachable")


def _failed(
    node: Node, what: str, *, where: str | None = None, hint: str | None = None
) -> StepFailed:
    return StepFailed(
        f"step {node.label!r} failed: {what}",
        where=where or where_defined(node.step.function),
        hint=hint or "mend it and run again: finished steps are kept",
    )


def _line_of(error: BaseException) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else None
