"""Records: histories of refs that two machines went on with are joined, or a conflict is told."""

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.errors import RefConflict, RemoteError
from tricord.store.remote import records
from tricord.store.remote.memory import Memory
from tricord.store.remote.records import Record, Step, added, join, joined

LATEST, CHAMPION = "datasets/flights@latest", "models/delay@champion"


def digest(number: int) -> Digest:
    return Digest(f"{number:064x}")


def steps(*numbers: int, by: str = "ann") -> tuple[Step, ...]:
    ends = [None, *map(digest, numbers)]
    return tuple(
        Step(old, new, by, float(at), f"move {at}", None)
        for at, (old, new) in enumerate(itertools.pairwise(ends))
    )


def test_the_longer_history_wins_where_it_goes_on_from_the_other() -> None:
    assert joined(CHAMPION, steps(1, 2), steps(1, 2, 3)) == steps(1, 2, 3)
    assert joined(CHAMPION, steps(1, 2, 3), steps(1, 2)) == steps(1, 2, 3)
    assert joined(CHAMPION, (), steps(1)) == steps(1)


def test_a_dataset_that_went_on_twice_keeps_both() -> None:
    both = joined(LATEST, steps(1, 2), (*steps(1), *steps(1, 3, by="bea")[1:]))
    assert [step.new for step in both] == [digest(1), digest(2), digest(3)]
    assert both[2].old == digest(2)


def test_another_ref_that_went_on_twice_is_a_conflict() -> None:
    with pytest.raises(RefConflict, match="moved on both sides"):
        joined(CHAMPION, steps(1, 2), (*steps(1), *steps(1, 3, by="bea")[1:]))


@given(st.lists(st.integers(1, 5), max_size=6), st.lists(st.integers(1, 5), max_size=6))
def test_joining_is_settled_after_once(mine: list[int], theirs: list[int]) -> None:
    first, second = steps(*theirs), steps(*mine, by="bea")
    both = joined(LATEST, first, second)
    assert both[: len(first)] == first  # what is there is never taken back
    assert not added(both, second)
    assert joined(LATEST, both, second) == both
    assert {step.new for step in (*first, *second)} == {step.new for step in both}


def test_a_record_comes_back_as_it_went() -> None:
    artifact = Artifact(digest(1), Kind.DATASET, "csv", 7, {"name": "Flüge", "rows": 3})
    record = Record("flights", (artifact,), {LATEST: steps(1, 2)}, frozenset({digest(1)}))
    again = Record.from_bytes(record.to_bytes(), "there")
    assert again == record
    assert again.artifacts[0].meta == artifact.meta
    assert join(again, record) == record


def test_what_is_no_record_is_told() -> None:
    for data in (b"", b"{}", b"[1]", b'{"tricord": "records/2"}', Record("x").to_bytes()[:-4]):
        with pytest.raises(RemoteError, match="record of the remote"):
            Record.from_bytes(data, "there")


def test_names_of_projects_are_names_of_objects() -> None:
    from tricord.store.remote.backend import checked

    names = ["flights", "Flüge 2013", "a/b", "..", "~", "A"]
    assert len({checked(records.place(name), "") for name in names}) == len(names)


def test_many_who_write_at_once_lose_nothing() -> None:
    backend = Memory()

    def write(number: int) -> None:
        ours = Record("flights", held=frozenset({digest(number)}))
        records.update(backend, ours)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found: Any = records.read(backend, "flights")
    assert found.held == {digest(number) for number in range(6)}


def test_going_back_to_an_earlier_version_is_something_new() -> None:
    assert joined(LATEST, steps(1, 2), steps(1, 2, 1)) == steps(1, 2, 1)


def test_any_name_of_a_project_has_a_place_of_its_own_that_every_remote_can_bear() -> None:
    names = (
        "a/b",
        "a b",
        "a~2fb",
        "../x",
        "Flüge nach Köln",
        "飛" * 80,
        "飛" * 80 + "a",
        "é",
        "e\u0301",
    )
    places = [records.place(name) for name in names]
    assert len({*places}) == len(names)
    for place in places:
        folder, _, rest = place.partition("/")
        assert folder == records.FOLDER
        assert len(rest) <= 140
        assert set(rest) <= {*map(chr, range(33, 127))} - {"/", "\\"}
        assert ".." not in rest
