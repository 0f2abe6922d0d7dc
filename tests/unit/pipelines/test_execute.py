"""Running pipelines: cache, resume, refusal, and mistakes that are found before anything runs."""

from pathlib import Path
from typing import Any

import pytest

from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import DataError, PlanError, Refused, StepFailed
from tricord.core.run import Status
from tricord.core.step import GIVEN, artifact, dataset, file, pipeline, step
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.data.versions import add
from tricord.pipelines.execute import Result, StepState, run_pipeline
from tricord.project.project import Project
from tricord.store import pack

CALLS: list[str] = []
FAILING: set[str] = set()


@step
def words(text: Path) -> list[str]:
    CALLS.append("words")
    return text.read_text(encoding="utf-8").split()


@step
def count(items: list[str], *, least: int = 0) -> int:
    CALLS.append("count")
    return sum(len(item) >= least for item in items)


@step
def halves(items: list[str]) -> tuple[list[str], list[str]]:
    CALLS.append("halves")
    return items[::2], items[1::2]


@step
def total(numbers: list[int], names: dict[str, int]) -> int:
    if "total" in FAILING:
        raise ZeroDivisionError("not today")
    return sum(numbers) + len(names)


@step
def gate(n: int) -> Verdict:
    outcome = Outcome.PASS if n > 2 else Outcome.FAIL
    return Verdict("n", "large enough", (Check("n", outcome, f"n is {n}"),))


@step
def let_by(n: Artifact, *, on: Verdict, project: Project = GIVEN) -> None:
    CALLS.append("let_by")
    if not on.passed:
        raise Refused(on.summary())
    project.move("datasets/n@latest", n.digest, why="past its gate")


@pipeline
def counting(*, least: int = 0):
    text = words(dataset("text"))
    even, odd = halves(text)
    n = total([count(even, least=least), count(odd, least=least)], {"a": count(text)})
    let_by(n, on=gate(n))


@pytest.fixture
def with_text(project: Project) -> Project:
    CALLS.clear()
    FAILING.clear()
    (project.root / "text.txt").write_text("one two three four")
    add(project, project.root / "text.txt")
    return project


def states(result: Result) -> dict[str, str]:
    return {step.label: str(step.state) for step in result.steps}


def test_the_second_run_computes_nothing_and_acts_again(with_text: Project) -> None:
    first = run_pipeline(with_text, counting)
    assert set(states(first).values()) == {"finished"}
    assert with_text.load("datasets/n@latest") == 5
    CALLS.clear()
    second = run_pipeline(with_text, counting)
    assert CALLS == ["let_by"]
    assert {s.label for s in second.steps if s.state != StepState.CACHED} == {"let_by"}
    assert second.step("total").outputs == first.step("total").outputs


def test_only_what_depends_on_a_change_runs_again(with_text: Project) -> None:
    run_pipeline(with_text, counting)
    CALLS.clear()
    result = run_pipeline(with_text, counting, {"least": 4})
    assert CALLS == ["count", "count", "let_by"]
    assert result.step("count").why == "parameter changed: least"
    (with_text.root / "text.txt").write_text("one  two three\nfour")  # other bytes, the same words
    add(with_text, with_text.root / "text.txt")
    CALLS.clear()
    result = run_pipeline(with_text, counting, {"least": 4})
    assert CALLS == ["words", "let_by"], "an output that did not change stops the wave"
    assert result.step("words").why == "input changed: text"


def test_a_failure_keeps_what_finished_and_the_next_run_resumes(with_text: Project) -> None:
    FAILING.add("total")
    with pytest.raises(
        StepFailed, match=r"step 'total' failed: ZeroDivisionError: not today"
    ) as caught:
        run_pipeline(with_text, counting)
    assert "test_execute.py" in str(caught.value.where)
    failed = with_text.ledger.runs(limit=50)
    assert {run.name: run.status for run in failed if run.name in ("total", "counting")} == {
        "total": Status.FAILED,
        "counting": Status.FAILED,
    }
    FAILING.clear()
    CALLS.clear()
    result = run_pipeline(with_text, counting)
    assert CALLS == ["let_by"]
    assert result.step("total").why == "its last run was failed"


def test_a_refusal_is_a_result_with_its_evidence(with_text: Project) -> None:
    (with_text.root / "text.txt").write_text("one")
    add(with_text, with_text.root / "text.txt")
    result = run_pipeline(with_text, counting, {"least": 9})
    assert result.refused is not None
    assert "n is 1" in str(result.refused.error)
    assert with_text.ledger.run(result.run).status == Status.REFUSED
    assert with_text.ledger.ref("datasets/n@latest") is None


def test_a_lost_output_is_made_again(with_text: Project) -> None:
    first = run_pipeline(with_text, counting)
    digest = first.step("words").outputs["result"].digest
    held = [
        path
        for path in with_text.store.root.glob("packs/*")
        if digest in {row.digest for row in pack.read_directory(path)}
    ]
    assert held
    for path in held:
        path.unlink()
    CALLS.clear()
    result = run_pipeline(with_text, counting)
    assert CALLS == ["words", "let_by"]
    assert result.step("words").why == "its stored output is gone"


@step
def nothing() -> int:  # type: ignore[return]
    pass


@step
def two_of_three() -> tuple[int, int]:
    return 1, 2, 3  # type: ignore[return-value]


@step
def unheard_of() -> Any:
    return object()


@step(retries=2)
def at_last() -> int:
    CALLS.append("at_last")
    if len(CALLS) < 3:
        raise OSError("away")
    return 3


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (nothing, "returned None"),
        (two_of_three, "returned no tuple of 2"),
        (unheard_of, "no codec knows the type"),
    ],
)
def test_results_that_cannot_be_kept_are_named(project: Project, made: Any, message: str) -> None:
    with pytest.raises(StepFailed, match=message):
        run_pipeline(project, pipeline(name="p")(lambda: made()))


def test_a_step_is_tried_again_as_often_as_it_says(project: Project) -> None:
    CALLS.clear()
    run_pipeline(project, pipeline(name="p")(lambda: at_last()))
    assert CALLS == ["at_last"] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda: count(), "missing a required"),
        (lambda: count(object()), "neither an artifact nor a JSON value"),
        (lambda: None, "has no steps"),
        (lambda: count(list(words(Path()))), "neither an artifact nor a JSON value"),
        (lambda: list(count(["a"])), "cannot be unpacked"),
        (lambda: count(["a"]) or 1, "not known while the pipeline is being planned"),
        (lambda: count(file("none.txt")), "no such file"),
        (lambda: count(file("../../etc/passwd")), "no such file"),
    ],
)
def test_mistakes_are_found_before_anything_runs(project: Project, body: Any, message: str) -> None:
    CALLS.clear()
    with pytest.raises(PlanError, match=message):
        run_pipeline(project, pipeline(name="wrong")(body))
    assert CALLS == []
    assert project.ledger.runs() == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"most": 1}, "no parameter 'most'"),
        ({"least": "x"}, "must be a int"),
        ({"least": True}, "must be"),
    ],
)
def test_wrong_parameters_are_named(
    with_text: Project, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        run_pipeline(with_text, counting, params)


def test_an_optional_ref_is_none_until_it_exists(project: Project) -> None:
    @step
    def seen(found: int | None) -> str:
        return "nothing" if found is None else f"{found}"

    body = pipeline(name="p")(lambda: seen(artifact("datasets/n@latest", optional=True)))
    assert project.load(run_pipeline(project, body).step("seen").outputs["result"]) == "nothing"
    project.move("datasets/n@latest", project.put(7, kind=Kind.DATASET).digest, why="x")
    assert project.load(run_pipeline(project, body).step("seen").outputs["result"]) == "7"


def test_steps_and_pipelines_stay_functions() -> None:
    assert count(["a", "bb"], least=2) == 1
    with pytest.raises(PlanError, match="tricord run counting"):
        counting()
    with pytest.raises(PlanError, match="no pipeline is being planned"):
        dataset("x")


@step
def leaves() -> int:
    raise SystemExit(3)


@step
def first_line(text: Path) -> str:
    raise DataError(
        "3 fields where the header has 2", where=f"{text}, line 4", hint=f"look at {text}"
    )


def test_an_exit_in_a_step_is_a_failure(project: Project) -> None:
    with pytest.raises(StepFailed, match="SystemExit: 3"):
        run_pipeline(project, pipeline(name="p")(lambda: leaves()))


def test_a_failure_names_its_input_as_the_user_does(with_text: Project) -> None:
    with pytest.raises(StepFailed) as caught:
        run_pipeline(with_text, pipeline(name="p")(lambda: first_line(dataset("text"))))
    assert caught.value.where == "datasets/text@latest, line 4"
    assert caught.value.hint == "look at datasets/text@latest"
    assert with_text.ledger.runs(name="first_line")[0].error == (
        "StepFailed: step 'first_line' failed: 3 fields where the header has 2\n"
        "  where: datasets/text@latest, line 4\n  next: look at datasets/text@latest"
    )


def test_an_input_that_cannot_be_read_fails_its_step_alone(with_text: Project) -> None:
    @step
    def needs_number(text: int) -> int:
        return text

    body = pipeline(name="p")(lambda: [needs_number(dataset("text")), words(dataset("text"))])
    with pytest.raises(StepFailed, match="step 'needs_number' failed: a int cannot be read"):
        run_pipeline(with_text, body)
    assert with_text.ledger.runs(name="words")[0].status == Status.FINISHED
