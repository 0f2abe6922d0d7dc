"""Tricord and its peers, as what a user types for the same act."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from benchmarks.measuring import ROOT
from benchmarks.store.running import TRICORD, Words, cost_of, stored

PEERS = ROOT / "build" / "benchmarks" / "peers"
_QUIET = {"DVC_NO_ANALYTICS": "1", "RESTIC_PASSWORD": "benchmark", "GIT_CONFIG_GLOBAL": os.devnull}


@dataclass
class Tool:
    """A repository of one tool in `root`, with the data in `root`/data."""

    root: Path
    extra: dict[str, str] = field(default_factory=dict)
    name: ClassVar[str] = ""
    has_status: ClassVar[bool] = True
    has_remote: ClassVar[bool] = True

    def run(self, *words: str | Path) -> float:
        """Seconds on the wall."""
        self.last = cost_of(words, self.root, {**_QUIET, **self.extra})
        return self.last.wall

    @property
    def kept(self) -> int:
        """Bytes in its own store."""
        return stored(*self.folders())

    def folders(self) -> tuple[Path, ...]:
        raise NotImplementedError

    def init(self) -> None:
        raise NotImplementedError

    def track(self, path: str = "data") -> float:
        raise NotImplementedError

    def status(self) -> float:
        raise NotImplementedError

    def restore_first(self) -> float:
        """Bring the first version back, over a work folder from which the data was removed."""
        raise NotImplementedError

    def remote(self, url: str) -> None:
        raise NotImplementedError

    def push(self) -> float:
        raise NotImplementedError

    def pull(self) -> float:
        """Bring everything into a repository that knows the version and has no content."""
        raise NotImplementedError

    def _without_data(self) -> None:
        data = self.root / "data"
        if data.is_dir():
            shutil.rmtree(data)
        else:
            data.unlink(missing_ok=True)


class Tricord(Tool):
    name = "tricord"

    def folders(self) -> tuple[Path, ...]:
        return (self.root / ".tricord" / "store",)

    def init(self) -> None:
        self.run(*TRICORD, "init")

    def track(self, path: str = "data") -> float:
        return self.run(*TRICORD, "add", path)

    def status(self) -> float:
        return self.run(*TRICORD, "status")

    def restore_first(self) -> float:
        self._without_data()
        return self.run(*TRICORD, "checkout", "data@v1")

    def remote(self, url: str) -> None:
        self.run(*TRICORD, "remote", "add", "bench", url)

    def push(self) -> float:
        return self.run(*TRICORD, "push")

    def pull(self) -> float:
        self._without_data()
        shutil.rmtree(self.root / ".tricord")
        return self.run(*TRICORD, "pull")


class Bare(Tool):
    """The floor, not a tool: see bare.py."""

    name = "floor: bare Python"

    def _bare(self, *words: str) -> float:
        return self.run(sys.executable, Path(__file__).with_name("bare.py"), *words)

    def folders(self) -> tuple[Path, ...]:
        return (self.root / ".bare",)

    def init(self) -> None:
        pass

    def track(self, path: str = "data") -> float:  # noqa: ARG002 - it knows no other
        return self._bare("track")

    def status(self) -> float:
        return self._bare("status")

    def restore_first(self) -> float:
        self._without_data()
        return self._bare("restore", "v1")

    def remote(self, url: str) -> None:
        self._url = url

    def push(self) -> float:
        return self._bare("push", self._url)

    def pull(self) -> float:
        self._without_data()
        shutil.rmtree(self.root / ".bare")
        return self._bare("pull", self._url)


class Dvc(Tool):
    name = "dvc"

    def _dvc(self, *words: str) -> Words:
        return (environment_of("dvc", "dvc[s3]>=3.60") / "dvc", *words)

    def folders(self) -> tuple[Path, ...]:
        return (self.root / ".dvc" / "cache",)

    def init(self) -> None:
        self.run(*self._dvc("init", "-q", "--no-scm"))

    def track(self, path: str = "data") -> float:
        pointer = self.root / f"{path}.dvc"
        first = self.root / "first.keep"
        if pointer.exists() and not first.exists():
            shutil.copy(pointer, first)
        return self.run(*self._dvc("add", "-q", path))

    def status(self) -> float:
        return self.run(*self._dvc("status", "-q"))

    def restore_first(self) -> float:
        self._without_data()
        shutil.copy(self.root / "first.keep", self.root / "data.dvc")
        return self.run(*self._dvc("checkout", "-q"))

    def remote(self, url: str) -> None:
        self.run(*self._dvc("remote", "add", "-q", "-d", "bench", url))
        if self.extra.get("AWS_ENDPOINT_URL"):
            self.run(
                *self._dvc(
                    "remote", "modify", "-q", "bench", "endpointurl", self.extra["AWS_ENDPOINT_URL"]
                )
            )

    def push(self) -> float:
        return self.run(*self._dvc("push", "-q"))

    def pull(self) -> float:
        self._without_data()
        shutil.rmtree(self.root / ".dvc" / "cache")
        return self.run(*self._dvc("pull", "-q"))


class Restic(Tool):
    name = "restic"
    has_remote = False

    def _restic(self, *words: str) -> Words:
        return ("restic", "-q", "-r", str(self.root / "repository"), *words)

    def folders(self) -> tuple[Path, ...]:
        return (self.root / "repository",)

    def init(self) -> None:
        self.extra["RESTIC_CACHE_DIR"] = str(self.root / "cache")
        self.run(*self._restic("init"))

    def track(self, path: str = "data") -> float:
        return self.run(*self._restic("backup", path))

    def status(self) -> float:
        return self.run(*self._restic("backup", "--dry-run", "data"))

    def restore_first(self) -> float:
        self._without_data()
        listed = subprocess.run(
            [*map(str, self._restic("snapshots", "--json"))], capture_output=True, check=True,
            env={**os.environ, **_QUIET, **self.extra},
        )  # fmt: skip
        first = min(json.loads(listed.stdout), key=lambda snapshot: snapshot["time"])["id"]
        return self.run(*self._restic("restore", first, "--target", "restored"))


class Oxen(Tool):
    """By its Python package: a process that imports it and does the act."""

    name = "oxen"
    has_remote = False

    def _oxen(self, code: str) -> Words:
        python = environment_of("oxen", "oxenai") / "python"
        return (python, "-c", f"from oxen import Repo\nrepo = Repo('.')\n{code}")

    def folders(self) -> tuple[Path, ...]:
        return (self.root / ".oxen",)

    def init(self) -> None:
        self.extra["HOME"] = str(self.root)
        self.run(
            *self._oxen(
                "repo.init()\nfrom oxen.user import config_user\nconfig_user('Ada', 'ada@example.org')"
            )
        )

    def track(self, path: str = "data") -> float:
        seconds = self.run(*self._oxen(f"repo.add({path!r})\nrepo.commit('a version')"))
        if not (self.root / "first.keep").exists():  # it goes back to branches only
            (self.root / "first.keep").touch()
            self.run(*self._oxen("repo.checkout('first', True)\nrepo.checkout('main')"))
        return seconds

    def status(self) -> float:
        return self.run(*self._oxen("repo.status()"))

    def restore_first(self) -> float:
        return self.run(*self._oxen("repo.checkout('first')"))


ALL = {tool.name: tool for tool in (Tricord, Dvc, Restic, Oxen)}


def chosen(peers: str) -> list[type[Tool]]:
    """Ours, and those of the wanted peers that can be had here; the others are told."""
    found: list[type[Tool]] = [Tricord]
    for name in filter(None, peers.split(",")):
        if name == "restic" and not shutil.which("restic"):
            print("restic is left out: apt-get install restic")
            continue
        found.append(ALL[name])
    return found


def environment_of(name: str, requirement: str) -> Path:
    """The bin folder of an environment with a peer in it, made at its first use and kept."""
    folder = PEERS / name
    if not (folder / "ready").exists():
        print(f"making an environment for {name} …")
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run(
            [uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True
        )
        python = str(folder / "bin" / "python")
        subprocess.run(
            [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, requirement],
            check=True,
        )
        (folder / "ready").touch()
    return folder / "bin"
