"""Numbers and instants at the edge of what can be held: refused or kept, and never a broken log."""

from pathlib import Path

import pytest

from tricord.core.errors import BadRequest, ServingError
from tricord.serving.log import read_segments
from tricord.serving.wire import Field, columns_of, frame_of, request_of


def columns(datatype: str, data: str, field: Field):
    body = (
        f'{{"inputs": [{{"name": "x", "datatype": "{datatype}", "shape": [1], "data": [{data}]}}]}}'
    )
    return columns_of(request_of(body.encode()), {"x": field})


def test_a_whole_number_in_a_float_input_is_a_float() -> None:
    (column,) = columns("FP64", str(10**39), Field("x", "FP64"))
    assert column.values == [1e39]
    assert type(column.values[0]) is float
    assert frame_of([column], zoned=True)["x"].to_list() == [1e39]


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-05:00"])
def test_an_instant_outside_the_calendar_is_the_clients_fault(instant: str) -> None:
    with pytest.raises(BadRequest, match="expected an instant such as"):
        frame_of(columns("BYTES", f'"{instant}"', Field("x", "TIME")), zoned=True)


def test_a_log_that_is_no_table_says_so(tmp_path: Path) -> None:
    (tmp_path / "01aaaaaaaaaaaaaaaaaaaaaaaa.jsonl").write_text(
        '{"prediction_id":"a-1","inputs":{"x":1' + "0" * 40 + '},"features":null}\n'
    )
    with pytest.raises(ServingError, match="cannot be read as one table"):
        read_segments(tmp_path)
