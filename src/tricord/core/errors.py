"""Every error that Tricord raises on purpose.

    TricordError
    ├── ConfigError            a setting is unknown, of a wrong type, or contradicts another
    ├── ProjectError           no project here, or it cannot be opened
    ├── MissingDependency      an optional library is not installed
    ├── PluginError            a plug-in is unknown or does not load
    ├── StoreError
    │   ├── ObjectMissing      no object of that digest
    │   ├── ObjectCorrupt      the bytes do not match their digest
    │   ├── StorageFull        no space, or a quota is used up
    │   └── RemoteError        a remote could not do what was asked
    │       ├── RemoteUnreachable   no answer, or one of trouble on its side: worth trying again
    │       └── RemoteRefused       it answered no: rights, a wrong key, a remote for reading only
    ├── LedgerError
    │   ├── LedgerFormatError  made by a newer release, or not a ledger
    │   ├── LedgerCorrupt      the journal's chain does not hold
    │   ├── NotRecorded        no run, artifact, ref or prediction of that name
    │   └── RefConflict        a ref moved in between: compare-and-swap failed
    ├── CodecError             no codec for a value, or stored bytes it cannot read
    ├── DataError              a file or table is unreadable, empty or of the wrong shape
    │   ├── SchemaError        a schema file is wrong, with its line
    │   └── PointerConflict    two branches changed a dataset, and Git left both in its pointer
    ├── PlanError              a pipeline that cannot run as written
    ├── StepFailed             a step raised; the message names it and says how to resume
    ├── Refused                a verdict (or the lack of one) stands in the way
    ├── ModelError             a model cannot be built, exported or loaded
    └── ServingError
        ├── BadRequest         the client's fault
        └── NotReady           nothing to serve yet

Each says *what*, *where* and *what to type next*; doors turn them into exit codes and HTTP statuses.
"""

from tricord.core.spelling import printable


def _plain(text: str) -> str:
    """Without a terminal's commands; its own line ends stay."""
    return "\n".join(printable(line) for line in text.split("\n"))


class TricordError(Exception):
    """What went wrong, where, and the next command to type.

    >>> str(TricordError("no such dataset: flihgts", hint="tricord status"))
    'no such dataset: flihgts\\n  next: tricord status'
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        lines = [_plain(self.what)]
        if self.where:
            lines.append(f"  where: {printable(self.where)}")
        if self.hint:
            lines.append(f"  next: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments do not survive the default pickling between processes
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(
    cls: type[TricordError], args: tuple[object, ...], state: dict[str, object]
) -> TricordError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(TricordError):
    """A setting is unknown, of a wrong type, or contradicts another."""


class ProjectError(TricordError):
    """No project here, or it cannot be opened."""


class MissingDependency(TricordError):
    """An optional library is not installed."""


class PluginError(TricordError):
    """A plug-in is unknown or does not load."""


class StoreError(TricordError):
    """The content store could not do what was asked."""


class ObjectMissing(StoreError):
    """No object of that digest is in the store."""


class ObjectCorrupt(StoreError):
    """The stored bytes do not match their digest."""


class StorageFull(StoreError):
    """No space is left, or a quota is used up; nothing was half-written."""


class RemoteError(StoreError):
    """A remote could not do what was asked."""


class RemoteUnreachable(RemoteError):
    """A remote does not answer, or answers that it is in trouble; trying again may help."""


class RemoteRefused(RemoteError):
    """A remote said no: missing rights, a wrong key, a remote that can only be read."""


class LedgerError(TricordError):
    """The ledger could not do what was asked."""


class LedgerFormatError(LedgerError):
    """Made by a newer release, or not a ledger at all."""


class LedgerCorrupt(LedgerError):
    """The journal's hash chain does not hold."""


class NotRecorded(LedgerError):
    """No run, artifact, ref or prediction of that name."""


class RefConflict(LedgerError):
    """A ref moved in between: compare-and-swap failed, nothing was changed."""


class CodecError(TricordError):
    """No codec knows the value, or it cannot read the stored bytes."""


class DataError(TricordError):
    """A file or table is unreadable, empty or of the wrong shape."""


class SchemaError(DataError):
    """A schema file is wrong; `where` holds its path and line."""


class PointerConflict(DataError):
    """Two branches changed a dataset, and Git left both versions in its pointer; `name` is the dataset's."""

    def __init__(self, what: str, *, name: str, where: str, hint: str) -> None:
        super().__init__(what, where=where, hint=hint)
        self.name = name


class PlanError(TricordError):
    """A pipeline that cannot run as written; found before anything ran."""


class StepFailed(TricordError):
    """A step raised. What had finished before is kept; the next run resumes from there."""


class Refused(TricordError):
    """A verdict, or the lack of one, stands in the way of a ref move."""


class ModelError(TricordError):
    """A model cannot be built, exported or loaded."""


class ServingError(TricordError):
    """A request could not be answered."""


class BadRequest(ServingError):
    """The request is wrong: the client's fault."""


class NotReady(ServingError):
    """There is nothing to serve yet."""
