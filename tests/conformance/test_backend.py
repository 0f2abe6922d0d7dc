"""What `store.remote.backend.Backend` promises, asked of every kind of remote."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tricord.core.errors import ObjectMissing, RemoteError, RemoteRefused
from tricord.store.remote import pieces
from tricord.store.remote.backend import Backend
from tricord.store.remote.opening import open_backend
from tricord.store.remote.probing import conditional, probe, require_conditional

NAMES = ("packs/" + "ab" * 32 + ".pack", "a", "a.b/c-d/e_f=g@h+~", "long/" + "x" * 140)
LARGE = os.urandom(1 << 20) * 20
"""More than one part of an upload and more than one piece of a download."""


@pytest.mark.parametrize("data", [b"", b"x", b"0123456789" * 20_000], ids=len)
def test_what_is_put_is_got(place: Any, data: bytes, tmp_path: Path) -> None:
    for name in NAMES:
        place.backend.put(name, data)
    for name in NAMES:
        assert place.reader.get(name) == data
        assert place.reader.size(name) == len(data)
        found = place.reader.tagged(name)
        assert found
        assert found[0] == data
    place.reader.get_to(NAMES[0], tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == data


def test_ranges(place: Any) -> None:
    data = os.urandom(200_000)
    place.backend.put("a/b", data)
    for start, length in (
        (0, 1), (0, 10), (65_535, 2), (65_536, 65_536), (65_536, 1), (131_071, 65_537), (100, None),
        (131_072, None), (199_990, 100), (199_999, 1), (0, 200_000), (5, 0), (0, 10**9),
    ):  # fmt: skip
        end = None if length is None else start + length
        assert place.reader.get("a/b", start, length) == data[start:end]
    for start in (200_000, 200_001, 10**7):
        assert place.reader.get("a/b", start, 10) == b""
        assert place.reader.get("a/b", start) == b""


def test_what_is_not_there(place: Any, tmp_path: Path) -> None:
    place.backend.put("there", b"x")
    for act in (
        lambda: place.reader.get("gone/a"),
        lambda: place.reader.get("gone/a", 3, 4),
        lambda: place.reader.get_to("gone/a", tmp_path / "got"),
    ):
        with pytest.raises(ObjectMissing):
            act()
    assert place.reader.size("gone/a") is None
    assert place.reader.tagged("gone/a") is None
    assert place.reader.size("there/not") is None


def test_large_files_by_every_way(place: Any, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(LARGE)
    place.backend.put_file("one", source)
    place.backend.put_stream("two", lambda: (LARGE[n : n + 999_999] for n in range(0, len(LARGE), 999_999)))  # fmt: skip
    for name in ("one", "two"):
        got = tmp_path / f"got {name}"
        place.reader.get_to(name, got)
        assert got.read_bytes() == LARGE
        assert place.reader.size(name) == len(LARGE)
    place.backend.put_stream("nothing", lambda: ())
    assert place.reader.get("nothing") == b""


def test_a_download_is_continued(place: Any, tmp_path: Path) -> None:
    data = LARGE[: pieces.PIECE * 2 - 9]
    place.backend.put_stream("one", lambda: (data,))
    got = tmp_path / "got"
    for there in (1, 100_000, pieces.PIECE + 7, len(data)):
        got.write_bytes(data[:there])
        place.reader.get_to("one", got)
        assert got.read_bytes() == data


def test_a_list_shows_names_sizes_and_times_below_a_prefix(backend: Backend) -> None:
    held = {f"packs/{n}": bytes(n) for n in range(5)} | {"packs-old/1": b"x", "a/b/c": b"", "a/d": b"12"}  # fmt: skip
    for name, data in held.items():
        backend.put(name, data)

    def below(prefix: str) -> dict[str, int]:
        return {info.name: info.size for info in backend.list(prefix)}

    packs = {f"packs/{n}": n for n in range(5)}
    assert below("packs") == below("packs/") == packs
    assert below("a") == {"a/b/c": 0, "a/d": 2}
    assert below("a/b") == {"a/b/c": 0}
    assert below("nothing") == {}
    assert {name: len(data) for name, data in held.items()}.items() <= below("").items()
    present = backend.now()
    assert all(abs(info.modified - present) < 600 for info in backend.list("packs"))


def test_a_list_of_more_than_a_page(s3: str, s3_bucket: str) -> None:
    backend = open_backend(f"s3://{s3_bucket}", {"endpoint": s3})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: backend.put(f"many/{n}", b""), range(1100)))
    assert len({info.name for info in backend.list("many")}) == 1100
    backend.delete(f"many/{n}" for n in range(1101))
    assert list(backend.list("many")) == []


def test_put_replaces(backend: Backend) -> None:
    backend.put("a", b"one")
    backend.put("a", b"another")
    assert backend.get("a") == b"another"
    assert backend.size("a") == 7


def test_delete_and_what_is_not_there(backend: Backend) -> None:
    backend.put("a/b", b"x")
    backend.put("a/c", b"y")
    backend.delete(["a/b", "a/nothing", "nothing/at/all"])
    backend.delete([])
    assert backend.size("a/b") is None
    assert backend.get("a/c") == b"y"


def test_put_new_writes_once(backend: Backend) -> None:
    assert backend.put_new("a", b"first")
    assert not backend.put_new("a", b"second")
    assert backend.get("a") == b"first"
    backend.delete(["a"])
    assert backend.put_new("a", b"third")


def test_replace_takes_the_tag_of_what_is_there(backend: Backend) -> None:
    backend.put("a", b"one")
    found = backend.tagged("a")
    assert found
    assert backend.replace("a", b"two", found[1])
    assert not backend.replace("a", b"three", found[1])
    assert backend.get("a") == b"two"
    assert not backend.replace("gone", b"x", found[1])
    assert backend.size("gone") is None


def test_of_several_at_once_one_writes(backend: Backend) -> None:
    assert conditional(backend)
    assert list(backend.list("probe")) == []
    require_conditional(backend)
    require_conditional(backend)


def test_additions_by_compare_and_swap_lose_nothing(backend: Backend) -> None:
    backend.put("sum", b"nothing")

    def add(writer: int) -> None:
        for turn in range(3):
            while True:
                found = backend.tagged("sum")
                assert found
                text = f" {writer}.{turn}".encode()
                if text in found[0] or backend.replace("sum", found[0] + text, found[1]):
                    break

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(add, range(3)))
    wanted = sorted(f"{writer}.{turn}" for writer in range(3) for turn in range(3))
    assert sorted(backend.get("sum").decode().split()[1:]) == wanted


def test_what_can_be_done_is_found_out(place: Any) -> None:
    place.backend.put("a", b"x")
    found = probe(place.reader)
    assert found.writes == found.conditional == found.lists == (place.reader is place.backend)
    assert found.latency >= 0
    assert abs(found.skew) < 600


def test_a_reader_refuses_to_write(place: Any) -> None:
    if place.reader is place.backend:
        assert place.reader.abilities.writes
        return
    place.backend.put("a", b"x")
    for act in (
        lambda: place.reader.put("b", b""),
        lambda: place.reader.put_new("b", b""),
        lambda: place.reader.delete(["a"]),
    ):
        with pytest.raises(RemoteRefused, match="can only be read"):
            act()
    with pytest.raises(RemoteError):
        list(place.reader.list())


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".hidden", "a/.b", "ü", "a b", "a\n", "a\\b", "x" * 256]
)  # fmt: skip
def test_what_is_no_name(backend: Backend, name: str) -> None:
    with pytest.raises(RemoteError, match="no name"):
        backend.put(name, b"x")
    with pytest.raises(RemoteError, match="no name"):
        backend.get(name)
