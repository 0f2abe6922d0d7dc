"""Gradient-boosted trees of scikit-learn as one ONNX TreeEnsemble, node by node, in float64.

ai.onnx.ml TreeEnsemble, version 5, takes float64 splits and float64 inputs, so every comparison is the
one that scikit-learn makes. The usual converters cast to float32, which moves rows across splits.

A split on a set of categories becomes a split on a column of its own: 0 where the row goes left, 1 where
it goes right, looked up by the category's code. (The operator's own BRANCH_MEMBER truncates
its operand to a whole number in onnxruntime, so 0.5 would pass for category 0.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tricord.core.errors import ModelError
from tricord.core.plugins import optional

ML: Final = "ai.onnx.ml"
ML_VERSION: Final = 5
LINKS: Final = {"IdentityLink": None, "LogitLink": "Sigmoid", "LogLink": "Exp"}
"""Link function of a loss → the ONNX operator that inverts it."""


@dataclass(frozen=True)
class Operation:
    """One node of a graph, before it is known which builder will add it."""

    type: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    domain: str = ""
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])


def constant(name: str, values: npt.NDArray[Any]) -> Operation:
    """A node that yields `values`."""
    value = optional("onnx.numpy_helper", extra="models").from_array(values, name)
    return Operation("Constant", (), (name,), attributes={"value": value})


def boosted(estimator: Any) -> bool:
    """True for the estimators that this module reads."""
    cls = estimator.__class__
    names = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
    return cls.__name__ in names and cls.__module__.startswith("sklearn.")


def operations(estimator: Any, source: str, output: str) -> list[Operation]:
    """From the float64 matrix `source` (rows, features) to the scores `output` (rows, 1).

    ModelError for an estimator that is not fitted, has more than two classes, or whose loss has
    a link that ONNX cannot invert.
    """
    inverse = _inverse_link(estimator)
    layout = _layout(estimator)
    done: list[Operation] = []
    matrix = source
    if layout.tables:
        matrix = f"{output}_matrix"
        done += _looked_up(layout, source, matrix)
    sums, raw = f"{output}_sums", f"{output}_raw" if inverse else output
    attributes = _attributes(estimator, layout)
    done.append(Operation("TreeEnsemble", (matrix,), (sums,), ML, attributes))
    baseline = np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(1, 1)
    done.append(constant(f"{output}_baseline", baseline))
    done.append(Operation("Add", (sums, f"{output}_baseline"), (raw,)))
    if inverse:
        done.append(Operation(inverse, (raw,), (output,)))
    return done


def split_points(estimator: Any) -> dict[int, npt.NDArray[np.float64]]:
    """Input column → the finite thresholds that the trees compare it with, ascending."""
    order = _layout(estimator).order
    found: dict[int, set[float]] = {}
    for (predictor,) in estimator._predictors:
        nodes = predictor.nodes
        inner = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
        for feature, threshold in zip(inner["feature_idx"], inner["num_threshold"], strict=True):
            if np.isfinite(threshold):
                found.setdefault(order[int(feature)], set()).add(float(threshold))
    return {column: np.array(sorted(values)) for column, values in sorted(found.items())}


def _inverse_link(estimator: Any) -> str | None:
    name = type(estimator).__name__
    if not hasattr(estimator, "_predictors"):
        raise ModelError(f"{name} is not fitted")
    if estimator.n_trees_per_iteration_ != 1:
        raise ModelError(f"{name} with more than two classes cannot be exported")
    link = type(estimator._loss.link).__name__
    if link not in LINKS:
        raise ModelError(f"{name} with loss {estimator.loss!r} cannot be exported: link {link}")
    return LINKS[link]


@dataclass
class _Layout:
    """Where the columns that the trees test are found.

    `order[i]` is the input column of the trees' own column i (categories come first there).
    `known[i]` holds the values that the codes 0, 1, … of category i stand for. `tables[i]` has, for each
    split on category i, the sides (0 left, 1 right) of those codes and, last, of anything
    else; `places` maps (tree, node) to the column of that split's sides.
    """

    order: list[int]
    known: dict[int, npt.NDArray[np.float64]]
    tables: dict[int, list[npt.NDArray[np.float64]]]
    places: dict[tuple[int, int], int]


def _layout(estimator: Any) -> _Layout:
    width = int(estimator.n_features_in_)
    inner = estimator._preprocessor
    if inner is None:
        return _Layout(list(range(width)), {}, {}, {})
    categorical = np.asarray(estimator.is_categorical_, dtype=bool)
    order = [int(i) for i in (*np.flatnonzero(categorical), *np.flatnonzero(~categorical))]
    known: dict[int, npt.NDArray[np.float64]] = {}
    for index, values in enumerate(inner.named_transformers_["encoder"].categories_):
        if values.dtype.kind not in "fiub":
            raise ModelError(
                "trees that split on categories given as text cannot be exported",
                hint="put an OrdinalEncoder before them in the pipeline",
            )
        numbers = values.astype(np.float64)
        known[index] = numbers[~np.isnan(numbers)]
    layout = _Layout(order, known, {}, {})
    found: list[tuple[int, tuple[int, int]]] = []
    for tree, (predictor,) in enumerate(estimator._predictors):
        for index in np.flatnonzero(predictor.nodes["is_categorical"]):
            node = predictor.nodes[index]
            feature = int(node["feature_idx"])
            bits = predictor.raw_left_cat_bitsets[int(node["bitset_idx"])]
            codes = range(len(known[feature]))
            sides = [1.0 - float((bits[code // 32] >> (code % 32)) & 1) for code in codes]
            sides.append(0.0 if node["missing_go_to_left"] else 1.0)
            layout.tables.setdefault(feature, []).append(np.array(sides))
            found.append((feature, (tree, int(index))))
    # one block of columns per category, in the order of the categories
    start = {f: width + sum(len(layout.tables[g]) for g in layout.tables if g < f) for f in known}
    for feature, place in found:
        layout.places[place] = start[feature]
        start[feature] += 1
    return layout


def _looked_up(layout: _Layout, source: str, matrix: str) -> list[Operation]:
    """Append the columns of sides to `source`."""
    helper = optional("onnx.numpy_helper", extra="models")
    done: list[Operation] = []
    parts = [source]
    for feature in sorted(layout.tables):
        known, table = layout.known[feature], np.stack(layout.tables[feature], axis=1)
        name = f"{matrix}_{feature}"
        codes = np.arange(len(known), dtype=np.int64)
        rest = np.array([len(known)], dtype=np.int64)
        attributes = {
            "keys_tensor": helper.from_array(known, "keys"),
            "values_tensor": helper.from_array(codes, "values"),
            "default_tensor": helper.from_array(rest, "default"),
        }
        done += [
            constant(f"{name}_column", np.array(layout.order[feature], dtype=np.int64)),
            Operation(
                "Gather",
                (source, f"{name}_column"),
                (f"{name}_value",),
                attributes={"axis": 1},
            ),
            Operation("LabelEncoder", (f"{name}_value",), (f"{name}_code",), ML, attributes),
            constant(f"{name}_table", table),
            Operation(
                "Gather",
                (f"{name}_table", f"{name}_code"),
                (f"{name}_sides",),
                attributes={"axis": 0},
            ),
        ]
        parts.append(f"{name}_sides")
    done.append(Operation("Concat", parts, (matrix,), attributes={"axis": 1}))
    return done


@dataclass
class _Ensemble:
    """The flat arrays of the operator while they grow; one item per inner node or per leaf."""

    roots: list[int] = field(default_factory=list[int])
    columns: list[int] = field(default_factory=list[int])
    splits: list[float] = field(default_factory=list[float])
    missing_true: list[int] = field(default_factory=list[int])
    true_ids: list[int] = field(default_factory=list[int])
    true_leafs: list[int] = field(default_factory=list[int])
    false_ids: list[int] = field(default_factory=list[int])
    false_leafs: list[int] = field(default_factory=list[int])
    weights: list[float] = field(default_factory=list[float])

    def leaf(self, weight: float) -> int:
        self.weights.append(weight)
        return len(self.weights) - 1

    def branch(self, column: int, split: float, missing_true: bool) -> int:
        self.columns.append(column)
        self.splits.append(split)
        self.missing_true.append(int(missing_true))
        for ids in (self.true_ids, self.true_leafs, self.false_ids, self.false_leafs):
            ids.append(0)
        return len(self.columns) - 1


def _attributes(estimator: Any, layout: _Layout) -> dict[str, Any]:
    ensemble = _Ensemble()
    for tree, (predictor,) in enumerate(estimator._predictors):
        ensemble.roots.append(_tree(ensemble, predictor.nodes, tree, layout))
    tensor = optional("onnx.numpy_helper", extra="models").from_array
    modes = np.zeros(len(ensemble.columns), dtype=np.uint8)  # BRANCH_LEQ, all of them
    return {
        "n_targets": 1,
        "aggregate_function": 1,  # SUM
        "post_transform": 0,
        "tree_roots": ensemble.roots,
        "nodes_featureids": ensemble.columns,
        "nodes_modes": tensor(modes, "modes"),
        "nodes_splits": tensor(np.array(ensemble.splits, dtype=np.float64), "splits"),
        "nodes_missing_value_tracks_true": ensemble.missing_true,
        "nodes_truenodeids": ensemble.true_ids,
        "nodes_trueleafs": ensemble.true_leafs,
        "nodes_falsenodeids": ensemble.false_ids,
        "nodes_falseleafs": ensemble.false_leafs,
        "leaf_targetids": [0] * len(ensemble.weights),
        "leaf_weights": tensor(np.array(ensemble.weights, dtype=np.float64), "weights"),
    }


def _tree(ensemble: _Ensemble, nodes: Any, tree: int, layout: _Layout) -> int:
    """Add one tree and return the number of its root."""
    if nodes[0]["is_leaf"]:
        # the operator knows no tree without a split: both sides of this one are the same leaf
        root = ensemble.branch(0, 0.0, missing_true=False)
        for ids, leafs in (
            (ensemble.true_ids, ensemble.true_leafs),
            (ensemble.false_ids, ensemble.false_leafs),
        ):
            ids[root], leafs[root] = ensemble.leaf(float(nodes[0]["value"])), 1
        return root
    placed: dict[int, int] = {}
    for index in np.flatnonzero(nodes["is_leaf"] == 0):
        node = nodes[index]
        column, split = layout.places.get((tree, int(index))), 0.5
        if column is None:
            column = layout.order[int(node["feature_idx"])]
            split = float(node["num_threshold"])
        placed[int(index)] = ensemble.branch(column, split, bool(node["missing_go_to_left"]))
    for index, here in placed.items():
        for side, ids, leafs in (
            ("left", ensemble.true_ids, ensemble.true_leafs),
            ("right", ensemble.false_ids, ensemble.false_leafs),
        ):
            child = int(nodes[index][side])
            leafs[here] = int(child not in placed)
            ids[here] = (
                placed[child] if child in placed else ensemble.leaf(float(nodes[child]["value"]))
            )
    return placed[0]
