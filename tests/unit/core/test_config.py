"""Order, origins and refusals of settings."""

from pathlib import Path

import pytest

from tricord.core.config import SETTINGS, load
from tricord.core.errors import ConfigError


def write(root: Path, text: str) -> Path:
    (root / "tricord.toml").write_text(text, encoding="utf-8")
    return root


def test_argument_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    root = write(tmp_path, "[serving]\nport = 1\n")
    environment = {"TRICORD_SERVING__PORT": "2"}
    assert load(tmp_path / "none", environment={})["serving.port"] == 8080
    assert load(root, environment={})["serving.port"] == 1
    assert load(root, environment=environment)["serving.port"] == 2
    config = load(root, environment=environment, arguments={"serving.port": 3})
    assert config["serving.port"] == 3
    assert config.origins["serving.port"] == "argument"
    assert load(root, environment=environment).origins["serving.port"].endswith("SERVING__PORT")


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'serving\.port'"):
        load(write(tmp_path, "[serving]\nprot = 1\n"), environment={})


def refused(root: Path, environment: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(root, environment=environment or {})
    return caught.value


def test_an_unknown_key_says_which_there_are_and_where_it_stands(tmp_path: Path) -> None:
    keys = [setting.key for setting in SETTINGS]
    ours = ", ".join(key for key in keys if key.startswith("serving."))
    error = refused(write(tmp_path, "[serving]\nzzz = 1\n"))
    assert error.where == str(tmp_path / "tricord.toml")
    assert error.hint == f"remove it, or write one of {ours}"
    error = refused(write(tmp_path, "[zzz]\nzzz = 1\n"))
    assert error.hint == f"remove it, or write one of {', '.join(keys)}"
    error = refused(write(tmp_path, ""), {"TRICORD_SERVING__ZZZ": "1"})
    assert error.where == "environment TRICORD_SERVING__ZZZ"


def test_what_is_no_toml_or_no_number_has_a_next_step(tmp_path: Path) -> None:
    error = refused(write(tmp_path, "[serving\n"))
    assert error.where == str(tmp_path / "tricord.toml")
    assert "mend that line" in (error.hint or "")
    error = refused(write(tmp_path, "[serving]\nhost = 5\n"))
    assert error.hint == 'write a value like its default, "127.0.0.1"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[serving]\nport = 'x'\n", "must be of type int"),
        ("[serving]\nport = true\n", "must be of type int"),
        ("port = 1\n", "outside a section"),
        ("[serving\n", "not valid TOML"),
        ("[project]\nname = 'env:NOT_SET_HERE'\n", "NOT_SET_HERE"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path, text), environment={})


def test_secret_comes_from_the_environment(tmp_path: Path) -> None:
    root = write(tmp_path, "[project]\nname = 'env:WHO'\n")
    assert load(root, environment={"WHO": "me"})["project.name"] == "me"


def test_pyproject_section_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tricord.serving]\nport = 5\n")
    config = load(tmp_path, environment={})
    assert (config["serving.port"], config.origins["serving.port"]) == (5, "pyproject.toml")


def test_every_setting_says_what_it_means() -> None:
    assert all(setting.meaning for setting in SETTINGS)
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)
