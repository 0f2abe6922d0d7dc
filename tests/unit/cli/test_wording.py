"""What commands say: names as they are shown, and whose a byte or a version is."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tricord.cli.main import ERROR, OK, main
from tricord.core.spelling import quoted
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


def test_an_odd_name_is_shown_one_way_and_quoted_in_what_to_type(typed, root: Path) -> None:
    odd = root / "data" / "new\nline's \x1b[31m.csv"
    odd.write_text("a\n1\n")
    typed("add", str(odd), "--name", "odd")
    odd.write_text("a\n2\n")
    shown = "data/new\\nline's \\x1b[31m.csv"
    row, *_ = (line for line in typed("status").splitlines() if line.startswith("odd"))
    assert shown in row
    step = "next: tricord add $'data/new\\nline\\'s \\x1b[31m.csv'"
    assert step in typed("status")
    said = typed("checkout", "odd", code=ERROR)
    assert f"where: {shown}" in said
    assert step in said


def test_what_a_message_types_works_in_a_shell(typed, root: Path) -> None:
    for name in ("my data.csv", "-dash", "it's", "new\nline", "tab\t\\", "ü😀", "\x07"):
        echoed = subprocess.run(
            ["bash", "-c", f"printf %s {quoted(name)}"], capture_output=True, check=True
        )
        assert echoed.stdout.decode().removeprefix("./") == name


def test_a_long_name_does_not_widen_every_row(typed, root: Path) -> None:
    long = root / "data" / f"{'x' * 200}.csv"
    long.write_text("a\n1\n")
    typed("add", str(long), "data/planes.csv")
    assert all(len(line) < 180 for line in typed("status").splitlines())
    assert "x" * 47 + "…" in typed("status")
    assert "x" * 200 in json.dumps(typed("status", "--json"))
