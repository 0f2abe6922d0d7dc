"""Project: one folder with a store and a ledger, and the only writer of both."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

from tricord.core import canonical
from tricord.core import config as configuration
from tricord.core.artifact import Artifact, Digest, Kind, format_of
from tricord.core.canonical import JSON
from tricord.core.clock import Clock, SystemClock, new_id
from tricord.core.errors import (
    CodecError,
    NotRecorded,
    ObjectCorrupt,
    ProjectError,
    Refused,
    TricordError,
)
from tricord.core.event import Event, EventType
from tricord.core.protocols import Ledger
from tricord.core.ref import Move, parse_ref
from tricord.core.run import Origin, Run, Status
from tricord.core.verdict import Verdict
from tricord.ledger.sqlite import SqliteLedger
from tricord.project import codecs, environment, git, workfiles
from tricord.project.root import FOLDER, find, has_settings, mend_link, prepare
from tricord.store import users
from tricord.store.digest import of_file
from tricord.store.local import LocalStore
from tricord.store.state import State
from tricord.store.writing import SMALL

GUARDED = {
    "models": Kind.MODEL,
    "releases": Kind.RELEASE,
    "endpoints": Kind.ROUTING_PLAN,
}
"""Rooms whose refs move only past a verdict, or past a person who signs for it, and to what kind."""

T = TypeVar("T")


@dataclass
class Recording:
    """A run that is under way. What is put in here becomes part of its record when it ends."""

    id: str
    status: Status = Status.FINISHED
    error: str | None = None
    outputs: dict[str, Artifact] = field(default_factory=dict[str, Artifact])
    metrics: dict[str, float] = field(default_factory=dict[str, float])


class Project:
    """Opened with `Project.open()`; made with `Project.init(folder)`."""

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock | None = None,
        settings: configuration.Config | None = None,
    ) -> None:
        """`settings` in place of its own, for one that is here for a moment only: no store keeps its place."""
        self.root = root
        self.clock: Clock = clock or SystemClock()
        self.config = settings or configuration.load(root)
        self.store = self._open_store(stays=settings is None)
        self.ledger: Ledger = SqliteLedger(self.folder / "ledger.sqlite", self.clock)
        self.state = State(self.folder / workfiles.FILE)
        """What is known of the work folder's files, so that unchanged ones are not read again."""
        self._records: dict[bytes, Digest] = {}

    def _open_store(self, *, stays: bool) -> LocalStore:
        """The project's own store, or the one it shares: then a collection of waste there asks it too."""
        own, shared = self.folder / "store", self.config.text("store.path")
        if not shared:
            mend_link(self.root)
        store = LocalStore(self.root / Path(shared).expanduser() if shared else own)
        if stays and (shared or own.is_symlink()):
            users.register(store.root, self.root)
        return store

    @classmethod
    def init(cls, root: Path, *, clock: Clock | None = None) -> "Project":
        """Make `root` a project. What is there already is kept; doing it twice changes nothing."""
        try:
            prepare(root)
            if not has_settings(root):
                name = root.resolve().name.replace("\\", "").replace('"', "")
                (root / configuration.FILE).write_text(
                    f'[project]\nname = "{name}"\n', encoding="utf-8"
                )
        except OSError as error:
            raise ProjectError(
                f"cannot make a project: {error.strerror}", where=str(root)
            ) from error
        return cls(root.resolve(), clock=clock)

    @classmethod
    def open(cls, start: Path | str | None = None, *, clock: Clock | None = None) -> "Project":
        """The project that `start` (the working folder, unless given) is in.

        A clone has the project's settings and no `.tricord` yet: it is made then.
        """
        root = find(Path(start or "."))
        prepare(root)
        return cls(root, clock=clock)

    def close(self) -> None:
        self.ledger.close()
        self.state.close()
        self.store.close()

    @property
    def folder(self) -> Path:
        """Where Tricord keeps what is its own."""
        return self.root / FOLDER

    @property
    def name(self) -> str:
        return self.config.text("project.name") or self.root.name

    @cached_property
    def actor(self) -> str:
        """Who acts, for the ledger."""
        return self.config.text("project.actor") or git.user(self.root)

    # -- values and bytes ------------------------------------------------------------------

    def encode(self, value: Any, *, kind: Kind | None = None) -> Artifact:
        """Store a value's bytes. Nothing is recorded yet: a run or `put` does that."""
        cls = cast("type[Any]", type(value))
        name, codec = codecs.codec_of(cls)
        found = kind or cast("Kind", getattr(value, "kind", codec.kind))
        meta: dict[str, JSON] = {"type": name}
        if isinstance(codec, codecs.InMemory):
            with _complaining_of(cls):
                data = codec.dump(value)
            return Artifact(self.store.put_bytes(data), found, codec.format, len(data), meta)
        with self.scratch() as scratch:
            with _complaining_of(cls):
                codec.write(value, scratch / "value")
            return self._store_written(scratch / "value", found, codec.format, meta)

    def _store_written(
        self, path: Path, kind: Kind, form: str, meta: Mapping[str, JSON]
    ) -> Artifact:
        if path.is_dir():
            digest = self.store.put_tree(path)
            form = "tree" if form in ("file", format_of(path.name)) else form
        else:
            digest = self.store.put_file(path, consume=True)
        return Artifact(digest, kind, form, self.store.size(digest), meta)

    def put(self, value: Any, *, kind: Kind | None = None) -> Artifact:
        """Store a value and record it as an artifact that no run made."""
        artifact = self.encode(value, kind=kind)
        self.ledger.add_artifact(artifact)
        return artifact

    def put_path(self, path: Path, *, kind: Kind, **meta: JSON) -> Artifact:
        """Store a file or folder as it is and record it, with whatever else `meta` says of it.

        A file's format is its suffix.
        """
        stored = workfiles.store_path(self.store, self.state, path)
        form = format_of(path.name, is_tree=stored.is_tree)
        meta = {"type": "pathlib.Path", "name": path.name, **meta}
        artifact = Artifact(stored.digest, kind, form, stored.size, meta)
        self.ledger.add_artifact(artifact)
        return artifact

    def resolve(self, what: str, *, kind: Kind | None = None) -> Artifact:
        """The artifact that a ref or a digest names. NotRecorded where there is none."""
        digest: Digest | None = Digest(what)
        if "@" in what:
            parse_ref(what)
            digest = self.ledger.ref(what)
            if digest is None:
                known = ", ".join(sorted(self.ledger.refs(what.partition("@")[0])))
                hint = "tricord release list" if what.startswith("releases/") else "tricord status"
                raise NotRecorded(f"no ref {what}", where=known or None, hint=hint)
        artifact = self.ledger.artifact(digest, kind)
        if artifact is None:
            raise NotRecorded(f"no artifact {what}", hint="tricord status")
        return artifact

    def load(self, what: str | Artifact, want: type[T] = object) -> T:
        """The value behind a ref, a digest or an artifact, as a `want`; else as it was written."""
        artifact = what if isinstance(what, Artifact) else self.resolve(what)
        with self.scratch() as scratch:
            return cast("T", self.decode(artifact, want, scratch))

    def decode(self, artifact: Artifact, want: type, scratch: Path) -> Any:
        """The value of an artifact. A folder is laid out below `scratch`, which must outlive it."""
        if want is object:
            codec = codecs.codec_named(str(artifact.meta.get("type", "pathlib.Path")))
        else:
            codec = codecs.codec_of(want)[1]
        if artifact.format not in codec.reads and "*" not in codec.reads:
            raise CodecError(
                f"a {want.__name__} cannot be read from the format {artifact.format!r}",
                where=artifact.digest,
            )
        return codec.read(self._source(artifact, scratch), artifact.format, want)

    def _source(self, artifact: Artifact, scratch: Path) -> Path:
        if artifact.format != "tree" and not artifact.format.endswith("-package"):
            path = scratch / artifact.digest
            if artifact.size > SMALL:
                path = self.store.path(artifact.digest)
            elif not path.exists():
                path.write_bytes(self.store.read(artifact.digest))
                path.chmod(0o444)
                return path
            if of_file(path) != artifact.digest:  # whoever reads it parses it, which costs more
                raise ObjectCorrupt(
                    f"the stored bytes of {artifact.digest[:12]} are not what they were",
                    where=str(path),
                    hint="tricord verify",
                )
            return path
        folder = scratch / artifact.digest
        if not folder.exists():
            self.store.checkout(artifact.digest, folder)
        return folder

    @contextlib.contextmanager
    def scratch(self) -> Generator[Path]:
        """A folder for work under way, on the store's file system, gone afterwards.

        A lock held on it tells the folder of a living process from one that a killed process left;
        the lock of all of them keeps a sweep away until it is held.
        """
        with self._scratch_lock(fcntl.LOCK_SH):
            import tempfile

            folder = Path(tempfile.mkdtemp(dir=self.folder / "scratch"))
            lock = (folder / ".lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
        with lock:
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the scratch folders of processes that are gone."""
        with (
            contextlib.suppress(BlockingIOError),
            self._scratch_lock(fcntl.LOCK_EX | fcntl.LOCK_NB),
        ):
            for folder in (self.folder / "scratch").iterdir():
                with contextlib.suppress(OSError), (folder / ".lock").open("w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _scratch_lock(self, mode: int) -> Generator[None]:
        parent = self.folder / "scratch"
        parent.mkdir(exist_ok=True)
        with (parent / ".lock").open("w") as lock:
            fcntl.flock(lock, mode)
            yield

    # -- facts -----------------------------------------------------------------------------

    @cached_property
    def _git(self) -> git.GitState:
        return git.state(self.root)

    @cached_property
    def _lock(self) -> str:
        """The project's lock file; without one, what is installed here and now."""
        for name in ("uv.lock", "requirements.lock", "requirements.txt"):
            if (self.root / name).is_file():
                return self.store.put_file(self.root / name)
        return self.store.put_bytes("\n".join(environment.installed()).encode())

    def origin(self, *, code: JSON, packages: JSON) -> Origin:
        """Where a run that starts now comes from. Both records are kept, for explanations."""
        return Origin(
            code=self._kept(canonical.encode(code)),
            environment=self._kept(canonical.encode(packages)),
            commit=self._git.commit,
            dirty=self._git.dirty,
            lock=self._lock,
            host=os.uname().nodename,
            actor=self.actor,
            pid=os.getpid(),
        )

    def _kept(self, record: bytes) -> Digest:
        """Store a record once: the steps of a pipeline share most of theirs."""
        if record not in self._records:
            self._records[record] = self.store.put_bytes(record)
        return self._records[record]

    @contextlib.contextmanager
    def recording(
        self,
        name: str,
        fingerprint: str,
        *,
        origin: Origin,
        parent: str | None = None,
        params: Mapping[str, JSON] | None = None,
        inputs: Mapping[str, Artifact] | None = None,
    ) -> Generator[Recording]:
        """Record a run: its start now, its end when the block ends, whichever way it does.

        A block that raises was refused (Refused) or failed; one that does not may still say so by
        setting `status` and `error`.
        """
        recording = Recording(new_id(self.clock))
        self.ledger.begin_run(
            run=recording.id,
            name=name,
            fingerprint=fingerprint,
            origin=origin,
            parent=parent,
            params=params or {},
            inputs=inputs or {},
        )
        try:
            yield recording
        except BaseException as failure:
            recording.error = f"{type(failure).__name__}: {failure}"
            recording.status = (
                Status.REFUSED
                if isinstance(failure, Refused)
                else Status.FAILED
                if isinstance(failure, Exception)
                else Status.INTERRUPTED  # Ctrl-C
            )
            raise
        finally:
            self.ledger.end_run(
                recording.id,
                recording.status,
                outputs=recording.outputs,
                metrics=recording.metrics,
                error=recording.error,
            )

    def move(
        self,
        ref: str,
        to: Digest | None,
        *,
        why: str,
        verdict: Artifact | None = None,
        signed: bool = False,
        old: Digest | str | None = "now",
    ) -> Move | None:
        """Move a ref, past a verdict or signed for by the actor. None where it stands there already.

        The law of the house is here: a ref of a guarded room (models, releases, endpoints) moves
        only past a verdict that passed, or with `signed=True`, which the ledger records as such.
        `old` is where the caller believes it to stand (default: wherever it stands now).
        """
        room, _, _ = parse_ref(ref)
        if verdict is not None:
            judged = self.load(verdict, Verdict)
            if not judged.passed and not signed:
                raise Refused(f"{ref} stays: {judged.summary()}", where=f"verdict {verdict.digest}")
        elif room in GUARDED and not signed:
            raise Refused(f"{ref} moves only past a verdict, and there is none", hint="tricord run")
        if to is not None and room in GUARDED and self.ledger.artifact(to, GUARDED[room]) is None:
            raise Refused(f"{ref} points to a {GUARDED[room]}, and {to[:12]} is none")
        before = self.ledger.ref(ref) if old == "now" else cast("Digest | None", old)
        if before == to and self.ledger.ref(ref) == to:
            return None
        return self.ledger.move_ref(
            ref,
            old=before,
            new=to,
            actor=self.actor,
            why=why if not signed else f"{why} (signed for by {self.actor})",
            verdict=verdict.digest if verdict else None,
        )

    def roll_back(
        self, ref: str, *, why: str, verdict: Artifact | None = None, to: Digest | None = None
    ) -> Move:
        """Move a ref to where it stood before: before its newest move, or anywhere in its history.

        It was let past a verdict to get there once, so it needs none; `verdict` is the evidence
        against where it stands now. Refused where it never stood at `to`.
        """
        moves = self.ledger.moves(ref)
        back = to if to is not None or not moves else moves[-1].old
        if back is None or back not in [move.new for move in moves]:
            raise Refused(f"{ref} has nowhere to go back to", hint="tricord status")
        return self.ledger.move_ref(
            ref,
            old=moves[-1].new,
            new=back,
            actor=self.actor,
            why=why,
            verdict=verdict.digest if verdict else None,
        )

    def finished(self, fingerprint: str) -> Run | None:
        """The newest finished run of a fingerprint: the cache. One whose output is gone is none."""
        hit = self.ledger.finished(fingerprint)
        whole = hit and all(self.store.has(artifact.digest) for artifact in hit.outputs.values())
        return hit if whole else None

    def append_event(self, type: EventType, subject: str, body: Mapping[str, JSON]) -> Event:
        """Write a line of the journal that is neither a run nor a ref move, such as an alert."""
        return self.ledger.append_event(type, subject, body)


@contextlib.contextmanager
def _complaining_of(cls: type[Any]) -> Generator[None]:
    """A value's own complaint when it is made into bytes, with its type added."""
    try:
        yield
    except CodecError:
        raise
    except TricordError as error:
        raise CodecError(f"a {cls.__name__} cannot be stored: {error.what}") from error
