"""docs/reference/remote-format.md, "Sealed remotes": what is promised against whoever runs the remote."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tricord.core.errors import ConfigError, ObjectCorrupt, RemoteError, RemoteRefused
from tricord.store.remote.memory import Memory
from tricord.store.remote.opening import open_backend
from tricord.store.remote.sealing import FRAME, OVERHEAD, SEAL, STORED, Keys, opened_size, sealed

KEY = "00ff" * 16
OTHER = "11" * 32
SIZES = st.sampled_from([0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME - 5])


def stored(inner: Memory) -> dict[str, bytes]:
    return {info.name: inner.get(info.name) for info in inner.list() if info.name != SEAL}


def test_neither_content_nor_names_are_to_be_seen() -> None:
    inner = Memory()
    backend = sealed(inner, KEY)
    backend.put("packs/secret-name", b"secret content" * 10_000)
    ((name, data),) = stored(inner).items()
    assert "secret" not in name
    assert "packs" not in name
    assert b"secret" not in data
    assert opened_size(len(data)) == 140_000


def test_the_same_content_twice_is_not_to_be_seen() -> None:
    inner = Memory()
    backend = sealed(inner, KEY)
    backend.put("a", b"x" * 100)
    backend.put("b", b"x" * 100)
    first, second = stored(inner).values()
    assert first != second
    backend.put("a", b"x" * 100)
    assert stored(inner)[next(iter(stored(inner)))] not in (first, second)


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 4 * FRAME), st.none() | st.integers(0, 4 * FRAME))
def test_any_range_is_that_of_the_plain_bytes(size: int, start: int, length: int | None) -> None:
    data = bytes(n % 251 for n in range(size))
    backend = sealed(Memory(), KEY)
    backend.put("a", data)
    assert backend.get("a", start, length) == data[start : None if length is None else start + length]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_any_changed_bit_is_noticed(size: int, draw: st.DataObject) -> None:
    inner = Memory()
    backend = sealed(inner, KEY)
    backend.put("a", bytes(size))
    ((name, data),) = stored(inner).items()
    place = draw.draw(st.integers(0, len(data) - 1))
    changed = bytearray(data)
    changed[place] ^= 1 << draw.draw(st.integers(0, 7))
    inner.put(name, bytes(changed))
    with pytest.raises(ObjectCorrupt, match="was changed"):
        backend.get("a")


@pytest.mark.parametrize("left", [0, 1, OVERHEAD, STORED - 1, STORED, STORED + 1, 2 * STORED])
def test_an_object_cut_short_is_noticed(left: int, tmp_path: Path) -> None:
    inner = Memory()
    backend = sealed(inner, KEY)
    backend.put("a", bytes(3 * FRAME))
    ((name, data),) = stored(inner).items()
    inner.put(name, data[:left])
    with pytest.raises(ObjectCorrupt):
        backend.get("a")
    with pytest.raises(ObjectCorrupt):
        backend.get_to("a", tmp_path / "got")


def test_objects_exchanged_reordered_or_mixed_are_noticed() -> None:
    inner = Memory()
    backend = sealed(inner, KEY)
    backend.put("a", bytes(2 * FRAME))
    backend.put("b", bytes(2 * FRAME))
    (a, first), (_, second) = stored(inner).items()
    for lie in (
        second,
        first[STORED:] + first[:STORED],
        first[:STORED] + second[STORED:],
        first + first,
    ):
        inner.put(a, lie)
        with pytest.raises(ObjectCorrupt):
            backend.get("a")


@pytest.mark.parametrize("other", [OTHER, "a passphrase of some length"])
def test_another_key_is_told_at_opening(other: str) -> None:
    inner = Memory()
    sealed(inner, KEY)
    with pytest.raises(RemoteRefused, match="not the key"):
        sealed(inner, other)


def test_a_key_is_hexadecimal_or_base64() -> None:
    inner = Memory()
    sealed(inner, "00ff" * 16).put("a", b"x")
    assert sealed(inner, "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=").get("a") == b"x"


def test_a_passphrase_is_stretched() -> None:
    inner = Memory()
    sealed(inner, "correct horse battery", work=10).put("a", b"x")
    assert sealed(inner, "correct horse battery").get("a") == b"x"
    seal = json.loads(inner.get(SEAL))
    assert (seal["kdf"], seal["work"]) == ("scrypt", 10)
    with pytest.raises(RemoteRefused, match="not the key"):
        sealed(inner, "correct horse batterx")
    raw = Memory()
    sealed(raw, KEY)
    for other in (Memory(), inner, raw):
        with pytest.raises(ConfigError, match="too short"):
            sealed(other, "short")


def test_a_remote_with_plain_objects_is_not_sealed_afterwards() -> None:
    inner = Memory()
    inner.put("a", b"x")
    with pytest.raises(RemoteRefused, match="not sealed and not empty"):
        sealed(inner, KEY)


@pytest.mark.parametrize(
    "seal", [b"{", b"[]", b"{}", b'{"format": "tricord sealed 2"}', b'{"format": "tricord sealed 1"}',
             b'{"format": "tricord sealed 1", "kdf": "scrypt", "work": 60, "stretch": "00", "salt": "00", "check": ""}']
)  # fmt: skip
def test_a_seal_that_cannot_be_read(seal: bytes) -> None:
    inner = Memory()
    inner.put(SEAL, seal)
    with pytest.raises((ObjectCorrupt, RemoteError)):
        sealed(inner, "a passphrase of some length")


def test_a_sealed_remote_is_not_opened_without_its_key(tmp_path: Path) -> None:
    url = str(tmp_path / "remote")
    environment = {"K": KEY}
    open_backend(url, {"key": "env:K"}, environment=environment).put("a", b"x")
    with pytest.raises(RemoteRefused, match="sealed"):
        open_backend(url)
    with pytest.raises(ConfigError, match="K, which is not set"):
        open_backend(url, {"key": "env:K"}, environment={})
    assert open_backend(url, {"key": "env:K"}, environment=environment).get("a") == b"x"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z0-9_=@+~-][A-Za-z0-9_=@+~.-]{0,139}", fullmatch=True), min_size=1, max_size=4))  # fmt: skip
def test_names_come_back_and_fit(parts: list[str]) -> None:
    keys = Keys(bytes(32), bytes(16))
    hidden = keys.hide("/".join(parts))
    assert keys.reveal(hidden) == "/".join(parts)
    assert all(len(part) <= 255 for part in hidden.split("/"))
    assert keys.reveal(hidden + "/x") is None
    assert keys.reveal("strange") is None


@pytest.mark.parametrize("secret", ["correct horse battery", KEY])
def test_a_seal_does_not_choose_what_is_made_of_a_secret(secret: str) -> None:
    inner = Memory()
    zeros = Keys(bytes(32), bytes(16))
    kdf = "none" if secret != KEY else "scrypt"
    lie = {"format": "tricord sealed 1", "kdf": kdf, "work": 10, "stretch": "00" * 16,
           "salt": "00" * 16, "check": zeros.check}  # fmt: skip
    inner.put(SEAL, json.dumps(lie).encode())
    with pytest.raises(RemoteRefused, match="not the key"):
        sealed(inner, secret)


@pytest.mark.parametrize("changed", [{"work": 21}, {"work": 0}, {"kdf": "sum"}])
def test_a_seal_that_asks_for_too_much_is_refused(changed: dict[str, object]) -> None:
    inner = Memory()
    sealed(inner, "correct horse battery", work=10)
    inner.put(SEAL, json.dumps({**json.loads(inner.get(SEAL)), **changed}).encode())
    with pytest.raises(ObjectCorrupt, match="seal"):
        sealed(inner, "correct horse battery")
