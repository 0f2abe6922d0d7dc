"""`doomed.json`: what nobody needed when a collection looked, and since when. See docs/reference/remote-format.md."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tricord.core import canonical
from tricord.core.errors import ObjectMissing, RemoteError
from tricord.store.remote.backend import Backend

PLACE = "doomed.json"
_TRIES = 8

Doomed = Mapping[str, float]
"""Name of a pack, or digest of a large file → seconds since the epoch by the remote's clock."""


def read(backend: Backend) -> Doomed:
    """What may be deleted soon."""
    try:
        return _parsed(backend.get(PLACE), backend.where)
    except ObjectMissing:
        return {}


def update(backend: Backend, change: Callable[[Doomed], Doomed]) -> Doomed:
    """Compare-and-swap; `change` gets what is there now and may be called again."""
    for _ in range(_TRIES):
        found = backend.tagged(PLACE)
        before = _parsed(found[0], backend.where) if found else {}
        after = change(before)
        if after == before:
            return after
        data = canonical.encode(dict(after))
        written = backend.replace(PLACE, data, found[1]) if found else backend.put_new(PLACE, data)
        if written:
            return after
    raise RemoteError(
        "others change its list of what may go all the time",
        where=backend.where,
        hint="the same again",
    )


def _parsed(data: bytes, where: str) -> dict[str, float]:
    try:
        found: Any = json.loads(data)
        return {str(name): float(since) for name, since in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise RemoteError(
            f"its {PLACE} cannot be read: {error}",
            where=where,
            hint=f"delete {PLACE} there: it is only a list of what may go",
        ) from error
