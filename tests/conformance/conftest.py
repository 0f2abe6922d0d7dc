"""Every kind of remote, plain and sealed and with faults, for one suite of promises."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tricord.core.errors import RemoteUnreachable
from tricord.store.remote.backend import Backend
from tricord.store.remote.memory import Memory
from tricord.store.remote.opening import open_backend
from tricord.store.remote.sealing import sealed
from tricord.store.remote.wrapping import Bandwidth, Limited, Retrying, Wrapper

KEY = "5a" * 32


def _servers() -> Any:
    spec = spec_from_file_location("conformance_servers", Path(__file__).with_name("servers.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


servers = _servers()


class Flaky:
    """Every third call fails, by turns before it is done and after."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.where = inner.where
        self.abilities = inner.abilities
        self.calls = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        act = getattr(self.inner, name)

        def call(*args: Any) -> Any:
            self.calls += 1
            number = self.calls
            if number % 6 == 0:
                raise RemoteUnreachable("no answer", where=self.where)
            answer = act(*args)
            if number % 6 == 3:
                raise RemoteUnreachable("the answer was lost", where=self.where)
            return answer

        return call


@dataclass
class Place:
    """A remote, and one that reads what is put there: another one where the kind is read-only."""

    backend: Backend
    reader: Backend


def _memory(_: pytest.FixtureRequest, __: ExitStack) -> Place:
    backend = Memory()
    return Place(backend, backend)


def _folder(request: pytest.FixtureRequest, _: ExitStack) -> Place:
    backend = open_backend(str(request.getfixturevalue("tmp_path") / "remote"))
    return Place(backend, backend)


def _flaky(_: pytest.FixtureRequest, __: ExitStack) -> Place:
    backend = Retrying(Flaky(Memory()), pause=lambda _: None)  # type: ignore[arg-type]
    return Place(backend, backend)


def _limited(_: pytest.FixtureRequest, __: ExitStack) -> Place:
    backend = Limited(Memory(), Bandwidth(1 << 20, pause=lambda _: None))
    return Place(backend, backend)


def _wrapped(_: pytest.FixtureRequest, __: ExitStack) -> Place:
    backend = Wrapper(Memory())
    return Place(backend, backend)


def _s3(request: pytest.FixtureRequest, _: ExitStack) -> Place:
    backend = open_backend(f"s3://{request.getfixturevalue('s3_bucket')}/some/folder")
    return Place(backend, backend)


def _s3_faulty(request: pytest.FixtureRequest, stack: ExitStack) -> Place:
    bucket = request.getfixturevalue("s3_bucket")
    kinds = ("503", "lost", "cut")
    handler = servers.faulty(
        request.getfixturevalue("s3"), lambda n: kinds[n // 10 % 3] if n % 10 == 3 else ""
    )
    endpoint = stack.enter_context(servers.serving(handler))
    backend = open_backend(f"s3://{bucket}/some/folder", {"endpoint": endpoint})
    return Place(backend, backend)


def _http(request: pytest.FixtureRequest, stack: ExitStack, *, ranges: bool = True) -> Place:
    root = request.getfixturevalue("tmp_path") / "remote"
    handler = servers.files(root, ranges=ranges)
    address = stack.enter_context(servers.serving(handler))
    return Place(open_backend(str(root)), open_backend(address))


def _http_whole(request: pytest.FixtureRequest, stack: ExitStack) -> Place:
    return _http(request, stack, ranges=False)


WRITABLE = {"memory": _memory, "folder": _folder, "s3": _s3, "flaky": _flaky, "s3 faulty": _s3_faulty, "limited": _limited, "wrapped": _wrapped}  # fmt: skip
READABLE = {**WRITABLE, "http": _http, "http whole": _http_whole}
SEALED = ("memory", "folder", "s3", "flaky", "http", "http whole")


def _made(request: pytest.FixtureRequest) -> Iterator[Place]:
    name, _, seal = request.param.partition(", ")
    with ExitStack() as stack:
        place = READABLE[name](request, stack)
        if seal:
            backend = sealed(place.backend, KEY)
            reader = backend if place.reader is place.backend else sealed(place.reader, KEY)
            place = Place(backend, reader)
        yield place


def _kinds(names: Any) -> list[str]:
    return [*names, *(f"{name}, sealed" for name in names if name in SEALED)]


@pytest.fixture(params=_kinds(READABLE))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A remote of each kind that can be read."""
    yield from _made(request)


@pytest.fixture(params=_kinds(WRITABLE))
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """A remote of each kind that can be written to."""
    for made in _made(request):
        yield made.backend
