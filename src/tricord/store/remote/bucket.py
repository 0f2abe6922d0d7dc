"""Object stores (S3, Google Cloud Storage, Azure) and web servers as remotes, by the library obstore."""

import json
import os
import re
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from tricord.core.errors import ObjectMissing, RemoteError, RemoteRefused, RemoteUnreachable
from tricord.core.plugins import optional
from tricord.store.remote.backend import Abilities, Info, Parts, below, checked
from tricord.store.remote.pieces import PIECE, append

EXTRA = "remotes"
_PART = 16 << 20
"""Bytes of a part of an upload; S3 takes 10,000 of them."""
_PARTS = 9_000
_LANES = 6
_STATUS = re.compile(r"status code: (\d{3})")
_TRANSIENT = {"408", "409", "425", "429", "500", "502", "503", "504"}
_BEHIND = re.compile("status code: 416|Wanted range starting at")
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|specified bucket does not exist")
_NO_CREDENTIALS = re.compile("[Cc]redential|metadata|token request|169\\.254\\.169\\.254")

NEVER: dict[str, Any] = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
"""obstore's own retries are off: a repeated conditional write would not know that it won the first time."""
OFTEN: dict[str, Any] = {"max_retries": 5, "retry_timeout": timedelta(seconds=120)}


class Bucket:
    """Objects below a prefix of a bucket, container or web address.

    `store` is obstore's; `uploads` is the same with obstore's retries on, for the parts of large uploads.
    """

    def __init__(
        self, store: Any, where: str, *, uploads: Any = None, abilities: Abilities | None = None,
        hint: str | None = None,
    ) -> None:  # fmt: skip
        self._obstore = optional("obstore", extra=EXTRA)
        self._errors = optional("obstore.exceptions", extra=EXTRA)
        self._store = store
        self._uploads = store if uploads is None else uploads
        self.where = where
        self.abilities = abilities or Abilities()
        self._hint = hint
        self._clock: tuple[float, float] | None = None

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        if length is not None and length <= 0:
            return b""
        try:
            return self._ranged(name, start, length)[0]
        except _OutOfRange:
            return b""
        except _NoRanges:
            return self._ranged(name, 0, None)[0][
                start : None if length is None else start + length
            ]

    def get_to(self, name: str, file: Path) -> None:
        start = file.stat().st_size if file.exists() else 0
        try:
            first, total = self._ranged(name, start, PIECE)
        except _OutOfRange:
            file.touch()
            return
        except _NoRanges:
            self._whole_to(name, file)
            return
        with file.open("ab") as target:
            target.write(first)
        append(file, lambda at, length: self._ranged(name, at, length)[0], total)

    def put(self, name: str, data: bytes) -> None:
        with self._writing(name):
            self._obstore.put(self._store, name, data, use_multipart=False)

    def put_file(self, name: str, file: Path) -> None:
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            if size <= _PART:
                self.put(name, opened.read())
            else:
                self._upload(name, opened, max(_PART, -(-size // _PARTS)))

    def put_stream(self, name: str, parts: Parts) -> None:
        beginning = bytearray()
        source = iter(parts())
        for part in source:
            beginning += part
            if len(beginning) > _PART:
                return self._upload(name, chain((bytes(beginning),), source), _PART)
        return self.put(name, bytes(beginning))

    def put_new(self, name: str, data: bytes) -> bool:
        try:
            with self._writing(name):
                self._obstore.put(self._store, name, data, mode="create", use_multipart=False)
        except _Lost:
            return False
        return True

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        try:
            with self._writing(name):
                self._obstore.put(
                    self._store, name, data, mode=json.loads(tag), use_multipart=False
                )
        except (_Lost, ObjectMissing):
            return False
        return True

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        try:
            with self._faults(name):
                found = self._obstore.get(self._store, checked(name, self.where))
                data = bytes(found.bytes())
        except ObjectMissing:
            return None
        version = {key: found.meta[key] for key in ("e_tag", "version") if found.meta[key]}
        return data, json.dumps(version)

    def size(self, name: str) -> int | None:
        try:
            with self._faults(name):
                return int(self._obstore.head(self._store, checked(name, self.where))["size"])
        except ObjectMissing:
            return None

    def list(self, prefix: str = "") -> Iterator[Info]:
        if not self.abilities.lists:
            raise RemoteError("a web server does not tell what it holds", where=self.where)
        prefix = prefix.rstrip("/")
        with self._faults(prefix):
            for page in self._obstore.list(self._store, prefix or None, chunk_size=1000):
                for found in page:
                    if below(found["path"], prefix):
                        modified = found["last_modified"].timestamp()
                        yield Info(found["path"], int(found["size"]), modified)

    def delete(self, names: Iterable[str]) -> None:
        names = [checked(name, self.where) for name in names]
        for start in range(0, len(names), 1000):
            some = names[start : start + 1000]
            try:
                with self._writing(some[0], missing=True):
                    self._obstore.delete(self._store, some)
            except (
                ObjectMissing
            ):  # where each is a request of its own, the others must not wait for it
                self._delete_singly(some)

    def now(self) -> float:
        if not self.abilities.writes:
            return time.time()
        if self._clock is None:
            name = f"clock-{os.urandom(8).hex()}"
            self.put(name, b"")
            with self._faults(name):
                modified = self._obstore.head(self._store, name)["last_modified"].timestamp()
            self._clock = modified, time.monotonic()
            self.delete([name])
        then, mark = self._clock
        return then + time.monotonic() - mark

    def _ranged(self, name: str, start: int, length: int | None) -> tuple[bytes, int]:
        """Some bytes of an object, and the size of all of it."""
        asked: Any = {"offset": start} if length is None else (start, start + length)
        options = {} if start == 0 and length is None else {"range": asked}
        with self._faults(name):
            got = self._obstore.get(self._store, checked(name, self.where), options=options)
            return bytes(got.bytes()), int(got.meta["size"])

    def _whole_to(self, name: str, file: Path) -> None:
        """Write an object to `file` from its beginning, whatever is there."""
        with self._faults(name):
            got = self._obstore.get(self._store, name)
            pieces = iter(got.stream(min_chunk_size=1 << 20))
        with file.open("wb") as target:
            while True:
                with self._faults(name):
                    piece = next(pieces, None)
                if piece is None:
                    return
                target.write(piece)

    def _upload(self, name: str, source: BinaryIO | Iterable[bytes], part: int) -> None:
        with self._writing(name):
            self._obstore.put(
                self._uploads,
                name,
                source,
                use_multipart=True,
                chunk_size=part,
                max_concurrency=_LANES,
            )

    def _delete_singly(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                with self._writing(name, missing=True):
                    self._obstore.delete(self._store, name)
            except ObjectMissing:
                pass

    @contextmanager
    def _writing(self, name: str, *, missing: bool = False) -> Generator[None]:
        checked(name, self.where)
        if not self.abilities.writes:
            raise RemoteRefused(
                "this remote can only be read",
                where=self.where,
                hint="push to another remote: tricord remote list",
            )
        try:
            with self._faults(name):
                yield
        except ObjectMissing as error:
            if missing:
                raise
            raise self._no_bucket() from error

    @contextmanager
    def _faults(self, name: str) -> Generator[None]:
        """What obstore raises is the remote's: one table."""
        errors = self._errors
        try:
            yield
        except (FileNotFoundError, errors.NotFoundError) as error:
            if _NO_BUCKET.search(str(error)):
                raise self._no_bucket() from error
            raise ObjectMissing(f"no object {name}", where=self.where) from error
        except (errors.AlreadyExistsError, errors.PreconditionError) as error:
            raise _Lost(f"{name} is another one by now", where=self.where) from error
        except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
            raise RemoteRefused(
                f"no right to do this with {name}: {_told(error)}",
                where=self.where,
                hint=self._hint
                or "ask whoever runs it for the right to do this, or mend the remote's url",
            ) from error
        except errors.NotSupportedError as error:
            raise _NoRanges(f"the remote cannot do it: {_told(error)}", where=self.where) from error
        except errors.BaseError as error:
            raise self._other(name, error) from error

    def _other(self, name: str, error: Exception) -> RemoteError:
        text = str(error)
        status = _STATUS.search(text)
        told = _told(error)
        if _BEHIND.search(text):
            return _OutOfRange(told, where=self.where)
        if status is None:
            if _NO_CREDENTIALS.search(text):
                return RemoteRefused(
                    f"no credentials were found: {told}", where=self.where, hint=self._hint
                )
            return RemoteUnreachable(
                f"no answer about {name}: {told}",
                where=self.where,
                hint="check the address, the network and the proxy",
            )
        if _NO_BUCKET.search(text):
            return self._no_bucket()
        kind = RemoteUnreachable if status[1] in _TRANSIENT else RemoteError
        hint = (
            "set the remote's region to that of the bucket" if status[1] in ("301", "307") else None
        )
        return kind(
            f"the remote answered {status[1]} about {name}: {told}", where=self.where, hint=hint
        )

    def _no_bucket(self) -> RemoteError:
        return RemoteRefused(
            "there is no such bucket", where=self.where, hint="make it, or mend the remote's url"
        )


class _Lost(RemoteUnreachable):
    """A conditional write came second. Raised by an unconditional one (409), it is worth trying again."""


class _OutOfRange(RemoteError):
    """What was asked for begins behind the object's end."""


class _NoRanges(RemoteRefused):
    """A server that gives whole objects only."""


def _told(error: Exception) -> str:
    """What the library says, without the request's address, the answer's page and its own debug view."""
    text = str(error).partition("Debug source")[0].strip()
    code = re.search(r"<Message>([^<]*)</Message>", text)
    if code:
        return code[1]
    text = re.sub(r"<.*", "", text, flags=re.DOTALL)
    return re.split(r" in [\d.]+(?:[mµn]s|s) - ", text)[-1].strip()[:300]
