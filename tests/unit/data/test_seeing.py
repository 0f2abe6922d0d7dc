"""Looking at the files of the work tree: what is known of them is not read again."""

import pytest

from tricord.core.artifact import Digest
from tricord.data.checkout import checkout
from tricord.data.versions import add
from tricord.project.project import Project
from tricord.store import workspace
from tricord.store.state import State


def test_what_is_kept_of_a_folder_is_read_and_written_once_for_all_of_its_files(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = project.root / "flights"
    for folder in (place, place / "many"):
        folder.mkdir()
        for number in range(50):
            (folder / f"{number}.csv").write_text(str(number))
    add(project, place)
    monkeypatch.chdir(project.root)
    asked: list[str] = []
    read: list[str] = []
    whole, reading = State.folder, workspace.read_digest

    def counted(state: State, path: str) -> object:
        asked.append(path)
        return whole(state, path)

    def noted(found: workspace.Found) -> Digest:
        read.append(found.path)
        return reading(found)

    monkeypatch.setattr(State, "folder", counted)
    monkeypatch.setattr(workspace, "read_digest", noted)
    project.state.forget([str(place / "many")])
    (place / "many" / "7.csv").unlink()
    brought = checkout(project, "flights", ["*.csv"])
    assert (brought.written, brought.same) == (1, 99)
    assert set(read) >= {f"many/{number}.csv" for number in range(50) if number != 7}
    assert len(asked) <= 8
    assert (place / "many" / "7.csv").read_text() == "7"
