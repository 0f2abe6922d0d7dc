"""Reading a version by path, without bringing it into the work tree; and as a stream, without its other files."""

import io
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from tricord.core.artifact import Artifact, Digest
from tricord.core.errors import DataError, ObjectMissing
from tricord.core.spelling import nearest
from tricord.data import naming
from tricord.project import parts, transfer
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.store.faults import in_store
from tricord.store.remote import reading
from tricord.store.tree import Entry

FOLDER = "views"
"""Below `.tricord`: a folder for each version that somebody asked for. It may be deleted at any time."""


def path(project: Project, what: str, file: str | None = None) -> Path:
    """Where `NAME[@VERSION]`, or one file of it, can be read: a folder, or a file under its own name.

    It is laid out once, by reflink where the file system can, else copied; read-only, and never the
    store's own bytes, so that whoever writes to it all the same harms nothing. What was edited is
    laid out anew. NotRecorded; DataError for a file that the version does not have; ObjectMissing where
    the content is not here yet.
    """
    version = naming.version_of(project, what)
    entries = _entries(project, version.artifact)
    if file is not None:
        entries = {file: _entry(version, entries, file)}
    top = _laid_out(project, version, entries)
    whole = version.artifact.format == "tree" and file is None
    return top if whole else top / next(iter(entries))


def open_file(
    what: str, file: str | None = None, *, project: Project | None = None, remote: str | None = None
) -> BinaryIO:
    """A stream of a dataset's file: `open_file("flights@v2", "2013-01.csv")`. Seekable, checked as it is read.

    What is not here is read from the remote, as much of it as is asked for and without keeping it.
    `file` may be left out of a dataset that is one file. Without a `project` it is that of the working
    folder, open for as long as the stream is. NotRecorded, DataError, ObjectMissing, RemoteError.
    """
    here = project or Project.open()
    try:
        stream = _stream(here, naming.version_of(here, what), file, remote)
    except BaseException:
        if project is None:
            here.close()
        raise
    return stream if project else cast("BinaryIO", _Owning(stream, here))


def _stream(project: Project, version: Version, file: str | None, remote: str | None) -> BinaryIO:
    absent = bool(project.store.missing([version.digest]))
    if absent and version.artifact.format == "tree":
        found = reading.entries(transfer.open_remote(project, remote), version.digest)
        entries: Mapping[str, Entry] = {entry.path: entry for entry in found}
    else:
        entries = _entries(project, version.artifact)
    if file is None and len(entries) > 1:
        raise DataError(
            f"{version} has {len(entries)} files: which one?",
            hint=f"one of {', '.join(list(entries)[:3])} …",
        )
    entry = _entry(version, entries, next(iter(entries)) if file is None else file)
    if project.store.missing([entry.digest]):
        return reading.open_file(transfer.open_remote(project, remote), entry.digest)
    return project.store.open(entry.digest)


class _Owning(io.BufferedReader):
    """A stream that closes its project, too."""

    def __init__(self, stream: BinaryIO, project: Project) -> None:
        super().__init__(cast("io.RawIOBase", stream))
        self._project = project

    def close(self) -> None:
        super().close()
        self._project.close()


def _entries(project: Project, artifact: Artifact) -> Mapping[str, Entry]:
    name = PurePosixPath(str(artifact.meta.get("source") or artifact.meta.get("name") or "")).name
    found = parts.files(project, artifact, alone=name or f"data.{artifact.format}")
    return {entry.path: entry for entry in found}


def _entry(version: Version, entries: Mapping[str, Entry], file: str) -> Entry:
    if file not in entries:
        raise DataError(f"{version} has no file {file!r}{nearest(file, entries)}")
    return entries[file]


def _laid_out(project: Project, version: Version, entries: Mapping[str, Entry]) -> Path:
    top = project.folder / FOLDER / version.digest
    lacking = [entry for entry in entries.values() if not _whole(top / entry.path, entry)]
    if not lacking:
        return top
    absent = project.store.missing({entry.digest for entry in lacking})
    if absent:
        raise _not_here(version, next(e.path for e in lacking if e.digest in absent), absent)
    building = project.folder / FOLDER / f".{version.digest[:12]}.{os.urandom(6).hex()}"
    try:
        project.store.write_files([(entry, building / entry.path) for entry in lacking])
        with in_store(top):
            for entry in lacking:
                made, place = building / entry.path, top / entry.path
                made.chmod(0o555 if entry.executable else 0o444)
                place.parent.mkdir(parents=True, exist_ok=True)
                made.replace(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return top


def _whole(place: Path, entry: Entry) -> bool:
    """False for a file that is not there, or that somebody made writable or of another size."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == entry.size and not found.st_mode & 0o222


def _not_here(version: Version, path: str, absent: set[Digest] | None = None) -> ObjectMissing:
    more = f" and {len(absent) - 1} more" if absent and len(absent) > 1 else ""
    return ObjectMissing(
        f"the content of {version} is not here: {path}{more}", hint=f"tricord pull {version.name}"
    )
