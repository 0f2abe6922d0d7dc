"""Commands load what they need: a look at datasets, or a page of help, waits for no library of tables."""

import subprocess
import sys

import pytest

from tricord.project.project import Project

SCRIPT = """
import sys
from tricord.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
heavy = {"numpy", "polars", "pyarrow", "pandas", "yaml", "tricord.data.dvc.takeover"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words", [["data", "list", "--json"], ["data", "--help"], ["import", "--help"]]
)
def test_a_look_at_datasets_loads_no_library_of_tables(project: Project, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=project.root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "[]\n")
