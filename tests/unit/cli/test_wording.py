"""What commands say: names as they are shown, and whose a byte or a version is."""

import json
from pathlib import Path
from typing import Any

import pytest

from tricord.cli.main import OK, main
from tricord.project.project import Project


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the files of two datasets, as the working folder."""
    made = tmp_path / "project"
    Project.init(made).close()
    (made / "data" / "flights").mkdir(parents=True)
    for month in range(1, 4):
        (made / "data" / "flights" / f"{month:02}.csv").write_text(f"month\n{month}\n")
    (made / "data" / "planes.csv").write_text("tail\nN1\n")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def typed(root: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command line: its output, with --json its answer, where it fails its complaint."""

    def run(*words: str, code: int = OK) -> Any:
        capsys.readouterr()
        assert main(words) == code
        printed = capsys.readouterr()
        if "--json" in words:
            return json.loads(printed.out)
        return printed.err if code else printed.out

    return run


def test_what_a_dataset_takes_is_its_own_though_pointers_name_it(typed, root: Path) -> None:
    typed("add", "data/flights", "data/planes.csv")
    (root / "data" / "planes.csv").write_text("tail\nN2\n")
    typed("add", "data/planes.csv")
    for options in ([], ["--versions"]):
        lines = typed("du", "--json", *options)["lines"]
        assert len(lines) == 2 + len(options)
        assert all(line["name"].startswith("datasets/") for line in lines)
        assert all(line["own"] > 0 and line["shared"] == 0 for line in lines)
    pointer = root / "data" / "flights.tricord"
    pointer.write_text(pointer.read_text().replace('"flights"', '"trips"'))
    names = {line["name"] for line in typed("du", "--json")["lines"]}
    assert names == {"datasets/flights", "datasets/planes"}, "known by its name in the ledger"
