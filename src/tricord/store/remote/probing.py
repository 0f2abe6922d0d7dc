"""What a remote can do is asked of it, not believed: conditional writes, and how fast it answers."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tricord.core.errors import RemoteError
from tricord.store.remote.backend import Backend

_WRITERS = 4
_ROUNDS = 3
FOLDER = "probe"
PROBED = "probed"
"""The object that says that conditional writes were found to hold."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a remote was found to do. `latency`: seconds of a small request, the median of five."""

    latency: float
    writes: bool
    lists: bool
    conditional: bool
    skew: float
    """Seconds that the remote's clock is ahead of this machine's."""


def probe(backend: Backend) -> Found:
    """Ask a remote what it can do. RemoteUnreachable, RemoteRefused where it does not let itself be asked."""
    times: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        backend.size(f"{FOLDER}/nothing")
        times.append(time.perf_counter() - start)
    writes, lists = backend.abilities.writes, backend.abilities.lists
    if lists:
        next(iter(backend.list(FOLDER)), None)
    skew = backend.now() - time.time()
    return Found(sorted(times)[2], writes, lists, writes and conditional(backend), skew)


def conditional(backend: Backend) -> bool:
    """Whether of several writers at once just one is told that it wrote, for `put_new` and for `replace`.

    Some servers take the condition and do not look at it. What is asked with leaves nothing behind.
    """
    name = f"{FOLDER}/{os.urandom(12).hex()}"
    try:
        with ThreadPoolExecutor(_WRITERS, "probe") as pool:
            return all(_round(backend, f"{name}-{number}", pool) for number in range(_ROUNDS))
    finally:
        backend.delete(f"{name}-{number}" for number in range(_ROUNDS))


def require_conditional(backend: Backend) -> None:
    """RemoteError where two who push at once would undo each other's work. Asked once in the life of a
    remote: an object there keeps that it was found good.
    """
    if backend.size(PROBED) is not None:
        return
    if not conditional(backend):
        raise RemoteError(
            "this remote takes conditional writes and does not keep to them: two who push at once "
            "would undo each other's work",
            where=backend.where,
            hint="use a server that keeps If-Match and If-None-Match (AWS, GCS, Azure, MinIO, R2, Ceph)",
        )
    backend.put(PROBED, b"conditional writes hold\n")


def _round(backend: Backend, name: str, pool: ThreadPoolExecutor) -> bool:
    def write_new(text: bytes) -> bool:
        return backend.put_new(name, text)

    def move(text: bytes) -> bool:
        return backend.replace(name, text, tag)

    texts = [f"{name} {writer}".encode() for writer in range(_WRITERS)]
    made = list(pool.map(write_new, texts))
    found = backend.tagged(name)
    if made.count(True) != 1 or found is None or found[0] != texts[made.index(True)]:
        return False
    before, tag = found
    texts = [text + b" again" for text in texts]
    moved = list(pool.map(move, texts))
    found = backend.tagged(name)
    if moved.count(True) != 1 or found is None or found[0] != texts[moved.index(True)]:
        return False
    return not backend.replace(name, before, tag)
