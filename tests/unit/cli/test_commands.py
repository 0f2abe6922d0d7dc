"""Every command on a real project: its help, its answer in JSON, its drawing, its exit code."""

import errno
import importlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tricord.cli import main as cli
from tricord.cli.main import COMMANDS, main
from tricord.monitor.window import window
from tricord.store.pack import Shape, read_directory

EXAMPLES = {
    name: importlib.import_module(f"tricord.cli.commands.{name}").EXAMPLE for name in COMMANDS
}


@pytest.fixture
def served(small, flights_of):
    """The small project with a canary that passed, its answers, and their outcomes in a file."""
    small.start()
    rows = flights_of(300, seed=1)
    small.asked(rows)
    small.asked(flights_of(300, seed=2), arm="canary")
    rows.select("key", "late").write_csv(small.root / "outcomes.csv")
    return small


def said(capsys: pytest.CaptureFixture[str], small: Any, *words: str, code: int = 0) -> Any:
    """The answer to a command line with --json."""
    assert main([*words, "--json", "--project", str(small.root)]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == cli.OK
    shown = capsys.readouterr().out
    assert COMMANDS[command] in " ".join(shown.split())
    assert f"example:\n  {EXAMPLES[command]}" in shown
    assert f"tricord {command}" in EXAMPLES[command]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == cli.OK
    shown = capsys.readouterr().out
    for name, meaning in COMMANDS.items():
        assert f"{name:<10}{meaning}" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["add", "flights.csv"],
        ["runs", "--steps"],
        ["runs", "--name", "train"],
        ["config"],
        ["verify"],
        ["verify", "--repair"],
        ["gc"],
        ["gc", "--delete", "--older", "0", "--keep-versions", "1", "--runs-older", "30"],
        ["du"],
        ["du", "--versions"],
        ["du", "--shared"],
        ["show", "models/delay@champion"],
        ["show", "endpoints/delay@live"],
        ["show", "releases/delay@latest"],
        ["why", "models/delay@champion"],
        ["why", "datasets/flights@latest"],
        ["release", "list"],
        ["release", "list", "delay"],
        ["release", "show", "releases/delay@latest"],
        ["release", "approve", "releases/delay@latest", "--why", "looked at it"],
        ["rollout", "status", "delay"],
        ["rollout", "status", "other"],
        ["rollout", "promote", "delay"],
        ["rollout", "abort", "delay"],
        ["rollback", "delay"],
        ["monitor", "delay", "--outcomes", "outcomes.csv", "--label", "late"],
        ["monitor", "delay"],
        ["init", "another"],
    ],
    ids=" ".join,
)
def test_answers_are_json_and_can_be_drawn(
    served, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(served.root)
    said(capsys, served, *words)
    if words[0] != "rollback" and words[1:2] not in (["promote"], ["abort"]):
        assert main(words) == cli.OK
        drawn = capsys.readouterr()
        assert drawn.out.strip()
        assert drawn.err == ""


def test_run_answers_with_its_steps_and_from_the_cache(served, small_process) -> None:
    done = small_process(served.root, "run", "delay", "-p", "iterations=12", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["state"]) == (cli.OK, "finished")
    states = {step["step"]: step["state"] for step in answer["steps"]}
    assert states["train"] == "cached"
    assert states["release"] == "finished"
    drawn = small_process(served.root, "run", "delay", "-p", "iterations=12")
    assert "steps from the cache" in drawn.stdout


def test_a_refused_run_ends_with_3_and_its_evidence(served, small_process) -> None:
    champion = served.project.ledger.ref("models/delay@champion")
    done = small_process(served.root, "run", "-p", "shuffle=true")
    assert done.returncode == cli.REFUSED
    assert "refused at release: nothing was moved" in done.stdout
    assert "worse than the champion" in done.stdout
    assert served.project.ledger.ref("models/delay@champion") == champion
    again = small_process(served.root, "run", "-p", "shuffle=true", "--json")
    assert (again.returncode, json.loads(again.stdout)["state"]) == (cli.REFUSED, "refused")


def test_why_a_prediction_names_release_code_and_data(
    served, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction = window(served.project, "delay")["prediction_id"][0]
    answer = said(capsys, served, "why", prediction)
    assert answer["release"]["digest"] == served.releases[0].digest
    assert answer["code"]["commit"] == answer["release"]["commit"]
    assert [(d["name"], d["version"]) for d in answer["data"]] == [("flights", 1)]
    assert main(["why", prediction, "--project", str(served.root)]) == cli.OK
    drawn = capsys.readouterr().out
    assert "flights v1" in drawn
    assert "iterations = 10" in drawn


def test_a_run_is_shown_with_its_steps(served, capsys: pytest.CaptureFixture[str]) -> None:
    newest = said(capsys, served, "runs", "--name", "delay", "--limit", "1")[0]["id"]
    answer = said(capsys, served, "show", newest)
    assert [step["step"] for step in answer["steps"]][:2] == ["split", "train"]
    assert main(["show", newest, "--project", str(served.root)]) == cli.OK
    assert "train" in capsys.readouterr().out


def test_monitor_tells_of_lost_quality(
    served, capsys: pytest.CaptureFixture[str], flights_of
) -> None:
    rows = flights_of(300, seed=1)
    wrong = rows.with_columns(late=~pl.col("late")).select("key", "late")
    wrong.write_csv(served.root / "wrong.csv")
    outcomes = ["--outcomes", str(served.root / "wrong.csv"), "--label", "late"]
    answer = said(capsys, served, "monitor", "delay", *outcomes, code=cli.REFUSED)
    assert answer["verdict"]["outcome"] == "fail"


def test_rollout_start_takes_the_latest_release_and_only_a_release(
    small, capsys: pytest.CaptureFixture[str]
) -> None:
    first = small.releases[0].digest
    said(capsys, small, "rollout", "start", "delay", "--release", first[:12])
    answer = said(capsys, small, "rollout", "start", "delay", "--weight", "0.25")
    assert [(a["weight"], a["release"]) for a in answer["plan"]["arms"]] == [
        (0.75, first),
        (0.25, small.releases[1].digest),
    ]
    refused = said(capsys, small, "rollout", "start", "delay", code=cli.REFUSED)
    assert "under way" in refused["error"]
    for words in (["--release", "models/delay@champion"], ["--weight", "1.5"]):
        said(capsys, small, "rollout", "start", "other", *words, code=cli.ERROR)


def test_an_undecided_canary_is_promoted_only_by_a_signature(
    small, capsys: pytest.CaptureFixture[str]
) -> None:
    small.start()
    stood = small.project.ledger.ref("endpoints/delay@live")
    root = str(small.project.root)
    assert cli.main(["rollout", "promote", "delay", "--project", root]) == cli.REFUSED
    assert "--sign" in capsys.readouterr().err
    assert small.project.ledger.ref("endpoints/delay@live") == stood
    said(capsys, small, "rollout", "promote", "delay", "--why", "urgent", "--sign")
    move = small.project.ledger.moves("endpoints/delay@live")[-1]
    assert "signed for by tester" in move.why


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "models/nothing@champion"], cli.ERROR, "no ref"),
        (["why", f"{'0' * 26}-1"], cli.ERROR, "no prediction"),
        (["add", "nothing.csv"], cli.ERROR, "no such file"),
        (["add", "a.csv", "b.csv", "--name", "x"], cli.ERROR, "names one dataset"),
        (["run", "delya"], cli.ERROR, "tricord run delay"),
        (["run", "-p", "iterations"], cli.ERROR, "not a parameter"),
        (["rollback", "delay"], cli.ERROR, "no endpoint"),
        (["monitor", "delay"], cli.ERROR, "nothing"),
        (["release", "show"], cli.ERROR, "which release"),
        (["rollout", "dance", "delay"], cli.USAGE, "invalid choice"),
        (["status", "--nonsense"], cli.USAGE, "unrecognized"),
        (["statsu"], cli.USAGE, "did you mean 'status'?"),
        (["xyzzy"], cli.USAGE, "tricord --help"),
        (["demo", "--months", "1"], cli.ERROR, "from 2 to 12"),
        (["demo", "--fraction", "0"], cli.ERROR, "--fraction"),
        (["demo", "--requests", "10"], cli.ERROR, "at least 800"),
        (["serve", "delay", "--port", "99999"], cli.ERROR, "no port has the number 99999"),
        (["serve", "delay", "--port", "-1"], cli.ERROR, "no port has the number -1"),
        (["new", "trains"], cli.ERROR, "no example 'trains'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_errors_say_what_and_end_with_their_code(
    small,
    words: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(small.root)
    before = small.project.ledger.refs()
    assert main(words) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""
    assert small.project.ledger.refs() == before


@pytest.mark.parametrize(("code", "shown"), [(3, "3"), (None, ""), (0, "0"), ("no", "'no'")])
def test_an_exit_in_the_code_that_a_command_runs_is_an_error(
    code: Any, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(_: object) -> None:
        sys.exit(code)

    monkeypatch.setattr("tricord.cli.commands.status.run", leaves)
    assert main(["status"]) == cli.ERROR
    assert capsys.readouterr().err == f"error: the code called sys.exit({shown})\n"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            "where: /x/y\n  next: make space",
        ),
        (OSError(errno.EIO, "Input/output error"), "error: Input/output error\n"),
        (OSError("odd"), "error: odd\n"),
    ],
)
def test_what_the_system_refuses_is_an_error_without_a_traceback(
    error: OSError,
    shown: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: object) -> None:
        raise error

    monkeypatch.setattr("tricord.cli.commands.status.run", fails)
    assert main(["status"]) == cli.ERROR
    assert shown in capsys.readouterr().err


def test_errors_are_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", "--project", str(tmp_path)]) == cli.ERROR
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert (answer["error"], answer["next"]) == ("no project here", "tricord init")
    assert "Traceback" not in shown.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == cli.OK
    assert capsys.readouterr().out.startswith("tricord ")


def test_verify_finds_a_flipped_bit_and_a_lost_object(
    small, capsys: pytest.CaptureFixture[str]
) -> None:
    store = small.project.store
    whole = said(capsys, small, "verify")
    assert whole["objects"] >= sum(1 for _ in store) > 0
    assert whole["events"] == small.project.ledger.last_event()
    assert whole["problems"] == []
    flipped = small.project.ledger.ref("datasets/flights@latest")
    place, lost = (
        store.index.find(each, Shape.FILE) for each in (flipped, small.releases[0].digest)
    )
    pack = small.root / ".tricord" / "store" / "packs" / f"{place.pack}.pack"
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    content[place.row.offset + place.row.length // 2] ^= 1
    pack.write_bytes(content)
    gone = pack.with_name(f"{lost.pack}.pack")
    assert [row.digest for row in read_directory(gone)] == [small.releases[0].digest]
    gone.unlink()
    found = said(capsys, small, "verify", code=cli.ERROR)
    problems = {problem["digest"]: problem for problem in found["problems"]}
    assert problems.keys() == {flipped, small.releases[0].digest}
    assert "is damaged" in problems[flipped]["problem"]
    assert problems[flipped]["where"] == str(pack)
    assert "datasets/flights@latest" in problems[flipped]["used_by"]
    assert problems[flipped]["source"] == str(small.root / "flights.csv")
    assert "not in the store" in problems[small.releases[0].digest]["problem"]
    assert main(["verify", "--project", str(small.root)]) == cli.ERROR
    drawn = capsys.readouterr().out
    assert f"object {flipped[:12]}: this file or chunk is damaged" in drawn
    # the work tree still has the one; what came of it, nobody has
    mended = said(capsys, small, "verify", "--repair", code=cli.ERROR)
    assert mended["repair"]["restored"] == [flipped]
    assert [problem["digest"] for problem in mended["problems"]] == [small.releases[0].digest]


def test_verify_finds_a_changed_event(small, capsys: pytest.CaptureFixture[str]) -> None:
    database = sqlite3.connect(small.root / ".tricord" / "ledger.sqlite")
    triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:  # they would refuse a change
        database.execute(f"DROP TRIGGER {name}")
    database.execute("UPDATE event SET time = time + 1 WHERE seq = 2")
    database.commit()
    database.close()
    found = said(capsys, small, "verify", code=cli.ERROR)
    assert found["events"] is None
    assert [problem["digest"] for problem in found["problems"]] == [None]
    assert "event 2" in found["problems"][0]["problem"]


def test_config_says_where_a_value_came_from(
    small, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRICORD_SERVING__PORT", "9000")
    answer = said(capsys, small, "config")
    assert answer["serving.port"] == {"value": 9000, "origin": "environment TRICORD_SERVING__PORT"}
    assert answer["project.name"] == {"value": "small", "origin": "tricord.toml"}
    assert answer["serving.host"]["origin"] == "default"
