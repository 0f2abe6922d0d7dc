"""`@step` and `@pipeline`: plain functions that keep working as such.

A step called on its own just runs. Called inside a pipeline that is being planned, it adds a node
to the plan and returns a `Pending` in place of its result. What a plan is, and how it is run, is
the business of the room `pipelines`; this module holds only the words, so that any room can offer steps.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast, get_args, get_origin, overload

from tricord.core.errors import PlanError

P = ParamSpec("P")
R = TypeVar("R")

PROJECT = "project"
"""A step with a parameter of this name is given the open project. Such a step acts (it moves a
ref, say) instead of computing a value, so it is never answered from the cache."""


class _Given:
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # asked by the interpreter or an inspector, not by the step
            raise AttributeError(name)
        raise PlanError(
            "this step acts on a project, and it was called without one",
            hint="call it inside a pipeline, or pass project=Project.open()",
        )


GIVEN: Any = _Given()
"""The default of a step's parameter `project`: it is filled in when the step is run."""


class Trace(Protocol):
    """A plan that is being made."""

    def call(
        self, step: "Step[..., Any]", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...

    def ref(self, ref: str, *, optional: bool) -> Any: ...

    def parts(self, ref: str, pattern: str) -> "Parts": ...

    def file(self, path: str) -> Any: ...


tracing: ContextVar[Trace | None] = ContextVar("tracing", default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """Stands for a value that a node of the plan will yield; `output` counts from 0."""

    node: int
    output: int | None = None
    width: int | None = None

    def __iter__(self) -> Iterator["Pending"]:
        if self.width is None:
            raise PlanError(
                "this step returns one value, so it cannot be unpacked in a pipeline",
                hint="annotate the step's result as tuple[A, B]",
            )
        return iter([Pending(self.node, index) for index in range(self.width)])

    def __bool__(self) -> bool:
        raise PlanError(
            "the result of a step is not known while the pipeline is being planned",
            hint="move the `if` into a step, or decide on a parameter",
        )


class Step(Generic[P, R]):
    """A function over artifacts, with what its author declared about it."""

    def __init__(self, function: Callable[P, R], *, name: str | None, retries: int, cache: bool):
        if function.__name__ == "<lambda>" and name is None:
            raise PlanError("a lambda has no name: give one with @step(name=…) or use def")
        update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.retries = retries
        self.acts = PROJECT in function.__code__.co_varnames[: _parameters(function)]
        self.cache = cache and not self.acts

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        trace = tracing.get()
        if trace is None:
            return self.function(*args, **kwargs)
        return trace.call(self, args, kwargs)

    def __repr__(self) -> str:
        return f"<step {self.name}>"


def _parameters(function: Callable[..., Any]) -> int:
    return function.__code__.co_argcount + function.__code__.co_kwonlyargcount


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *, name: str | None = None, retries: int = 0, cache: bool = True
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    cache: bool = True,
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Make a function a step. Parameters take artifacts or JSON values; results are artifacts.

    `retries` is how often it is tried again after an error; `cache=False` runs it each time.

    >>> @step
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> double(21)
    42
    """

    def wrap(function: Callable[P, R]) -> Step[P, R]:
        return Step(function, name=name, retries=retries, cache=cache)

    return wrap if function is None else wrap(function)


class Pipeline(Generic[P]):
    """A function whose body says which steps feed which. It is run by `tricord run NAME`."""

    def __init__(self, function: Callable[P, Any], *, name: str | None):
        update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Inside another pipeline: its steps become part of that one. Elsewhere an error."""
        if tracing.get() is None:
            raise PlanError(
                f"pipeline {self.name!r} was called outside a run",
                hint=f"tricord run {self.name}",
            )
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"


@overload
def pipeline(function: Callable[P, Any], /) -> Pipeline[P]: ...
@overload
def pipeline(*, name: str | None = None) -> Callable[[Callable[P, Any]], Pipeline[P]]: ...
def pipeline(
    function: Callable[P, Any] | None = None, /, *, name: str | None = None
) -> Pipeline[P] | Callable[[Callable[P, Any]], Pipeline[P]]:
    """Make a function a pipeline. Its keyword parameters are the pipeline's, with their defaults."""

    def wrap(function: Callable[P, Any]) -> Pipeline[P]:
        return Pipeline(function, name=name)

    return wrap if function is None else wrap(function)


def _trace(word: str) -> Trace:
    trace = tracing.get()
    if trace is None:
        raise PlanError(
            f"{word}() names an input of a pipeline, and no pipeline is being planned",
            hint="in a script or notebook: Project.open().load('datasets/NAME@latest')",
        )
    return trace


class Parts(list[Any]):
    """The parts of a dataset, in the order of their names: inputs of a pipeline.

    A step that is given one part runs once for each content of it; a step that is given the list
    gets all of them.
    """

    def __init__(self, by_name: Mapping[str, Any]) -> None:
        super().__init__(by_name.values())
        self.by_name = dict(by_name)


@overload
def dataset(name: str) -> Any: ...
@overload
def dataset(name: str, *, glob: str) -> Parts: ...
def dataset(name: str, *, glob: str | None = None) -> Any:
    """A version of a dataset as a pipeline's input: "flights" is "datasets/flights@latest".

    With `glob` it is the dataset's parts: the files whose path matches, each an input of its own, as
    in `[count(month) for month in dataset("flights", glob="*.csv")]`. Of a pattern with `(…)`, files
    with equal captures are one part, a folder; `.by_name` finds a part by what was captured.
    """
    name, _, label = name.partition("@")
    ref = f"datasets/{name}@{label or 'latest'}"
    trace = _trace("dataset")
    return trace.ref(ref, optional=False) if glob is None else trace.parts(ref, glob)


def artifact(ref: str, *, optional: bool = False) -> Any:
    """What a ref points at as a pipeline's input; None where it does not exist and is optional."""
    return _trace("artifact").ref(ref, optional=optional)


def file(path: str) -> Any:
    """A file of the project (relative to its root) as a pipeline's input, known by its content."""
    return _trace("file").file(path)


def outputs_of(annotation: object) -> int | None:
    """How many outputs a step with this return annotation has; None where it is a single one.

    >>> outputs_of(tuple[int, str]), outputs_of(int), outputs_of(tuple[int, ...])
    (2, None, None)
    """
    if get_origin(annotation) is not tuple:
        return None
    inner = cast("tuple[object, ...]", get_args(annotation))
    return None if Ellipsis in inner else len(inner)
