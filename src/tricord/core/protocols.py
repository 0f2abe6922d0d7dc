"""What a plug-in or a backend promises. A class fits by its shape; nobody has to inherit."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.canonical import JSON
from tricord.core.event import Event, EventType
from tricord.core.ref import Move
from tricord.core.run import Origin, Run, Status


class Predictor(Protocol):
    """What the room `checks` judges and the room `serving` answers with."""

    def predict(self, rows: Any) -> Any:
        """Scores of a polars frame's rows: a float64 array of shape (rows,), for a binary
        classifier the probability of the positive class, for a regressor the estimate."""
        ...


@runtime_checkable
class Record(Protocol):
    """A value that is its own JSON. Every such class is stored without a codec of its own; a class
    attribute `kind` says which kind of artifact it is (else Kind.VALUE)."""

    def to_json(self) -> Mapping[str, JSON]: ...

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Any: ...


class Codec(Protocol):
    """Between Python objects and bytes. Found by type in the entry-point group `tricord.codecs`.

    An entry is named after the type ("polars.DataFrame": top-level package and class), and serves
    its subclasses too. Equal values must give equal bytes: no times, no addresses, no dict order.
    """

    @property
    def format(self) -> str:
        """The layout it writes ("parquet")."""
        ...

    @property
    def reads(self) -> Sequence[str]:
        """The layouts it can read as its type; "*" for any."""
        ...

    @property
    def kind(self) -> Kind:
        """The kind of artifact its values are unless the writer says otherwise."""
        ...

    def write(self, value: Any, target: Path) -> None:
        """Write to `target`, which does not exist: a file, or a folder for a layout of several."""
        ...

    def read(self, source: Path, format: str, want: type) -> Any:
        """The value in `source` (a file or folder that must not be changed) as a `want`."""
        ...


class Appends(Protocol):
    """The writing half of a ledger. Every call is one transaction, durable when it returns."""

    def begin_run(
        self,
        *,
        run: str,
        name: str,
        fingerprint: str,
        origin: Origin,
        parent: str | None,
        params: Mapping[str, JSON],
        inputs: Mapping[str, Artifact],
    ) -> None: ...

    def end_run(
        self,
        run: str,
        status: Status,
        *,
        outputs: Mapping[str, Artifact],
        metrics: Mapping[str, float],
        error: str | None = None,
    ) -> None: ...

    def add_artifact(self, artifact: Artifact) -> None:
        """Record content that no run made, such as an added file. Idempotent: what was recorded
        first for a digest, kind and format stays."""
        ...

    def move_ref(
        self,
        ref: str,
        *,
        old: Digest | None,
        new: Digest | None,
        actor: str,
        why: str,
        verdict: Digest | None = None,
        made: float | None = None,
    ) -> Move:
        """Compare-and-swap: RefConflict, and no change, unless the ref stands at `old`. NotRecorded
        where `new` or `verdict` is no recorded artifact. `made`: when it was made on another machine."""
        ...

    def append_event(self, type: EventType, subject: str, body: Mapping[str, JSON]) -> Event: ...

    def together(self) -> AbstractContextManager[None]:
        """What this thread records within the block is one transaction: others see all of it at once,
        or, where the block raises, nothing of it is recorded."""
        ...


class Facts(Protocol):
    """The reading half of a ledger."""

    def ref(self, ref: str) -> Digest | None: ...

    def refs(self, prefix: str = "") -> Mapping[str, Digest]: ...

    def moves(self, ref: str) -> Sequence[Move]:
        """All moves of a ref, oldest first."""
        ...

    def artifact(self, digest: Digest, kind: Kind | None = None) -> Artifact | None: ...

    def artifacts(self, prefix: str, *, limit: int = 10) -> Sequence[Artifact]:
        """Artifacts whose digest begins with `prefix`, in the order they were recorded."""
        ...

    def run(self, run: str) -> Run:
        """NotRecorded where there is none; a unique beginning of an id is enough."""
        ...

    def runs(
        self, *, name: str | None = None, parent: str | None = None, limit: int = 100
    ) -> Sequence[Run]:
        """Newest first."""
        ...

    def finished(self, fingerprint: str) -> Run | None:
        """The newest finished run of a fingerprint: the cache."""
        ...

    def producers(self, digest: Digest) -> Sequence[Run]:
        """Runs that have it among their outputs, oldest first."""
        ...

    def consumers(self, digest: Digest) -> Sequence[Run]:
        """Runs that have it among their inputs, oldest first."""
        ...


class Journal(Protocol):
    """A ledger's events: what triggers, servers and the UI follow."""

    def events(
        self, *, after: int = 0, types: Iterable[EventType] = (), limit: int = 1000
    ) -> Sequence[Event]:
        """Oldest first."""
        ...

    def last_event(self) -> int:
        """The number of the newest event, 0 for none: cheap enough to poll."""
        ...

    def verify(self) -> int:
        """The number of events whose chain was checked; LedgerCorrupt names the first bad one."""
        ...


class Ledger(Appends, Facts, Journal, Protocol):
    """Facts, append-only: artifacts, runs, metrics, refs and events."""

    def close(self) -> None: ...
