"""Versions of a dataset: numbered, named, tagged."""

from collections.abc import Callable
from typing import Any

import pytest

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.errors import NotRecorded, RefConflict, TricordError
from tricord.core.ref import Move
from tricord.project import datasets
from tricord.project.project import Project

Make = Callable[[str], datasets.Version]


@pytest.fixture
def make(project: Project) -> Make:
    """Records a text as the newest version of `flights`."""

    def make(text: str) -> datasets.Version:
        digest = project.store.put_bytes(text.encode())
        artifact = Artifact(digest, Kind.DATASET, "csv", len(text))
        return datasets.record(project, "flights", artifact, why=f"why {text}")

    return make


def test_distinct_contents_are_numbered_and_going_back_makes_no_new_one(
    project: Project, make: Make
) -> None:
    first, second, again = make("a"), make("b"), make("a")

    assert [v.number for v in (first, second, again)] == [1, 2, 1]
    assert [v.changed for v in (first, second, again, make("a"))] == [True, True, True, False]
    found = datasets.versions(project, "flights")
    assert [(v.number, v.digest, v.why) for v in found] == [
        (1, first.digest, "why a"),
        (2, second.digest, "why b"),
    ]
    assert datasets.names(project) == ["flights"]


def test_a_version_is_named_by_number_tag_digest_or_as_the_latest(
    project: Project, make: Make
) -> None:
    first, second = make("a"), make("b")
    datasets.tag(project, first, "reviewed")

    for name in ("v1", "1", "reviewed", first.digest, first.digest[:8]):
        assert datasets.resolve(project, f"flights@{name}").digest == first.digest
    for what in ("flights", "flights@latest", "datasets/flights@v2"):
        assert datasets.resolve(project, what).digest == second.digest
    assert datasets.resolve(project, "flights@1").tags == ("reviewed",)
    assert datasets.tags(project, "flights") == {"reviewed": first.digest}


def test_what_is_not_there_is_told_with_what_is(project: Project, make: Make) -> None:
    make("a")
    for what, message in (
        ("flihgts", "known here: flights"),
        ("flights@v2", "there are latest, v1"),
        ("flights@nothing", "there are latest, v1"),
        ("flights@v" + "9" * 5000, "no version"),
    ):
        with pytest.raises(NotRecorded, match=message) as caught:
            datasets.resolve(project, what)
        assert caught.value.hint
    for what in ("flights@", "@v1", "../x@v1", "a b"):
        with pytest.raises(TricordError):
            datasets.resolve(project, what)


def test_a_tag_is_moved_only_with_force_and_never_reads_as_a_version(
    project: Project, make: Make
) -> None:
    first, second = make("a"), make("b")

    assert datasets.tag(project, first, "reviewed")
    assert not datasets.tag(project, first, "reviewed")
    with pytest.raises(RefConflict, match="another version"):
        datasets.tag(project, second, "reviewed")
    assert datasets.tag(project, second, "reviewed", force=True)
    assert datasets.untag(project, "flights", "reviewed") == second.digest
    assert datasets.tags(project, "flights") == {}
    with pytest.raises(NotRecorded, match="no tag"):
        datasets.untag(project, "flights", "reviewed")
    for label in ("latest", "v7", "12", "deadbeef"):
        with pytest.raises(TricordError, match="cannot be a tag"):
            datasets.tag(project, first, label)


def test_a_version_that_only_a_tag_knows_has_no_number(project: Project) -> None:
    digest = project.store.put_bytes(b"x")
    project.ledger.add_artifact(Artifact(digest, Kind.DATASET, "csv", 1))
    project.move(datasets.ref_of("flights", "brought"), digest, why="from elsewhere")

    found = datasets.resolve(project, "flights@brought")

    assert (found.number, found.digest, found.why) == (0, digest, "from elsewhere")
    assert str(found) == f"flights@{digest[:12]}"


def test_two_that_record_the_same_at_once_both_succeed(
    project: Project, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a")
    real = Project.move

    def late(self: Project, ref: str, to: Digest | None, **named: Any) -> Move | None:
        """Somebody else is quicker, after this one has looked where the ref stands."""
        before = self.ledger.ref(ref)
        real(self, ref, theirs or to, why="the quicker one")
        named["old"] = before
        return real(self, ref, to, **named)

    theirs: Digest | None = None
    monkeypatch.setattr(Project, "move", late)
    version = make("b")
    assert (version.number, version.changed, version.why) == (2, False, "the quicker one")
    theirs = datasets.versions(project, "flights")[0].digest
    with pytest.raises(RefConflict):
        make("c")


@pytest.mark.parametrize("label", ["bad tag", "-x", "a/b", "", "täg!"])
def test_a_tag_that_cannot_be_written_is_told_by_its_characters(
    project: Project, make: Make, label: str
) -> None:
    with pytest.raises(TricordError, match="cannot be a tag: letters, digits") as caught:
        datasets.tag(project, make("a"), label)
    assert caught.value.hint == "tricord data tag flights@v1 reviewed"
