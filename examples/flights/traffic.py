"""The outside world of the replay: a server process, and passengers who ask it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl

from tricord.core.errors import NotRecorded, ServingError
from tricord.project.project import Project
from tricord.rollout.canary import state
from tricord.serving.client import Client
from tricord.serving.log import find, folder_of

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
        """Send each row as a request of its own, a few clients at a time; `done` counts them.

        Returns when all are answered and in the log, so that whoever judges it judges all of them.
        """
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
            asked = [pool.submit(self._ask_all, share, key, done) for share in shares]
            newest = max((answered.result() for answered in asked), key=_order)
        if newest:
            self._wait_for_log(newest)

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

    def _ask_all(self, share: Sequence[dict[str, Any]], key: str, done: Callable[[], None]) -> str:
        """The id of the last prediction; none where nothing was asked."""
        client = self._client()
        last = ""
        for request in share:
            name = request[key]
            _, answer = client.predict({k: v for k, v in request.items() if k != key}, key=name)
            last = answer["prediction_id"]
            done()
        client.close()
        return last

    def _wait_for_log(self, newest: str, seconds: float = 30.0) -> None:
        """The log is written in the background, in the order of the predictions' ids."""
        folder = folder_of(self._project.folder, self._endpoint)
        until = time.monotonic() + seconds
        while True:
            try:
                find(folder, newest)
            except NotRecorded as error:
                if time.monotonic() > until:
                    raise ServingError(f"the log has no {newest} after {seconds:.0f} s") from error
                time.sleep(0.05)
            else:
                return

    def _client(self) -> Client:
        return Client(self.url, self._endpoint)

    def _start(self) -> None:
        if self._process is not None:
            return
        root = str(self._project.root)
        command = [sys.executable, "-m", "tricord", "serve", self._endpoint]
        self._process = subprocess.Popen(
            [*command, "--port", "0", "--with-parent", str(os.getpid()), "--project", root],
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


def _order(prediction_id: str) -> tuple[str, int]:
    segment, _, number = prediction_id.rpartition("-")
    return segment, int(number or 0)
