"""What is written comes back; what is not trusted does not."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tricord.core.errors import CodecError, ModelError
from tricord.models.codecs import EstimatorCodec, ModelCodec, OnnxCodec
from tricord.models.export import export
from tricord.models.package import Model, Signature
from tricord.project.codecs import codec_of


def test_model_round_trip(
    pipeline: Pipeline, table: pl.DataFrame, columns: list[str], tmp_path: Path
) -> None:
    model = export(pipeline, table, columns=columns)
    ModelCodec().write(model, tmp_path / "a")
    assert {p.name for p in (tmp_path / "a").iterdir()} == {
        "model.onnx",
        "signature.json",
        "proof.json",
    }
    assert ModelCodec().read(tmp_path / "a", "onnx-package", Model) == model


def test_estimator_round_trip(pipeline: Pipeline, table: pl.DataFrame, tmp_path: Path) -> None:
    codec = EstimatorCodec()
    codec.write(pipeline, tmp_path / "a")
    again = codec.read(tmp_path / "a", "skops", Pipeline)
    np.testing.assert_array_equal(pipeline.predict_proba(table), again.predict_proba(table))
    codec.write(again, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_codecs_are_found_by_type(pipeline: Pipeline) -> None:
    assert codec_of(type(pipeline))[0] == "sklearn.BaseEstimator"
    assert codec_of(Model)[0] == "tricord.Model"


def test_own_functions_are_refused_when_written(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="could not be loaded again"):
        EstimatorCodec().write(FunctionTransformer(func=print_rows), tmp_path / "a")


def print_rows(rows: object) -> object:
    return rows


def test_unknown_types_are_refused_when_read(pipeline: Pipeline, tmp_path: Path) -> None:
    EstimatorCodec().write(pipeline, tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    schema["__module__"], schema["__class__"] = "subprocess", "Popen"
    files["schema.json"] = json.dumps(schema).encode()
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    (tmp_path / "b").write_bytes(forged.getvalue())
    with pytest.raises(CodecError, match="not trusted"):
        EstimatorCodec().read(tmp_path / "b", "skops", Pipeline)


def test_damaged_files_are_codec_errors(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"neither of them")
    for codec in (EstimatorCodec(), OnnxCodec()):
        with pytest.raises(CodecError):
            codec.read(tmp_path / "a", codec.format, object)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CodecError):
        ModelCodec().read(tmp_path / "folder", "onnx-package", Model)


def test_signature_of_another_version_is_refused() -> None:
    with pytest.raises(ModelError, match="signature"):
        Signature.from_json({"tricord": "signature/9"})
