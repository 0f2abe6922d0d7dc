"""What a step's code is, for the cache: never stale, and not changed by a comment.

A function is its byte code with constants by value and names resolved: every first-party function,
class, closure, default and constant that it reaches is part of it, and of every third-party
package that it reaches the version. Comments, docstrings, line numbers and formatting do not count.
Where a name cannot be resolved the whole module counts, and the record says so (`widened`).
Byte code differs between minor versions of Python, so the version is part of the environment.
"""

import ast
import builtins
import dis
import enum
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast, get_args

from tricord.core import canonical
from tricord.core.canonical import JSON
from tricord.core.step import Pipeline, Step
from tricord.store import digest

_SKIPPED = frozenset(
    {"RESUME", "NOP", "CACHE", "PRECALL", "EXTENDED_ARG", "MAKE_CELL", "COPY_FREE_VARS"}
)
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})
_HAS_DOCSTRING = 0x4000000  # a flag since Python 3.13
_GENERATED = frozenset(
    {
        *("__doc__", "__module__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__"),
        *("__static_attributes__", "__dataclass_fields__", "__dataclass_params__", "_abc_impl"),
    }
)
_STDLIB = sys.stdlib_module_names
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range)


class Code:
    """The code that a function reaches.

    `parts` maps each first-party thing (module:qualname) to its own hash, `packages` each
    third-party package to its version, `widened` lists the modules taken whole and why.
    """

    def __init__(self, root: Path, function: Any) -> None:
        self.root = root
        self.parts: dict[str, str] = {}
        self.packages: dict[str, str] = {}
        self.widened: dict[str, str] = {}
        self._seen: dict[int, str] = {}
        self._alive: list[object] = []  # ids are only unique while the objects live
        self._value(function, "")

    def record(self) -> dict[str, Any]:
        """The parts as a JSON value: what is hashed, and what explanations compare."""
        return {"parts": self.parts, "widened": self.widened}

    def environment(self) -> dict[str, Any]:
        """The interpreter and the packages reached, as a JSON value."""
        return {
            "python": ".".join(platform.python_version_tuple()[:2]),
            "implementation": platform.python_implementation(),
            "machine": platform.machine(),
            "packages": dict(sorted(self.packages.items())),
        }

    # Each `_…` below returns a short text that stands for what it looked at.

    def _value(self, value: Any, where: str) -> str:
        if isinstance(value, _PLAIN):
            return f"{type(value).__name__}:{value!r}"
        if id(value) in self._seen:
            return self._seen[id(value)]
        self._alive.append(value)
        self._seen[id(value)] = f"seen:{getattr(value, '__qualname__', type(value).__name__)}"
        text = self._object(value, where)
        self._seen[id(value)] = text
        return text

    def _object(self, value: Any, where: str) -> str:
        match value:
            case Step() | Pipeline():
                return "step:" + self._value(cast("Any", value).function, where)
            case ModuleType():
                return self._module(value)
            case FunctionType():
                return self._function(value)
            case MethodType():
                return self._value(value.__func__, where) + self._value(value.__self__, where)
            case BuiltinFunctionType():
                return self._foreign(value.__module__ or "builtins") + ":" + value.__qualname__
            case type():
                return self._class(value)
            case tuple() | list():
                items = list(cast("Any", value))
                return f"[{','.join(self._value(item, where) for item in items)}]"
            case set() | frozenset():
                return f"{{{','.join(sorted(self._value(item, where) for item in cast('set[Any]', value)))}}}"
            case Mapping():
                pairs = cast("Mapping[Any, Any]", value).items()
                return f"{{{','.join(f'{self._value(k, where)}={self._value(v, where)}' for k, v in pairs)}}}"
            case _:
                return self._instance(value, where)

    def _function(self, function: FunctionType) -> str:
        module = function.__module__ or ""
        if not self._is_own(module):
            return f"{self._foreign(module)}:{function.__qualname__}"
        key = f"{module}:{function.__qualname__}"
        known = [self._code(function.__code__, function.__globals__, module)]
        known += [self._value(default, module) for default in function.__defaults__ or ()]
        known.append(self._value(function.__kwdefaults__ or {}, module))
        known += self._annotations(function)
        for cell in function.__closure__ or ():
            try:
                known.append(self._value(cell.cell_contents, module))
            except ValueError:  # a cell that is not filled yet
                known.append("empty")
        return self._part(key, known)

    def _class(self, cls: type) -> str:
        if not self._is_own(cls.__module__):
            return f"{self._foreign(cls.__module__)}:{cls.__qualname__}"
        known = [self._value(base, cls.__module__) for base in cls.__bases__]
        for name, member in sorted(vars(cls).items()):
            if name in _GENERATED:
                continue
            inner = getattr(member, "__func__", getattr(member, "func", member))
            found = [inner.fget, inner.fset] if isinstance(inner, property) else inner
            known.append(f"{name}={self._value(found, cls.__module__)}")
        return self._part(f"{cls.__module__}:{cls.__qualname__}", known)

    def _part(self, key: str, known: list[str]) -> str:
        self.parts[key] = _hash("\n".join(known))
        return f"{key}#{self.parts[key]}"

    def _instance(self, value: Any, where: str) -> str:
        cls = cast("type[Any]", type(value))
        if isinstance(value, enum.Enum):
            return f"{self._value(cls, where)}.{value.name}"
        if isinstance(value, functools.partial):
            inner = cast("functools.partial[Any]", value)
            return "partial:" + self._value([inner.func, inner.args, inner.keywords], where)
        if hasattr(value, "__wrapped__"):  # lru_cache and its kind
            return "wraps:" + self._value(value.__wrapped__, where)
        text = self._value(cls, where)
        if self._is_own(cls.__module__):
            return text + self._value(_state(value), where)
        if cls.__module__.partition(".")[0] in _STDLIB and " at 0x" not in repr(value):
            return f"{text}({value!r})"
        # what it holds cannot be told from its repr: let the source that made it count
        return text + self._widen(where, f"holds a {cls.__qualname__}")

    def _module(self, module: ModuleType) -> str:
        if not self._is_own(module.__name__):
            return self._foreign(module.__name__)
        return self._widen(module.__name__, "used as a whole")

    def _widen(self, module: str, why: str) -> str:
        """Let the whole source of a module count, and of the first-party modules that it imports."""
        source = _source_of(module)
        if not self._is_own(module) or source is None:
            return self._foreign(module)
        key = f"{module}:*"
        if key not in self.parts:
            self.widened[module] = why
            tree = _without_docstrings(Path(source))
            self.parts[key] = _hash(ast.dump(tree, include_attributes=False))
            package = module if source.endswith("__init__.py") else module.rpartition(".")[0]
            for name in sorted(_imports(tree, package)):
                if self._is_own(name) and _source_of(name):
                    self._widen(name, f"imported by {module}")
        return f"{key}#{self.parts[key]}"

    def _foreign(self, module: str) -> str:
        package = module.partition(".")[0]
        if package in _STDLIB or package == "builtins":
            return package
        if package not in self.packages:
            self.packages[package] = package_version(package)
        return package

    def _is_own(self, module: str) -> bool:
        return is_own(module, str(self.root))

    def _code(self, code: CodeType, names: Mapping[str, Any], module: str) -> str:
        # a docstring is never loaded, so it is not among the instructions
        known = [str(code.co_flags & ~_HAS_DOCSTRING), code.co_exceptiontable.hex()]
        known.append(repr(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]))
        chain: Any = None  # the module whose attribute comes next
        constants: list[Any] = []
        for op, value in (*_instructions(code), ("END", None)):
            if op in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(chain, ModuleType):
                chain, text = self._attribute(chain, str(value))
                known.append(text)
                continue
            if isinstance(chain, ModuleType) and self._is_own(chain.__name__):
                known.append(self._widen(chain.__name__, "passed on as a whole"))
            chain = None
            if isinstance(value, CodeType):
                known.append(self._code(value, names, module))
            elif op in ("LOAD_GLOBAL", "LOAD_NAME"):
                chain, text = self._name(str(value), names, module)
                known.append(text)
            elif op == "IMPORT_NAME":
                level, wanted = constants[-2:]
                known.append(self._import("." * level + str(value), wanted or (), names))
            else:
                if op in ("LOAD_CONST", "LOAD_SMALL_INT"):
                    constants.append(value)
                known.append(f"{op} {_plain(value)}")
        return "\n".join(known)

    def _name(self, name: str, names: Mapping[str, Any], module: str) -> tuple[Any, str]:
        if name in names:
            value = names[name]
            if isinstance(value, ModuleType):  # what is taken from it comes next
                return value, f"module {value.__name__}" + self._touch(value)
            return None, f"{name}={self._value(value, module)}"
        if hasattr(builtins, name):
            return None, name
        return None, f"{name}?{self._widen(module, f'{name} is not defined yet')}"

    def _touch(self, module: ModuleType) -> str:
        return "" if self._is_own(module.__name__) else self._foreign(module.__name__)

    def _attribute(self, module: ModuleType, name: str) -> tuple[Any, str]:
        value = getattr(module, name, None)
        if isinstance(value, ModuleType):
            return value, f".{name}" + self._touch(value)
        if not self._is_own(module.__name__):
            return None, f".{name}"
        if value is None and not hasattr(module, name):
            return None, self._widen(module.__name__, f"{name} is not defined yet")
        return None, f".{name}={self._value(value, module.__name__)}"

    def _import(self, name: str, wanted: Iterable[str], names: Mapping[str, Any]) -> str:
        """An import inside a function: of the module, and of modules that are taken from it."""
        full = importlib.util.resolve_name(name, str(names.get("__package__") or "") or None)
        if not self._is_own(full):
            return self._foreign(full)
        parts = [full, *(f"{full}.{item}" for item in wanted)]
        why = "imported inside a function"
        return ",".join(self._widen(part, why) for part in parts if _source_of(part))

    def _annotations(self, function: FunctionType) -> Iterator[str]:
        """First-party classes that a function takes or gives: it calls their methods unseen."""
        for annotation in function.__annotations__.values():
            for found in _named_in(annotation, function.__globals__):
                home = found.__module__
                if home.partition(".")[0] != "tricord" and self._is_own(home):
                    yield self._value(found, function.__module__)


@functools.cache
def _instructions(code: CodeType) -> tuple[tuple[str, Any], ...]:
    """Name and argument of each instruction that counts. Steps share most of what they reach, and
    taking it apart is what a fingerprint costs, so it is done once for all of them."""
    return tuple(
        (instruction.opname, instruction.argval)
        for instruction in dis.get_instructions(code)
        if instruction.opname not in _SKIPPED
    )


def _plain(value: Any) -> str:
    if isinstance(value, frozenset):  # its order changes with the hash seed
        return "{" + ",".join(sorted(map(repr, cast("frozenset[Any]", value)))) + "}"
    return repr(value)


@functools.cache
def is_own(module: str, root: str) -> bool:
    """First-party: below the project's root, or an editable checkout anywhere."""
    package = module.partition(".")[0]
    if package in _STDLIB or package == "builtins":
        return False
    found = sys.modules.get(module) or sys.modules.get(package)
    source = getattr(found, "__file__", None)
    if source is None:
        try:
            # of the package: to find a module inside it would import it, a second for sklearn
            spec = importlib.util.find_spec(package)
            if spec and spec.origin is None and module != package:  # a namespace has no file
                spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return False
        source = spec.origin if spec else None
    if source is None:
        return package == "__main__"
    if source.startswith(root + "/") and not source.startswith(_INSTALLED):
        return True
    return not source.startswith((*_INSTALLED, sys.base_prefix + "/", sys.prefix + "/"))


@functools.cache
def package_version(package: str) -> str:
    """The installed version of the distribution that a top-level package belongs to.

    The same whether or not the package has been imported yet, as a cache key must be.
    """
    for name in (package, package.replace("_", "-")):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    if owners := _owners(package):
        return ",".join(owners)
    try:
        return str(getattr(importlib.import_module(package), "__version__", "unknown"))
    except ImportError:
        return "unknown"


def _owners(package: str) -> list[str]:
    """NAME-VERSION of the distributions beside a package whose lists of files name it.

    A look for the bytes takes a tenth of the time of `importlib.metadata.packages_distributions`.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # a module made by hand, that came from nowhere
        spec = None
    if spec is None:
        return []
    inside = spec.submodule_search_locations
    places = {Path(found).parent for found in inside or [spec.origin] if found}
    starts = (f"{package}/".encode(), f"{package}.".encode())
    return sorted(
        record.parent.name.removesuffix(".dist-info")
        for place in places
        for record in place.glob("*.dist-info/RECORD")
        if (content := b"\n" + record.read_bytes()) and any(b"\n" + s in content for s in starts)
    )


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _state(value: Any) -> dict[str, Any]:
    slots = [name for base in type(value).__mro__ for name in getattr(base, "__slots__", ())]
    return {name: getattr(value, name, None) for name in slots} | getattr(value, "__dict__", {})


def _source_of(module: str) -> str | None:
    """The file of a module, imported or not; None where there is none."""
    found = sys.modules.get(module)
    if found is not None:
        return getattr(found, "__file__", None)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):  # a name in a module that is no package
        return None
    return spec.origin if spec and spec.has_location else None


def _named_in(annotation: Any, names: Mapping[str, Any]) -> Iterator[type]:
    """The classes in an annotation, those in quotes too where their names are known."""
    if isinstance(annotation, str):
        for word in re.findall(r"[A-Za-z_][\w.]*", annotation):
            head, _, rest = word.partition(".")
            value = names.get(head)
            for attribute in filter(None, rest.split(".")):
                value = getattr(value, attribute, None)
            if isinstance(value, type):
                yield value
    elif isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    else:
        for inner in get_args(annotation):
            yield from _named_in(inner, names)


def _without_docstrings(source: Path) -> ast.Module:
    tree = ast.parse(source.read_bytes())
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and isinstance(ast.get_docstring(node, clean=False), str):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _imports(tree: ast.Module, package: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(
                [*(parents if node.level else []), *([node.module] if node.module else [])]
            )
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


_codes: dict[tuple[Path, Any], Code] = {}


def code_of(root: Path, function: Any) -> Code:
    """The code that a function reaches. It cannot change while the process lives, so it is kept."""
    key = (root, function)
    if key not in _codes:
        _codes[key] = Code(root, function)
    return _codes[key]


def step_fingerprint(step: str, interface: str, code: Code, arguments: Mapping[str, JSON]) -> str:
    """The cache key of one call of a step; artifacts stand in `arguments` as {"$": digest}."""
    known: JSON = {
        "tricord": "step/1",
        "step": step,
        "interface": interface,
        "code": code.record(),
        "environment": code.environment(),
        "arguments": arguments,
    }
    return digest.of_bytes(canonical.encode(known))
