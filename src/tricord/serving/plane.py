"""The data plane: one request in, one answer out, whatever the protocol of the door."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from tricord.core.errors import BadRequest, NotReady, ServingError, TricordError
from tricord.models.package import Floats
from tricord.serving.log import Columns, Entry, PredictionLog
from tricord.serving.plan import Arm
from tricord.serving.state import LoadedRelease, State
from tricord.serving.wire import (
    Column,
    InferRequest,
    InferResponse,
    OutputTensor,
    columns_of,
    frame_of,
)

PLATFORM: Final = "tricord_onnx"


class Unknown(ServingError):
    """No model or version of that name is served here."""


@dataclass(frozen=True, slots=True)
class _Answer:
    scores: Floats
    features: Columns


class DataPlane:
    """Answers from the state in memory. Touches neither ledger nor disk.

    `state` may be replaced at any time from another thread; a request keeps the one it began with.
    `trouble` says why the newest plan is not the one being served, None where it is.
    """

    def __init__(
        self,
        endpoint: str,
        log: PredictionLog,
        *,
        state: State | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.endpoint = endpoint
        self.state = state
        self.trouble: str | None = None
        self._log = log
        self._now = now

    def infer(
        self, request: InferRequest, *, model: str, version: str | None = None
    ) -> InferResponse:
        """Route, enrich, predict, log. BadRequest, Unknown, NotReady, ServingError.

        The key that decides on the arm is the request's parameter "key", else its id, else the
        prediction's id. `version` asks for one release by its digest instead.
        """
        begun = time.perf_counter()
        state = self._ready(model)
        prediction_id = self._log.next_id()
        key = _key(request) or request.id or prediction_id
        arm = _arm(state, key, version)
        loaded = state.releases[arm.release]
        columns = columns_of(request, loaded.fields)
        frame = frame_of(columns, zoned=loaded.zoned) if loaded.features else None
        rows = len(columns[0].values)
        output = loaded.model.signature.output
        if unknown := [wish.name for wish in request.outputs or () if wish.name != output]:
            raise BadRequest(f"unknown output {unknown[0]!r}, expected {output!r}")

        def note(features: Columns, scores: Sequence[float], error: str | None) -> None:
            self._log.append(
                Entry(
                    prediction_id,
                    request.id,
                    key,
                    self.endpoint,
                    state.plan_digest,
                    arm.name,
                    arm.release,
                    self._now(),
                    time.perf_counter() - begun,
                    rows,
                    {column.name: column.values for column in columns},
                    features,
                    scores,
                    error,
                )
            )

        try:
            answer = _answered(loaded, columns, frame)
        except (TricordError, PolarsError) as error:
            note({}, (), str(error))
            raise ServingError(f"release {arm.release[:12]} could not answer: {error}") from error
        scores: list[float] = answer.scores.tolist()
        note(answer.features, scores, None)
        return InferResponse(
            model_name=self.endpoint,
            model_version=arm.release,
            outputs=[OutputTensor(output, [rows], "FP64", scores)],
            parameters={"prediction_id": prediction_id, "release": arm.release, "arm": arm.name},
            id=request.id,
        )

    @property
    def ready(self) -> bool:
        return self.state is not None

    def health(self) -> dict[str, Any]:
        """What is live, and what stands in the way of something newer."""
        state = self.state
        return {
            "ready": state is not None,
            "plan": state.plan_digest if state else None,
            "trouble": self.trouble,
            "log_dropped": self._log.dropped,
        }

    def metadata(self, model: str, version: str | None = None) -> dict[str, Any]:
        """Inputs and outputs of the model, the plan and its arms."""
        state = self._ready(model)
        arm = state.plan.arms[0] if version is None else _arm(state, "", version)
        loaded = state.releases[arm.release]
        return {
            "name": self.endpoint,
            "versions": [arm.release for arm in state.plan.arms],
            "platform": PLATFORM,
            "inputs": [field.describe() for field in loaded.fields.values()],
            "outputs": [{"name": loaded.model.signature.output, "datatype": "FP64", "shape": [-1]}],
            "parameters": {
                "release": arm.release,
                "plan": state.plan_digest,
                "arms": [arm.to_json() for arm in state.plan.arms],
                "sources": dict(state.sources),
                "trouble": self.trouble,
            },
        }

    def served(self, model: str, version: str | None = None) -> bool:
        """True where that model (and release) can be asked now."""
        state = self.state
        if model != self.endpoint or state is None:
            return False
        return version is None or state.plan.arm(version) is not None

    def _ready(self, model: str) -> State:
        if model != self.endpoint:
            raise Unknown(f"no model {model!r} is served here, only {self.endpoint!r}")
        state = self.state
        if state is None:
            raise NotReady(self.trouble or f"nothing is live at {self.endpoint} yet")
        return state


def _key(request: InferRequest) -> str | None:
    key = (request.parameters or {}).get("key")
    if key is None or isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise BadRequest(f"the parameter 'key' must be a text or a whole number, not {key!r}")


def _arm(state: State, key: str, version: str | None) -> Arm:
    if version is None:
        return state.plan.route(key)
    arm = state.plan.arm(version)
    if arm is None:
        raise Unknown(f"no version {version!r} of {state.plan.endpoint!r} is being served")
    return arm


def _answered(
    loaded: LoadedRelease, columns: Sequence[Column], frame: pl.DataFrame | None
) -> _Answer:
    if loaded.features is None or frame is None:
        scores = loaded.model.run({column.name: column.tensor() for column in columns})
        features: Columns = {column.name: column.values for column in columns}
    else:
        enriched = loaded.features.enrich(frame)
        scores = loaded.model.predict(enriched)
        features = _listed(enriched, loaded.model.signature.names)
    if not all(map(math.isfinite, scores.tolist())):
        row = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ServingError(f"the model's answer for row {row} is no number")
    return _Answer(scores, features)


def _listed(table: pl.DataFrame, names: Sequence[str]) -> Mapping[str, list[Any]]:
    places = {name: place for place, name in enumerate(table.columns)}
    rows = table.rows()
    return {name: [row[places[name]] for row in rows] for name in names}
