"""The outside world of the replay: a server process, and passengers who ask it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from tricord.core.errors import ServingError
from tricord.project.project import Project
from tricord.rollout.canary import state
from tricord.serving.client import Client

CLIENTS = 4


class Server:
    """`tricord serve ENDPOINT` as a process of its own, on a free port of this machine.

    Started at the first request; it ends with this process, however that ends.
    """

    def __init__(self, project: Project, endpoint: str) -> None:
        self._project = project
        self._endpoint = endpoint
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def ask(self, rows: pl.DataFrame, key: str, done: Callable[[], None]) -> None:
        """Send each row as a request of its own, a few clients at a time; `done` counts them."""
        self._start()
        at = state(self._project, self._endpoint)
        assert at is not None
        moved = {
            ref: digest
            for ref, digest in self._project.ledger.refs("features/").items()
            if ref.endswith("@online")
        }
        self._client().wait_for(at.digest, moved)
        requests = rows.to_dicts()
        shares = [requests[start::CLIENTS] for start in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            for answered in [pool.submit(self._ask_all, share, key, done) for share in shares]:
                answered.result()

    def stop(self) -> None:
        """Stop the server; what it has logged is on disk afterwards."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _ask_all(self, share: Sequence[dict[str, Any]], key: str, done: Callable[[], None]) -> None:
        client = self._client()
        for request in share:
            name = request[key]
            client.predict({k: v for k, v in request.items() if k != key}, key=name)
            done()
        client.close()

    def _client(self) -> Client:
        return Client(self.url, self._endpoint)

    def _start(self) -> None:
        if self._process is not None:
            return
        root = str(self._project.root)
        command = [sys.executable, "-m", "tricord", "serve", self._endpoint]
        self._process = subprocess.Popen(
            [*command, "--port", "0", "--with-parent", "--project", root],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("listening on "):
            self.stop()
            raise ServingError("the server did not start", hint=f"tricord serve {self._endpoint}")
        self.url = line.removeprefix("listening on ").strip()
        # nobody reads the rest: do not let the pipe fill up
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
