"""Pointer: which version of a dataset belongs to a commit. A small text file that Git keeps beside the data.

The format is specified in docs/reference/pointer-format.md.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

from tricord.core.artifact import Digest, parse_digest
from tricord.core.canonical import JSON
from tricord.core.errors import DataError, PointerConflict, TricordError
from tricord.core.ref import parse_ref

SUFFIX = ".tricord"
FORMAT = 1
_HEADER = "# The version of this data that belongs to this commit. tricord checkout brings it.\n"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)
_NAMED = re.compile(r'^name = "([^"\\]*)"$', re.MULTILINE)
_OWN = frozenset({".git", ".tricord"})


@dataclass(frozen=True, slots=True)
class Pointer:
    """A dataset at a place of the work tree, and the content that belongs there.

    `path` is the data's, POSIX, relative to the project's root; `size` in bytes; `about` holds what
    people say of it (description, licence, owner); `origin` where it was brought from.
    """

    name: str
    path: str
    digest: Digest
    format: str
    size: int
    files: int
    origin: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    about: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, Digest] = field(default_factory=dict[str, Digest])

    def to_text(self) -> str:
        """The file's text: one value a line, sorted, so that Git can merge and show it.

        >>> print(Pointer("flights", "data/flights.csv", Digest("ab" * 32), "csv", 10, 1).to_text())
        # The version of this data that belongs to this commit. tricord checkout brings it.
        digest = "abababababababababababababababababababababababababababababababab"
        files = 1
        format = "csv"
        name = "flights"
        path = "data/flights.csv"
        size = 10
        tricord = 1
        <BLANKLINE>
        """
        head: dict[str, JSON] = {
            "digest": self.digest,
            "files": self.files,
            "format": self.format,
            "name": self.name,
            "path": self.path,
            "size": self.size,
            "tricord": FORMAT,
        }
        parts = [_HEADER, *_lines(head)]
        for title, table in (("about", self.about), ("origin", self.origin), ("tags", self.tags)):
            lines = _lines(table)
            if lines:
                parts += [f"\n[{title}]\n", *lines]
        return "".join(parts)

    @classmethod
    def from_text(cls, text: str, where: str) -> "Pointer":
        """Read a pointer; `where` is for the message. DataError for a conflict that Git left in it, a
        newer format, a path that leads outside the project, anything malformed."""
        if _CONFLICT.search(text):
            raise conflicted(text, where)
        import tomllib  # 4 ms, and most commands read no pointer

        try:
            values = tomllib.loads(text)
            made = values.get("tricord")
            if isinstance(made, int) and made > FORMAT:
                raise DataError(
                    f"a pointer of format {made}, made by a newer release; this one knows {FORMAT}",
                    where=where,
                    hint="pip install --upgrade tricord",
                )
            return _pointer(values)
        except tomllib.TOMLDecodeError as error:
            raise _malformed(str(error), where) from error
        except (KeyError, ValueError) as error:
            raise _malformed(str(error), where) from error
        except DataError:
            raise
        except TricordError as error:
            raise _malformed(error.what, where) from error


def is_conflicted(text: str) -> bool:
    """True where Git left the marks of a merge conflict.

    >>> is_conflicted("<<<<<<< HEAD\\na\\n=======\\nb\\n>>>>>>> other\\n")
    True
    """
    return bool(_CONFLICT.search(text))


def conflicted(text: str, where: str) -> PointerConflict:
    """The error for a pointer that two branches changed."""
    named = _NAMED.search(text)
    name = named[1] if named else PurePosixPath(where).name.removesuffix(SUFFIX)
    return PointerConflict(
        "two branches changed this dataset, and Git left both versions in its pointer",
        name=name,
        where=where,
        hint=f"tricord resolve {name}",
    )


def check_path(path: str) -> str:
    """The path, if it is relative, POSIX and inside: what a pointer may name. ValueError otherwise.

    >>> check_path("data/../../etc")
    Traceback (most recent call last):
    ValueError: the path leads outside the project: 'data/../../etc'
    """
    parts = path.split("/")
    if "\0" in path or not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError(f"the path leads outside the project: {path!r}")
    if not _OWN.isdisjoint(part.casefold() for part in parts):
        raise ValueError(f"the path leads into what is Git's or Tricord's own: {path!r}")
    return path


def overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other: no two datasets' may.

    >>> overlap("a/b", "a"), overlap("ab", "a")
    (True, False)
    """
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def check_name(name: str) -> str:
    """The name, if a dataset may bear it. TricordError otherwise."""
    try:
        parse_ref(f"datasets/{name}@latest")
    except TricordError as error:
        raise DataError(
            f"not a name for a dataset: {name!r}",
            hint="give one of letters, digits, '.', '-' and '_': --name NAME",
        ) from error
    return name


def _pointer(values: Mapping[str, Any]) -> Pointer:
    tags = _texts(values, "tags")
    return Pointer(
        name=check_name(_text(values, "name")),
        path=check_path(_text(values, "path")),
        digest=parse_digest(_text(values, "digest")),
        format=_text(values, "format"),
        size=_count(values, "size"),
        files=_count(values, "files"),
        origin=cast("Mapping[str, JSON]", _table(values, "origin")),
        about=_texts(values, "about"),
        tags={label: parse_digest(digest) for label, digest in tags.items()},
    )


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key!r} must be a text")
    return value


def _count(values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if type(value) is not int or value < 0:
        raise ValueError(f"{key!r} must be a number, 0 or more")
    return value


def _table(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = values.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key!r} must be a table")
    return cast("dict[str, Any]", value)


def _texts(values: Mapping[str, Any], key: str) -> dict[str, str]:
    table = _table(values, key)
    return {name: _text(table, name) for name in table}


def _malformed(what: str, where: str) -> DataError:
    return DataError(
        f"not a pointer: {what}", where=where, hint="take an earlier one: git checkout -- FILE"
    )


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [
        f"{_key(key)} = {_value(value)}\n"
        for key, value in sorted(table.items())
        if value is not None
    ]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    """A TOML value on one line. TOML knows no null: in a table its key is left out."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int() | float():
            return repr(value)
        case Mapping():
            inner = cast("Mapping[str, object]", value)
            shown = [
                f"{_key(key)} = {_value(each)}"
                for key, each in sorted(inner.items())
                if each is not None
            ]
            return "{" + ", ".join(shown) + "}"
        case Sequence():
            return "[" + ", ".join(_value(each) for each in cast("Sequence[object]", value)) + "]"
        case _:
            raise DataError(f"a pointer cannot hold {value!r}")
