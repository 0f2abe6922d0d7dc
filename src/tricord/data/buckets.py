"""Objects of a bucket brought as a file or folder: s3://, gs://, az://, with whatever names they have."""

import json
import shutil
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tricord.core import canonical
from tricord.core.errors import DataError, NotRecorded, RemoteError
from tricord.core.files import replace_text, sync, sync_folder
from tricord.core.plugins import optional
from tricord.core.pointer import check_path
from tricord.data.download import part_of
from tricord.store.digest import of_bytes
from tricord.store.progress import Watch, quiet
from tricord.store.remote.bucket import EXTRA

SCHEMES = ("s3", "gs", "az")
_LANES = 8


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: its key in the bucket, its path below what was asked for ("": it is that), size, ETag."""

    key: str
    path: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Listed:
    """What lies at a URL: one object, or all below a prefix. `mark` changes when any of it does."""

    things: tuple[Thing, ...]
    folder: bool

    @property
    def mark(self) -> str:
        if not self.folder:
            return self.things[0].etag
        return of_bytes(canonical.encode([[t.path, t.size, t.etag] for t in self.things]))[:32]


def listed(url: str) -> Listed:
    """The object at the URL, else those below it as a folder. NotRecorded where there is nothing,
    DataError for a name that no file can have."""
    store, key = _opened(url)
    obstore = optional("obstore", extra=EXTRA)
    with _faults(url):
        if key and not key.endswith("/"):
            try:
                found = obstore.head(store, key)
                return Listed((Thing(key, "", found["size"], found["e_tag"] or ""),), folder=False)
            except FileNotFoundError:  # then it is a folder, or nothing
                pass
        prefix = key.rstrip("/") + "/" if key else ""
        things = [
            _thing(each, prefix, url)
            for batch in obstore.list(store, prefix or None)
            for each in batch
            if not each["path"].endswith("/") and each["path"].startswith(prefix)
        ]
    if not things:
        raise NotRecorded("nothing is there", where=url, hint="check the address")
    things.sort(key=lambda thing: thing.path)
    _check_apart([thing.path for thing in things], url)
    return Listed(tuple(things), folder=True)


def download(url: str, target: Path, found: Listed, watch: Watch = quiet) -> None:
    """Make `target`, which must not exist, that file or folder. An earlier call that was stopped is
    gone on from. RemoteError, DataError for an object that is not as it was listed."""
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    note = part.with_name(part.name + ".json")
    if not _is_noted(note, url, found):
        shutil.rmtree(part, ignore_errors=True)
        replace_text(note, json.dumps({"url": url, "mark": found.mark}))
    part.mkdir(exist_ok=True)
    store, _ = _opened(url)

    def bring(thing: Thing) -> None:
        _bring(store, url, thing, part / (thing.path or target.name), watch)

    with ThreadPoolExecutor(_LANES) as pool:
        list(pool.map(bring, found.things))
    if found.folder:
        part.rename(target)
    else:
        (part / target.name).rename(target)
        part.rmdir()
    note.unlink()
    sync_folder(target.parent)


def _bring(store: Any, url: str, thing: Thing, place: Path, watch: Watch) -> None:
    if place.is_file() and place.stat().st_size == thing.size:
        watch(thing.size, 1, thing.path)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    growing = place.with_name(place.name[:200] + ".growing")
    with _faults(url), growing.open("wb") as file:
        answer = optional("obstore", extra=EXTRA).get(store, thing.key)
        for piece in answer.stream():
            file.write(piece)
            watch(len(piece), 0, thing.path)
        file.flush()
        sync(file.fileno())
        size, etag = file.tell(), answer.meta["e_tag"] or ""
    if size != thing.size or etag != thing.etag:
        growing.unlink()
        raise DataError("an object changed while it was brought", where=thing.key, hint="try again")
    growing.rename(place)
    watch(0, 1, thing.path)


def _is_noted(note: Path, url: str, found: Listed) -> bool:
    try:
        return json.loads(note.read_text(encoding="utf-8")) == {"url": url, "mark": found.mark}
    except (OSError, ValueError):
        return False


def _opened(url: str) -> tuple[Any, str]:
    """The bucket, as the environment's credentials open it, and the key that the URL names in it."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.netloc:
        raise DataError("not the address of a bucket", where=url, hint="s3://BUCKET/FOLDER")
    stores = optional("obstore.store", extra=EXTRA)
    options = {"allow_http": True, "timeout": timedelta(minutes=10)}
    with _faults(url):
        opened = stores.from_url(f"{parts.scheme}://{parts.netloc}", client_options=options)
    return opened, unquote(parts.path.lstrip("/"))


def _thing(each: Any, prefix: str, url: str) -> Thing:
    path = each["path"].removeprefix(prefix)
    try:
        check_path(path)
    except ValueError as error:
        raise DataError(f"an object's name is no path of a folder: {error}", where=url) from error
    return Thing(each["path"], path, each["size"], each["e_tag"] or "")


def _check_apart(paths: Sequence[str], url: str) -> None:
    known = set(paths)
    for path in paths:
        parts = path.split("/")
        if any("/".join(parts[:end]) in known for end in range(1, len(parts))):
            raise DataError(f"an object is also the folder of others, so no folder can hold both: {path!r}", where=url)  # fmt: skip


@contextmanager
def _faults(url: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotRecorded("nothing is there", where=url, hint="check the address") from error
    except optional("obstore.exceptions", extra=EXTRA).BaseError as error:
        what = str(error).partition("Debug source")[0].strip()
        raise RemoteError(f"the bucket does not answer: {what}", where=url) from error
