"""Backends around backends: tries again, keeps below a bandwidth."""

from pathlib import Path

import pytest

from tricord.core.errors import ObjectMissing, RemoteRefused, RemoteUnreachable
from tricord.store.remote.memory import Memory
from tricord.store.remote.wrapping import LONGEST_PAUSE, Bandwidth, Limited, Retrying


class Down(Memory):
    """Fails so many times, then answers."""

    def __init__(self, times: int, error: type[Exception] = RemoteUnreachable) -> None:
        super().__init__()
        self.times, self.error, self.calls = times, error, 0

    def tagged(self, name: str) -> tuple[bytes, str] | None:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error("trouble")
        return super().tagged(name)


def test_it_is_tried_so_often_with_pauses_that_grow() -> None:
    pauses: list[float] = []
    inner = Down(times=20)
    with pytest.raises(RemoteUnreachable):
        Retrying(inner, tries=12, pause=pauses.append).get("a")
    assert inner.calls == 12
    assert len(pauses) == 11
    assert all(0 <= pause <= min(LONGEST_PAUSE, 0.1 * 2**n) for n, pause in enumerate(pauses))


@pytest.mark.parametrize("error", [RemoteRefused, ObjectMissing])
def test_a_no_is_not_tried_again(error: type[Exception]) -> None:
    inner = Down(times=20, error=error)
    with pytest.raises(error):
        Retrying(inner, pause=lambda _: None).get("a")
    assert inner.calls == 1


class Lost(Memory):
    """Writes, and loses each first answer."""

    def __init__(self) -> None:
        super().__init__()
        self.told = True

    def _answer(self, answer: bool) -> bool:
        self.told = not self.told
        if not self.told:
            raise RemoteUnreachable("the answer was lost")
        return answer

    def put_new(self, name: str, data: bytes) -> bool:
        return self._answer(super().put_new(name, data))

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        return self._answer(super().replace(name, data, tag))


def test_a_conditional_write_whose_answer_is_lost_is_known_to_be_ours() -> None:
    backend = Retrying(Lost(), pause=lambda _: None)
    assert backend.put_new("a", b"mine")
    assert not backend.put_new("a", b"other")
    found = backend.tagged("a")
    assert found
    assert backend.replace("a", b"mine again", found[1])
    assert not backend.replace("a", b"late", found[1])
    assert backend.get("a") == b"mine again"


class Dribble(Memory):
    """Gives ten bytes of a download, then fails; after `most` times it gives nothing more."""

    most = 1000

    def get_to(self, name: str, file: Path) -> None:
        whole = self.get(name)
        with file.open("ab") as target:
            start = target.tell()
            self.most -= 1
            if self.most >= 0:
                target.write(whole[start : start + 10])
        if file.stat().st_size < len(whole):
            raise RemoteUnreachable("cut")


def test_a_download_that_comes_on_is_not_given_up(tmp_path: Path) -> None:
    inner = Dribble()
    inner.put("a", bytes(range(200)))
    Retrying(inner, tries=3, pause=lambda _: None).get_to("a", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == bytes(range(200))
    inner.most = 4
    with pytest.raises(RemoteUnreachable):
        Retrying(inner, tries=3, pause=lambda _: None).get_to("a", tmp_path / "more")


class Clock:
    """A clock that pauses set forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("way", ["put", "put_stream", "get", "ranges", "get_to"])
def test_the_bandwidth_is_kept_after_the_first_second(way: str, tmp_path: Path) -> None:
    clock = Clock()
    inner = Memory()
    backend = Limited(inner, Bandwidth(100_000, clock, clock.pause))
    data = bytes(1_000_000)
    inner.put("a", data)
    if way == "put":
        backend.put("a", data)
    elif way == "put_stream":
        backend.put_stream("a", lambda: (data[n : n + 10_000] for n in range(0, len(data), 10_000)))
    elif way == "get":
        backend.get("a")
    elif way == "ranges":
        for start in range(0, len(data), 50_000):
            backend.get("a", start, 50_000)
    else:
        backend.get_to("a", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == data
    assert 108.9 <= clock.now <= 110.1
