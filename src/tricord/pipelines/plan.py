"""The plan: which steps a pipeline has and which feed which. Made by calling its function once."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args, get_origin

from tricord.core import canonical
from tricord.core.artifact import Artifact, Kind
from tricord.core.canonical import JSON
from tricord.core.errors import NotRecorded, PlanError, TricordError
from tricord.core.step import PROJECT, Parts, Pending, Pipeline, Step, outputs_of, tracing
from tricord.project.codecs import plain_type
from tricord.project.parts import cut
from tricord.project.project import Project

RESULT = "result"
"""The name of a step's output where it has just one; of several, the names are "0", "1" and so on."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a parameter is given: a JSON value, in which `Pending` and `Source` stand for artifacts."""

    value: Any
    want: type
    inner: type = object  # of the items, where it is a list or dict of artifacts

    def artifacts(self) -> Iterator["tuple[str, Pending | Source]"]:
        """Path within the value → what stands there: "" for the value itself, "[2]", "[key]"."""
        yield from _find(self.value, "")


@dataclass(frozen=True, slots=True)
class Source:
    """An artifact from outside the pipeline: what a ref points at, or a file of the project.

    `part` is the part's name where it is one part of a dataset.
    """

    name: str
    artifact: Artifact
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One call of a step."""

    index: int
    label: str
    step: Step[..., Any]
    arguments: Mapping[str, Argument]
    width: int | None
    interface: str
    returns_nothing: bool

    def needs(self) -> set[int]:
        """The nodes whose outputs it takes."""
        return {
            found.node
            for argument in self.arguments.values()
            for _, found in argument.artifacts()
            if isinstance(found, Pending)
        }


@dataclass(slots=True)
class Plan:
    """The nodes in an order in which they can run, and what comes in from outside."""

    name: str
    params: Mapping[str, JSON]
    nodes: list[Node] = field(default_factory=list[Node])
    sources: dict[str, Artifact] = field(default_factory=dict[str, Artifact])


def make_plan(project: Project, pipeline: Pipeline[...], params: Mapping[str, JSON]) -> Plan:
    """Call the pipeline's function, record its calls. PlanError for whatever cannot run."""
    bound = _bind_params(pipeline, params)
    plan = Plan(pipeline.name, bound)
    token = tracing.set(_Tracer(project, plan))
    try:
        pipeline.function(**bound)
    finally:
        tracing.reset(token)
    if not plan.nodes:
        raise PlanError(
            f"pipeline {pipeline.name!r} has no steps", where=where_defined(pipeline.function)
        )
    return plan


def _bind_params(pipeline: Pipeline[...], params: Mapping[str, JSON]) -> dict[str, JSON]:
    signature = inspect.signature(pipeline.function, eval_str=True)
    unknown = [name for name in params if name not in signature.parameters]
    if unknown:
        raise PlanError(
            f"pipeline {pipeline.name!r} has no parameter {unknown[0]!r}",
            hint=f"its parameters: {', '.join(signature.parameters) or 'none'}",
        )
    bound: dict[str, JSON] = {}
    for name, parameter in signature.parameters.items():
        if name in params:
            bound[name] = _typed(
                pipeline.name, name, params[name], plain_type(parameter.annotation)
            )
        elif parameter.default is not inspect.Parameter.empty:
            bound[name] = parameter.default
        else:
            raise PlanError(
                f"pipeline {pipeline.name!r} needs the parameter {name!r}",
                hint=f"tricord run {pipeline.name} -p {name}=…",
            )
    return bound


def _typed(pipeline: str, name: str, value: JSON, want: type) -> JSON:
    """`-p lr=1` for a float and `-p month=3` for an int mean what they say."""
    if want is object or (isinstance(value, want) and not (want is int and value is True)):
        return value
    if want is float and type(value) is int:
        return float(value)
    if want is str and isinstance(value, int | float):
        return str(value)
    raise PlanError(f"{name} of pipeline {pipeline!r} must be a {want.__name__}, not {value!r}")


class _Tracer:
    def __init__(self, project: Project, plan: Plan) -> None:
        self._project = project
        self._plan = plan
        self._named: Counter[str] = Counter()
        self._parts: dict[int, str | None] = {}

    def ref(self, ref: str, *, optional: bool) -> Source | None:
        try:
            return self._source(ref, self._project.resolve(ref))
        except NotRecorded:
            if optional:
                return None
            raise

    def parts(self, ref: str, pattern: str) -> Parts:
        whole = self._source(ref, self._project.resolve(ref))
        found = cut(self._project, whole.artifact, pattern, of=ref.removesuffix("@latest"))
        return Parts(
            {part.name: Source(f"{ref}/{part.name}", part.artifact, part.name) for part in found}
        )

    def file(self, path: str) -> Source:
        full = (self._project.root / path).resolve()
        if not full.is_relative_to(self._project.root) or not full.exists():
            raise PlanError(f"no such file in the project: {path}", where=str(self._project.root))
        return self._source(path, self._project.put_path(full, kind=Kind.VALUE))

    def _source(self, name: str, artifact: Artifact) -> Source:
        self._plan.sources[name] = artifact
        return Source(name, artifact)

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Pending:
        signature, interface = _signature(step.function)
        arguments = self._bind(step, signature, args, kwargs)
        width = outputs_of(signature.return_annotation)
        part = self._part_of(arguments)
        name = step.name if part is None else f"{step.name}({part})"
        same = self._named[name]
        self._named[name] += 1
        self._parts[len(self._plan.nodes)] = part
        node = Node(
            index=len(self._plan.nodes),
            label=f"{name}-{same + 1}" if same else name,
            step=step,
            arguments=arguments,
            width=width,
            interface=interface,
            returns_nothing=signature.return_annotation in (None, inspect.Signature.empty),
        )
        self._plan.nodes.append(node)
        return Pending(node.index, None, width)

    def _part_of(self, arguments: Mapping[str, Argument]) -> str | None:
        """The part that a call is about, so that its label stays when parts come and go."""
        about = {
            found.part if isinstance(found, Source) else self._parts[found.node]
            for argument in arguments.values()
            for path, found in argument.artifacts()
            if not path  # a list of parts is not about one of them
        } - {None}
        return about.pop() if len(about) == 1 else None

    def _bind(
        self,
        step: Step[..., Any],
        signature: inspect.Signature,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> dict[str, Argument]:
        if step.acts:  # the project is not an input: it is what the step acts on
            others = [p for name, p in signature.parameters.items() if name != PROJECT]
            signature = signature.replace(parameters=others)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise PlanError(
                f"step {step.name!r}: {error}", where=where_defined(step.function)
            ) from error
        bound.apply_defaults()
        arguments: dict[str, Argument] = {}
        for name, value in bound.arguments.items():
            want = plain_type(signature.parameters[name].annotation)
            argument = Argument(_plain(value), want, _inner(signature.parameters[name].annotation))
            try:
                canonical.encode(_outline(argument.value))
            except TricordError as error:
                raise PlanError(
                    f"{name} of step {step.name!r} is neither an artifact nor a JSON value: "
                    f"{type(value).__name__}",
                    where=where_defined(step.function),
                    hint="pass numbers, texts, lists and dicts, or the result of another step",
                ) from error
            arguments[name] = argument
        return arguments


@cache
def _signature(function: Callable[..., Any]) -> tuple[inspect.Signature, str]:
    """A step's signature, and its text. Both cost more than the rest of planning a call."""
    signature = inspect.signature(function, eval_str=True)
    return signature, str(signature)


def _inner(annotation: Any) -> type:
    inner = get_args(annotation)
    return plain_type(inner[-1]) if inner and get_origin(annotation) in (list, dict) else object


def where_defined(function: Any) -> str:
    """File and line of a function, for messages."""
    code = function.__code__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    match value:
        case list() | tuple():
            return [_plain(item) for item in cast("list[Any]", value)]
        case dict():
            return {key: _plain(item) for key, item in cast("dict[Any, Any]", value).items()}
        case _:
            return value


def _find(value: Any, path: str) -> Iterator[tuple[str, Pending | Source]]:
    match value:
        case Pending() | Source():
            yield path, value
        case list():
            for index, item in enumerate(cast("list[Any]", value)):
                yield from _find(item, f"{path}[{index}]")
        case dict():
            for key, item in cast("dict[str, Any]", value).items():
                yield from _find(item, f"{path}[{key}]")
        case _:
            return


def _outline(value: Any) -> JSON:
    """The value with a mark wherever an artifact goes: the part of it that is a parameter."""
    return replace_artifacts(value, lambda _: {"$": "artifact"})


def replace_artifacts(value: Any, by: Callable[[Pending | Source], Any]) -> Any:
    """The value with `by(found)` in the place of every Pending and Source."""
    match value:
        case Pending() | Source():
            return by(value)
        case list():
            return [replace_artifacts(item, by) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {key: replace_artifacts(item, by) for key, item in items}
        case _:
            return value
