"""One byte string per JSON value, so that equal records have equal digests.

Keys sorted, no spaces, UTF-8, floats in Python's shortest round-trip form (after RFC 8785, but
keys sort by code point and integers keep all their digits). NaN and infinities are refused: JSON has none.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tricord.core.errors import TricordError

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"


def encode(value: JSON) -> bytes:
    """Canonical bytes of a JSON value.

    >>> encode({"b": 1, "a": [1.0, None]})
    b'{"a":[1.0,null],"b":1}'
    """
    try:
        text = json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode("utf-8")
    except (ValueError, TypeError, RecursionError) as error:
        raise TricordError(f"not a canonical JSON value: {error}") from error
