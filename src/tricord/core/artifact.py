"""Artifact: immutable content, named by its digest, with a kind."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import NewType

from tricord.core.canonical import JSON
from tricord.core.errors import TricordError

Digest = NewType("Digest", str)
"""The BLAKE3-256 digest of content as 64 lower-case hexadecimal digits."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9a-f]*")


def parse_digest(text: str) -> Digest:
    """The digest that `text` spells out in full; anything else is an error."""
    if not _DIGEST.fullmatch(text):
        raise TricordError(f"not a digest (64 hexadecimal digits): {text!r}")
    return Digest(text)


def check_digests(texts: Sequence[str]) -> None:
    """`parse_digest` of many: an error unless each of them is a digest."""
    if set(map(len, texts)) - {64} or not _DIGITS.fullmatch("".join(texts)):
        for text in texts:
            parse_digest(text)


def format_of(name: str, *, is_tree: bool = False) -> str:
    """The format of what is stored as it is: "tree" for a folder, else the suffix of the file's name.

    >>> format_of("2013.CSV"), format_of("README"), format_of("flights.v1", is_tree=True)
    ('csv', 'file', 'tree')
    """
    return "tree" if is_tree else PurePosixPath(name).suffix.lstrip(".").lower() or "file"


def short(digest: str) -> str:
    """The first twelve digits: enough for people to tell artifacts apart.

    >>> short("0123456789abcdef" * 4)
    '0123456789ab'
    """
    return digest[:12]


class Kind(StrEnum):
    """What an artifact is for. Its format (how the bytes are laid out) is another matter."""

    DATASET = "dataset"
    SCHEMA = "schema"
    STATISTICS = "statistics"
    FEATURES = "features"
    MODEL = "model"
    REPORT = "report"
    VERDICT = "verdict"
    ROUTING_PLAN = "routing plan"
    RELEASE = "release"
    VALUE = "value"  # a step's plain result: a number, a text, a list


@dataclass(frozen=True, slots=True)
class Artifact:
    """A fact about stored content. Two artifacts are the same where digest and kind are.

    `format` names the layout of the bytes and so the codecs that read it ("parquet", "json",
    "onnx", "tree" …); `size` is in bytes, for a tree the sum over its files.
    """

    digest: Digest
    kind: Kind
    format: str
    size: int
    meta: Mapping[str, JSON] = field(default_factory=dict[str, JSON], compare=False, hash=False)
