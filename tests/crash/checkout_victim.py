"""Dies by kill -9 at the nth file operation of a checkout; then the same checkout, alive, must complete it.

    python checkout_victim.py PROJECT VERSION

For n = 1, 2, … a child of a fresh copy of the project is killed at its nth rename, removal or link of a file
or folder. Prints n of the last child that died, or what was wrong.
"""

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tricord.core.errors import TricordError
from tricord.data.checkout import checkout, checkout_all
from tricord.project.project import Project


def found(folder: Path) -> dict[str, str]:
    # a text that was being replaced may leave its temporary file beside the data, not in it
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".tmp")
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def dying(at: int) -> Callable[..., Any]:
    """Makes an operation of the system count, and kill at the one numbered `at`."""
    counted = itertools.count(1)

    def wrap(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*arguments: Any, **options: Any) -> Any:
            if next(counted) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return counts

    return wrap


def in_child(act: Callable[[], None]) -> int:
    """The wait status of a child that did it: 0, or how it died."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        act()
        os._exit(0)
    except TricordError as error:
        print(error, file=sys.stderr)
    finally:
        os._exit(1)


def bring(root: Path, what: str) -> None:
    project = Project.open(root)
    checkout(project, what)
    project.close()


def killed_at(root: Path, what: str, number: int) -> bool:
    def act() -> None:
        wrap = dying(number)
        for name in ("rename", "replace", "unlink", "rmdir", "link"):
            setattr(os, name, wrap(getattr(os, name)))
        bring(root, what)

    return os.WIFSIGNALED(in_child(act))


def main(template: Path, what: str) -> None:
    work = template.with_name("copy")
    shutil.copytree(template, template.with_name("right"))
    in_child(lambda: bring(template.with_name("right"), what))
    right = found(template.with_name("right") / "data")
    before = found(template / "data")
    for number in itertools.count(1):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(template, work)
        died = killed_at(work, what, number)
        mixed = found(work / "data")
        known = {*before.values(), *right.values()}
        broken = [path for path, text in mixed.items() if text not in known]
        assert not broken, f"half-written after operation {number}: {broken}"
        assert in_child(lambda: bring(work, what)) == 0, f"not completed after operation {number}"
        assert found(work / "data") == right, f"another result after operation {number}"

        def settled() -> None:
            project = Project.open(work)
            assert all(
                not brought.problem and not brought.written for brought in checkout_all(project)
            )

        assert in_child(settled) == 0, f"not settled after operation {number}"
        if not died:
            print(number - 1)
            return


main(Path(sys.argv[1]), sys.argv[2])
