"""Between Python values and bytes: which codec, found by type, and the built-in ones.

A plug-in is an entry point of the group `tricord.codecs`, named after the type it serves (top-level
package and class: "polars.DataFrame") and, through the method resolution order, its subclasses.
"""

import inspect
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin

from tricord.core import canonical
from tricord.core.artifact import Kind
from tricord.core.errors import CodecError
from tricord.core.plugins import declared, load
from tricord.core.protocols import Codec, Record

GROUP = "tricord.codecs"


class InMemory(ABC):
    """A codec whose values are small enough to be made into bytes without a file in between."""

    @abstractmethod
    def dump(self, value: Any) -> bytes:
        """The bytes that `write` would write."""

    def write(self, value: Any, target: Path) -> None:
        target.write_bytes(self.dump(value))


class JsonCodec(InMemory):
    """Plain values: None, bool, int, float, str, and lists and dicts of them."""

    format = "json"
    reads = ("json",)
    kind = Kind.VALUE

    def dump(self, value: Any) -> bytes:
        return canonical.encode(value)

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        value = json.loads(source.read_bytes())
        return value if want is object else _as(value, want)


class RecordCodec(InMemory):
    """Classes with `to_json` and `from_json`, such as Verdict and Release."""

    format = "json"
    reads = ("json",)
    kind = Kind.VALUE

    def dump(self, value: Record) -> bytes:
        return canonical.encode(value.to_json())

    def read(self, source: Path, format: str, want: type) -> Any:  # noqa: ARG002
        data = json.loads(source.read_bytes())
        return cast("type[Record]", want).from_json(data)


class BytesCodec(InMemory):
    """Bytes as they are."""

    format = "bytes"
    reads = ("bytes",)
    kind = Kind.VALUE

    def dump(self, value: bytes) -> bytes:
        return value

    def read(self, source: Path, format: str, want: type) -> bytes:  # noqa: ARG002
        return source.read_bytes()


class PathCodec:
    """A file or folder that a step wrote, or that it wants to read for itself."""

    format = "file"
    reads = ("*",)
    kind = Kind.VALUE

    def write(self, value: Path, target: Path) -> None:
        if value.is_dir():
            shutil.copytree(value, target)
        else:
            shutil.copyfile(value, target)

    def read(self, source: Path, format: str, want: type) -> Path:  # noqa: ARG002
        return source


def _as(value: Any, want: type) -> Any:
    """JSON has lists where Python has tuples, and 1 where Python has 1.0."""
    if want in (tuple, set, frozenset) and isinstance(value, list):
        return cast("Any", want)(value)
    if want is float and type(value) is int:
        return float(value)
    if not isinstance(value, want):
        raise CodecError(f"a stored {type(value).__name__} was asked for as {want.__name__}")
    return value


def plain_type(annotation: Any) -> type:
    """The class behind an annotation; `object` where it does not say.

    >>> plain_type(dict[str, int]), plain_type(int | None), plain_type(inspect.Parameter.empty)
    (<class 'dict'>, <class 'int'>, <class 'object'>)
    """
    if annotation in (Any, inspect.Parameter.empty, None):
        return object
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        options = [option for option in get_args(annotation) if option is not NoneType]
        return plain_type(options[0]) if len(options) == 1 else object
    found = origin or annotation
    if found is Mapping:
        return dict
    return found if isinstance(found, type) else object


def type_name(cls: type) -> str:
    """Top-level package and class, as entry points name it."""
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def codec_of(cls: type) -> tuple[str, Codec]:
    """The codec of a class and the name it is declared under. CodecError where none knows it."""
    names = declared(GROUP)
    for base in cls.__mro__[:-1]:
        if (name := type_name(base)) in names:
            return name, _instance(name)
    if hasattr(cls, "to_json") and hasattr(cls, "from_json"):
        return "record", RecordCodec()
    raise CodecError(
        f"no codec knows the type {cls.__module__}.{cls.__qualname__}",
        hint="return a table, array, model, Path or JSON value, or declare a plug-in in tricord.codecs",
    )


def codec_named(name: str) -> Codec:
    """The codec that wrote an artifact; a record comes back as its JSON when nobody says its class."""
    return JsonCodec() if name == "record" else _instance(name)


def _instance(name: str) -> Codec:
    return load(GROUP, name)()
