"""Content goes over every kind of remote and comes back the same; what came is whole and named in the record."""

import random
from pathlib import Path
from typing import Any

from tricord.core.artifact import Digest
from tricord.store.local import LocalStore
from tricord.store.remote import reading, records
from tricord.store.remote.receiving import fetch
from tricord.store.remote.records import Record
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send


def test_two_versions_go_over_and_come_back(place: Any, tmp_path: Path) -> None:
    noise = random.Random(5)
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.bin").write_bytes(noise.randbytes(number * 50))
    large = noise.randbytes(1_500_000)
    (folder / "large").write_bytes(large)
    here, there = LocalStore(tmp_path / "here"), LocalStore(tmp_path / "there")
    versions: list[Digest] = []
    for change in (b"", b"a few bytes more"):
        (folder / "large").write_bytes(large[:700_000] + change + large[700_000:])
        versions.append(here.put_tree(folder))
        send(Remote(place.backend, tmp_path / "cache"), here, [versions[-1]])
        records.update(place.backend, Record("flights", held=frozenset(versions[-1:])))
    record = records.read(place.reader, "flights")
    assert record is not None
    assert record.held == set(versions)
    fetch(Remote(place.reader), there, record.held).check("there")
    there.checkout(versions[1], tmp_path / "back")
    for path in folder.iterdir():
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()
    assert list(there.verify()) == []
    with reading.open_file(Remote(place.reader), there.tree(versions[1])["large"]) as file:
        file.seek(699_990)
        assert file.read(40) == (folder / "large").read_bytes()[699_990:700_030]
    here.close()
    there.close()
