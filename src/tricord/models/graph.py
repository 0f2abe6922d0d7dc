"""The ONNX graph of a fitted pipeline, one named input per column.

Encoder and trees that Tricord knows node by node are built here, exactly. Whatever else there is in a
pipeline is left to skl2onnx.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np

from tricord.core.errors import ModelError
from tricord.core.plugins import optional
from tricord.models.package import MISSING, Signature
from tricord.models.trees import ML, ML_VERSION, Operation, boosted, constant, operations

OPSET: Final = 18
IR_VERSION: Final = 10
_INNER: Final = "tricord_"  # keeps the names inside the graph apart from those of columns


def build(estimator: Any, signature: Signature) -> bytes:
    """Bytes of the graph; the same estimator gives the same ones. ModelError if it cannot be built."""
    plan = _plan(estimator, signature)
    return _converted(estimator, signature) if plan is None else _assembled(plan, signature)


def _steps(estimator: Any) -> list[Any]:
    return [step for _, step in getattr(estimator, "steps", [("", estimator)])]


def trees_of(estimator: Any) -> Any:
    """The boosted trees at the end of a pipeline (or alone); None where there are none."""
    last = _steps(estimator)[-1]
    return last if boosted(last) else None


def encoder_columns(estimator: Any, names: Sequence[str]) -> list[str | None] | None:
    """Which input each column of the trees' matrix is, as it came in; None for one that is encoded.

    None instead of a list where a step in between makes other columns.
    """
    steps = _steps(estimator)
    if len(steps) == 1:
        return list(names)
    layout = _encoder(steps[0], names) if len(steps) == 2 else None
    if layout is None:
        return None
    return [name if encoded is None else None for name, encoded in layout]


_Encoded = tuple[Any, float, float]  # categories, code of a missing value, code of an unknown one


def _plan(estimator: Any, signature: Signature) -> list[Operation] | None:
    """Operations from the inputs to the output, or None where skl2onnx is needed."""
    steps = _steps(estimator)
    trees = trees_of(estimator)
    if trees is None or len(steps) > 2:
        return None
    encoded: list[tuple[str, _Encoded | None]] | None = [(name, None) for name in signature.names]
    if len(steps) == 2:
        encoded = _encoder(steps[0], signature.names)
    if encoded is None:
        return None
    done: list[Operation] = []
    parts: list[str] = []
    texts = {column.name for column in signature.inputs if column.datatype == "BYTES"}
    for index, (name, mapping) in enumerate(encoded):
        if (mapping is not None) != (name in texts):
            return None
        if mapping is None:
            parts.append(name)
        else:
            part = f"{_INNER}encoded_{index}"
            done.append(_lookup(name, part, *mapping))
            parts.append(part)
    matrix, scores = _INNER + "matrix", _INNER + "scores"
    done.append(Operation("Concat", parts, (matrix,), attributes={"axis": 1}))
    return [*done, *operations(trees, matrix, scores), *_flat(scores, signature)]


def _encoder(transformer: Any, names: Sequence[str]) -> list[tuple[str, _Encoded | None]] | None:
    """Column by column what a ColumnTransformer of encoders and pass-throughs yields."""
    if type(transformer).__name__ != "ColumnTransformer" or transformer.sparse_output_:
        return None
    columns: list[tuple[str, _Encoded | None]] = []
    for _, step, selected in transformer.transformers_:
        chosen = _selected(transformer, selected, names)
        kind = type(step).__name__
        if isinstance(step, str) and step == "drop":
            continue
        if chosen is None:
            return None
        if _passes(step):
            columns += [(name, None) for name in chosen]
        elif kind == "OrdinalEncoder" and _is_text(step):
            columns += list(zip(chosen, _mappings(step), strict=True))
        elif chosen:
            return None
    return columns


def _selected(transformer: Any, selected: Any, names: Sequence[str]) -> list[str] | None:
    given = getattr(transformer, "feature_names_in_", None)
    known = list(names) if given is None else [str(name) for name in given]
    if isinstance(selected, slice):
        return known[selected]
    if not isinstance(selected, str):
        items = np.asarray(selected)
        if items.dtype.kind in "iub":
            return [known[i] for i in (np.flatnonzero(items) if items.dtype == bool else items)]
        return [str(item) for item in cast("list[Any]", items.tolist())]
    return None  # a bare name selects a vector, not a matrix of one column


def _passes(step: Any) -> bool:
    if isinstance(step, str):
        return step == "passthrough"
    return type(step).__name__ == "FunctionTransformer" and step.func is None


def _is_text(encoder: Any) -> bool:
    return all(
        isinstance(value, str) or _is_missing(value)
        for values in encoder.categories_
        for value in values
    )


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _mappings(encoder: Any) -> list[_Encoded]:
    if encoder.handle_unknown != "use_encoded_value":
        raise ModelError(
            "an OrdinalEncoder that raises at unknown texts cannot be exported: "
            "a served model has to answer",
            hint='OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)',
        )
    if getattr(encoder, "_infrequent_enabled", False):
        raise ModelError("an OrdinalEncoder with infrequent categories cannot be exported")
    unknown = float(encoder.unknown_value)
    return [
        (values, _missing_code(list(values), encoder, unknown), unknown)
        for values in encoder.categories_
    ]


def _missing_code(values: list[Any], encoder: Any, unknown: float) -> float:
    # to scikit-learn None is a category like any other; only NaN counts as missing
    if None in values:
        return float(values.index(None))
    return float(encoder.encoded_missing_value) if any(map(_is_missing, values)) else unknown


def _lookup(name: str, output: str, categories: Any, missing: float, unknown: float) -> Operation:
    keys = [str(value) for value in categories if not _is_missing(value)]
    codes = [float(code) for code, value in enumerate(categories) if not _is_missing(value)]
    if MISSING in keys:
        raise ModelError(f"column {name!r} holds the text {MISSING!r}, which means 'missing' here")
    tensor = optional("onnx.numpy_helper", extra="models").from_array
    attributes = {
        "keys_tensor": tensor(np.array([*keys, MISSING], dtype=object), "keys"),
        "values_tensor": tensor(np.array([*codes, missing], dtype=np.float64), "values"),
        "default_tensor": tensor(np.array([unknown], dtype=np.float64), "default"),
    }
    return Operation("LabelEncoder", (name,), (output,), ML, attributes)


def _assembled(plan: list[Operation], signature: Signature) -> bytes:
    onnx: Any = optional("onnx", extra="models")
    graph = onnx.helper.make_graph(
        [_node(o) for o in plan], "model", _inputs(signature), [_output(signature)]
    )
    opsets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(ML, ML_VERSION)]
    return _bytes(onnx.helper.make_model(graph, opset_imports=opsets), signature)


def _node(operation: Operation) -> Any:
    return optional("onnx.helper", extra="models").make_node(
        operation.type,
        list(operation.inputs),
        list(operation.outputs),
        domain=operation.domain,
        **operation.attributes,
    )


def _inputs(signature: Signature) -> list[Any]:
    onnx: Any = optional("onnx", extra="models")
    return [
        onnx.helper.make_tensor_value_info(
            column.name,
            onnx.TensorProto.STRING if column.datatype == "BYTES" else onnx.TensorProto.DOUBLE,
            ["rows", 1],
        )
        for column in signature.inputs
    ]


def _output(signature: Signature) -> Any:
    onnx: Any = optional("onnx", extra="models")
    return onnx.helper.make_tensor_value_info(signature.output, onnx.TensorProto.DOUBLE, ["rows"])


def _bytes(model: Any, signature: Signature) -> bytes:
    """Checked, and without anything that is not the model: who made it, with which version."""
    onnx: Any = optional("onnx", extra="models")
    model.producer_name, model.producer_version = "tricord", ""
    model.domain, model.doc_string, model.graph.name = "", "", "model"
    model.ir_version = IR_VERSION
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(
            f"the exported graph is not valid: {error}", where=", ".join(signature.names)
        ) from error
    return cast("bytes", model.SerializeToString(deterministic=True))


def _converted(estimator: Any, signature: Signature) -> bytes:
    """By skl2onnx, with float64 inputs; boosted trees at the end are still our own."""
    onnx: Any = optional("onnx", extra="models")
    trees = trees_of(estimator)
    part = estimator if trees is None else estimator[:-1]
    by_name = type(_steps(part)[0]).__name__ == "ColumnTransformer"
    texts = [column.name for column in signature.inputs if column.datatype == "BYTES"]
    if texts and not by_name:
        raise ModelError(
            f"{type(estimator).__name__} takes numbers only, and these columns are texts: "
            f"{', '.join(texts)}",
            hint="encode them in a ColumnTransformer, the pipeline's first step",
        )
    model = _by_skl2onnx(part, signature, by_name=by_name)
    head = [Operation("Concat", signature.names, (_INNER + "matrix",), attributes={"axis": 1})]
    if by_name:  # skl2onnx takes out of a name what is no identifier
        renamed = zip(signature.names, (given.name for given in model.graph.input), strict=True)
        head = [Operation("Identity", (old,), (new,)) for old, new in renamed if old != new]
    given: str = model.graph.output[-1].name  # a classifier's label comes first
    if trees is not None:
        _raise_version(model)
        tail = [_to_double(given), *operations(trees, _INNER + "double", _INNER + "scores")]
    elif hasattr(estimator, "predict_proba"):
        second = constant(_INNER + "second", np.array([1], dtype=np.int64))
        pick = Operation(
            "Gather", (given, second.outputs[0]), (_INNER + "positive",), attributes={"axis": 1}
        )
        tail = [second, pick, _to_double(_INNER + "positive")]
    else:
        tail = [_to_double(given)]
    tail += _flat(tail[-1].outputs[0], signature)
    nodes = [*map(_node, head), *model.graph.node, *map(_node, tail)]
    graph = onnx.helper.make_graph(
        nodes, "model", _inputs(signature), [_output(signature)], list(model.graph.initializer)
    )
    made = onnx.helper.make_model(graph, opset_imports=list(model.opset_import))
    return _bytes(made, signature)


def _to_double(name: str) -> Operation:
    double = optional("onnx", extra="models").TensorProto.DOUBLE
    return Operation("Cast", (name,), (_INNER + "double",), attributes={"to": double})


def _flat(name: str, signature: Signature) -> list[Operation]:
    """From (rows, 1) to (rows,) under the output's name."""
    shape = constant(_INNER + "flat", np.array([-1], dtype=np.int64))
    return [shape, Operation("Reshape", (name, shape.outputs[0]), (signature.output,))]


def _raise_version(model: Any) -> None:
    """Declare the version that our trees need; what skl2onnx encodes with is the same in it."""
    helper = optional("onnx.helper", extra="models")
    others = [item for item in model.opset_import if item.domain != ML]
    del model.opset_import[:]
    model.opset_import.extend([*others, helper.make_opsetid(ML, ML_VERSION)])


def _by_skl2onnx(part: Any, signature: Signature, *, by_name: bool) -> Any:
    skl2onnx = optional("skl2onnx", extra="models")
    types = optional("skl2onnx.common.data_types", extra="models")
    errors = optional("skl2onnx.common.exceptions", extra="models")
    inputs = [(_INNER + "matrix", types.DoubleTensorType([None, len(signature.inputs)]))]
    if by_name:
        text, number = types.StringTensorType, types.DoubleTensorType
        inputs = [
            (column.name, (text if column.datatype == "BYTES" else number)([None, 1]))
            for column in signature.inputs
        ]
    options = {id(part): {"zipmap": False}} if hasattr(part, "predict_proba") else None
    try:
        return skl2onnx.convert_sklearn(
            part, "model", inputs, target_opset={"": OPSET, ML: 3}, options=options
        )
    except (
        errors.MissingConverter,
        errors.MissingShapeCalculator,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise ModelError(f"{type(part).__name__} cannot be exported to ONNX: {error}") from error
