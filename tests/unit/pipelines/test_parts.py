"""A glob cuts a dataset into parts: a step runs once for each part's content, and for nothing else."""

from pathlib import Path

import pytest

from tricord.core.errors import PlanError
from tricord.core.step import dataset, pipeline, step
from tricord.data.parts import parts
from tricord.data.versions import add
from tricord.pipelines.execute import StepState, run_pipeline
from tricord.project.lineage import downstream, upstream, version_of
from tricord.project.project import Project

RAN: list[str] = []


@step
def count(month: Path) -> int:
    text = month.read_text(encoding="utf-8")
    RAN.append(text.strip())
    return len(text.split())


@step
def twice(n: int) -> int:
    return 2 * n


@step
def total(counts: list[int]) -> int:
    return sum(counts)


@step
def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.txt"))


@step
def together(files: list[Path]) -> int:
    return len(files)


@pipeline
def monthly() -> None:
    total([twice(count(month)) for month in dataset("flights", glob="*.txt")])


@pipeline
def by_year() -> None:
    years = dataset("flights", glob="(*)/*.txt")
    assert list(years.by_name) == ["2012", "2013"]
    for year in years:
        names(year)


@pipeline
def at_once() -> None:
    together(dataset("flights", glob="**/*.txt"))


@pipeline
def none() -> None:
    together(dataset("flights", glob="*.parquet"))


def flights(project: Project, **files: str) -> Path:
    folder = project.root / "flights"
    for name, text in files.items():
        (folder / name.replace("__", "/")).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name.replace('__', '/')}.txt").write_text(text)
    add(project, folder)
    return folder


def states(project: Project, asked: object = monthly) -> dict[str, StepState]:
    RAN.clear()
    return {found.label: found.state for found in run_pipeline(project, asked).steps}  # pyright: ignore[reportArgumentType]


def test_a_new_file_runs_one_part_and_what_takes_them_all(project: Project) -> None:
    flights(project, jan="one", mar="one two")
    assert set(states(project).values()) == {StepState.FINISHED}
    assert sorted(RAN) == ["one", "one two"]
    flights(project, feb="one two three")
    found = states(project)
    assert RAN == ["one two three"]
    assert {label for label, state in found.items() if state == StepState.FINISHED} == {
        "count(feb.txt)", "twice(feb.txt)", "total",
    }  # fmt: skip
    result = run_pipeline(project, monthly)
    assert project.load(result.step("total").outputs["result"]) == 12


def test_a_step_says_which_part_it_is_about_and_why_it_ran(project: Project) -> None:
    folder = flights(project, jan="one", feb="two words")
    states(project)
    (folder / "feb.txt").write_text("three words now")
    add(project, folder)
    result = run_pipeline(project, monthly)
    assert result.step("count(jan.txt)").state == StepState.CACHED
    assert result.step("count(feb.txt)").why == "input changed: month"


def test_the_same_content_under_another_name_is_not_run_again(project: Project) -> None:
    folder = flights(project, jan="one", feb="two words")
    states(project)
    (folder / "feb.txt").rename(folder / "dec.txt")
    add(project, folder)
    states(project)
    assert RAN == []


def test_captures_make_groups(project: Project) -> None:
    folder = flights(project, **{"2012__dec": "x", "2013__jan": "y", "2013__feb": "z"})
    result = run_pipeline(project, by_year)
    found = [project.load(step.outputs["result"]) for step in result.steps]
    assert found == [["2012/dec.txt"], ["2013/feb.txt", "2013/jan.txt"]]
    (folder / "2013" / "mar.txt").write_text("new")
    add(project, folder)
    again = run_pipeline(project, by_year)
    assert {step.label: str(step.state) for step in again.steps} == {
        "names(2012)": "cached", "names(2013)": "finished",
    }  # fmt: skip


def test_a_list_of_parts_goes_to_one_step(project: Project) -> None:
    flights(project, **{"2012__dec": "x", "2013__jan": "y", "top": "z"})
    result = run_pipeline(project, at_once)
    assert project.load(result.step("together").outputs["result"]) == 3


def test_a_dataset_of_one_file_is_its_own_part(project: Project) -> None:
    (project.root / "flights.txt").write_text("one two")
    add(project, project.root / "flights.txt")
    assert [part.name for part in parts(project, "flights", "*.txt")] == ["flights.txt"]
    assert states(project)["count(flights.txt)"] == StepState.FINISHED


def test_a_pattern_that_nothing_matches_is_an_error_with_the_way_to_look(project: Project) -> None:
    flights(project, jan="one")
    with pytest.raises(
        PlanError, match=r"no file of datasets/flights matches '\*\.parquet'"
    ) as error:
        run_pipeline(project, none)
    assert error.value.hint == "tricord data parts flights --glob '**'"


def test_parts_are_listed_with_their_files(project: Project) -> None:
    flights(project, **{"2012__dec": "x", "2013__jan": "yy", "2013__feb": "z"})
    found = parts(project, "flights@v1", "(*)/*.txt")
    assert [(part.name, part.artifact.size, part.files) for part in found] == [
        ("2012", 1, ("2012/dec.txt",)),
        ("2013", 3, ("2013/feb.txt", "2013/jan.txt")),
    ]


def test_behind_a_part_stands_the_version_that_the_run_was_given(project: Project) -> None:
    flights(project, jan="one")
    run_pipeline(project, monthly)
    first = project.resolve("datasets/flights@latest")
    flights(project, feb="there are five words here")
    result = run_pipeline(project, monthly)
    second = project.resolve("datasets/flights@latest")
    made = result.step("total").outputs["result"]
    behind = [made.artifact.digest for made in upstream(project, made)]
    assert second.digest in behind
    found = version_of(project, second.digest)
    assert found is not None
    assert found[1] == 2
    came = {made.digest for used in downstream(project, first) for made in used.made}
    assert made.digest in came  # through the part that both versions have
    assert [used.run.name for used in downstream(project, second)][:2] == ["count(feb.txt)", "count(jan.txt)"]  # fmt: skip
