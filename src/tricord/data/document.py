"""YAML read with care: every mistake is told with its line, every unknown key with its nearest."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from tricord.core.errors import SchemaError
from tricord.core.spelling import nearest

T = TypeVar("T")


class Section:
    """A mapping of a YAML file whose keys are taken one by one; `finish` refuses what is left."""

    def __init__(self, node: yaml.MappingNode, path: Path, title: str) -> None:
        self.title = title
        self._path = path
        self._line = node.start_mark.line + 1
        self._entries: dict[str, tuple[int, yaml.Node]] = {}
        self._taken: list[str] = []
        pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
        for key, value in pairs:
            name = str(_plain(key, path))
            line = key.start_mark.line + 1
            if name in self._entries:
                raise self._wrong(f"{name!r} appears twice", line)
            self._entries[name] = (line, value)

    def names(self) -> Iterator[str]:
        return iter(self._entries)

    def take(self, name: str, want: type[T], default: T) -> T:
        """The value of a key, of exactly this type (an int passes for a float)."""
        self._taken.append(name)
        if name not in self._entries:
            return default
        value = _plain(self._entries[name][1], self._path)
        if want is float and type(value) is int:
            value = float(value)
        if want is not object and type(value) is not want:
            hint = ": put it in quotes" if want is str else ""
            raise self.wrong(name, f"must be of type {want.__name__}, not {value!r}{hint}")
        return cast("T", value)

    def optional(self, name: str, want: type[T]) -> T | None:
        """As `take`, None where the key is not there."""
        self._taken.append(name)
        if name not in self._entries:
            return None
        return self.take(name, want, cast("Any", None))

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.take(name, str, default)
        if value not in choices:
            near = nearest(value, choices)
            raise self.wrong(name, f"is {value!r}, not one of {', '.join(choices)}{near}")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts. A bare NO or 1e3 is something else in YAML, so it must be quoted."""
        found = self.take(name, object, None)
        if found is None:
            return None
        if not isinstance(found, list):
            raise self.wrong(name, "must be a list")
        values = cast("list[Any]", found)
        for value in values:
            if not isinstance(value, str):
                raise self.wrong(name, f"holds {value!r}, which is no text: put it in quotes")
        return tuple(cast("list[str]", values))

    def section(self, name: str) -> "Section | None":
        self._taken.append(name)
        if name not in self._entries:
            return None
        line, node = self._entries[name]
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(f"{name!r} must be a mapping (key: value)", line)
        return Section(node, self._path, f"{self.title}.{name}" if self.title else name)

    def sections(self, name: str) -> "list[Section]":
        """A list of mappings."""
        self._taken.append(name)
        if name not in self._entries:
            return []
        line, node = self._entries[name]
        items = cast("list[yaml.Node]", node.value) if isinstance(node, yaml.SequenceNode) else None
        if items is None or not all(isinstance(item, yaml.MappingNode) for item in items):
            raise self._wrong(f"{name!r} must be a list of mappings", line)
        return [
            Section(cast("yaml.MappingNode", item), self._path, f"{name}[{index}]")
            for index, item in enumerate(items)
        ]

    def has(self, name: str) -> bool:
        return name in self._entries

    def finish(self) -> None:
        """SchemaError for the first key that nobody took."""
        for name, (line, _) in self._entries.items():
            if name not in self._taken:
                near = nearest(name, self._taken)
                raise self._wrong(f"unknown key {name!r}{near}", line)

    def wrong(self, name: str, what: str) -> SchemaError:
        """An error about one key, with its line (or the section's where the key is not there)."""
        line = self._entries[name][0] if name in self._entries else self._line
        return self._wrong(f"{name!r} {what}", line)

    def _wrong(self, what: str, line: int) -> SchemaError:
        at = f"{self.title}: " if self.title else ""
        return SchemaError(f"{at}{what}", where=f"{self._path}, line {line}")


def read_document(path: Path) -> Section:
    """The mapping at the top of a YAML file. SchemaError with line and column where it is none."""
    try:
        compose = cast("Callable[[str, type[yaml.SafeLoader]], yaml.Node | None]", yaml.compose)
        node = compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SchemaError(f"not YAML: {error.problem}", where=f"{path}{place}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SchemaError(f"not YAML: {error}", where=str(path)) from error
    except OSError as error:
        raise SchemaError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if not isinstance(node, yaml.MappingNode):
        raise SchemaError("the file holds no mapping (key: value)", where=f"{path}, line 1")
    return Section(node, path, "")


def _plain(node: yaml.Node, path: Path) -> Any:
    try:
        loader = yaml.SafeLoader("")
        return loader.construct_object(node, deep=True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except (yaml.YAMLError, ValueError) as error:
        raise SchemaError(
            f"not a value: {error}", where=f"{path}, line {node.start_mark.line + 1}"
        ) from error
