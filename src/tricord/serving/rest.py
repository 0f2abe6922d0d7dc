"""The REST door: Open Inference Protocol, version 2, over HTTP. Parses, asks the plane, answers."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

import tricord
from tricord.core.errors import BadRequest, NotReady, ServingError
from tricord.serving.plane import DataPlane, Unknown
from tricord.serving.wire import InferRequest, InferResponse, request_of

BODY_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a request's body; more is answered with 413."""
INLINE_ROWS: Final = 64
"""Up to this many rows are answered in the event loop itself: a thread would cost more."""

_STATUS: Final[dict[type[ServingError], int]] = {BadRequest: 400, Unknown: 404, NotReady: 503}
_ENCODER: Final = msgspec.json.Encoder()

Answer = Callable[[Request], Awaitable[Response]]


class _TooLarge(BadRequest):
    """The body is larger than the limit."""


def app(plane: DataPlane, *, body_limit: int = BODY_LIMIT) -> ASGIApp:
    """The ASGI application of one endpoint."""
    door = _Door(plane, body_limit)
    model = "/v2/models/{name}"
    version = model + "/versions/{version}"
    routes = [
        Route("/v2/models/{name}/infer", _guarded(door.infer), methods=["POST"]),
        Route(version + "/infer", _guarded(door.infer), methods=["POST"]),
        Route("/v2", _guarded(door.server)),
        Route("/v2/health/live", _guarded(door.live)),
        Route("/v2/health/ready", _guarded(door.ready)),
        Route(model, _guarded(door.metadata)),
        Route(version, _guarded(door.metadata)),
        Route(model + "/ready", _guarded(door.model_ready)),
        Route(version + "/ready", _guarded(door.model_ready)),
    ]
    return Starlette(routes=routes, exception_handlers={404: _no_such_page, 405: _no_such_method})


class _Door:
    def __init__(self, plane: DataPlane, body_limit: int) -> None:
        self._plane = plane
        self._limit = body_limit

    async def infer(self, request: Request) -> Response:
        if "inference-header-content-length" in request.headers:
            raise BadRequest("binary tensors are not taken here; send the data as JSON")
        asked = request_of(await self._body(request))
        name: str = request.path_params["name"]
        version: str | None = request.path_params.get("version")
        if _rows(asked) <= INLINE_ROWS:
            answer = self._plane.infer(asked, model=name, version=version)
        else:
            answer = await run_in_threadpool(self._infer, asked, name, version)
        return _json(answer)

    def _infer(self, asked: InferRequest, name: str, version: str | None) -> InferResponse:
        return self._plane.infer(asked, model=name, version=version)

    async def server(self, _: Request) -> Response:
        return _json({"name": "tricord", "version": tricord.__version__, "extensions": []})

    async def live(self, _: Request) -> Response:
        return _json({"live": True})

    async def ready(self, _: Request) -> Response:
        return _json(self._plane.health(), 200 if self._plane.ready else 503)

    async def metadata(self, request: Request) -> Response:
        params = request.path_params
        return _json(self._plane.metadata(params["name"], params.get("version")))

    async def model_ready(self, request: Request) -> Response:
        name, version = request.path_params["name"], request.path_params.get("version")
        ready = self._plane.served(name, version)
        if not ready and self._plane.ready:
            raise Unknown(f"no such model or version is served here: {name!r}, {version!r}")
        return _json({"name": name, "ready": ready}, 200 if ready else 503)

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._limit:
            raise _TooLarge(f"the body has {declared} bytes, the limit is {self._limit}")
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._limit:
                raise _TooLarge(f"the body has more bytes than the limit of {self._limit}")
            chunks.append(chunk)
        return b"".join(chunks)


def _rows(asked: InferRequest) -> int:
    return len(asked.inputs[0].data) if asked.inputs else 0


def _guarded(answer: Answer) -> Answer:
    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except _TooLarge as error:
            return _json({"error": error.what}, 413)
        except ServingError as error:
            status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), 500)
            return _json({"error": error.what}, status)
        except ClientDisconnect:
            return Response(status_code=400)

    return guarded


async def _no_such_page(request: Request, _: Exception) -> Response:
    return _json({"error": f"no such path: {request.url.path}"}, 404)


async def _no_such_method(request: Request, _: Exception) -> Response:
    return _json({"error": f"{request.method} is not for {request.url.path}"}, 405)


def _json(value: Any, status: int = 200) -> Response:
    return Response(_ENCODER.encode(value), status, media_type="application/json")
