"""Whatever a client sends, it is told what is wrong with it or it is taken as it was meant."""

import contextlib
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.core.errors import BadRequest
from tricord.serving.wire import Column, Field, columns_of, frame_of, request_of

FIELDS = {
    field.name: field
    for field in (
        Field("n", "FP64", nullable=True),
        Field("i", "INT64"),
        Field("t", "BYTES", nullable=True),
        Field("b", "BOOL"),
        Field("at", "TIME"),
    )
}
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
anything = st.recursive(
    scalars | st.floats(allow_infinity=False, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
datatypes = st.sampled_from(["FP64", "FP32", "INT64", "INT8", "UINT32", "BYTES", "BOOL", "INT", ""])
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*FIELDS, "x"]),
        "datatype": datatypes,
        "shape": st.lists(st.integers(-1, 3), max_size=3),
        "data": st.lists(anything, max_size=3),
    }
)


@settings(deadline=None)
@given(body=st.binary() | st.builds(lambda v: json.dumps(v).encode(), anything))
def test_no_body_breaks_it(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        columns_of(request_of(body), FIELDS)


@settings(deadline=None)
@given(inputs=st.lists(tensors, max_size=6))
def test_no_tensor_breaks_it(inputs: list[Any]) -> None:
    try:
        columns = columns_of(request_of(msgspec.json.encode({"inputs": inputs})), FIELDS)
        frame_of(columns, zoned=True)
    except BadRequest:
        pass


whole = st.integers(-(2**63), 2**63 - 1)
numbers = (
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
)


@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(numbers, whole, st.none() | st.text(st.characters(codec="utf-8")), st.booleans()),
        min_size=1,
        max_size=70,
    )
)
def test_good_values_arrive_as_they_are(rows: list[tuple[Any, ...]]) -> None:
    lists = [list(values) for values in zip(*rows, strict=True)]
    sent = dict(zip(("n", "i", "t", "b"), lists, strict=True))
    sent["at"] = ["2013-01-01T10:00:00+00:00"] * len(rows)
    kinds = {"n": "FP64", "i": "INT64", "t": "BYTES", "b": "BOOL", "at": "BYTES"}
    inputs = [
        {"name": name, "datatype": kinds[name], "shape": [len(rows)], "data": values}
        for name, values in sent.items()
    ]
    columns = columns_of(request_of(json.dumps({"inputs": inputs}).encode()), FIELDS)
    frame = frame_of(columns, zoned=True)
    assert frame["i"].to_list() == sent["i"]
    assert frame["t"].to_list() == sent["t"]
    assert frame["b"].to_list() == sent["b"]
    assert frame["n"].to_list() == [None if v is None else float(v) for v in sent["n"]]
    assert frame["at"].dt.timestamp("us").unique().to_list() == [1_357_034_400_000_000]
    tensor = Column("n", "FP64", sent["n"]).tensor()
    assert tensor.shape == (len(rows), 1)
