"""Recipes: the chunks of a large file, in order. The encoding is in docs/reference/store-format.md."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from blake3 import blake3

from tricord.core.artifact import Digest

HEADER = b"tricord recipe/1\n"
_PART = struct.Struct("<32sI")


class Part(NamedTuple):
    """One chunk of a file."""

    digest: Digest
    size: int


def encode(parts: Iterable[Part]) -> bytes:
    """The bytes of a recipe.

    >>> parse(encode([Part(Digest("ab" * 32), 70000)]))[0].size
    70000
    """
    body = HEADER + b"".join(_PART.pack(bytes.fromhex(part.digest), part.size) for part in parts)
    return body + blake3(body).digest()


def parse(data: bytes) -> list[Part]:
    """The chunks of a recipe. ValueError where the bytes are not those of one."""
    body, check = data[:-32], data[-32:]
    if not body.startswith(HEADER) or blake3(body).digest() != check:
        raise ValueError("not a recipe, or damaged")
    try:
        return [Part(Digest(name.hex()), size) for name, size in _PART.iter_unpack(body[len(HEADER) :])]  # fmt: skip
    except struct.error as error:
        raise ValueError(f"malformed recipe: {error}") from error
