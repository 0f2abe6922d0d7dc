"""The objects of DVC's caches and remotes: found by MD5, and checked before anything relies on them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from tricord.core.errors import DataError, ObjectCorrupt
from tricord.core.pointer import check_path

_BLOCK = 1 << 20
"""DVC reads files in such pieces, and the older digest depends on where they are cut."""
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"


class Source(Protocol):
    """A remote that is no folder: brings an object by its name in the remote's layout."""

    where: str

    def bring(self, names: Sequence[str], target: Path) -> bool:
        """Write the first of `names` that there is to `target`; False where there is none."""
        ...


class Objects:
    """Objects by MD5 in folders (a cache, a remote on this machine) and other remotes, asked in turn."""

    def __init__(self, folders: Iterable[Path], sources: Iterable[Source], scratch: Path) -> None:
        self._folders = tuple(folders)
        self._sources = tuple(sources)
        self._scratch = scratch

    def find(self, md5: str, *, folder: bool = False) -> Path | None:
        """Where the object is; brought to `scratch` if it is in no folder. None where there is none."""
        names = _names(md5, folder=folder)
        for place in self._folders:
            for name in names:
                if (place / name).is_file():
                    return place / name
        target = self._scratch / f"{md5}{'.dir' if folder else ''}"
        for source in self._sources:
            if target.exists() or source.bring(names, target):
                return target
        return None

    def listed(self, md5: str) -> tuple[tuple[str, str], ...] | None:
        """The files of a folder: relative path → MD5; None where its list is nowhere. ObjectCorrupt."""
        place = self.find(md5, folder=True)
        if place is None:
            return None
        data = _read(place)
        check(place, data, md5, legacy=True)
        try:
            rows = cast("list[dict[str, Any]]", json.loads(data))
            found = tuple((check_path(str(row["relpath"])), str(row["md5"])) for row in rows)
        except (ValueError, KeyError, TypeError) as error:
            raise ObjectCorrupt(f"not a folder's list: {error}", where=str(place)) from error
        return found


def check(place: Path, data: bytes, md5: str, *, legacy: bool) -> None:
    """ObjectCorrupt unless the bytes have that MD5; `legacy`: or the text with its CRLF made LF has."""
    if hashlib.md5(data, usedforsecurity=False).hexdigest() == md5:
        return
    if (
        legacy
        and _unix_md5(data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)) == md5
    ):
        return
    raise _damaged(place)


def check_file(place: Path, md5: str, *, legacy: bool) -> None:
    """The same for a file that may be larger than memory."""
    plain = hashlib.md5(usedforsecurity=False)
    for block in _blocks(place):
        plain.update(block)
    if plain.hexdigest() == md5 or (legacy and _unix_md5(_blocks(place)) == md5):
        return
    raise _damaged(place)


def _names(md5: str, *, folder: bool) -> tuple[str, str]:
    """Where release 3 and the ones before keep an object."""
    name = f"{md5[:2]}/{md5[2:]}{'.dir' if folder else ''}"
    return f"files/md5/{name}", name


def _unix_md5(blocks: Iterable[bytes]) -> str:
    made = hashlib.md5(usedforsecurity=False)
    for block in blocks:
        made.update(block.replace(b"\r\n", b"\n") if _is_text(block[:512]) else block)
    return made.hexdigest()


def _is_text(start: bytes) -> bool:
    """As DVC decides it: no NUL, and at most 30 % of bytes that texts in ASCII do not have."""
    return b"\0" not in start and len(start.translate(None, _TEXT)) <= 0.3 * len(start)


def _blocks(place: Path) -> Iterable[bytes]:
    try:
        with place.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise _unreadable(place, error) from error


def _read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError as error:
        raise _unreadable(place, error) from error


def _unreadable(place: Path, error: OSError) -> DataError:
    return DataError(f"cannot be read: {error.strerror}", where=str(place))


def _damaged(place: Path) -> ObjectCorrupt:
    return ObjectCorrupt(
        "DVC's object does not have the MD5 that it is named after",
        where=str(place),
        hint="remove it, then: dvc fetch --all-commits",
    )
