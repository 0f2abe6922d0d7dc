"""What a remote promises, whatever it is: named objects, written whole. Every backend fits this shape,
and what wraps a backend (retries, limits, sealing) fits it too.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from tricord.core.errors import RemoteError

PART = 140
"""Most characters between two slashes of a name: sealed, they still fit into `LONGEST`."""
LONGEST = 255
_PART = re.compile(r"[A-Za-z0-9_=@+~-][A-Za-z0-9_=@+~.-]*")

Parts = Callable[[], Iterable[bytes]]
"""Gives an object's bytes piece by piece, and gives them again from the start when called again."""


class Info(NamedTuple):
    """An object as a list shows it; `modified` in seconds since the epoch by the remote's own clock."""

    name: str
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kind of remote can do at all. Whether conditional writes hold is asked of each one: `probing`."""

    writes: bool = True
    lists: bool = True


class Backend(Protocol):
    """Objects by name. For threads; two machines may write to one remote.

    A name is ASCII letters, digits and `_ = @ + ~ . -` in parts joined by slashes; no part begins with a
    dot or has more than 140 characters. An object appears whole or not at all, and is durable when the
    call returns. Errors: RemoteUnreachable (worth trying again), RemoteRefused (not before something is
    changed: rights, a key, a remote that is read-only), RemoteError; ObjectMissing where it says so.
    """

    where: str
    """The remote's URL or folder, for messages."""
    abilities: Abilities

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Its bytes from `start` on; fewer than `length` only where the object ends. ObjectMissing."""
        ...

    def get_to(self, name: str, file: Path) -> None:
        """Write the object to `file`; a file that is there is taken for its beginning and continued,
        so that a call after an interruption resumes. Nothing is checked or synced. ObjectMissing."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Make it the object of that name, in place of one that is there."""
        ...

    def put_file(self, name: str, file: Path) -> None:
        """`put` of a file's content, of any size."""
        ...

    def put_stream(self, name: str, parts: Parts) -> None:
        """`put` of what `parts()` gives, of any size; `parts` may be called again after a fault."""
        ...

    def put_new(self, name: str, data: bytes) -> bool:
        """`put` unless there is one already; True if this call wrote it. Of several at once one does,
        where `probing.conditional` holds."""
        ...

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        """`put` if the object still is the one that had this tag; True if this call wrote it."""
        ...

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        """Its bytes and the tag for `replace`; None where there is none."""
        ...

    def size(self, name: str) -> int | None:
        """Its size in bytes; None where there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[Info]:
        """All objects below `prefix` (whole parts of a name: "packs"; "": all), in no order.
        RemoteError where `abilities.lists` is False."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove them; one that is not there is no error."""
        ...

    def now(self) -> float:
        """The present in seconds since the epoch by the clock that `Info.modified` goes by."""
        ...


def checked(name: str, where: str, most: int = LONGEST) -> str:
    """The name, if it is one with parts of at most so many characters. RemoteError."""
    parts = name.split("/")
    if not all(len(part) <= most and _PART.fullmatch(part) for part in parts):
        raise RemoteError(f"no name for an object of a remote: {name!r}", where=where)
    return name


def below(name: str, prefix: str) -> bool:
    """Whether `list(prefix)` shows an object of this name.

    >>> below("packs/ab", "packs"), below("packs-old/ab", "packs"), below("packs", "")
    (True, False, True)
    """
    return not prefix or name.startswith(prefix.rstrip("/") + "/")


def file_parts(file: Path, piece: int = 1 << 20) -> Parts:
    """A file's content in pieces of so many bytes."""

    def parts() -> Iterator[bytes]:
        with file.open("rb") as opened:
            while data := opened.read(piece):
                yield data

    return parts
