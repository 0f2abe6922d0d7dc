"""Two people share a project through Git and a remote, as typed: push, clone, pull, a part, a version, a repair."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tricord.cli.main import main


class Person:
    """A work folder with a project in it, and what its commands answer."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def says(self, *words: str, code: int = 0) -> Any:
        assert main(["--project", str(self.root), *words, "--json"]) == code
        return json.loads(self._capsys.readouterr().out)

    def git(self, *words: str) -> None:
        settings = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")  # fmt: skip
        subprocess.run(["git", *settings, *words], cwd=self.root, check=True, capture_output=True)


@pytest.fixture
def ann(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Person:
    person = Person(tmp_path / "ann", capsys)
    person.root.mkdir()
    person.git("init", "-q", "-b", "main")
    (person.root / "tricord.toml").write_text(
        f'[project]\nname = "delays"\nactor = "ann"\n\n[remote.team]\nurl = "{tmp_path / "remote"}"\n'
    )
    data = person.root / "data" / "flights"
    data.mkdir(parents=True)
    for month in ("01", "02", "03"):
        (data / f"2013-{month}.csv").write_text(f"flight,delay\nUA1,{month}\n")
    return person


def test_from_one_machine_to_another(ann: Person, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:  # fmt: skip
    ann.says("add", str(ann.root / "data" / "flights"))
    ann.git("add", "-A")
    ann.git("commit", "-qm", "data")
    first = ann.says("push")
    assert [item["name"] for item in first["new"]] == ["flights"]
    assert ann.says("push")["new"] == []
    (ann.root / "data" / "flights" / "2013-02.csv").write_text("flight,delay\nUA1,99\n")
    ann.says("add", str(ann.root / "data" / "flights"))
    ann.git("commit", "-qam", "corrected")
    assert ann.says("push")["sent"]["files"] == 3

    bea = Person(tmp_path / "bea", capsys)
    ann.git("clone", "-q", str(ann.root), str(bea.root))
    part = bea.says("pull", "flights", "2013-02.csv")
    assert part["files"] == 1
    assert [path.name for path in (bea.root / "data" / "flights").iterdir()] == ["2013-02.csv"]
    assert bea.says("pull")["files"] == 2
    for path in (ann.root / "data" / "flights").iterdir():
        assert (bea.root / "data" / "flights" / path.name).read_bytes() == path.read_bytes()
    assert [row["version"] for row in bea.says("log", "flights")] == [2, 1]
    assert bea.says("pull", "flights@v1")["checked_out"][0]["written"] == 1
    assert (bea.root / "data" / "flights" / "2013-02.csv").read_text().endswith("02\n")
    assert "nothing is named" in bea.says("fetch", "nothing", code=1)["error"]

    for path in (tmp_path / "remote" / "packs").iterdir():
        path.unlink()
    ann.says("push", "--repair", "--all")
    cee = Person(tmp_path / "cee", capsys)
    ann.git("clone", "-q", str(ann.root), str(cee.root))
    assert cee.says("pull")["files"] == 3
    assert cee.says("fetch", "--all")["files"] == 1


def test_what_people_read(ann: Person, capsys: pytest.CaptureFixture[str]) -> None:
    ann.says("add", str(ann.root / "data" / "flights"))
    assert main(["--project", str(ann.root), "push"]) == 0
    assert "1 item, 1 new" in capsys.readouterr().out
    assert main(["--project", str(ann.root), "push"]) == 0
    assert "everything was there already" in capsys.readouterr().out
    assert main(["--project", str(ann.root), "pull"]) == 0
    assert "everything was here already" in capsys.readouterr().out
    assert main(["--project", str(ann.root), "push", "--remote", "nowhere"]) == 1
    assert "tricord remote add nowhere URL" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_project_of_any_name(
    kind: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = str(tmp_path / "remote")
    if kind == "bucket":
        url = f"s3://{request.getfixturevalue('s3_bucket')}/Daten für alle"
    ann = Person(tmp_path / "ann", capsys)
    ann.root.mkdir()
    ann.git("init", "-q", "-b", "main")
    (ann.root / "tricord.toml").write_text(
        f'[project]\nname = "Flüge nach Köln/Bonn"\n\n[remote.team]\nurl = "{url}"\n',
        encoding="utf-8",
    )
    (ann.root / "abflüge.csv").write_text("flight,delay\nUA1,3\n")
    ann.says("add", str(ann.root / "abflüge.csv"))
    ann.git("add", "-A")
    ann.git("commit", "-qm", "data")
    assert [item["name"] for item in ann.says("push")["new"]] == ["abflüge"]
    assert ann.says("push")["new"] == []

    bea = Person(tmp_path / "bea und co", capsys)
    ann.git("clone", "-q", str(ann.root), str(bea.root))
    assert bea.says("pull")["files"] == 1
    assert (bea.root / "abflüge.csv").read_text() == "flight,delay\nUA1,3\n"
    assert [row["version"] for row in bea.says("log", "abflüge")] == [1]
    assert bea.says("push")["new"] == []
