"""The log keeps every answer, whole lines only."""

from pathlib import Path

import pytest

from tricord.core.clock import FixedClock
from tricord.core.errors import NotRecorded
from tricord.serving.log import Entry, PredictionLog, find, folder_of, read_segments


def entry(log: PredictionLog, rows: int = 1, error: str | None = None) -> Entry:
    good = error is None
    return Entry(
        prediction_id=log.next_id(),
        request_id=None,
        key="k",
        endpoint="delay",
        plan="p" * 64,
        arm="live",
        release="r" * 64,
        time=1.5,
        latency=0.001,
        rows=rows,
        inputs={"origin": ["EWR"] * rows},
        features={"wind": [None, 2.5][:rows]} if good else {},
        scores=[0.25, 0.75][:rows] if good else [],
        error=error,
    )


def log_in(folder: Path, rows_per_segment: int = 1000) -> PredictionLog:
    return PredictionLog(folder, clock=FixedClock(1.0), rows_per_segment=rows_per_segment)


def test_rows_come_back(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.append(entry(log, rows=2))
    log.append(entry(log, error="no wind"))
    log.close()
    table = read_segments(tmp_path)
    assert table["score"].to_list() == [0.25, 0.75, None]
    assert table["row"].to_list() == [0, 1, 0]
    assert table["input.origin"].to_list() == ["EWR"] * 3
    assert table["feature.wind"].to_list() == [None, 2.5, None]
    assert table["error"].to_list() == [None, None, "no wind"]
    assert table["plan"].to_list() == ["p" * 64] * 3


def test_no_log_is_an_empty_table(tmp_path: Path) -> None:
    assert read_segments(tmp_path / "none").columns == read_segments(tmp_path).columns
    assert len(read_segments(tmp_path)) == 0


def test_segments_roll_over_and_ids_name_theirs(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "delay")
    log = log_in(folder, rows_per_segment=2)
    entries = [entry(log) for _ in range(2)]
    for item in entries:
        log.append(item)
    late = log.next_id()  # asked for after the roll-over, answered after the next flush
    log.flush()
    log.append(entry(log))
    log.close()
    files = sorted(folder.iterdir())
    assert [len(file.read_bytes().splitlines()) for file in files] in ([2, 1], [1, 2])
    assert late.rpartition("-")[0] in {file.stem for file in files}
    (found,) = find(folder.parent, entries[1].prediction_id)
    assert found["prediction_id"] == entries[1].prediction_id


def test_find_says_what_is_not_there(tmp_path: Path) -> None:
    for wrong in ("../../etc/passwd", "0" * 26 + "-1", ""):
        with pytest.raises(NotRecorded):
            find(tmp_path, wrong)


def test_half_a_line_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = log_in(tmp_path)
    log.append(entry(log))
    log.append(entry(log))
    log.close()
    (segment,) = tmp_path.iterdir()
    content = segment.read_bytes()
    for end in range(content.index(b"\n") + 2, len(content)):
        segment.write_bytes(content[:end])
        assert len(read_segments(tmp_path)) == 1
    assert "half written" in caplog.text


def test_what_the_disk_refuses_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = log_in(tmp_path / "log")
    first = entry(log)
    place = tmp_path / "log" / f"{first.prediction_id.rpartition('-')[0]}.jsonl"
    place.mkdir()  # nothing can be appended to a folder
    log.append(first)
    log.flush()
    log.append(entry(log))
    log.flush()
    assert capsys.readouterr().err.count("cannot be written") == 1
    place.rmdir()
    log.close()
    assert len(read_segments(tmp_path / "log")) == 2
