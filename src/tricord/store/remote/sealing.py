"""Sealed remotes: whoever runs the remote learns neither content nor names. See docs/reference/remote-format.md.

Each object is cut into frames, each encrypted by AES-256-GCM under a key of the object's own, so that
ranges can be read; the parts of names are encrypted by AES-SIV, so that they can be listed.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from tricord.core.errors import (
    ConfigError,
    ObjectCorrupt,
    ObjectMissing,
    RemoteError,
    RemoteRefused,
)
from tricord.core.plugins import optional
from tricord.store.remote.backend import (
    PART,
    Abilities,
    Backend,
    Info,
    Parts,
    below,
    checked,
    file_parts,
)
from tricord.store.remote.pieces import append

SEAL = "sealed.json"
"""The one object of a sealed remote whose name and content are plain."""
FRAME = 64 << 10
SALT = 32
OVERHEAD = SALT + 16
STORED = FRAME + OVERHEAD
_FORMAT = "tricord sealed 1"
_CHECK = b"tricord sealed remote"
_RUN = 128
"""Frames that are read by one request when a large object is read: 8 MiB."""
_KDFS = ("none", "scrypt")
_SHORTEST = 12
_HARDEST = 20
"""The most work that a seal may ask for: 1 GiB of memory, some 3 s."""
_EXTRA = "remotes"


class Sealed:
    """A backend whose objects and names are encrypted before the wrapped one sees them."""

    def __init__(self, inner: Backend, keys: "Keys") -> None:
        self.inner = inner
        self.where = inner.where
        self.abilities: Abilities = inner.abilities
        self._keys = keys

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        first = start // FRAME
        count = None if length is None else -(-(start + length) // FRAME) - first
        if count is not None and count <= 0:
            return b""
        stored = self.inner.get(
            self._name(name), first * STORED, None if count is None else count * STORED
        )
        if not stored and start:
            return b""  # it begins behind the end
        data = self._open(name, stored, first, whole=count is None)
        offset = start - first * FRAME
        return data[offset : None if length is None else offset + length]

    def get_to(self, name: str, file: Path) -> None:
        total = self.size(name)
        if total is None:
            raise ObjectMissing(f"no object {name}", where=self.where)
        if total == 0:
            self.get(name)
        append(file, lambda at, size: self._piece(name, at, size, total), total, piece=_RUN * FRAME)

    def put(self, name: str, data: bytes) -> None:
        self.inner.put(self._name(name), self._seal(name, data))

    def put_file(self, name: str, file: Path) -> None:
        self.put_stream(name, file_parts(file, FRAME * 16))

    def put_stream(self, name: str, parts: Parts) -> None:
        self.inner.put_stream(self._name(name), lambda: self._frames(name, parts()))

    def put_new(self, name: str, data: bytes) -> bool:
        return self.inner.put_new(self._name(name), self._seal(name, data))

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        return self.inner.replace(self._name(name), self._seal(name, data), tag)

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        found = self.inner.tagged(self._name(name))
        return None if found is None else (self._open(name, found[0], 0, whole=True), found[1])

    def size(self, name: str) -> int | None:
        found = self.inner.size(self._name(name))
        return None if found is None else opened_size(found)

    def list(self, prefix: str = "") -> Iterator[Info]:
        prefix = prefix.rstrip("/")
        for info in self.inner.list(self._name(prefix) if prefix else ""):
            name = self._keys.reveal(info.name)
            if name is not None and below(name, prefix):
                yield Info(name, opened_size(info.size), info.modified)

    def delete(self, names: Iterable[str]) -> None:
        self.inner.delete([self._name(name) for name in names])

    def now(self) -> float:
        return self.inner.now()

    def _name(self, name: str) -> str:
        return self._keys.hide(checked(name, self.where, PART))

    def _piece(self, name: str, start: int, length: int, total: int) -> bytes:
        data = self.get(name, start, length) if start + length < total else self.get(name, start)
        if len(data) != length:
            raise ObjectCorrupt(f"{name} is another length than it was", where=self.where)
        return data

    def _seal(self, name: str, data: bytes) -> bytes:
        return b"".join(self._frames(name, (data,)))

    def _frames(self, name: str, parts: Iterable[bytes]) -> Iterator[bytes]:
        """The frames of an object. A frame is sent when it is known whether it is the last one."""
        salt = os.urandom(SALT)
        cipher = self._keys.cipher(salt)
        bound = name.encode()
        number = 0
        held = bytearray()
        for part in parts:
            held += part
            while len(held) > FRAME:
                frame = bytes(held[:FRAME])
                del held[:FRAME]
                yield salt + cipher.encrypt(_nonce(number, last=False), frame, bound)
                number += 1
        yield salt + cipher.encrypt(_nonce(number, last=True), bytes(held), bound)

    def _open(self, name: str, stored: bytes, first: int, *, whole: bool) -> bytes:
        """The bytes of consecutive frames; `whole`: the last of them must be the object's last."""
        view = memoryview(stored)
        salt = bytes(view[:SALT])
        cipher = self._keys.cipher(salt)
        bound = name.encode()
        parts: list[bytes] = []
        invalid = optional("cryptography.exceptions", extra=_EXTRA).InvalidTag
        try:
            if len(stored) < OVERHEAD:
                raise ValueError("it is shorter than a frame")
            for start in range(0, len(stored), STORED):
                frame = view[start : start + STORED]
                if bytes(frame[:SALT]) != salt:
                    raise ValueError("frames of two objects are mixed")
                number = first + start // STORED
                sealed = bytes(frame[SALT:])
                ends = start + STORED >= len(stored)
                if ends and (whole or len(frame) < STORED):
                    parts.append(cipher.decrypt(_nonce(number, last=True), sealed, bound))
                    break
                try:
                    parts.append(cipher.decrypt(_nonce(number, last=False), sealed, bound))
                except invalid:
                    if not ends:
                        raise
                    parts.append(cipher.decrypt(_nonce(number, last=True), sealed, bound))
        except (invalid, ValueError) as error:
            raise ObjectCorrupt(
                f"the sealed object {name} was changed, cut short or put under another name"
                + (f": {error}" if str(error) else ""),
                where=f"{self.where}, {self._name(name)}",
                hint="tricord verify --repair",
            ) from error
        return b"".join(parts)


class Keys:
    """The keys of one sealed remote: of names, of content, of the check. From 32 bytes and the remote's salt."""

    def __init__(self, master: bytes, salt: bytes) -> None:
        self._aead = optional("cryptography.hazmat.primitives.ciphers.aead", extra=_EXTRA)
        self._kdf = optional("cryptography.hazmat.primitives.kdf.hkdf", extra=_EXTRA).HKDF
        self._sha256 = optional("cryptography.hazmat.primitives.hashes", extra=_EXTRA).SHA256
        self._content = self._derive(master, salt, b"tricord sealed 1 content", 32)
        self._siv = self._aead.AESSIV(self._derive(master, salt, b"tricord sealed 1 names", 64))
        self.check = self._derive(master, salt, b"tricord sealed 1 check", 32).hex()

    def cipher(self, salt: bytes) -> Any:
        """AES-256-GCM under the key of the object with this salt."""
        return self._aead.AESGCM(self._derive(self._content, salt, b"tricord sealed 1 object", 32))

    def hide(self, name: str) -> str:
        """The name at the remote: each part encrypted, bound to the parts before it."""
        parts = name.split("/")
        return "/".join(
            _text(self._siv.encrypt(part.encode(), ["/".join(parts[:place]).encode() + b"/"]))
            for place, part in enumerate(parts)
        )

    def reveal(self, hidden: str) -> str | None:
        """The name that `hide` made it from; None where it did not."""
        invalid = optional("cryptography.exceptions", extra=_EXTRA).InvalidTag
        name = ""
        for part in hidden.split("/"):
            try:
                found = self._siv.decrypt(_bytes(part), [name.encode() + b"/"]).decode()
            except (invalid, ValueError):
                return None
            name = f"{name}/{found}" if name else found
        return name

    def _derive(self, key: bytes, salt: bytes, purpose: bytes, length: int) -> bytes:
        return self._kdf(self._sha256(), length, salt, purpose).derive(key)


def opened_size(stored: int) -> int:
    """Bytes of an object from those of its frames.

    >>> [opened_size(n) for n in (48, 49, 65584, 65584 + 49)]
    [0, 1, 65536, 65537]
    """
    return max(0, stored - OVERHEAD * max(1, -(-stored // STORED)))


def sealed(inner: Backend, secret: str, *, work: int = 17) -> Sealed:
    """Open a sealed remote with the key or passphrase `secret`; an empty remote becomes a sealed one.

    `work`: the cost of a guess at a passphrase, as the logarithm of scrypt's N; counts where the remote
    is new. ConfigError for a weak key, RemoteRefused for another one than it was sealed with.
    """
    seal = _read(inner)
    if seal is None:
        if inner.abilities.lists and next(iter(inner.list()), None) is not None:
            raise RemoteRefused(
                "this remote is not sealed and not empty: a key cannot be given to it any more",
                where=inner.where,
                hint="add an empty folder as a new remote with that key, and push to it",
            )
        master, kdf = _master(secret, {"kdf": _kdf_of(secret), "work": work}, os.urandom(16))
        salt = os.urandom(16)
        made = {**kdf, "format": _FORMAT, "salt": salt.hex(), "check": Keys(master, salt).check}
        if inner.abilities.writes:
            inner.put_new(SEAL, (json.dumps(made, indent=1, sort_keys=True) + "\n").encode())
        seal = _read(inner)
        if seal is None:
            raise RemoteError("nothing has been pushed to it yet", where=inner.where)
    try:
        if seal["kdf"] not in _KDFS:
            raise ValueError(f"keys made by {seal['kdf']}")
        if seal["kdf"] != _kdf_of(secret):
            # who runs the remote wrote the seal, and does not choose what is made of a secret
            _check_length(secret)
            raise _another_key(inner)
        master, _ = _master(secret, seal, bytes.fromhex(seal["stretch"]))
        keys = Keys(master, bytes.fromhex(seal["salt"]))
        check = str(seal["check"])
    except (KeyError, ValueError, TypeError) as error:
        raise ObjectCorrupt("its seal cannot be read", where=f"{inner.where}, {SEAL}") from error
    if keys.check != check:
        raise _another_key(inner)
    return Sealed(inner, keys)


def _another_key(inner: Backend) -> RemoteRefused:
    return RemoteRefused(
        "this is not the key that the remote was sealed with",
        where=inner.where,
        hint="set the variable that its `key` names to the right one: tricord remote list",
    )


def is_sealed(backend: Backend) -> bool:
    """Whether a remote was sealed. One small request."""
    return backend.size(SEAL) is not None


def _read(inner: Backend) -> dict[str, Any] | None:
    try:
        text = inner.get(SEAL)
    except ObjectMissing:
        return None
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise ObjectCorrupt("its seal cannot be read", where=f"{inner.where}, {SEAL}") from error
    seal = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if seal.get("format") != _FORMAT:
        raise RemoteError(
            "sealed by a newer release, or not by this program",
            where=f"{inner.where}, {SEAL}",
            hint="pip install --upgrade tricord",
        )
    return seal


def _kdf_of(secret: str) -> str:
    return "scrypt" if _raw(secret) is None else "none"


def _raw(secret: str) -> bytes | None:
    """The 32 bytes that a secret spells in hexadecimal or base64; None for a passphrase."""
    try:
        if len(secret) == 64:
            return bytes.fromhex(secret)
        if len(secret) == 44:
            return base64.b64decode(secret, validate=True)
    except (ValueError, binascii.Error):
        pass
    return None


def _master(
    secret: str, seal: dict[str, Any], stretch: bytes
) -> tuple[bytes, dict[str, str | int]]:
    """The 32 bytes that all keys come from, and how they came from the secret."""
    kept: dict[str, str | int] = {"kdf": str(seal["kdf"]), "stretch": stretch.hex()}
    raw = _raw(secret)
    if raw is not None:
        return raw, kept
    _check_length(secret)
    work = int(seal["work"])
    if not 1 <= work <= _HARDEST:
        raise ValueError(f"work of {work}")
    scrypt = optional("cryptography.hazmat.primitives.kdf.scrypt", extra=_EXTRA).Scrypt
    return scrypt(salt=stretch, length=32, n=1 << work, r=8, p=1).derive(secret.encode()), {
        **kept,
        "work": work,
    }


def _check_length(secret: str) -> None:
    if len(secret) < _SHORTEST:
        raise ConfigError(
            f"a passphrase of {len(secret)} characters is too short for a remote; {_SHORTEST} at least",
            where="key",
            hint="or a random key: openssl rand -hex 32",
        )


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _bytes(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
