"""`tricord add` and `tricord status` as typed: what they print, with --json and without."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tricord.cli.main import ERROR, OK, main
from tricord.project.project import Project


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the files of three datasets, as the working folder."""
    made = tmp_path / "project"
    Project.init(made).close()
    (made / "data" / "flights").mkdir(parents=True)
    for month in range(1, 13):
        (made / "data" / "flights" / f"{month:02}.csv").write_text(f"month\n{month}\n")
    (made / "data" / "planes.csv").write_text("tail\nN1\n")
    (made / "data" / "weather.csv").write_text("hour\n1\n")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def typed(root: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line; its lines, or with --json its answer."""

    def run(*words: str, code: int = OK) -> Any:
        assert main(words) == code
        printed = capsys.readouterr()
        assert code or not printed.err
        text = printed.out if code == OK else printed.err
        return json.loads(printed.out) if "--json" in words else text.splitlines()

    return run


def test_an_empty_project_says_what_to_do(typed) -> None:
    lines = typed("status")
    assert lines[1:] == ["nothing here yet", "  next: tricord add FILE"]
    assert typed("status", "--json")["datasets"] == []


def test_several_paths_and_a_pattern(typed) -> None:
    added = typed("add", "data/flights", "data/*.csv", "--json")
    assert [(each["name"], each["version"], each["changed"]) for each in added] == [
        ("flights", 1, True), ("planes", 1, True), ("weather", 1, True),
    ]  # fmt: skip
    again = typed("add", "data/*", "--json")
    assert [each["changed"] for each in again] == [False, False, False]


def test_a_file_outside_of_the_project_is_not_for_clones(typed, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    lines = typed("add", str(outside))
    assert lines[1].startswith("note: it lies outside of the project")
    assert lines[2] == "  next: to share it, put it into the project and add it there"


def test_a_pattern_that_matches_nothing(typed) -> None:
    assert typed("add", "data/*.parquet", code=ERROR)[0] == "error: no file or folder matches"


def test_a_pattern_that_is_a_path_is_that_path(root: Path, typed) -> None:
    (root / "data" / "[1].csv").write_text("x")
    assert typed("add", "data/[1].csv")[0].startswith("1- v1: new version")


def test_status_draws_what_changed_and_cuts_it(root: Path, typed) -> None:
    typed("add", "data/flights")
    assert typed("status")[2].endswith("data/flights  unchanged")
    for month in range(1, 12):
        (root / "data" / "flights" / f"{month:02}.csv").write_text("corrected\n")
    (root / "data" / "flights" / "13\n.csv").write_text("x")
    lines = typed("status")
    assert lines[2].endswith("data/flights  1 added, 11 changed")
    assert lines[3] == "    added    13\\n.csv"
    assert lines[4] == "    changed  01.csv"
    assert lines[-2:] == ["    … and 4 more", "    next: tricord add data/flights"]
    (found,) = typed("status", "--json")["datasets"]
    assert len(found["changes"]["changed"]) == 11
    assert found["changes"]["added"] == ["13\n.csv"]
    assert (found["ref"], found["version"], found["state"]) == (
        "datasets/flights@latest", 1, "changed",
    )  # fmt: skip


def test_the_other_refs_are_listed_too(root: Path, typed) -> None:
    typed("add", "data/planes.csv")
    project = Project.open(root)
    digest = project.ledger.ref("datasets/planes@latest")
    project.move("schemas/planes@latest", digest, why="for the test\nof lines")
    project.close()
    line = typed("status")[-1]
    assert line.startswith("schemas/planes@latest  ")
    assert line.endswith("for the test\\nof lines")
    assert typed("status", "--json")["refs"][0]["moves"] == 1


def test_what_git_does_against_it_is_told_once(root: Path, typed) -> None:
    settings = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (["init", "-q"], ["add", "data/weather.csv"]):
        subprocess.run(["git", *words], check=True, env=settings, timeout=120)
    lines = typed("add", "data/weather.csv")
    assert lines[1:] == [
        "note: Git keeps the data too",
        "  next: git rm -r --cached data/weather.csv",
    ]
    (root / ".gitignore").write_text("data/\n")
    assert typed("add", "data/planes.csv")[1].startswith(
        "note: Git ignores data/planes.csv.tricord"
    )
    assert len(typed("add", "data/planes.csv", "data/weather.csv")) == 2


def test_status_needs_no_heavy_library(root: Path, typed) -> None:
    typed("add", "data/flights")
    script = """
import sys
from tricord.cli.main import main
assert main(["status"]) == 0
heavy = {"numpy", "polars", "pyarrow", "rich", "pandas", "asyncio", "obstore", "cryptography"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_status_does_not_write_while_nothing_changes(root: Path, typed) -> None:
    typed("add", "data/flights")
    for _ in range(2):
        typed("status")
    ledger = (root / ".tricord" / "ledger.sqlite").read_bytes()
    typed("status")
    assert (root / ".tricord" / "ledger.sqlite").read_bytes() == ledger


def test_a_pattern_that_matches_a_folder_and_what_is_in_it_is_the_folder(root: Path, typed) -> None:
    added = typed("add", "data/**/*", "--json")
    assert [each["name"] for each in added] == ["flights", "planes", "weather"]
    assert [each["version"] for each in typed("add", "data/**/*", "--json")] == [1, 1, 1]


def test_a_link_that_leads_out_of_the_project_is_told(root: Path, typed) -> None:
    outside = root.parent / "big"
    outside.mkdir()
    (outside / "a.csv").write_text("a")
    (root / "data" / "big").symlink_to(outside)
    _, note = typed("add", "data/big")
    assert note.startswith(f"note: data/big leads to {outside}, outside the project")
    assert len(typed("add", str(outside))) == 1
