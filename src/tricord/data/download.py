"""Downloads from web servers: resumed where they broke off, checked, and whole or not there at all."""

import base64
import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tricord.core.errors import DataError, RemoteError, RemoteRefused, RemoteUnreachable
from tricord.core.files import replace_text, sync, sync_folder
from tricord.store.progress import Watch, quiet

_PIECE = 1 << 20
_TRIES = 5
_SECONDS = 60.0
"""How long a server may be silent."""
_FIRST_PAUSE = 0.1
_USER_IS_PLACE = frozenset({"ssh", "git+ssh", "ssh+git"})
"""Where the user is part of the address and no secret; elsewhere it may be a token."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answered:
    """What a server says of a file: its size in bytes (None: not told) and what changes when it does."""

    size: int | None
    etag: str
    modified: str

    @property
    def mark(self) -> str:
        """Equal for equal content, as far as the server can tell; "" where it cannot."""
        return self.etag or self.modified


def ask(url: str) -> Answered:
    """What the server says of the file now, without its content. RemoteError."""
    for method in ("HEAD", "GET"):  # some servers know no HEAD
        try:
            with _opened(url, {}, method) as answer:
                return _answered(answer)
        except RemoteRefused:
            if method == "GET":
                raise
    raise AssertionError("a GET answers or raises")


def part_of(target: Path) -> Path:
    """Where a download to `target` grows: beside it, so that it can be renamed."""
    return target.parent / f".{target.name[:200]}.part"


def download(url: str, target: Path, watch: Watch = quiet) -> Answered:
    """Make `target` (in place of a file that is there) the file at an http or https URL. Durable.

    What an earlier call left is gone on from, if the server still has the same file (RFC 9110, If-Range).
    RemoteUnreachable, RemoteRefused, DataError for a length that is not what the server promised.
    """
    part = part_of(target)
    note = part.with_name(part.name + ".json")
    target.parent.mkdir(parents=True, exist_ok=True)
    attempt = 0
    while True:
        attempt += 1
        try:
            answered = _grow(url, part, note, watch)
            break
        except RemoteUnreachable:
            if attempt == _TRIES:
                raise
            time.sleep(_FIRST_PAUSE * 2**attempt)
    part.replace(target)
    note.unlink(missing_ok=True)
    sync_folder(target.parent)
    return answered


def plain(url: str) -> str:
    """The URL without what must not be written down: user, password, and a signature for a while.

    >>> plain("https://ada:secret@example.org/flights.csv?version=3")
    'https://example.org/flights.csv?version=3'
    >>> plain("ssh://git:secret@example.org/data.git")
    'ssh://git@example.org/data.git'
    """
    parts = urlsplit(url)
    signed = any(word in parts.query.lower() for word in ("signature=", "sig=", "token="))
    user, at, host = parts.netloc.rpartition("@")
    if parts.scheme in _USER_IS_PLACE:
        host = user.partition(":")[0] + at + host
    return urlunsplit((parts.scheme, host, parts.path, "" if signed else parts.query, ""))


def _grow(url: str, part: Path, note: Path, watch: Watch) -> Answered:
    """Bring `part` to its whole length."""
    before = _noted(note, url)
    have = part.stat().st_size if before and part.exists() else 0
    headers = {"Range": f"bytes={have}-", "If-Range": before} if have else {}
    try:
        with _opened(url, headers, "GET") as answer:
            goes_on = answer.status == 206 and _starts(answer) == have
            answered = _answered(answer, have if goes_on else 0)
            strong = answered.etag if not answered.etag.startswith("W/") else ""
            replace_text(note, json.dumps({"url": plain(url), "mark": strong or answered.modified}))
            _write(answer, part, have if goes_on else 0, answered, watch)
    except _OutOfRange as error:
        part.unlink(missing_ok=True)
        raise RemoteUnreachable("the file has become shorter", where=plain(url)) from error
    return answered


def _write(answer: Any, part: Path, start: int, answered: Answered, watch: Watch) -> None:
    target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.ftruncate(target, start)
        os.lseek(target, start, os.SEEK_SET)
        have = start
        watch(start, 0, part.name)
        with os.fdopen(target, "wb", buffering=0, closefd=False) as file:
            while piece := answer.read(_PIECE):
                have += file.write(piece)
                watch(len(piece), 0, part.name)
        if answered.size is not None and have != answered.size:
            raise RemoteUnreachable(
                f"the connection ended after {have} of {answered.size} bytes",
                where=plain(answer.url),
            )
        sync(target)
    finally:
        os.close(target)


def _noted(note: Path, url: str) -> str:
    """The mark of what was begun of this URL; "" where nothing was, or it cannot be gone on from."""
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(kept["mark"]) if isinstance(kept, dict) and kept.get("url") == plain(url) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]


def _answered(answer: Any, before: int = 0) -> Answered:
    length = answer.headers.get("Content-Length", "")
    size = int(length) + before if length.isdigit() else None
    return Answered(size, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""))


def _starts(answer: Any) -> int:
    """Where a part begins: Content-Range: bytes 100-199/200."""
    said = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(said) if said.isdigit() else -1


class _OutOfRange(RemoteError):
    """416: the range begins behind the file's end."""


@contextmanager
def _opened(url: str, headers: Mapping[str, str], method: str) -> Generator[Any]:
    """An answer of 2xx, after redirects. One table of what urllib raises."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DataError("not a web address", where=url, hint="tricord get https://HOST/FILE")
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    request = urllib.request.Request(address, headers=dict(headers), method=method)  # noqa: S310
    request.add_header("Accept-Encoding", "identity")
    request.add_header("User-Agent", "tricord")
    if parts.username is not None:
        who = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(who).decode())
    where = plain(url)
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            yield answer
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(error.code, error.reason, where) from error
    except urllib.error.URLError as error:
        raise RemoteUnreachable(f"no answer: {error.reason}", where=where) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, socket.gaierror) as error:
        raise RemoteUnreachable(f"the connection broke: {error}", where=where) from error


def _refusal(code: int, reason: str, where: str) -> RemoteError:
    if code == 416:
        return _OutOfRange(f"the server answered {code} {reason}", where=where)
    if code in _AGAIN:
        return RemoteUnreachable(f"the server answered {code} {reason}", where=where)
    hint = {
        404: "check the address",
        401: "https://USER:PASSWORD@HOST/…",
        403: "ask who runs the server",
    }
    return RemoteRefused(f"the server answered {code} {reason}", where=where, hint=hint.get(code))
