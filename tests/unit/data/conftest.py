"""Git as a process, with a name of its own and nobody's settings."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

NOBODYS = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"} | {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


@pytest.fixture
def git() -> Callable[..., str]:
    """Runs `git` in a folder and returns what it prints; with `fails` it must not succeed."""

    def run(folder: Path, *words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["git", "-c", "core.quotePath=false", *words],
            cwd=folder,
            env={**os.environ, **NOBODYS},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout

    return run
