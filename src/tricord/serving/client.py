"""A client of the Open Inference Protocol over HTTP: one kept connection, one request at a time."""

import http.client
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from tricord.core.errors import BadRequest, NotReady, ServingError


class Client:
    """Asks one endpoint of one server. Not for use from several threads: make one for each.

    ServingError where the server cannot be reached or fails, BadRequest where it refuses.
    """

    def __init__(self, url: str, endpoint: str, *, timeout: float = 30.0) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port or 80, timeout=timeout
        )
        self._url = url
        self._path = f"/v2/models/{endpoint}"
        self._datatypes: dict[str, str] | None = None

    def predict(self, row: Mapping[str, Any], *, key: str) -> tuple[float, Mapping[str, Any]]:
        """The score of one row (column → value) and the answer's parameters: prediction_id, release,
        arm. `key` decides which arm of a rollout answers."""
        if self._datatypes is None:
            wanted = self.metadata()["inputs"]
            self._datatypes = {field["name"]: field["datatype"] for field in wanted}
        known = self._datatypes
        inputs = [
            {
                "name": name,
                "shape": [1],
                "datatype": known.get(name, "BYTES"),
                "data": [_sent(value)],
            }
            for name, value in row.items()
        ]
        body = msgspec.json.encode({"id": key, "parameters": {"key": key}, "inputs": inputs})
        answer = self._ask("POST", f"{self._path}/infer", body)
        return float(answer["outputs"][0]["data"][0]), answer["parameters"]

    def metadata(self) -> Mapping[str, Any]:
        """The model's inputs and outputs, the plan that is live and its arms."""
        return self._ask("GET", self._path)

    def wait_for(
        self, plan: str, sources: Mapping[str, str] | None = None, *, seconds: float = 30.0
    ) -> None:
        """Wait until the server has taken up a routing plan, and refs as they stand in `sources`."""
        until = time.monotonic() + seconds
        found: Mapping[str, Any] = {}
        while time.monotonic() < until:
            try:
                found = self.metadata()["parameters"]
            except NotReady:
                found = {}
            at = cast("Mapping[str, str]", found.get("sources", {}))
            moved = all(at.get(ref, digest) == digest for ref, digest in (sources or {}).items())
            if found.get("plan") == plan and moved:
                return
            time.sleep(0.02)
        raise ServingError(
            f"the server did not take up the plan {plan[:12]} in {seconds:.0f} s: "
            f"{found.get('trouble') or 'no reason given'}",
            where=self._url,
        )

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ServingError(f"no answer: {error}", where=self._url) from error
        if response.status == 200:
            return msgspec.json.decode(content)
        try:
            message = str(json.loads(content)["error"])
        except (ValueError, KeyError, TypeError):
            message = content[:200].decode(errors="replace")
        cls = {400: BadRequest, 503: NotReady}.get(response.status, ServingError)
        raise cls(f"{response.status}: {message}", where=self._url)


def _sent(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:  # as in a table: an instant without a zone is in UTC, not here
            value = value.replace(tzinfo=UTC)
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value
