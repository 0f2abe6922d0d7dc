"""Claim: the exported model answers as the trained one does; a float32 conversion of it does not.

python -m benchmarks.models

The same gradient-boosted trees, three ways: scikit-learn (the truth), our export (float64 from end to end),
and the same trees in float32 as the usual converters write them: splits, leaves and columns narrowed.
Ten columns are measurements, five are instants in epoch seconds (float32 cannot tell two minutes apart
there), five are amounts rounded to cents.
"""

import time
from typing import Any

import numpy as np
import onnx
import polars as pl
from onnx import helper, numpy_helper
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.measuring import report
from tricord.models.export import export
from tricord.models.package import Model

TRAINING, ROWS, COLUMNS, TREES = 20_000, 10_000, 20, 100


def table(seed: int, rows: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, COLUMNS))
    values[:, 10:15] = 1.7e9 + 60 * random.integers(0, 1440, (rows, 5))  # minutes of a day
    values[:, 15:] = np.round(values[:, 15:], 2)
    values[random.random((rows, COLUMNS)) < 0.02] = np.nan
    return values


def single(onnx_bytes: bytes) -> bytes:
    """The same graph with splits, leaves and the columns that they meet in float32."""
    model: Any = onnx.load_from_string(onnx_bytes)
    nodes = []
    for node in model.graph.node:
        if node.op_type != "TreeEnsemble":
            nodes.append(node)
            continue
        for attribute in node.attribute:
            if attribute.name in ("nodes_splits", "leaf_weights"):
                values = numpy_helper.to_array(attribute.t).astype(np.float32)
                attribute.t.CopyFrom(numpy_helper.from_array(values, attribute.t.name))
        (source,), (target,) = node.input, node.output
        node.input[0], node.output[0] = "narrow", "narrow_sums"
        nodes += [
            helper.make_node("Cast", [source], ["narrow"], to=onnx.TensorProto.FLOAT),
            node,
            helper.make_node("Cast", ["narrow_sums"], [target], to=onnx.TensorProto.DOUBLE),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def main() -> None:
    names = [f"c{i}" for i in range(COLUMNS)]
    training, rows = table(0, TRAINING), table(1, ROWS)
    noise = np.random.default_rng(2).normal(size=TRAINING)
    score = np.nansum(training[:, :10], axis=1) + (training[:, 10] - 1.7e9) / 3600 % 6 / 2 + noise
    label = np.nan_to_num(score) > 1
    fitted = HistGradientBoostingClassifier(max_iter=TREES, random_state=0).fit(training, label)
    truth = fitted.predict_proba(rows)[:, 1]

    started = time.perf_counter()
    model = export(fitted, pl.DataFrame(rows, schema=names), columns=names)
    seconds = time.perf_counter() - started
    ours = model.predict(pl.DataFrame(rows, schema=names))
    usual = Model(single(model.onnx), model.signature).predict(pl.DataFrame(rows, schema=names))

    def against(scores: Any) -> tuple[float, int, int]:
        differences = np.abs(truth - scores)
        flipped = int(np.sum((truth > 0.5) != (scores > 0.5)))
        return float(differences.max()), int(np.sum(differences > 1e-6)), flipped

    report(
        "models",
        f"HistGradientBoosting, {TREES} trees, {COLUMNS} columns, {ROWS:,} rows against scikit-learn",
        ("", "largest difference", "rows off by > 1e-6", "labels flipped"),
        [("ours, float64", *against(ours)), ("the same trees in float32", *against(usual))],
        export_and_proof_seconds=round(seconds, 2),
    )


if __name__ == "__main__":
    main()
