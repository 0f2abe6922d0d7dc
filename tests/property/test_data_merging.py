"""Three-way merges against a brute-force oracle, and the laws that a merge must keep."""

from hypothesis import given
from hypothesis import strategies as st

from tricord.core.artifact import Digest
from tricord.data.merging import merge
from tricord.store.tree import Entry

NAMES = ("a", "b", "d/a", "d/b", "d", "e/f/g", "e/f")
files = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=6).filter(
    lambda found: not any(other.startswith(f"{name}/") for name in found for other in found)
)


def entries(found: dict[str, int]) -> dict[str, Entry]:
    return {
        path: Entry(path, Digest(f"{number:064x}"), number, number == 3)
        for path, number in found.items()
    }


@given(files, files, files)
def test_each_path_is_as_the_side_that_changed_it(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    merged = merge(entries(base), entries(ours), entries(theirs))
    for path in NAMES:
        then, mine, other = base.get(path), ours.get(path), theirs.get(path)
        if path in merged.clashes:
            continue
        changes = {side for side in (mine, other) if side != then}
        expected = changes.pop() if changes else then
        assert not changes
        found = merged.files.get(path)
        assert (found.size if found else None) == expected


@given(files, files, files)
def test_a_merge_is_a_tree_whoever_is_preferred(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    for prefer in ("ours", "theirs"):
        merged = merge(entries(base), entries(ours), entries(theirs), prefer=prefer)
        for path in merged.files:
            assert not any(other.startswith(f"{path}/") for other in merged.files)
        side = entries(ours if prefer == "ours" else theirs)
        for path in merged.clashes:
            if path in side:
                assert merged.files[path] == side[path]


@given(files, files)
def test_one_side_alone_is_taken_as_it_is(base: dict[str, int], changed: dict[str, int]) -> None:
    for ours, theirs in ((base, changed), (changed, base), (changed, changed)):
        merged = merge(entries(base), entries(ours), entries(theirs))
        assert merged.files == entries(changed)
        assert merged.clashes == ()


@given(files, files, files)
def test_both_directions_clash_in_the_same_paths(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    there = merge(entries(base), entries(ours), entries(theirs), prefer="ours")
    back = merge(entries(base), entries(theirs), entries(ours), prefer="theirs")
    assert there.files == back.files
    assert there.clashes == back.clashes
