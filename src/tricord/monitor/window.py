"""Windows of the prediction log: what was answered becomes a dataset."""

from collections.abc import Sequence

import polars as pl

from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import NotRecorded
from tricord.core.event import EventType
from tricord.project.project import Project
from tricord.serving.log import folder_of, read_segments


def window(
    project: Project, endpoint: str, *, keys: Sequence[str] | None = None, since: float = 0.0
) -> pl.DataFrame:
    """What the endpoint answered since a moment (seconds since the epoch), one row per key.

    Only the newest answer to a key counts, so that a request which was sent again is counted once;
    `keys` takes only those. Rows are sorted by key: the order of arrival says nothing.
    """
    rows = read_segments(folder_of(project.folder, endpoint)).filter(pl.col("time") >= since)
    if keys is not None:
        rows = rows.filter(pl.col("key").is_in(list(keys)))
    if rows.is_empty():
        raise NotRecorded(f"{endpoint} has answered nothing yet", hint=f"tricord serve {endpoint}")
    newest = rows.sort("time", "prediction_id", "row").unique(["key", "row"], keep="last")
    return newest.sort("key", "row")


def collect(project: Project, endpoint: str, rows: pl.DataFrame) -> Artifact:
    """Make a window a version of the dataset `ENDPOINT-predictions`."""
    artifact = project.put(rows, kind=Kind.DATASET)
    ref = f"datasets/{endpoint}-predictions@latest"
    project.move(ref, artifact.digest, why=f"{rows.height} predictions collected")
    project.append_event(
        EventType.LOG_COLLECTED, endpoint, {"dataset": artifact.digest, "rows": rows.height}
    )
    return artifact
