"""A checkout that is killed at any of its file operations leaves whole files, and is completed by the next."""

import subprocess
import sys
from pathlib import Path

from tricord.data.versions import add
from tricord.project.project import Project

VICTIM = Path(__file__).parent / "checkout_victim.py"


def test_a_killed_checkout_is_completed_by_the_next(tmp_path: Path) -> None:
    project = Project.init(tmp_path / "template")
    folder = project.root / "data" / "flights"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv", "sub/d.csv"):
        (folder / name).write_text(f"first {name}")
    add(project, folder)
    for name in ("b.csv", "sub/c.csv", "sub/d.csv"):
        (folder / name).unlink()
    (folder / "sub").rmdir()
    (folder / "a.csv").write_text("second")
    (folder / "sub").write_text("a file now")
    (folder / "new.csv").write_text("new")
    add(project, folder)
    project.close()

    done = subprocess.run(
        [sys.executable, str(VICTIM), str(project.root), "flights@v1"],
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 8
