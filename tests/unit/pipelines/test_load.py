"""The pipelines' module: found in its own project, and what does not load is said with its line."""

from pathlib import Path

import pytest

from tricord.core.errors import PlanError
from tricord.pipelines.load import find_pipeline, load_pipelines
from tricord.project.project import Project

PIPELINE = """
from tricord.core.step import pipeline, step
import part

@step
def one() -> int:
    return part.NUMBER

@pipeline
def {name}():
    one()
"""


def project_with(root: Path, text: str, number: int = 1) -> Project:
    project = Project.init(root)
    (root / "pipelines.py").write_text(text)
    (root / "part.py").write_text(f"NUMBER = {number}\n")
    return project


def test_two_projects_in_one_process_keep_their_modules_apart(tmp_path: Path) -> None:
    first = project_with(tmp_path / "a", PIPELINE.format(name="first"), 1)
    second = project_with(tmp_path / "b", PIPELINE.format(name="second"), 2)
    for _ in range(2):
        for project, name, number in ((first, "first", 1), (second, "second", 2)):
            (found,) = load_pipelines(project).values()
            assert found.name == name
            part = found.function.__globals__["part"]
            assert number == part.NUMBER


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("x = (\n", "never closed", ":1"),
        ("import no_such_module\n", "imports no_such_module", ""),
        ("\n1 / 0\n", "ZeroDivisionError: division by zero", ":2"),
    ],
)
def test_a_module_that_does_not_load_names_its_line(
    tmp_path: Path, text: str, message: str, line: str
) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        load_pipelines(project_with(tmp_path, text))
    assert str(caught.value.where or "").endswith(line)


def test_a_pipeline_is_found_by_name_or_named(tmp_path: Path) -> None:
    project = project_with(tmp_path, PIPELINE.format(name="training"))
    assert find_pipeline(project, None).name == "training"
    with pytest.raises(PlanError, match="there are: training") as caught:
        find_pipeline(project, "trianing")
    assert caught.value.hint == "tricord run training"


def test_no_module_says_which_setting_names_it(project: Project) -> None:
    with pytest.raises(PlanError, match="no module 'pipelines'") as caught:
        load_pipelines(project)
    assert "project.pipelines" in str(caught.value.hint)
