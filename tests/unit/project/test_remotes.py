"""The tables [remote.NAME] of tricord.toml, as text and as settings."""

import tomllib
from pathlib import Path

import pytest

from tricord.core.config import FILE, REMOTE_KEYS, load
from tricord.core.errors import ConfigError
from tricord.project import remotes

WRITTEN = """\
# what this project is
[project]
name = "parcels"  # kept

# where content goes
[remote.old]
url = "../old"   # a disk
# the last word about old

# how it is served
[serving]
port = 9000
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_text(WRITTEN, encoding="utf-8")
    return tmp_path


def text(root: Path) -> str:
    return (root / FILE).read_text(encoding="utf-8")


def test_a_remote_is_added_below_all_that_was_written(root: Path) -> None:
    remotes.add(root, "origin", {"url": 's3://bucket/a"b', "key": "env:K"})
    assert text(root).startswith(WRITTEN)
    found = load(root, environment={})
    assert found.remotes["origin"] == {"url": 's3://bucket/a"b', "key": "env:K"}
    assert found.remotes["old"] == {"url": str(root.parent / "old")}
    assert remotes.default_of(found) == ""


def test_add_and_remove_leave_the_file_as_it_was(root: Path) -> None:
    remotes.add(root, "origin", {"url": "x"})
    remotes.remove(root, "origin")
    assert text(root).rstrip("\n") == WRITTEN.rstrip("\n")


def test_remove_takes_the_table_and_keeps_the_comments_of_others(root: Path) -> None:
    remotes.remove(root, "old")
    assert "old" not in tomllib.loads(text(root)).get("remote", {})
    for line in ("# what this project is", 'name = "parcels"  # kept', "# how it is served"):
        assert line in text(root)


def test_the_default_is_set_changed_and_forgotten(root: Path) -> None:
    remotes.add(root, "a", {"url": "a"}, default=True)
    assert remotes.default_of(load(root, environment={})) == "a"
    remotes.make_default(root, "old")
    assert remotes.default_of(load(root, environment={})) == "old"
    remotes.remove(root, "old")
    assert remotes.default_of(load(root, environment={})) == "a"  # the only one


def test_replace_is_asked_for(root: Path) -> None:
    with pytest.raises(ConfigError, match="there is a remote 'old'"):
        remotes.add(root, "old", {"url": "new"})
    remotes.add(root, "old", {"url": "new"}, instead=True)
    assert load(root, environment={}).remotes["old"]["url"] == str(root / "new")


def test_a_file_that_is_written_another_way_is_left_alone(tmp_path: Path) -> None:
    written = '[remote]\nold = {url = "../old"}\n'
    (tmp_path / FILE).write_text(written, encoding="utf-8")
    with pytest.raises(ConfigError, match="by a command"):
        remotes.remove(tmp_path, "old")
    assert text(tmp_path) == written


def test_settings_in_pyproject_are_not_edited(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tricord.remote.a]\nurl = "x"\n')
    assert load(tmp_path, environment={}).remotes == {"a": {"url": str(tmp_path / "x")}}
    with pytest.raises(ConfigError, match="pyproject"):
        remotes.add(tmp_path, "b", {"url": "y"})
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('[remote.a]\nurl = "x"\nkye = "env:K"', "did you mean 'key'"),
        ('[remote.a]\nurl = "x"\nkey = "00ff"', "written into the settings"),
        ('[remote.a]\nkey = "env:K"', "no url"),
        ('[remote.A]\nurl = "x"', "no name"),
        ('[remote.a]\nurl = ["x"]', "must be a text"),
        ('[remote]\na = "x"', "is no table"),
    ],
)
def test_what_is_wrong_in_a_table(tmp_path: Path, table: str, told: str) -> None:
    (tmp_path / FILE).write_text(table)
    with pytest.raises(ConfigError, match=told):
        load(tmp_path, environment={})


def test_the_environment_adds_to_a_table_and_keeps_its_secret(root: Path) -> None:
    remotes.add(root, "my-disk", {"url": "/disk", "timeout": "5"})
    environment = {
        "TRICORD_REMOTE__MY_DISK__KEY": "secret",
        "TRICORD_REMOTE__MY_DISK__LIMIT": "1MB/s",
        "TRICORD_REMOTE__OTHER__URL": "s3://other",
    }
    found = load(root, environment=environment).remotes
    assert found["my-disk"] == {
        "url": "/disk", "timeout": "5", "key": "env:TRICORD_REMOTE__MY_DISK__KEY", "limit": "1MB/s",
    }  # fmt: skip
    assert found["other"] == {"url": "s3://other"}


def test_every_key_of_a_remote_is_documented() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [f"- `{key}`: {meaning}" for key, meaning in REMOTE_KEYS.items()] == [
        line for line in lines if line.startswith("- `")
    ]
