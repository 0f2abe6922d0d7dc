"""A program that collects waste, or mends, and dies at the n-th call that changes the disk, for every n.

    collect_victim.py FOLDER ACTION HOW

As store_victim.py does it, on a copy FOLDER/n of the store FOLDER/template, with FOLDER/source for a repair.
What is needed is in FOLDER/needed, a digest a line. FOLDER/n.done appears for the one that got through.
"""

import itertools
import os
import shutil
import sys
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.store import collect
from tricord.store.checking import Checked, problems
from tricord.store.local import LocalStore
from tricord.store.repair import repair

from store_victim import Disk  # isort: skip - it stands beside this program


def collecting(folder: Path, place: Path) -> None:
    needed = [Digest(line) for line in (folder / "needed").read_text().split()]
    collect.delete(LocalStore(place), lambda: needed)


def mending(folder: Path, place: Path) -> None:
    store, seen = LocalStore(place), Checked()
    found = list(problems(store, seen=seen))
    repair(store, found, seen, [lambda _: store.put_tree(folder / "source")])


ACTIONS = {"collect": collecting, "repair": mending}


def main() -> None:
    folder, action, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    for deadline in itertools.count(1):
        place = folder / f"{deadline:03}"
        shutil.copytree(folder / "template", place)  # with the times of the files
        if (child := os.fork()) == 0:
            disk = Disk(place, deadline, how)
            ACTIONS[action](folder, place)
            (folder / f"{deadline:03}.done").write_text("done")
            disk.die()
        os.waitpid(child, 0)
        if (folder / f"{deadline:03}.done").exists():
            return


if __name__ == "__main__":
    main()
