"""What a folder holds: everything that a tree can hold, and clear words for what it cannot."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from tricord.core.errors import DataError
from tricord.store.workspace import scan


def paths(folder: Path) -> list[str]:
    return sorted(found.path for found in scan(folder))


@pytest.mark.parametrize(
    "name", ["new\nline", "tab\t", "🛩 é", "é", "-rf", "#x", " ", "x" * 255, "a'b\"c"]
)
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert paths(tmp_path) == [name]


def test_twins_of_one_name_in_two_normal_forms_are_two_files(tmp_path: Path) -> None:
    for name in ("\u00e9", "e\u0301"):
        (tmp_path / name).write_text(name)
    there = len(list(tmp_path.iterdir()))  # one, where the file system folds them
    assert len(paths(tmp_path)) == there


def test_empty_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    assert paths(tmp_path) == ["file"]
    assert len(scan(tmp_path).folders) == 1


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_text("x")
    except OSError:
        return  # this file system takes no such names
    with pytest.raises(DataError, match="not valid UTF-8"):
        scan(tmp_path)


def test_pipes_and_sockets_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        scan(tmp_path)
    (tmp_path / "pipe").unlink()
    monkeypatch.chdir(tmp_path)  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind("socket")
        with pytest.raises(DataError, match="neither a file nor a folder"):
            scan(tmp_path)


def test_links_within_are_the_files_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("12345")
    (tmp_path / "link").symlink_to("real")
    assert {found.path: found.mark.size for found in scan(tmp_path)} == {"real": 5, "link": 5}


@pytest.mark.parametrize("target", ["/etc", "nowhere", "loop", "folder", "../outside"])
def test_other_links_are_told(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").write_text("x")
    folder = tmp_path / "data"
    (folder / "folder").mkdir(parents=True)
    (folder / "loop").symlink_to(target)
    with pytest.raises(DataError, match="symbolic link"):
        scan(folder)


def test_what_is_gits_or_tricords_own_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    with pytest.raises(DataError, match="Git's own"):
        scan(tmp_path)
    assert paths_without(tmp_path, ".git") == []


def paths_without(folder: Path, name: str) -> list[str]:
    return [found.path for found in scan(folder, lambda path, _: path.endswith(name))]


def test_a_path_longer_than_the_system_takes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(24):
        Path("x" * 200).mkdir()
        os.chdir("x" * 200)
    Path("file").write_text("x")
    os.chdir(tmp_path)
    with pytest.raises(DataError, match=r"name too long|longer than"):
        scan(tmp_path)
    shutil.rmtree(tmp_path / ("x" * 200))  # by descriptors, so that any length will do


def test_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="not a folder"):
        scan(tmp_path / "file")
    with pytest.raises(DataError, match="no such file"):
        scan(tmp_path / "nothing")
