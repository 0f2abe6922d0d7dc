"""Patterns over paths, against Python's own shell patterns where both say the same."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricord.core.errors import PlanError
from tricord.core.glob import compiled


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "sub/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("x/**", "x/y/a.csv", True),
        ("x/**/a", "x/a", True),
        ("x/**/a", "xa", False),
        ("2013-0[1-3].csv", "2013-02.csv", True),
        ("[!a]*", "bc", True),
        ("[!a]", "/", False),
        ("[]]", "]", True),
        ("[", "[", True),
        ("a.b", "axb", False),
        ("?", "ü", True),
        ("?", "/", False),
        ("*", "a\nb", True),
    ],
)
def test_what_matches(pattern: str, path: str, matches: bool) -> None:
    assert bool(compiled(pattern).fullmatch(path)) == matches


def test_groups_are_captured() -> None:
    match = compiled("(*)/(20??)-*.csv").fullmatch("ewr/2013-01.csv")
    assert match is not None
    assert match.groups() == ("ewr", "2013")


@pytest.mark.parametrize("pattern", ["(a", "a)", "[z-a]"])
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(PlanError, match="is no pattern"):
        compiled(pattern)


@given(st.text("ab*?[]!-\\.^$+{}|&~#ü\n", max_size=8), st.text("ab-!]\\.^$+{}|&~#ü\n", max_size=6))
def test_within_one_name_it_is_a_shell_pattern(pattern: str, name: str) -> None:
    if "**" in pattern:
        return
    try:
        ours = compiled(pattern)
    except PlanError:  # a range the wrong way round: Python takes it for an empty one
        return
    assert bool(ours.fullmatch(name)) == fnmatch.fnmatchcase(name, pattern)
