"""Two people share a project through Git and a remote, as typed: push, clone, pull, a part, a version, a repair."""

import json
import random
import subprocess
import sys
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


def clone(ann: Person, capsys: pytest.CaptureFixture[str], name: str) -> Person:
    other = Person(ann.root.parent / name, capsys)
    ann.git("clone", "-q", str(ann.root), str(other.root))
    return other


def test_a_push_names_what_is_new_and_a_clone_looks_at_no_path_of_another_machine(
    ann: Person, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    ann.says("add", str(outside))
    ann.says("add", str(ann.root / "data" / "flights"))
    assert {item["name"] for item in ann.says("push")["new"]} == {"flights", "outside"}
    (ann.root / "data" / "flights" / "2013-02.csv").write_text("flight,delay\nUA1,99\n")
    ann.says("add", str(ann.root / "data" / "flights"))
    assert [item["name"] for item in ann.says("push")["new"]] == ["flights"]
    ann.git("add", "-A")
    ann.git("commit", "-qm", "data")

    bea = clone(ann, capsys, "bea")
    bea.says("pull")
    outside.write_text("something else\n")
    states = {each["name"]: each["state"] for each in bea.says("status")["datasets"]}
    assert states == {"flights": "unchanged", "outside": "elsewhere"}
    states = {each["name"]: each["state"] for each in ann.says("status")["datasets"]}
    assert states == {"flights": "unchanged", "outside": "changed"}


def test_waste_is_collected_at_a_remote(ann: Person, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        (ann.root / "data" / "flights" / "2013-02.csv").write_text(f"flight,delay\nUA1,{number}\n" * 5000)  # fmt: skip
        ann.says("add", str(ann.root / "data" / "flights"))
        ann.says("push")
    ann.git("add", "-A")
    ann.git("commit", "-qm", "the third")
    there = ("gc", "--remote", "team", "--keep-versions", "1", "--older", "0")
    assert ann.says("gc", "--remote", "team", "--delete")["freed"] == 0
    shown = ann.says(*there)
    assert shown["freed"] == 0
    # what lies in packs with what is needed goes as well, and is not in the forecast
    assert ann.says(*there, "--delete")["freed"] >= shown["would_free"] > 0
    assert ann.says(*there, "--delete")["freed"] == 0
    assert main(["--project", str(ann.root), *there, "--delete"]) == 0
    assert "nothing to delete" in capsys.readouterr().out
    assert main(["--project", str(ann.root), "gc", "--delete"]) == 0
    assert "nothing to delete" in capsys.readouterr().out

    bea = clone(ann, capsys, "bea")
    assert bea.says("pull")["files"] == 3
    assert (bea.root / "data" / "flights" / "2013-02.csv").read_text().endswith("UA1,2\n")
    assert bea.says("verify")["problems"] == []
    assert "error" in bea.says("pull", "flights@v1", code=1)


def test_what_is_damaged_here_is_brought_from_a_remote(
    ann: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    ann.says("add", str(ann.root / "data" / "flights"))
    ann.says("push")
    for path in (ann.root / "data" / "flights").iterdir():
        path.unlink()
    for pack in (ann.root / ".tricord" / "store" / "packs").iterdir():
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        data[len(data) // 3] ^= 0xFF
        pack.write_bytes(data)
    assert ann.says("verify", code=1)["problems"]
    mended = ann.says("verify", "--repair", "--from", "team")
    assert mended["problems"] == []
    assert mended["repair"]["restored"]
    assert mended["repair"]["lost"] == []
    assert ann.says("checkout", "flights")[0]["written"] == 3
    assert ann.says("verify")["problems"] == []
    assert main(["--project", str(ann.root), "verify", "--from", "nowhere", "--repair"]) == 1
    assert "no remote 'nowhere'" in capsys.readouterr().err


def test_two_processes_push_at_the_same_instant(
    ann: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    flights = Path("data") / "flights"
    ann.says("add", str(ann.root / flights))
    ann.git("add", "-A")
    ann.git("commit", "-qm", "first")
    bea = clone(ann, capsys, "bea")
    ann.says("push")
    bea.says("pull")
    for person, text in ((ann, "ann"), (bea, "bea")):
        (person.root / flights / f"{text}.csv").write_text(f"flight,delay\n{text},1\n" * 1000)
        person.says("add", str(person.root / flights))
        (person.root / f"{text}.csv").write_text(f"{text}\n")
        person.says("add", str(person.root / f"{text}.csv"))
    pushing = [
        subprocess.Popen(
            [sys.executable, "-m", "tricord", "push", "--project", str(person.root)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for person in (ann, bea)
    ]  # fmt: skip
    told = [process.communicate(timeout=300)[0] for process in pushing]
    assert [process.returncode for process in pushing] == [0, 0], told
    bea.git("add", "-A")
    bea.git("commit", "-qm", "second")

    cee = clone(bea, capsys, "cee")
    cee.says("pull")
    cee.says("fetch", "--all")
    assert cee.says("verify")["problems"] == []
    assert len(cee.says("log", "flights")) == 3
    for name, digest in (("ann", ann), ("bea", bea)):
        version = digest.says("log", "flights")[0]["digest"]
        shown = cee.says("data", "show", f"flights@{version}")["contents"]
        assert f"{name}.csv" in [each["path"] for each in shown]
        assert len(cee.says("log", name)) == 1


def test_one_dataset_that_did_not_come_does_not_stop_the_others(
    ann: Person, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (ann.root / "b.bin").write_bytes(random.Random(1).randbytes(2_000_000))
    for name in ("data/flights", "b.bin"):
        ann.says("add", str(ann.root / name))
    ann.git("add", "-A")
    ann.git("commit", "-qm", "two")
    ann.says("push")
    for path in (tmp_path / "remote" / "objects").glob("*/*"):
        path.unlink()
    bea, cee = clone(ann, capsys, "bea"), clone(ann, capsys, "cee")
    for person, words in ((bea, ("pull",)), (cee, ("pull", "flights", "b"))):
        done = {each["name"]: each for each in person.says(*words, code=1)["checked_out"]}
        assert done["flights"]["written"] == 3
        assert done["b"]["problem"].startswith("b did not come")
        assert not (person.root / "b.bin").exists()
    assert main(["--project", str(bea.root), "pull"]) == 1
    assert "✗ b: b did not come" in capsys.readouterr().out


@pytest.mark.parametrize("both", [False, True])
def test_a_repair_asks_the_default_remote_and_tells_what_did_not_come(
    both: bool, ann: Person, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    big = ann.root / "b.bin"
    big.write_bytes(random.Random(1).randbytes(2_000_000))
    digest = ann.says("add", str(big))[0]["digest"]
    ann.says("push")
    assert ann.says("verify", "--remote", "team")["problems"] == []
    big.unlink()
    own = ann.root / ".tricord" / "store" / "objects" / digest[:2] / digest[2:]
    other = tmp_path / "remote" / "objects" / digest[:2] / digest[2:]

    def flip(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[1000] ^= 1
        path.chmod(0o644)
        path.write_bytes(data)

    flip(own)
    (problem,) = ann.says("verify", code=1)["problems"]
    assert problem["source"] is None  # it was there, and is no more
    if not both:
        mended = ann.says("verify", "--repair")
        assert mended["repair"]["restored"] == [digest]
        assert mended["problems"] == []
        return
    flip(other)
    mended = ann.says("verify", "--repair", code=1)
    assert mended["elsewhere"] == 0
    assert mended["problems"][0]["next"].startswith("tricord pull b")
    (problem,) = ann.says("verify", "--remote", "team", code=1)["problems"]
    assert problem["where"] == f"objects/{digest[:2]}/{digest[2:]}"
    assert main(["--project", str(ann.root), "verify", "--remote", "team"]) == 1
    assert "next: tricord push --repair --remote team" in capsys.readouterr().out
