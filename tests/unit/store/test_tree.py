"""The encoding of trees. Anything but the canonical bytes of a harmless tree is refused."""

import pytest

from tricord.core import canonical
from tricord.core.artifact import Digest
from tricord.store.tree import HEADER, Entry, decode, encode

D = Digest("ab" * 32)


def test_the_order_of_entries_does_not_matter():
    first, second = Entry("a", D, 1, False), Entry("b/c", D, 2, True)
    assert encode([second, first]) == encode([first, second])
    assert decode(encode([second, first])) == (first, second)


def test_the_bytes_are_as_specified():
    assert encode([Entry("ü", D, 1, False)]) == HEADER + f'[["ü","{D}",1,false]]'.encode()


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b"])
def test_paths_that_lead_outside_are_refused(path: str):
    with pytest.raises(ValueError, match="leads outside"):
        decode(encode([Entry(path, D, 1, False)]))


def test_a_file_is_no_folder_and_stands_once():
    with pytest.raises(ValueError, match="folder of another"):
        decode(encode([Entry("a", D, 1, False), Entry("a/b", D, 1, False)]))
    with pytest.raises(ValueError, match="twice"):
        decode(encode([Entry("a", D, 1, False), Entry("a", D, 2, False)]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b"[] ",
        b"[[]]",
        b"\xff",
        b"[" * 100_000,
        canonical.encode([["b", D, 1, False], ["a", D, 1, False]]),
        canonical.encode([["a", D, 1, 0]]),
        canonical.encode([["a", D, True, False]]),
        canonical.encode([["a", D, 1.0, False]]),
        canonical.encode([["a", "not a digest", 1, False]]),
        canonical.encode([["a", D, 1, False, "more"]]),
    ],
)
def test_other_bytes_are_refused(body: bytes):
    with pytest.raises(ValueError, match="malformed"):
        decode(HEADER + body)


def test_a_newer_version_is_refused():
    with pytest.raises(ValueError, match="version 1"):
        decode(b"tricord tree/2\n[]")
