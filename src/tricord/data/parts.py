"""The parts of a dataset, as `tricord data parts` lists them and pipelines are given them."""

from tricord.data.naming import version_of
from tricord.project.parts import DatasetPart, cut
from tricord.project.project import Project


def parts(project: Project, what: str, pattern: str) -> list[DatasetPart]:
    """The parts that a pattern cuts `NAME[@VERSION]` into, sorted by name (see `project.parts.cut`).

    NotRecorded where there is no such version, PlanError where no file matches.
    """
    version = version_of(project, what)
    return cut(project, version.artifact, pattern, of=str(version))
