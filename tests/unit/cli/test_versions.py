"""The commands that bring, move, describe and tag datasets: their answers in JSON, drawings and exit codes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tricord.cli import main as cli
from tricord.cli.main import main
from tricord.data.versions import add
from tricord.project.project import Project

Say = Callable[..., Any]
HEAD = "flight,late\n"


@pytest.fixture
def say(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Types a command in a project with two versions of `flights`, drawn and with --json; the latter's answer."""
    monkeypatch.chdir(project.root)
    for rows in ("1,0\n", "1,0\n2,1\n"):
        Path("flights.csv").write_text(HEAD + rows)
        add(project, Path("flights.csv"), why=f"{len(rows)} bytes of rows")

    def say(*words: str, code: int = 0, drawn: bool = True) -> Any:
        if drawn:
            assert main(words) == code
            assert capsys.readouterr().out.strip()
        assert main([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return say


def test_checkout_says_what_it_did(say: Say) -> None:
    (done,) = say("checkout", "flights@v1", drawn=False)
    assert (done["name"], done["written"], done["error"]) == ("flights", 1, None)
    assert Path("flights.csv").read_text() == f"{HEAD}1,0\n"
    (again,) = say("checkout")
    assert (again["written"], again["same"]) == (0, 1)
    Path("flights.csv").write_text("mine")
    (failed,) = say("checkout", code=1)
    assert "saved nowhere" in failed["error"]
    assert "tricord add" in failed["next"]
    assert say("checkout", "flights@v2", code=1, drawn=False)["next"].startswith("tricord add")
    assert say("checkout", "flights@v2", "--force")[0]["digest"]


def test_log_lists_versions_newest_first(say: Say, project: Project) -> None:
    found = say("log", "flights")
    assert [(v["version"], v["files"], v["here"], v["runs"]) for v in found] == [
        (2, 1, True, []),
        (1, 1, False, []),
    ]
    assert found[0]["why"] == "8 bytes of rows"
    assert len(say("log", "flights.csv", "--limit", "1")) == 1
    assert say("log", "nothing", code=1, drawn=False)["next"] == "tricord data list"


def test_log_names_the_pipelines_that_read_a_version(
    small: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", "flights", "--project", str(small.root), "--json"]) == 0
    (version,) = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in version["runs"]] == ["delay", "delay"]
    assert main(["log", "flights", "--project", str(small.root)]) == 0
    assert "delay" in capsys.readouterr().out


def test_the_catalogue_lists_describes_and_tags(say: Say) -> None:
    assert say("data", "describe", "flights", "--owner", "Ada [x]", "--licence", "CC0-1.0")[
        "about"
    ] == {"owner": "Ada [x]", "licence": "CC0-1.0"}
    assert say("data", "describe", "flights", "--licence", "")["about"] == {"owner": "Ada [x]"}
    assert say("data", "tag", "flights@v1", "reviewed")["tags"] == ["reviewed"]
    assert say("data", "tag", "flights@v2", "reviewed", code=1, drawn=False)["next"].endswith(
        "--force"
    )
    assert say("data", "tag", "flights", "reviewed", "--force")["version"] == 2
    (listed,) = say("data", "list", "fli")
    assert (listed["version"], listed["versions"], list(listed["tags"])) == (2, 2, ["reviewed"])
    assert listed["about"] == {"owner": "Ada [x]"}
    assert say("data", "list", "nothing") == []
    shown = say("data", "show", "flights@v1")
    assert [entry["size"] for entry in shown["contents"]] == [16]
    assert say("checkout", "flights@reviewed")[0]["same"] == 1
    assert "reviewed" in Path("flights.csv.tricord").read_text()
    assert say("data", "untag", "flights", "reviewed", drawn=False)["tag"] == "reviewed"
    assert "reviewed" not in Path("flights.csv.tricord").read_text()
    assert say("data", "untag", "flights", "reviewed", code=1, drawn=False)["error"]


def test_a_schema_is_proposed_and_attached(say: Say) -> None:
    proposed = say("data", "schema", "flights")
    assert not proposed["attached"]
    Path("schema.yaml").write_text(proposed["schema"])
    attached = say("data", "schema", "flights", "schema.yaml")
    assert (attached["attached"], attached["schema"]) == (True, proposed["schema"])


def test_a_version_has_a_path_and_parts(say: Say) -> None:
    assert Path(say("data", "path", "flights@v1")["path"]).read_text() == f"{HEAD}1,0\n"
    folder = Path("data")
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(HEAD)
    say("add", "data")
    assert [part["name"] for part in say("data", "parts", "data", "--glob", "*.csv")] == [
        "a.csv",
        "b.csv",
    ]
    assert Path(say("data", "path", "data@v1", "a.csv")["path"]).read_text() == HEAD


@pytest.mark.parametrize(
    "words",
    [
        ("data", "show"),
        ("data", "tag", "flights"),
        ("data", "describe", "flights"),
        ("data", "parts", "flights"),
        ("resolve", "flights"),
        ("resolve", "--ours"),
        ("resolve", "flights", "--ours", "--theirs"),
        ("hooks", "show"),
        ("checkout", "flihgts"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_says_what_to_type(say: Say, words: tuple[str, ...]) -> None:
    assert say(*words, code=cli.ERROR, drawn=False)["next"]


def test_moving_removing_and_untracking(say: Say) -> None:
    assert say("mv", "flights", "raw/flights.csv", drawn=False)["path"] == "raw/flights.csv"
    assert say("untrack", "flights", drawn=False) == [
        {"name": "flights", "path": "raw/flights.csv"}
    ]
    say("add", "raw/flights.csv")
    assert say("rm", "flights", drawn=False)[0]["files"] == 1
    assert not Path("raw/flights.csv").exists()
    assert say("data", "list") == []
    assert say("resolve") == []


def test_hooks_are_installed_and_shown(say: Say, project: Project) -> None:
    subprocess.run(["git", "init", "-q", str(project.root)], check=True)
    assert [hook["installed"] for hook in say("hooks", "install")] == [True, True, True, False]
    assert [hook["installed"] for hook in say("hooks", "install", "--push")] == [True] * 4
    assert [hook["installed"] for hook in say("hooks", "show")] == [True] * 4
    assert [hook["installed"] for hook in say("hooks", "remove")] == [False] * 4


def test_hooks_that_other_repositories_share_are_told(
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project.root)
    subprocess.run(["git", "init", "-q"], check=True)
    for folder, shared in (("own-hooks", False), (str(tmp_path / "hooks"), True)):
        subprocess.run(["git", "config", "core.hooksPath", folder], check=True)
        for action in ("install", "show", "remove"):
            assert main(["hooks", action]) == 0
            told = "every repository that uses these hooks" in capsys.readouterr().out
            assert told == (shared and action != "show")


def test_a_path_with_an_at_sign_is_a_path(say: Say, project: Project) -> None:
    Path("a@b.csv").write_text("x\n1\n")
    add(project, Path("a@b.csv"))
    assert say("diff", "a@b.csv", drawn=False)
    assert say("data", "show", "a@b.csv", drawn=False)["name"] == "a-b"
    Path("a@b.csv").unlink()
    (done,) = say("checkout", "a@b.csv", drawn=False)
    assert (done["name"], done["written"]) == ("a-b", 1)
    Path("a@b.csv").write_text("x\n2\n")
    add(project, Path("a@b.csv"))
    (done,) = say("checkout", "a@b.csv@v1", drawn=False)
    assert Path("a@b.csv").read_text() == "x\n1\n"
