"""The prediction log: what was asked and answered, row by row, written in the background.

A server appends to one open segment, `<segment>.jsonl`, and begins another after so many rows and at each start. A
prediction's id is `<segment>-<number>`, so it names the file that it is in. A write appends
whole lines; a line that a killed process left half written is not read.
"""

import contextlib
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from tricord.core.clock import Clock, SystemClock, new_id
from tricord.core.errors import NotRecorded, ServingError

SUFFIX: Final = ".jsonl"
ROWS_PER_SEGMENT: Final = 50_000
_MOST_WAITING: Final = 100_000  # requests kept in memory while the disk refuses them
_ID: Final = re.compile(r"(?P<segment>[0-9a-z]{26})-[0-9]+")
_LOG: Final = logging.getLogger(__name__)

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it was answered: its rows share everything but inputs, features and scores.

    `inputs` and `features` map a column to its values, one per row; `features` and `scores` are empty
    where the request failed, and `error` says how. `time` is in seconds since the
    epoch, `latency` in seconds.
    """

    prediction_id: str
    request_id: str | None
    key: str
    endpoint: str
    plan: str
    arm: str
    release: str
    time: float
    latency: float
    rows: int
    inputs: Columns
    features: Columns
    scores: Sequence[float]
    error: str | None = None


class Line(msgspec.Struct):
    """One row of the log, one line of JSON."""

    prediction_id: str
    row: int
    request_id: str | None
    key: str
    endpoint: str
    plan: str
    arm: str
    release: str
    time: float
    latency: float
    inputs: dict[str, Any]
    features: dict[str, Any] | None
    score: float | None
    error: str | None


_TYPES: Final[Mapping[str, type[pl.DataType]]] = {
    "prediction_id": pl.String,
    "row": pl.Int64,
    "request_id": pl.String,
    "key": pl.String,
    "endpoint": pl.String,
    "plan": pl.String,
    "arm": pl.String,
    "release": pl.String,
    "time": pl.Float64,
    "latency": pl.Float64,
    "score": pl.Float64,
    "error": pl.String,
}


class PredictionLog:
    """The log of one server. Safe to use from several threads.

    `append` touches memory only; a thread writes every `flush_seconds`. `close` writes the rest.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock | None = None,
        flush_seconds: float = 0.2,
        rows_per_segment: int = ROWS_PER_SEGMENT,
    ) -> None:
        self.folder = folder
        self.dropped = 0
        """Requests that were given up because the disk refused them for too long."""
        self._clock = clock or SystemClock()
        self._rows_per_segment = rows_per_segment
        self._waiting: deque[Entry] = deque()
        self._counting = threading.Lock()
        self._writing = threading.Lock()
        self._segment, self._number, self._rows = new_id(self._clock), 0, 0
        self._complained = False
        self._stop = threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServingError(
                f"the prediction log cannot be kept: {error.strerror}", where=str(folder)
            ) from error
        self._thread = threading.Thread(
            target=self._run, args=(flush_seconds,), name="prediction log", daemon=True
        )
        self._thread.start()

    def next_id(self) -> str:
        """An id that no other prediction has or will have."""
        with self._counting:
            if self._rows >= self._rows_per_segment:
                self._segment, self._number, self._rows = new_id(self._clock), 0, 0
            self._number += 1
            return f"{self._segment}-{self._number}"

    def append(self, entry: Entry) -> None:
        """Take a request into the log. It is on disk after the next flush."""
        with self._counting:
            self._rows += entry.rows
        self._waiting.append(entry)

    def flush(self) -> None:
        """Write what is waiting. What the disk refuses is kept and tried again at the next flush."""
        with self._writing:
            batch: list[Entry] = []
            while self._waiting:
                batch.append(self._waiting.popleft())
            while batch:
                segment = _segment_of(batch[0].prediction_id)
                cut = next(
                    (i for i, e in enumerate(batch) if _segment_of(e.prediction_id) != segment),
                    len(batch),
                )
                try:
                    _append(self.folder / f"{segment}{SUFFIX}", _encoded(batch[:cut]))
                except OSError as error:
                    self._keep(batch, error)
                    return
                self._complained = False
                del batch[:cut]

    def close(self) -> None:
        """Stop the thread and write the rest, durably."""
        self._stop.set()
        self._thread.join()
        self.flush()
        for segment in self.folder.glob(f"{self._segment}{SUFFIX}"):
            with contextlib.suppress(OSError), segment.open("rb") as file:
                os.fsync(file.fileno())

    def _run(self, flush_seconds: float) -> None:
        while not self._stop.wait(flush_seconds):
            self.flush()

    def _keep(self, batch: list[Entry], error: OSError) -> None:
        over = max(0, len(batch) - _MOST_WAITING)
        self.dropped += over
        self._waiting.extendleft(reversed(batch[over:]))
        if not self._complained:
            self._complained = True
            sys.stderr.write(f"the prediction log cannot be written: {error}; trying again\n")


def folder_of(project_folder: Path, endpoint: str) -> Path:
    """Where the log of an endpoint is kept below a project's own folder (`.tricord`)."""
    return project_folder / "predictions" / endpoint


def read_segments(folder: Path) -> pl.DataFrame:
    """Every row of the segments in `folder`, oldest first.

    The request's columns are called `input.NAME`, what the model saw `feature.NAME`; besides them there are
    prediction_id, row, request_id, key, endpoint, plan, arm, release, time, latency, score and error.
    """
    content = b"".join(_complete_lines(path) for path in sorted(folder.glob(f"*{SUFFIX}")))
    if not content:
        return pl.DataFrame(schema=dict(_TYPES))
    try:
        table = pl.read_ndjson(content, infer_schema_length=None, schema_overrides=dict(_TYPES))
    except pl.exceptions.PolarsError as error:
        raise ServingError(
            f"the prediction log cannot be read as one table: {error}", where=str(folder)
        ) from error
    for name, prefix in (("inputs", "input."), ("features", "feature.")):
        if isinstance(dtype := table.schema[name], pl.Struct) and dtype.fields:
            table = table.with_columns(pl.col(name).name.prefix_fields(prefix)).unnest(name)
        else:  # no row has any
            table = table.drop(name)
    rest = [name for name in table.columns if name not in _TYPES]
    return table.select(*_TYPES, *rest)


def find(folder: Path, prediction_id: str) -> list[dict[str, Any]]:
    """The rows of one prediction, as they were logged. `folder` is an endpoint's or the one above.

    NotRecorded where there is none. Reads one segment.
    """
    match = _ID.fullmatch(prediction_id)
    if match is None:
        raise NotRecorded(
            f"not the id of a prediction: {prediction_id!r}",
            hint="it stands in the answer's parameters as prediction_id",
        )
    name = match["segment"] + SUFFIX
    start = f'{{"prediction_id":"{prediction_id}",'.encode()
    found = [
        msgspec.json.decode(line, type=dict[str, Any])
        for path in (folder / name, *sorted(folder.glob(f"*/{name}")))
        if path.is_file()
        for line in _complete_lines(path).splitlines()
        if line.startswith(start)
    ]
    if not found:
        raise NotRecorded(f"no prediction {prediction_id} is in the log", where=str(folder))
    return found


def _complete_lines(path: Path) -> bytes:
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        _LOG.warning(
            "%s: the last line is half written (%d bytes) and was left out",
            path,
            len(content) - end,
        )
    return content[:end]


def _segment_of(prediction_id: str) -> str:
    return prediction_id.rpartition("-")[0]


def _append(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(before)  # no half line before what is written next
            raise


def _encoded(entries: Sequence[Entry]) -> bytes:
    encode = msgspec.json.Encoder().encode
    return b"".join(encode(line) + b"\n" for entry in entries for line in _lines(entry))


def _lines(entry: Entry) -> Iterator[Line]:
    for row in range(entry.rows):
        yield Line(
            entry.prediction_id,
            row,
            entry.request_id,
            entry.key,
            entry.endpoint,
            entry.plan,
            entry.arm,
            entry.release,
            entry.time,
            entry.latency,
            {name: values[row] for name, values in entry.inputs.items()},
            {name: values[row] for name, values in entry.features.items()} or None,
            entry.scores[row] if len(entry.scores) else None,
            entry.error,
        )
