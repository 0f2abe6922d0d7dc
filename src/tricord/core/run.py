"""Run: the recorded act (code, inputs, parameters, environment) → (outputs, metrics, status)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tricord.core.artifact import Artifact
from tricord.core.canonical import JSON


class Status(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    REFUSED = "refused"  # ended as it should: a verdict stood in the way
    INTERRUPTED = "interrupted"  # its process is gone and never said how it ended


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from: what `tricord why` and a reproduction need to know.

    `commit` is None outside Git; `dirty` says that the work tree differed from the commit.
    `code` is the fingerprint of the code that ran, `environment` of the interpreter and the
    distributions that it reached, `lock` the digest of the project's lock file if it has one.
    """

    code: str
    environment: str
    commit: str | None = None
    dirty: bool = False
    lock: str | None = None
    host: str = ""
    actor: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One recorded act. Times are seconds since the epoch, UTC; `ended` is None while it runs.

    `parent` is the run of the pipeline that this step belongs to, None for the pipeline itself.
    `inputs` and `outputs` map a name (parameter, output position) to an artifact.
    """

    id: str
    name: str
    fingerprint: str
    status: Status
    started: float
    origin: Origin
    parent: str | None = None
    ended: float | None = None
    params: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    inputs: Mapping[str, Artifact] = field(default_factory=dict[str, Artifact])
    outputs: Mapping[str, Artifact] = field(default_factory=dict[str, Artifact])
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    error: str | None = None
