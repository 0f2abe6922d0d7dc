"""Fitted scikit-learn estimators as bytes: the skops format, made to repeat itself byte for byte.

skops names objects by their memory address and stamps files with the time. Here numbers are given in the order in
which they are met, equal constants share one, and the archive holds no time. Nothing is unpickled, and no type
is built that is not on a list of trusted ones.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final, cast

from tricord.core.errors import CodecError
from tricord.core.plugins import optional

TRUSTED: Final = (
    # scikit-learn's own, plain data once the audit has passed what is inside
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils.validation.check_array",
)
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold
_SCHEMA: Final = "schema.json"
_CONSTANTS: Final = ("JsonNode", "TypeNode", "FunctionNode")
_LEVEL: Final = 6


def dump(estimator: Any) -> bytes:
    """Bytes that depend on nothing but the estimator. CodecError where skops cannot write it."""
    skops = optional("skops.io", extra="models")
    errors = optional("skops.io.exceptions", extra="models")
    name = type(estimator).__name__
    try:
        raw: bytes = skops.dumps(estimator)
        untrusted = sorted(set(skops.get_untrusted_types(data=raw)) - set(TRUSTED))
    except (errors.UnsupportedTypeException, TypeError, ValueError, AttributeError) as error:
        raise CodecError(f"a {name} cannot be stored: {error}") from error
    if untrusted:
        raise CodecError(
            f"a {name} that holds {', '.join(untrusted)} could not be loaded again",
            hint="keep your own classes and functions out of the estimator",
        )
    return _canonical(raw)


def load(source: Path) -> Any:
    """The estimator in the file `source`. CodecError for unknown types, before any is built."""
    skops = optional("skops.io", extra="models")
    errors = optional("skops.io.exceptions", extra="models")
    try:
        return skops.load(str(source), trusted=list(TRUSTED))
    except errors.UntrustedTypesFoundException as error:
        raise CodecError(
            f"the estimator holds types that are not trusted: {error}", where=str(source)
        ) from error
    except (
        errors.UnsupportedTypeException,
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        ImportError,
    ) as error:
        raise CodecError(f"not a stored estimator: {error}", where=str(source)) from error


def _canonical(raw: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        schema: dict[str, Any] = json.loads(archive.read(_SCHEMA))
        renamed: dict[str, str] = {}
        _renumber(schema, {}, renamed)
        files = {new: archive.read(old) for old, new in renamed.items()}
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False)
    files[_SCHEMA] = text.encode("utf-8")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name], compresslevel=_LEVEL)
    return target.getvalue()


def _renumber(node: Any, numbers: dict[Any, int], files: dict[str, str]) -> None:
    """Give ids in the order of the walk; note each member file's new name."""
    if isinstance(node, list):
        for item in cast("list[Any]", node):
            _renumber(item, numbers, files)
    if not isinstance(node, dict):
        return
    fields = cast("dict[str, Any]", node)
    loader = fields.get("__loader__")
    if loader == "SetNode" and isinstance(fields.get("content"), list):
        fields["content"].sort(key=_address_free)
    if "__id__" in fields:
        # whether two equal constants are one object is an accident of interning
        key = _address_free(fields) if loader in _CONSTANTS else fields["__id__"]
        fields["__id__"] = numbers.setdefault(key, len(numbers) + 1)
    if isinstance(name := fields.get("file"), str):
        files[name] = fields["file"] = files.get(name, f"{len(files) + 1}{Path(name).suffix}")
    for item in fields.values():
        _renumber(item, numbers, files)


def _address_free(node: dict[str, Any]) -> str:
    return json.dumps(_without_ids(node), sort_keys=True)


def _without_ids(node: Any) -> Any:
    if isinstance(node, dict):
        fields = cast("dict[str, Any]", node)
        return {key: _without_ids(value) for key, value in fields.items() if key != "__id__"}
    if isinstance(node, list):
        return [_without_ids(item) for item in cast("list[Any]", node)]
    return node
