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
    if not is_one(data):
        raise ValueError("not a recipe, or damaged")
    return [Part(Digest(name.hex()), size) for name, size in _PART.iter_unpack(data[len(HEADER) : -32])]  # fmt: skip


def is_one(data: bytes) -> bool:
    """Whether these are the bytes of a recipe, as somebody wrote them."""
    return (
        data.startswith(HEADER)
        and (len(data) - len(HEADER) - 32) % _PART.size == 0
        and blake3(memoryview(data)[:-32]).digest() == data[-32:]
    )
