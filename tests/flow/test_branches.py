"""Data follows Git: branches, merges, conflicts, hooks, clones and work trees, with real Git and real commands."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 300


class Team:
    """A repository with a project, typed at as in a shell. Its Git knows nothing of this machine's."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.environment = {
            **{key: text for key, text in os.environ.items() if not key.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "COLUMNS": "200",
            "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def git(self, *words: str, code: int = 0) -> str:
        return self._type(["git", *words], code).stdout

    def tricord(self, *words: str, code: int = 0) -> str:
        done = self._type([sys.executable, "-m", "tricord", *words], code)
        return done.stdout + done.stderr

    def answer(self, *words: str) -> Any:
        return json.loads(self._type([sys.executable, "-m", "tricord", *words, "--json"], 0).stdout)

    def _type(self, command: list[str], code: int) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def write(self, files: Mapping[str, str]) -> None:
        folder = self.root / "data" / "flights"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")

    def data(self) -> dict[str, str]:
        folder = self.root / "data" / "flights"
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_text() for path in found}

    def commit(self, message: str) -> None:
        self.tricord("add", "data/flights")
        self.git("add", "-A")
        self.git("commit", "-qm", message)


START = {"01.csv": "a\n1\n", "02.csv": "a\n2\n", "deep/03.csv": "a\n3\n"}
"""The files of the dataset `flights` on the branch `main`."""
CHANGED = {"01.csv": "a\nchanged\n", "02.csv": "a\n2\n", "04.csv": "a\n4\n"}
"""The same on the branch `other`."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Git's settings and a `tricord` for the PATH."""
    made = tmp_path_factory.mktemp("home")
    (made / "bin").mkdir()
    (made / "gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = main\n"
        '[commit]\ngpgsign = false\n[protocol "file"]\nallow = always\n'
    )
    command = made / "bin" / "tricord"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tricord "$@"\n')
    command.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def template(home: Path) -> Path:
    made = Team(home / "template", home)
    made.root.mkdir()
    made.git("init", "-q")
    made.tricord("init")
    made.write(START)
    made.commit("start")
    made.git("switch", "-qc", "other")
    made.write(CHANGED)
    shutil.rmtree(made.root / "data" / "flights" / "deep")
    made.commit("changed")
    made.git("switch", "-q", "main")
    made.tricord("checkout")
    return made.root


@pytest.fixture
def empty(home: Path, tmp_path: Path) -> Callable[[str], Team]:
    """Makes a `Team` at a folder."""
    return lambda name: Team(tmp_path / name, home)


@pytest.fixture
def team(template: Path, empty: Callable[[str], Team]) -> Team:
    """`main` has START, `other` has CHANGED; the work tree is on `main`."""
    made = empty("team")
    shutil.copytree(template, made.root, symlinks=True)
    return made


def test_data_follows_its_branch(team: Team) -> None:
    assert team.data() == START
    team.git("switch", "-q", "other")
    brought = team.answer("checkout")
    assert team.data() == CHANGED
    assert [(b["written"], b["removed"], b["same"]) for b in brought] == [(2, 1, 1)]
    assert team.git("status", "--porcelain") == ""
    assert team.answer("status")["datasets"][0]["changed"] == []
    team.git("switch", "-q", "main")
    team.tricord("checkout")
    assert team.data() == START
    again = team.answer("checkout")
    assert [(b["written"], b["removed"], b["same"]) for b in again] == [(0, 0, 3)]


def test_unsaved_work_is_never_overwritten_and_what_is_new_stays(team: Team) -> None:
    team.write({"01.csv": "a\nedited\n", "new.csv": "a\nnew\n"})
    mine = team.data()
    team.git("switch", "-q", "other")

    said = team.tricord("checkout", code=1)

    assert "saved nowhere: 01.csv" in said
    assert "tricord add data/flights" in said
    assert team.data() == mine
    team.tricord("checkout", "--force")
    assert team.data() == CHANGED


def test_a_new_file_that_no_version_has_is_kept(team: Team) -> None:
    team.write({"new.csv": "a\nnew\n", "notes/x.txt": "x"})
    team.git("switch", "-q", "other")
    brought = team.answer("checkout")
    assert brought[0]["kept"] == ["new.csv", "notes/x.txt"]
    assert team.data() == {**CHANGED, "new.csv": "a\nnew\n", "notes/x.txt": "x"}


def test_a_dataset_of_another_branch_goes_and_comes_back(team: Team) -> None:
    team.git("switch", "-qc", "more")
    extra = team.root / "extra.csv"
    extra.write_text("x\n1\n")
    team.tricord("add", "extra.csv")
    team.git("add", "-A")
    team.git("commit", "-qm", "more data")
    team.git("switch", "-q", "main")
    team.tricord("checkout")
    assert not extra.exists()
    assert team.git("status", "--porcelain") == ""
    team.git("switch", "-q", "more")
    team.tricord("checkout")
    assert extra.read_text() == "x\n1\n"
    extra.write_text("x\nedited\n")
    team.git("switch", "-q", "main")
    team.tricord("checkout")
    assert extra.read_text() == "x\nedited\n"


def test_a_merge_without_conflict_brings_the_merged_data(team: Team) -> None:
    (team.root / "code.py").write_text("x = 1\n")
    team.git("add", "-A")
    team.git("commit", "-qm", "code only")
    team.git("merge", "-q", "other", "-m", "merge")
    team.tricord("checkout")
    assert team.data() == CHANGED


@pytest.fixture
def conflict(team: Team) -> Team:
    """`main` changed 02.csv, `other` changed 01.csv, removed deep/03.csv and added 04.csv; half merged."""
    team.write({"02.csv": "a\nmine\n"})
    team.commit("mine")
    team.git("merge", "-q", "other", "-m", "merge", code=1)
    return team


def test_a_conflict_is_explained_and_merged_file_by_file(conflict: Team) -> None:
    team = conflict
    assert "tricord resolve flights" in team.tricord("checkout", code=1)
    (shown,) = team.answer("resolve")
    assert shown["name"] == "flights"
    assert shown["merge"] == {"from_ours": 1, "from_theirs": 3, "clashes": [], "said": []}
    assert "ours" in team.tricord("resolve", "flights")

    team.tricord("resolve", "flights", "--merge")

    merged = {"01.csv": "a\nchanged\n", "02.csv": "a\nmine\n", "04.csv": "a\n4\n"}
    assert team.data() == merged
    team.git("commit", "-qm", "merged")
    assert team.git("status", "--porcelain") == ""
    assert team.answer("status")["datasets"][0]["changed"] == []
    assert team.answer("resolve") == []
    assert [version["version"] for version in team.answer("log", "flights")] == [4, 3, 2, 1]


def test_a_conflict_does_not_stop_the_others(conflict: Team, tmp_path: Path) -> None:
    team = conflict
    (team.root / "data" / "names.csv").write_text("a\n1\n")
    team.tricord("add", "data/names.csv")
    (team.root / "data" / "names.csv").unlink()
    team.tricord("remote", "add", "team", str(tmp_path / "remote"))

    told = team.tricord("checkout", code=1)
    assert "tricord resolve flights" in told
    assert "names" in told
    assert (team.root / "data" / "names.csv").read_text() == "a\n1\n"
    assert "tricord resolve flights" in team.tricord("push", code=1)
    assert "everything was there already" in team.tricord("push", code=1)
    shutil.rmtree(team.root / ".tricord")
    (team.root / "data" / "names.csv").unlink()
    assert "tricord resolve flights" in team.tricord("pull", code=1)
    assert (team.root / "data" / "names.csv").read_text() == "a\n1\n"
    team.tricord("checkout", "names")
    team.tricord("mv", "names", "data/others.csv")
    assert "tricord resolve flights" in team.tricord("data", "list")
    states = {each["name"]: each["state"] for each in team.answer("status")["datasets"]}
    assert states == {"flights": "conflict", "names": "unchanged"}


@pytest.mark.parametrize(("side", "expected"), [("ours", {**START, "02.csv": "a\nmine\n"}), ("theirs", CHANGED)])  # fmt: skip
def test_one_side_of_a_conflict_is_taken(
    conflict: Team, side: str, expected: Mapping[str, str]
) -> None:
    conflict.tricord("resolve", "flights", f"--{side}")
    assert conflict.data() == expected
    conflict.git("commit", "-qm", "merged")
    assert conflict.git("status", "--porcelain") == ""


def test_files_that_both_changed_need_a_preference(team: Team) -> None:
    team.write({"01.csv": "a\nmine\n"})
    team.commit("mine")
    team.git("merge", "-q", "other", "-m", "merge", code=1)
    said = team.tricord("resolve", "flights", "--merge", code=1)
    assert "both sides changed 01.csv" in said
    assert team.data() == {**START, "01.csv": "a\nmine\n"}
    team.tricord("resolve", "data/flights", "--merge", "--prefer", "theirs")
    assert team.data() == CHANGED


def test_marks_that_were_committed_are_solved_too(conflict: Team) -> None:
    conflict.git("add", "-A")
    conflict.git("commit", "-qm", "committed with its marks")
    conflict.tricord("resolve", "flights", "--theirs")
    assert conflict.data() == CHANGED
    assert conflict.git("status", "--porcelain").startswith("M  data/flights.tricord")


def test_a_side_that_deleted_the_dataset(team: Team) -> None:
    team.git("switch", "-q", "other")
    team.tricord("checkout")
    team.tricord("rm", "flights")
    team.git("add", "-A")
    team.git("commit", "-qm", "gone")
    team.git("switch", "-q", "main")
    team.tricord("checkout")
    assert team.data() == START
    team.write({"01.csv": "a\nmine\n"})
    team.commit("mine")
    team.git("merge", "-q", "other", "-m", "merge", code=1)
    assert "deleted" in team.tricord("resolve")
    team.tricord("resolve", "flights", "--merge", code=1)
    team.tricord("resolve", "flights", "--theirs")
    assert team.data() == {}
    assert not (team.root / "data" / "flights.tricord").exists()


def test_hooks_bring_the_data_along_and_leave_others_alone(team: Team) -> None:
    hooks = team.root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    own = '#!/bin/sh\necho "mine $3" >> ../seen 2>/dev/null || true\nexit 0\n'
    (hooks / "post-checkout").write_text(own)
    (hooks / "post-checkout").chmod(0o755)
    (hooks / "post-merge").write_text(f"#!{sys.executable}\nopen('merged', 'w').write('x')\n")
    (hooks / "post-merge").chmod(0o755)

    team.tricord("hooks", "install")
    before = (hooks / "post-checkout").read_text()
    team.tricord("hooks", "install")
    assert (hooks / "post-checkout").read_text() == before

    team.git("switch", "-q", "other")
    assert team.data() == CHANGED
    assert (team.root.parent / "seen").read_text() == "mine 1\n"
    team.git("switch", "-q", "main")
    assert team.data() == START
    team.git("merge", "-q", "other")
    assert team.data() == CHANGED
    assert (team.root / "merged").read_text() == "x"

    shown = team.answer("hooks", "show")
    assert [(h["hook"], h["installed"], h["others"]) for h in shown] == [
        ("post-checkout", True, True),
        ("post-merge", True, True),
        ("post-rewrite", True, False),
        ("pre-push", False, False),
    ]
    team.tricord("hooks", "remove")
    assert (hooks / "post-checkout").read_text() == own
    assert (hooks / "post-merge").read_text().startswith(f"#!{sys.executable}")
    assert sorted(path.name for path in hooks.iterdir() if not path.name.endswith(".sample")) == [
        "post-checkout",
        "post-merge",
    ]


@pytest.mark.parametrize("way", ["--merge", "--apply"])
def test_hooks_bring_the_data_along_after_a_rebase(team: Team, way: str) -> None:
    team.tricord("hooks", "install")
    team.git("switch", "-qc", "mine", "main")
    (team.root / "notes.md").write_text("mine")
    team.git("add", "notes.md")
    team.git("commit", "-qm", "notes")
    assert team.data() == START
    team.git("rebase", "-q", way, "other")  # a commit is made anew on the other branch
    assert team.data() == CHANGED
    team.git("switch", "-q", "main")
    assert team.data() == START
    team.git("rebase", "-q", way, "other")  # no commit of its own: it goes forward
    assert team.data() == CHANGED
    assert team.answer("status")["datasets"][0]["state"] == "unchanged"


def test_hooks_where_core_hookspath_keeps_them_and_in_a_folder_of_the_repository(
    empty: Callable[[str], Team],
) -> None:
    top = empty("mono repo")
    top.root.mkdir()
    top.git("init", "-q")
    top.git("config", "core.hooksPath", ".githooks")
    team = empty("mono repo/the team's")
    team.root.mkdir()
    team.tricord("init")
    team.write(START)
    team.commit("start")
    team.git("switch", "-qc", "other")
    team.write({"01.csv": "a\nchanged\n"})
    team.commit("changed")
    team.tricord("hooks", "install", "--push")
    assert sorted(path.name for path in (top.root / ".githooks").iterdir()) == [
        "post-checkout",
        "post-merge",
        "post-rewrite",
        "pre-push",
    ]
    team.git("switch", "-q", "main")
    assert team.data() == START
    team.tricord("hooks", "remove")
    assert list((top.root / ".githooks").iterdir()) == []


def test_work_trees_side_by_side_share_the_store_and_not_the_state(
    team: Team, empty: Callable[[str], Team]
) -> None:
    team.git("worktree", "add", "-q", "../beside", "other")
    beside = empty("beside")
    beside.tricord("checkout")
    assert beside.data() == CHANGED
    assert team.data() == START
    assert team.answer("status")["datasets"][0]["changed"] == []
    assert beside.answer("status")["datasets"][0]["changed"] == []
    beside.write({"05.csv": "a\n5\n"})
    beside.commit("beside")
    team.git("merge", "-q", "other")
    team.tricord("checkout")
    assert team.data() == {**CHANGED, "05.csv": "a\n5\n"}


def test_a_clone_says_what_to_type_and_the_pull_hint_names_the_dataset(
    team: Team, empty: Callable[[str], Team]
) -> None:
    team.git("clone", "-q", ".", "../clone")
    clone = empty("clone")
    said = clone.tricord("checkout", code=1)
    assert "tricord pull flights" in said
    assert clone.data() == {}
    assert "tricord pull flights" in clone.tricord("checkout", "flights", code=1)
