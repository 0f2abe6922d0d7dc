"""docs/reference/pointer-format.md, statement by statement."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricord.core.errors import DataError, NotRecorded
from tricord.core.pointer import Pointer, check_path
from tricord.data import ignoring, pointers

DIGEST, OTHER = "ab" * 32, "cd" * 32
FLIGHTS = Pointer(
    "flights",
    "data/flights",
    DIGEST,
    "tree",
    4812345,
    12,
    {"kind": "url", "url": "https://example.com/x", "sizes": [1, 2.5], "more": {"a b": True}},
    {"licence": "CC0-1.0", "description": 'Häfen "und"\nFlüge\x7f'},
    {"reviewed": OTHER, "2013-01": DIGEST},
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def test_p1_the_pointer_stands_beside_the_data(tmp_path: Path) -> None:
    assert pointers.write(tmp_path, FLIGHTS) == tmp_path / "data" / "flights.tricord"
    assert pointers.get(tmp_path, "flights") == FLIGHTS
    (tmp_path / "data").rename(tmp_path / "moved")
    assert pointers.get(tmp_path, "flights").path == "moved/flights"


@pytest.mark.parametrize("what", ["data/flights", "data/flights.tricord", "flights"])
def test_a_pointer_is_found_by_path_file_and_name(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointers.write(tmp_path, FLIGHTS)
    monkeypatch.chdir(tmp_path)
    assert pointers.get(tmp_path, what) == FLIGHTS
    with pytest.raises(NotRecorded, match="flihgts"):
        pointers.get(tmp_path, "flihgts")


@pytest.mark.parametrize("name", ["flights", "#odd", "a b ", "[x]*?", "!no", "new\nline", "\\"])
def test_p2_one_line_hides_the_data_from_git(tmp_path: Path, name: str, git) -> None:
    (tmp_path / ".gitignore").write_text("*.tmp")  # no newline at its end
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text("x")
    (tmp_path / f"{name}.tricord").write_text("")
    (tmp_path / "other").write_text("x")
    git(tmp_path, "init", "-q")
    assert ignoring.hide(tmp_path, name)
    assert not ignoring.hide(tmp_path, name)
    git(tmp_path, "add", ".")
    listed = git(tmp_path, "ls-files", "-z").rstrip("\0").split("\0")
    assert sorted(listed) == sorted([".gitignore", f"{name}.tricord", "other"])
    assert ignoring.unhide(tmp_path, name)
    assert not ignoring.unhide(tmp_path, name)
    assert (tmp_path / ".gitignore").read_text() == "*.tmp\n"


@pytest.mark.parametrize(
    ("before", "name", "between"),
    [
        (b"# Gr\xfc\xdfe\n*.tmp\n", "flights", b"/flights\n"),
        (b"*.tmp\r\n*.log\r\n", "flights", b"/flights\r\n"),
        (b"*.tmp\n", "a\u2028b\x85c\x0cd", "/a\u2028b\x85c\x0cd\n".encode()),
    ],
)
def test_p2_what_else_is_in_the_file_stays_byte_by_byte(
    tmp_path: Path, before: bytes, name: str, between: bytes
) -> None:
    file = tmp_path / ".gitignore"
    file.write_bytes(before)
    assert ignoring.hide(tmp_path, name)
    assert file.read_bytes() == before + between
    assert not ignoring.hide(tmp_path, name)
    assert ignoring.unhide(tmp_path, name)
    assert file.read_bytes() == before


def test_p2_the_last_line_goes_with_its_file(tmp_path: Path) -> None:
    ignoring.hide(tmp_path, "flights")
    ignoring.unhide(tmp_path, "flights")
    assert not (tmp_path / ".gitignore").exists()


def test_p3_two_of_one_name_are_told(tmp_path: Path) -> None:
    pointers.write(tmp_path, FLIGHTS)
    pointers.write(tmp_path, Pointer("flights", "other", DIGEST, "csv", 1, 1))
    with pytest.raises(DataError, match="two pointers are named flights"):
        pointers.find_all(tmp_path)


def test_p4_where_no_pointer_is_looked_for(tmp_path: Path) -> None:
    pointers.write(tmp_path, FLIGHTS)
    text = FLIGHTS.to_text()
    nested = ("nested", "clone", "submodule", "repository")
    for folder in ("data/flights", ".venv", "node_modules", "venv", "__pycache__", *nested):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.tricord").write_text(text)
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    (tmp_path / "nested" / ".tricord").mkdir()
    (tmp_path / "clone" / "tricord.toml").write_text("")
    (tmp_path / "submodule" / ".git").write_text("gitdir: ../.git/modules/submodule\n")
    (tmp_path / "repository" / ".git").mkdir()
    for own in (".git", "tricord.toml"):  # at the top they are its own
        (tmp_path / own).touch()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert list(pointers.files(tmp_path)) == [tmp_path / "data" / "flights.tricord"]


def test_one_value_a_line_sorted() -> None:
    lines = FLIGHTS.to_text().splitlines()
    assert lines[1:8] == [
        f'digest = "{DIGEST}"',
        "files = 12",
        'format = "tree"',
        'name = "flights"',
        'path = "data/flights"',
        "size = 4812345",
        "tricord = 1",
    ]
    assert [line for line in lines if line.startswith("[")] == ["[about]", "[origin]", "[tags]"]


@given(
    origin=st.dictionaries(TEXTS, JSON_VALUES, max_size=4),
    about=st.dictionaries(TEXTS, TEXTS, max_size=3),
    size=st.integers(0, 2**63 - 1),
)
def test_what_is_written_is_read(origin, about, size) -> None:
    pointer = Pointer("é-1", "a b/c", DIGEST, "csv", size, 1, origin, about)
    text = pointer.to_text()
    assert Pointer.from_text(text, "here") == pointer
    assert Pointer.from_text(text, "here").to_text() == text


def test_null_is_left_out() -> None:
    pointer = Pointer("x", "x", DIGEST, "csv", 1, 1, {"etag": None, "in": {"none": None}})
    assert Pointer.from_text(pointer.to_text(), "").origin == {"in": {}}


def test_r1_a_conflict_names_the_next_command(tmp_path: Path, git) -> None:
    """What Git really leaves behind, of two branches that changed one dataset."""
    git(tmp_path, "init", "-q", "-b", "main")
    for branch, digest in (("main", DIGEST), ("other", OTHER), ("third", "ef" * 32)):
        if branch != "main":
            git(tmp_path, "switch", "-q", "main")
            git(tmp_path, "switch", "-q", "-c", branch)
        pointers.write(tmp_path, Pointer("flights", "data/flights", digest, "tree", 1, 1))
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", branch)
    git(tmp_path, "merge", "other", fails=True)
    with pytest.raises(DataError) as told:
        pointers.find_all(tmp_path)
    assert told.value.hint == "tricord resolve flights"


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/.", ".git/hooks/x", "a/.GIT/x", ".tricord/x", "a\0b"],
)  # fmt: skip
def test_r2_a_path_never_leads_outside(path: str) -> None:
    with pytest.raises(ValueError, match="path leads"):
        check_path(path)
    text = FLIGHTS.to_text().replace('"data/flights"', f'"{path}"'.replace("\0", "\\u0000"))
    with pytest.raises(DataError, match="path leads"):
        Pointer.from_text(text, "here")


def test_r3_newer_formats_are_refused_and_new_keys_passed_over() -> None:
    text = FLIGHTS.to_text()
    with pytest.raises(DataError, match="newer release"):
        Pointer.from_text(text.replace("tricord = 1", "tricord = 2"), "here")
    assert Pointer.from_text("colour = 7\n" + text, "here") == FLIGHTS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'digest = "{DIGEST}"', 'digest = "abc"'),
        (f'digest = "{DIGEST}"\n', ""),
        ("files = 12", 'files = "12"'),
        ("files = 12", "files = true"),
        ("size = 4812345", "size = -1"),
        ('name = "flights"', 'name = "../x"'),
        ("[about]", "about = 3\n[x]"),
        (f'reviewed = "{OTHER}"', "reviewed = 3"),
        ("size", "="),
    ],
)
def test_r4_what_is_malformed_is_told_with_its_place(old: str, new: str) -> None:
    with pytest.raises(DataError) as told:
        Pointer.from_text(FLIGHTS.to_text().replace(old, new, 1), "data/flights.tricord")
    assert "data/flights.tricord" in str(told.value) or "not a name" in str(told.value)


def test_r4_what_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.tricord").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        pointers.read(tmp_path / "x.tricord")


def test_w1_one_that_says_the_same_is_not_touched(tmp_path: Path) -> None:
    file = pointers.write(tmp_path, FLIGHTS)
    os.utime(file, ns=(1, 1))
    pointers.write(tmp_path, FLIGHTS)
    assert file.stat().st_mtime_ns == 1
    assert [path.name for path in file.parent.iterdir()] == ["flights.tricord"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        ("*.tmp", ["a.csv", "raw/b.csv", "raw/keep.tmp.csv"]),
        ("raw/", ["a.csv", "x.tmp"]),
        ("/data/raw/", ["a.csv", "x.tmp"]),
        ("/raw/", ["a.csv", "raw/b.csv", "raw/keep.tmp.csv", "raw/y.tmp", "x.tmp"]),
        ("data/**/*.csv", ["raw/y.tmp", "x.tmp"]),
        ("*.csv\n!a.csv", ["a.csv", "raw/y.tmp", "x.tmp"]),
        ("# nothing\n\n[xy].tmp", ["a.csv", "raw/b.csv", "raw/keep.tmp.csv"]),
        ("?.csv", ["raw/keep.tmp.csv", "raw/y.tmp", "x.tmp"]),
    ],
)
def test_tricordignore_takes_gits_patterns(tmp_path: Path, patterns: str, left: list[str]) -> None:
    from tricord.store.workspace import scan

    data = tmp_path / "data"
    (data / "raw").mkdir(parents=True)
    for name in ("a.csv", "x.tmp", "raw/b.csv", "raw/y.tmp", "raw/keep.tmp.csv"):
        (data / name).write_text("x")
    (tmp_path / ".tricordignore").write_text(patterns)
    found = scan(data, ignoring.rules(tmp_path, data))
    assert sorted(each.path for each in found) == sorted(left)


@pytest.fixture
def alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Pointer, Pointer]:
    """The dataset `planes` at p.csv, and another one at the place `planes`."""
    monkeypatch.chdir(tmp_path)
    named = Pointer("planes", "p.csv", DIGEST, "csv", 1, 1)
    placed = Pointer("other", "planes", DIGEST, "tree", 1, 1)
    for pointer in (named, placed):
        pointers.write(tmp_path, pointer)
    return named, placed


def test_p5_a_word_that_is_one_datasets_name_and_anothers_place_is_refused(
    tmp_path: Path, alike: tuple[Pointer, Pointer]
) -> None:
    with pytest.raises(DataError, match=r"planes is the name of the dataset at p\.csv") as caught:
        pointers.get(tmp_path, "planes")
    assert caught.value.hint == "type ./p.csv for the first, ./planes for the second"
    named, placed = alike
    assert pointers.get(tmp_path, "./p.csv") == pointers.get(tmp_path, "p.csv") == named
    for what in ("./planes", "planes.tricord", "other"):
        assert pointers.get(tmp_path, what) == placed
    assert pointers.by_name(tmp_path, "planes") == named
    assert pointers.at(tmp_path, "planes") == placed
    assert pointers.at(tmp_path, "p") is None


def test_p5_a_name_is_not_taken_for_a_path_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = Pointer("data", "n.csv", DIGEST, "csv", 1, 1)
    placed = Pointer("two", "x/data", DIGEST, "tree", 1, 1)
    for pointer in (named, placed):
        pointers.write(tmp_path, pointer)
    monkeypatch.chdir(tmp_path / "x")
    with pytest.raises(DataError, match="the place of another") as caught:
        pointers.get(tmp_path, "data")
    assert caught.value.hint == "type ../n.csv for the first, ./data for the second"
    assert pointers.get(tmp_path, "../n.csv") == named
    monkeypatch.chdir(tmp_path)
    assert pointers.get(tmp_path, "data") == named
