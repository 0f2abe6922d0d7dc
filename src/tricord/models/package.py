"""Model: ONNX bytes, the signature of its inputs, and the proof that it equals what was trained.

Inside the graph every number is a float64 tensor and every text a string tensor, both of shape
(rows, 1); a missing number is NaN, a missing text the marker MISSING. The data types of the
signature are those of the Open Inference Protocol, version 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from tricord.core.canonical import JSON
from tricord.core.errors import ModelError
from tricord.core.plugins import optional

Datatype: TypeAlias = Literal["FP64", "INT64", "BYTES", "BOOL"]
Floats: TypeAlias = npt.NDArray[np.float64]
DATATYPES: Final[tuple[Datatype, ...]] = ("FP64", "INT64", "BYTES", "BOOL")

MISSING: Final = "\x1a"
"""Stands for a missing text inside the graph (ONNX strings know no null): U+001A, SUBSTITUTE."""


@dataclass(frozen=True, slots=True)
class Column:
    """One input. `nullable` says that the model was shown missing values of it."""

    name: str
    datatype: Datatype
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs in the model's order and the name of its one output (float64, shape (rows,))."""

    inputs: tuple[Column, ...]
    output: str = "probability"

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.inputs]

    def to_json(self) -> dict[str, JSON]:
        return {
            "tricord": "signature/1",
            "inputs": [
                {"name": c.name, "datatype": c.datatype, "nullable": c.nullable}
                for c in self.inputs
            ],
            "output": self.output,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Signature":
        if data.get("tricord") != "signature/1":
            raise ModelError(f"not a signature of version 1: {data.get('tricord')!r}")
        inputs: Sequence[Mapping[str, Any]] = data["inputs"]
        for column in inputs:
            if column["datatype"] not in DATATYPES:
                raise ModelError(f"unknown datatype {column['datatype']!r} in a signature")
        return cls(tuple(Column(**column) for column in inputs), str(data["output"]))


@dataclass(frozen=True, slots=True)
class Proof:
    """How ONNX and the estimator were compared.

    `rows` is how many rows in all, `probes` how many of them were made up on purpose (missing
    values, unknown texts, values on a split and next to it). `largest_difference` is absolute;
    `labels_flipped` counts rows on the other side of 0.5, and is 0 for a regressor.
    """

    rows: int
    probes: int
    largest_difference: float
    labels_flipped: int
    tolerance: float

    def to_json(self) -> dict[str, JSON]:
        return {
            "tricord": "proof/1",
            "rows": self.rows,
            "probes": self.probes,
            "largest_difference": self.largest_difference,
            "labels_flipped": self.labels_flipped,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Proof":
        fields = dict(data)
        if fields.pop("tricord", None) != "proof/1":
            raise ModelError(f"not a proof of version 1: {data.get('tricord')!r}")
        return cls(**fields)


@dataclass(frozen=True)
class Model:
    """A model as it is served. Two are equal where bytes, signature and proof are.

    `proof` is None for a graph that came from elsewhere and was compared with nothing.
    """

    onnx: bytes
    signature: Signature
    proof: Proof | None = None

    def predict(self, rows: pl.DataFrame) -> Floats:
        """Scores of `rows`, float64 of shape (rows,): a probability, or a regressor's estimate.

        Columns are found by name, others are ignored; a null is a missing value.
        ModelError names every column that is not there or is of another type.
        """
        return self.run(self.tensors(rows))

    def tensors(self, rows: pl.DataFrame) -> dict[str, npt.NDArray[Any]]:
        """The inputs of the graph from a table. ModelError as for `predict`."""
        given = set(rows.columns)
        missing = [name for name in self.signature.names if name not in given]
        if missing:
            raise ModelError(
                f"the model needs columns that are not there: {', '.join(missing)}",
                where=f"a table with {', '.join(rows.columns) or 'no columns'}",
            )
        wrong: list[str] = []
        made: dict[str, npt.NDArray[Any]] = {}
        for column in self.signature.inputs:
            values = rows.get_column(column.name)
            if _fits(values.dtype, column.datatype):
                made[column.name] = tensor(values, column.datatype)
            else:
                expected = _EXPECTED[column.datatype]
                wrong.append(f"{column.name} is {values.dtype}, expected {expected}")
        if wrong:
            raise ModelError(f"columns of a wrong type: {'; '.join(wrong)}")
        return made

    def run(self, tensors: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """Scores from tensors that are as the graph wants them: float64 or object, (rows, 1)."""
        if not len(next(iter(tensors.values()))):
            return np.empty(0, dtype=np.float64)
        session, failures = self._session
        try:
            (scores,) = session.run([self.signature.output], tensors)
        except failures as error:
            raise ModelError(f"the model did not run: {error}") from error
        return cast("Floats", scores).reshape(-1)

    def load(self) -> None:
        """Build the session now instead of at the first prediction. ModelError if it cannot be."""
        _ = self._session

    @cached_property
    def _session(self) -> tuple[Any, tuple[type[Exception], ...]]:
        runtime = optional("onnxruntime", extra="models")
        state = optional("onnxruntime.capi.onnxruntime_pybind11_state", extra="models")
        failures: tuple[type[Exception], ...] = (
            state.Fail,
            state.InvalidArgument,
            state.InvalidGraph,
            state.InvalidProtobuf,
            state.NotImplemented,
            state.RuntimeException,
        )
        options = runtime.SessionOptions()
        # one thread: a fixed order of additions, and no pool to wake for a single row
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        try:
            session = runtime.InferenceSession(
                self.onnx, options, providers=["CPUExecutionProvider"]
            )
        except failures as error:
            raise ModelError(f"onnxruntime cannot load this model: {error}") from error
        offered = {tensor.name for tensor in session.get_inputs()}
        if offered != set(self.signature.names):
            raise ModelError(
                f"graph and signature disagree: the graph takes {sorted(offered)}, "
                f"the signature names {sorted(self.signature.names)}"
            )
        return session, failures


_EXPECTED: Final[Mapping[Datatype, str]] = {
    "FP64": "a number",
    "INT64": "a number",
    "BYTES": "a text",
    "BOOL": "a boolean",
}


def datatype_of(dtype: pl.DataType) -> Datatype | None:
    """The datatype of the protocol that a polars column is sent as; None where there is none.

    >>> datatype_of(pl.Int16()), datatype_of(pl.String()), datatype_of(pl.Date())
    ('INT64', 'BYTES', None)
    """
    if isinstance(dtype, pl.Boolean):
        return "BOOL"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "BYTES"
    if dtype.is_integer():
        return "INT64"
    return "FP64" if dtype.is_numeric() else None


@lru_cache(maxsize=1024)
def _fits(dtype: pl.DataType, wanted: Datatype) -> bool:
    if isinstance(dtype, pl.Null):
        return True
    found = datatype_of(dtype)
    # a column of whole numbers becomes float as soon as a join leaves one out
    return found == wanted or {found, wanted} == {"INT64", "FP64"}


def tensor(values: pl.Series, datatype: Datatype) -> npt.NDArray[Any]:
    """A column as the graph wants it, shape (rows, 1): object for BYTES, float64 for the rest."""
    if datatype == "BYTES":
        if not isinstance(values.dtype, pl.String):
            values = values.cast(pl.String)
        return texts(values.to_list())
    if not isinstance(values.dtype, pl.Float64):
        values = values.cast(pl.Float64)
    return values.to_numpy().reshape(-1, 1)  # a null becomes NaN here


def texts(values: Sequence[str | None]) -> npt.NDArray[Any]:
    """Texts as the graph wants them, shape (rows, 1)."""
    known = [MISSING if value is None else value for value in values]
    return np.array(known, dtype=object).reshape(-1, 1)
