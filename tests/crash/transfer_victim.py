"""A program that pushes or fetches and dies by SIGKILL before or after its n-th request to the remote, for every n.

    transfer_victim.py FOLDER ACTION

FOLDER/here is a store with a tree, whose digest is in FOLDER/tree, FOLDER/remote the remote of a `fetch`. For n = 1, 2, …
until the action gets through, a forked process pushes to FOLDER/remote-n or fetches into FOLDER/there-n.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tricord.core.artifact import Digest
from tricord.store.local import LocalStore
from tricord.store.remote import records
from tricord.store.remote.backend import Info
from tricord.store.remote.folder import Folder
from tricord.store.remote.receiving import fetch
from tricord.store.remote.records import Record
from tricord.store.remote.remote import Remote
from tricord.store.remote.sending import send
from tricord.store.remote.wrapping import Wrapper


class Deadly(Wrapper):
    """Every request counts twice: before it is done, and after."""

    def __init__(self, folder: Path, deadline: int) -> None:
        super().__init__(Folder(folder))
        self.deadline = deadline

    def step(self) -> None:
        self.deadline -= 1
        if self.deadline <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def done(self, act: Callable[..., Any], *arguments: Any) -> Any:
        self.step()
        answer = act(*arguments)
        self.step()
        return answer

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        return self.done(super().get, name, start, length)

    def get_to(self, name: str, file: Path) -> None:
        with file.open("ab") as opened:  # half of it had come when a process died here
            opened.write(super().get(name, opened.tell(), 500_000))
        self.done(super().get_to, name, file)

    def put(self, name: str, data: bytes) -> None:
        self.done(super().put, name, data)

    def put_file(self, name: str, file: Path) -> None:
        self.done(super().put_file, name, file)

    def put_new(self, name: str, data: bytes) -> bool:
        return self.done(super().put_new, name, data)

    def replace(self, name: str, data: bytes, tag: str) -> bool:
        return self.done(super().replace, name, data, tag)

    def list(self, prefix: str = "") -> Iterator[Info]:
        return self.done(super().list, prefix)

    def delete(self, names: Iterable[str]) -> None:
        self.done(super().delete, names)


def main() -> None:
    folder, action = Path(sys.argv[1]), sys.argv[2]
    tree = Digest((folder / "tree").read_text())
    for deadline in itertools.count(1):
        if (child := os.fork()) == 0:
            if action == "push":
                backend = Deadly(folder / f"remote-{deadline:02}", deadline)
                send(Remote(backend), LocalStore(folder / "here"), [tree])
                records.update(backend, Record("flights", held=frozenset({tree})))
            else:
                backend = Deadly(folder / "remote", deadline)
                remote = Remote(backend, folder / f"cache-{deadline:02}")
                fetch(remote, LocalStore(folder / f"there-{deadline:02}"), [tree]).check("there")
            (folder / f"{action}.done").write_text("done")
            os._exit(0)
        os.waitpid(child, 0)
        if (folder / f"{action}.done").exists():
            return


if __name__ == "__main__":
    main()
