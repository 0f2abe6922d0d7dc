"""Fixtures for every test: a fresh project in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tricord.project.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project.init(tmp_path / "project")
    yield made
    made.close()
