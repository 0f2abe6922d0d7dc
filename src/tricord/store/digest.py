"""Digests of content: BLAKE3-256, 64 lower-case hexadecimal digits.

J. O'Connor, J.-P. Aumasson, S. Neves, Z. Wilcox-O'Hearn: BLAKE3, one function, fast everywhere (2020).
"""

import os
from pathlib import Path

from blake3 import blake3

from tricord.core.artifact import Digest
from tricord.core.errors import DataError

CHUNK = 1 << 20
_TREE = "tricord store tree/1"


def of_bytes(data: bytes | memoryview) -> Digest:
    """The digest of a file with these bytes.

    >>> of_bytes(b"")[:16]
    'af1349b9f5f9a1a6'
    """
    return Digest(blake3(data).hexdigest())


def of_tree_bytes(data: bytes) -> Digest:
    """The digest of an encoded tree: derived with a key, so no file has the same one."""
    return Digest(blake3(data, derive_key_context=_TREE).hexdigest())


def of_file(path: Path) -> Digest:
    """The digest of a file's content, read once in chunks of 1 MiB. DataError if it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            return of_descriptor(file.fileno())
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


def of_descriptor(descriptor: int) -> Digest:
    """The digest of what an open file holds from its current position on."""
    hasher = blake3()
    buffer = memoryview(bytearray(CHUNK))
    while count := os.readv(descriptor, [buffer]):
        hasher.update(buffer[:count])
    return Digest(hasher.hexdigest())
