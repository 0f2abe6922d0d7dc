"""What no record needs goes, later, and nothing else: "Order of deletes" of docs/reference/remote-format.md."""

from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Digest
from tricord.core.errors import ObjectMissing, RemoteError
from tricord.store.local import LocalStore
from tricord.store.remote import records
from tricord.store.remote.collecting import DAY, collect
from tricord.store.remote.receiving import fetch
from tricord.store.remote.records import Record
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import confirm, send


def keep(backend: Any, project: str, *held: Digest) -> None:
    records.change(backend, project, lambda found: Record(project, held=frozenset(held)))


def days(backend: Any, count: float) -> None:
    """Let so many days pass at the remote."""
    import time

    backend.clock = (backend.clock or time.time()) + count * DAY


def test_what_projects_keep_stays_and_the_rest_goes_after_two_periods(
    here: LocalStore, there: LocalStore, folder: Path, backend: Any, remote: Remote
) -> None:
    tree, other = here.put_tree(folder), here.put_bytes(b"of another project" * 100)
    gone = here.put_bytes(b"that nobody keeps" * 100)
    for digest in (tree, other, gone):
        send(Remote(backend), here, [digest])
    keep(backend, "mine", tree)
    keep(backend, "yours", other)
    days(backend, 1)
    assert not collect(Remote(backend), grace=2 * DAY, delete=True).doomed  # too young
    days(backend, 2)
    found = collect(Remote(backend), grace=2 * DAY)
    assert len(found.doomed) == 1
    assert not found.deleted
    assert len(collect(Remote(backend), grace=2 * DAY, delete=True).doomed) == 1
    days(backend, 1)
    assert not collect(Remote(backend), grace=2 * DAY, delete=True).deleted
    days(backend, 2)
    done = collect(Remote(backend), grace=2 * DAY, delete=True)
    assert list(done.deleted) == list(found.doomed)
    assert fetch(Remote(backend), there, [gone]).lost
    fetch(Remote(backend), there, [tree, other]).check("there")
    assert list(there.verify()) == []
    assert not list(collect(Remote(backend), grace=2 * DAY, delete=True).deleted)


def test_a_push_does_not_count_on_what_may_go(
    here: LocalStore, there: LocalStore, backend: Any
) -> None:
    digest = here.put_bytes(b"kept too late" * 100)
    send(Remote(backend), here, [digest])
    days(backend, 3)
    collect(Remote(backend), grace=DAY, delete=True)
    assert len(records.roots(records.read_all(backend))) == 0
    sent = send(Remote(backend), here, [digest])  # the same pack, written anew
    assert sent.packs == 1
    keep(backend, "mine", digest)
    days(backend, 3)
    done = collect(Remote(backend), grace=DAY, delete=True)
    assert not done.deleted
    assert not done.doomed
    fetch(Remote(backend), there, [digest]).check("there")


def test_an_upload_in_progress_is_safe(
    here: LocalStore, there: LocalStore, backend: Any, folder: Path
) -> None:
    tree = here.put_tree(folder)

    def collect_now(what: str, name: str) -> None:
        if what == "put" and name.startswith("index/"):
            backend.be_honest()
            collect(Remote(backend), grace=DAY, delete=True)

    send(Remote(backend), here, [here.put_bytes(b"first")])
    backend.before = collect_now
    send(Remote(backend), here, [tree])
    keep(backend, "mine", tree)
    fetch(Remote(backend), there, [tree]).check("there")


def test_a_pack_that_is_mostly_waste_is_written_anew(
    here: LocalStore, there: LocalStore, backend: Any, tmp_path: Path, noise: Any
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(20):
        (source / str(number)).write_bytes(noise.randbytes(10_000))
    here.put_tree(source)
    wanted = here.put_bytes((source / "3").read_bytes())
    tree = here.put_tree(source)
    send(Remote(backend), here, [tree])
    keep(backend, "mine", wanted)
    days(backend, 3)
    assert collect(Remote(backend), grace=DAY, delete=True).rewritten == 1
    days(backend, 2)
    collect(Remote(backend), grace=DAY, delete=True)
    days(backend, 2)
    assert collect(Remote(backend), grace=DAY, delete=True).needed < 20_000
    assert sum(info.size for info in backend.memory.list("packs")) < 20_000
    fetch(Remote(backend), there, [wanted]).check("there")
    assert fetch(Remote(backend), there, [tree]).lost


def test_a_large_file_stays_for_the_chunks_that_another_version_needs(
    here: LocalStore, there: LocalStore, backend: Any, noise: Any
) -> None:
    data = noise.randbytes(3_000_000)
    first = here.put_bytes(data)
    send(Remote(backend), here, [first])
    second = here.put_bytes(data[:1_000_000] + b"inserted" + data[1_000_000:])
    send(Remote(backend), here, [second])
    keep(backend, "mine", second)
    for _ in range(4):
        days(backend, 2)
        collect(Remote(backend), grace=DAY, delete=True)
    fetch(Remote(backend), there, [second]).check("there")
    assert there.read(second)[1_000_000:1_000_008] == b"inserted"


@pytest.mark.parametrize("top", ["index", "records"])
def test_nothing_goes_while_something_cannot_be_read(
    top: str, here: LocalStore, backend: Any
) -> None:
    send(Remote(backend), here, [here.put_bytes(b"waste")])
    keep(backend, "mine", here.put_bytes(b"waste"))
    days(backend, 9)
    collect(Remote(backend), grace=DAY, delete=True)
    days(backend, 9)
    for info in list(backend.memory.list(top)):
        backend.memory.put(info.name, b"damaged")
    before = sorted(info.name for info in backend.memory.list("packs"))
    with pytest.raises(RemoteError):
        collect(Remote(backend), grace=DAY, delete=True)
    assert sorted(info.name for info in backend.memory.list("packs")) == before


@pytest.mark.parametrize("moment", ["list", "delete"])
def test_what_is_pushed_again_while_a_collection_is_about_to_delete_it_stays(
    moment: str, here: LocalStore, there: LocalStore, backend: Any, folder: Path
) -> None:
    digests = [here.put_bytes(b"waste for a while" * 100), here.put_file(folder / "large")]
    send(Remote(backend), here, digests)
    days(backend, 3)
    collect(Remote(backend), grace=DAY, delete=True)
    days(backend, 3)
    lists = 0

    def push(what: str, name: str) -> None:
        nonlocal lists
        lists += what == "list" and name == "objects"
        if (moment == "list" and lists == 3) or (what == "delete" and name.startswith("index/")):
            backend.be_honest()
            send(Remote(backend), here, digests)
            keep(backend, "mine", *digests)

    backend.before = push
    assert not collect(Remote(backend), grace=DAY, delete=True).deleted
    assert records.roots(records.read_all(backend)) == set(digests)
    fetch(Remote(backend), there, digests).check("there")
    assert not collect(Remote(backend), grace=DAY, delete=True).deleted


def test_a_push_looks_again_at_what_had_been_waste(
    here: LocalStore, there: LocalStore, backend: Any
) -> None:
    digest = here.put_bytes(b"waste for a while" * 100)
    send(Remote(backend), here, [digest])
    days(backend, 3)
    collect(Remote(backend), grace=DAY, delete=True)
    remote = Remote(backend)
    send(remote, here, [digest])
    backend.memory.delete([info.name for top in ("packs", "index") for info in backend.memory.list(top)])  # fmt: skip
    assert confirm(remote, here, [digest]).packs == 1
    fetch(Remote(backend), there, [digest]).check("there")
    assert confirm(remote, here, [digest]).packs == 0


def test_a_push_of_what_only_the_remote_has_does_not_count_on_waste(
    here: LocalStore, there: LocalStore, backend: Any
) -> None:
    digest = here.put_bytes(b"waste for a while" * 100)
    send(Remote(backend), here, [digest])
    assert send(Remote(backend), there, [digest]).bytes == 0
    days(backend, 3)
    collect(Remote(backend), grace=DAY, delete=True)
    with pytest.raises(ObjectMissing, match="not here, and at the remote it is waste"):
        send(Remote(backend), there, [digest])
    fetch(Remote(backend), there, [digest]).check("there")
    assert send(Remote(backend), there, [digest]).packs == 1
