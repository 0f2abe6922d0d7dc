"""Models between Python and bytes: packages, scikit-learn estimators, bare ONNX graphs."""

import json
from pathlib import Path
from typing import Any, Final

from tricord.core import canonical
from tricord.core.artifact import Kind
from tricord.core.errors import CodecError
from tricord.core.plugins import optional
from tricord.models import estimators
from tricord.models.package import Model, Proof, Signature

GRAPH: Final = "model.onnx"
SIGNATURE: Final = "signature.json"
PROOF: Final = "proof.json"


class ModelCodec:
    """A `Model` as a folder: model.onnx, signature.json and, where it was proven, proof.json."""

    format = "onnx-package"
    reads = ("onnx-package",)
    kind = Kind.MODEL

    def write(self, value: Model, target: Path) -> None:
        target.mkdir()
        (target / GRAPH).write_bytes(value.onnx)
        (target / SIGNATURE).write_bytes(canonical.encode(value.signature.to_json()))
        if value.proof is not None:
            (target / PROOF).write_bytes(canonical.encode(value.proof.to_json()))

    def read(self, source: Path, format: str, want: type) -> Model:  # noqa: ARG002
        try:
            signature = Signature.from_json(json.loads((source / SIGNATURE).read_bytes()))
            proof = source / PROOF
            return Model(
                (source / GRAPH).read_bytes(),
                signature,
                Proof.from_json(json.loads(proof.read_bytes())) if proof.is_file() else None,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CodecError(f"not a model package: {error}", where=str(source)) from error


class EstimatorCodec:
    """Fitted scikit-learn estimators, pipelines included, in the skops format. Never pickle."""

    format = "skops"
    reads = ("skops",)
    kind = Kind.MODEL

    def write(self, value: Any, target: Path) -> None:
        target.write_bytes(estimators.dump(value))

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        found = estimators.load(source)
        if want is not object and not isinstance(found, want):
            raise CodecError(
                f"a stored {type(found).__name__} was asked for as {want.__name__}",
                where=str(source),
            )
        return found


class OnnxCodec:
    """An ONNX graph (`onnx.ModelProto`) that came from elsewhere: its protobuf bytes."""

    format = "onnx"
    reads = ("onnx",)
    kind = Kind.MODEL

    def write(self, value: Any, target: Path) -> None:
        target.write_bytes(value.SerializeToString(deterministic=True))

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        onnx: Any = optional("onnx", extra="models")
        message = optional("google.protobuf.message", extra="models")
        try:
            return onnx.load_model_from_string(source.read_bytes())
        except message.DecodeError as error:
            raise CodecError(f"not an ONNX graph: {error}", where=str(source)) from error
