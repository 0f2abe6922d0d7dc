"""`tricord serve`: one process that answers for one endpoint and follows its refs."""

import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any, Final

from polars.exceptions import PolarsError

from tricord.core.errors import NotReady, ServingError, TricordError
from tricord.core.plugins import optional
from tricord.core.ref import parse_ref
from tricord.project.project import Project
from tricord.serving import state as states
from tricord.serving.log import PredictionLog, folder_of
from tricord.serving.plane import DataPlane

_BACKLOG: Final = 2048
_LAST_PORT: Final = 65_535
_RETRY_SECONDS: Final = 2.0  # after a failed load, unless something moves before
_LOAD_ERRORS: Final = (
    TricordError,
    PolarsError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    MemoryError,
)
"""What a record that is damaged or made by another release may raise while it is being loaded."""


def announce(url: str) -> None:
    """Say on standard output where the server listens."""
    sys.stdout.write(f"listening on {url}\n")
    sys.stdout.flush()


def serve(
    project: Project,
    endpoint: str,
    host: str | None = None,
    port: int | None = None,
    *,
    ready: Callable[[str], None] = announce,
) -> None:
    """Answer requests for `endpoint` until SIGTERM or SIGINT; requests under way are finished.

    `ready` is called with the server's URL once it listens. The server says it is ready as soon as a plan is live
    and loaded, and follows every move of the refs it was made from; a plan
    that cannot be loaded is reported (standard error, health, metadata) and the one before stays.
    ServingError where the address cannot be had.
    """
    uvicorn = optional("uvicorn", extra="serving")
    rest = optional("tricord.serving.rest", extra="serving")
    parse_ref(states.plan_ref(endpoint))
    config = project.config
    host = host or config.text("serving.host")
    listener = _listener(host, config.whole("serving.port") if port is None else port)
    with contextlib.closing(listener), _log(project, endpoint) as log:
        plane = DataPlane(endpoint, log, now=project.clock.now)
        watcher = Watcher(project, plane, config.number("serving.poll_seconds"))
        settings: Any = uvicorn.Config(
            rest.app(plane),
            http="httptools",
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        server: Any = uvicorn.Server(settings)
        with watcher.running(), _stopping_cleanly():
            _call_when_listening(server, lambda: ready(_url(host, listener)))
            server.run(sockets=[listener])


class Watcher:
    """Keeps a plane's state where the refs say it should be."""

    def __init__(self, project: Project, plane: DataPlane, poll_seconds: float) -> None:
        self._project = project
        self._plane = plane
        self._poll_seconds = poll_seconds
        self._seen = -1
        self._waiting = False
        self._retry_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ref watcher", daemon=True)

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Look once now, then every `poll_seconds` in a thread until the block ends."""
        self.look()
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def look(self) -> None:
        """Take up the newest state if anything that concerns it has moved. Never raises."""
        plane, project = self._plane, self._project
        try:
            last = project.ledger.last_event()
            again = plane.trouble is not None and time.monotonic() >= self._retry_at
            if last == self._seen and not again:
                return
            self._seen = last
            state = plane.state
            if state is None or plane.trouble or states.moved(project, state):
                plane.state = states.load(project, plane.endpoint, state)
                plane.trouble = None
        except NotReady as error:
            if not self._waiting:
                self._waiting = True
                _say(f"{error.what} yet: waiting for the first plan")
        except _LOAD_ERRORS as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self._plane.trouble:
            kept = "the one before stays" if self._plane.state else "nothing is served"
            _say(f"the plan of {self._plane.endpoint} cannot be served, {kept}: {text}")
        self._plane.trouble = text
        self._retry_at = time.monotonic() + _RETRY_SECONDS

    def _run(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self.look()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _log(project: Project, endpoint: str) -> Generator[PredictionLog]:
    log = PredictionLog(
        folder_of(project.folder, endpoint),
        clock=project.clock,
        flush_seconds=project.config.number("serving.flush_seconds"),
    )
    try:
        yield log
    finally:
        log.close()


def _listener(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:
        raise ServingError(
            f"no port has the number {port}: they run from 1 to {_LAST_PORT}",
            hint="--port 0 takes any free port",
        )
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:  # a name that is none is a UnicodeError
        raise ServingError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}",
            hint="--port 0 takes any free port",
        ) from error
    return listener


def _url(host: str, listener: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def _call_when_listening(server: Any, call: Callable[[], None]) -> None:
    startup = server.startup

    async def started(*args: Any, **kwargs: Any) -> None:
        await startup(*args, **kwargs)
        if server.started:
            call()

    server.startup = started


@contextlib.contextmanager
def _stopping_cleanly() -> Generator[None]:
    """uvicorn stops on a signal and then raises it again; here a stopped server has done its work."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ignore(number: int, frame: FrameType | None) -> None: ...

    before = {number: signal.signal(number, ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
