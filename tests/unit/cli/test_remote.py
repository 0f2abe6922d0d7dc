"""`tricord remote`: written, shown, asked."""

import json
from typing import Any

import pytest

from tricord.cli.main import main
from tricord.core.artifact import Digest
from tricord.core.pointer import Pointer
from tricord.project import pointers
from tricord.project.project import Project
from tricord.store.remote.memory import Memory


def said(capsys: pytest.CaptureFixture[str], project: Project, *words: str, code: int = 0) -> Any:
    assert main(["remote", *words, "--json", "--project", str(project.root)]) == code
    return json.loads(capsys.readouterr().out)


def test_add_list_default_remove(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    assert said(capsys, project, "list") == []
    said(capsys, project, "add", "disk", "../disk", "--default", "--limit", "5MB/s")
    said(capsys, project, "add", "cloud", "s3://bucket/a", "--key", "env:TEAM_KEY")
    disk, cloud = said(capsys, project, "list")
    assert disk == {
        "name": "disk", "default": True, "url": str(project.root.parent / "disk"), "limit": "5MB/s",
    }  # fmt: skip
    assert cloud == {"name": "cloud", "default": False, "url": "s3://bucket/a", "key": "env:TEAM_KEY"}  # fmt: skip
    said(capsys, project, "default", "cloud")
    assert [own["default"] for own in said(capsys, project, "list")] == [False, True]
    said(capsys, project, "remove", "disk")
    assert [own["name"] for own in said(capsys, project, "list")] == ["cloud"]


def test_removing_one_in_use_says_what_push_uses_then(
    capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    for name in ("cloud", "disk", "third"):
        said(capsys, project, "add", name, f"../{name}")
    said(capsys, project, "default", "disk")
    at = ["--project", str(project.root)]
    assert main(["remote", "remove", "disk", *at]) == 0
    assert "tricord remote default cloud" in capsys.readouterr().out
    said(capsys, project, "default", "cloud")
    assert main(["remote", "remove", "cloud", *at]) == 0
    assert "push, pull and fetch use third now" in capsys.readouterr().out
    pointers.write(project.root, Pointer("flights", "flights", Digest("ab" * 32), "tree", 1, 1))
    assert main(["remote", "remove", "third", *at]) == 0
    told = capsys.readouterr().out
    assert "tricord remote add NAME URL" in told
    assert "the content of flights is not in the store here" in told


def test_check_asks_the_remote(capsys: pytest.CaptureFixture[str], project: Project) -> None:
    said(capsys, project, "add", "disk", "../disk")
    found = said(capsys, project, "check")
    assert (found["name"], found["writes"], found["conditional"], found["sealed"]) == ("disk", True, True, False)  # fmt: skip
    assert main(["remote", "check", "--project", str(project.root)]) == 0
    assert "safe" in capsys.readouterr().out


class Careless(Memory):
    """Takes conditions and does not look at them."""

    def put_new(self, name: str, data: bytes) -> bool:
        self.put(name, data)
        return True


def test_check_says_where_two_at_once_are_not_safe(
    capsys: pytest.CaptureFixture[str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tricord.cli.commands.remote.open_backend", lambda *_: Careless())
    said(capsys, project, "add", "disk", "../disk")
    assert said(capsys, project, "check", code=1)["conditional"] is False
    assert main(["remote", "check", "--project", str(project.root)]) == 1
    assert "not safe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add"], "which remote"),
        (["add", "a"], "where is 'a'"),
        (["add", "A", "x"], "no name for a remote"),
        (["add", "a", "x", "--key", "secret"], "written into the settings"),
        (["remove", "a"], "no remote 'a'"),
        (["default", "a"], "no remote 'a'"),
        (["check", "a"], "no remote 'a'"),
        (["check"], "which remote"),
    ],
)
def test_what_is_wrong(
    capsys: pytest.CaptureFixture[str], project: Project, words: list[str], told: str
) -> None:
    assert told in said(capsys, project, *words, code=1)["error"]
