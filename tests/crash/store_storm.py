"""Rounds of random work on one project, each process of which is killed at a random moment.

    python tests/crash/store_storm.py [ROUNDS] [SEED]

A round starts one to three commands at once (add, checkout, gc, repair, push, or puts whose digests are told),
waits for a random number of the bytes that they read from the disk's files or write there, then kills them. Between the
rounds: the store opens, nothing in it is damaged, whatever was acknowledged is readable, and the next round's commands work.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tricord.core.artifact import Digest
from tricord.project import verification
from tricord.project.project import Project
from tricord.store.checking import problems

PUTS = """
import os, sys
from pathlib import Path
from tricord.store.local import LocalStore

store = LocalStore(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 100_000):
    os.write(1, store.put_bytes(b"put %d" % number).encode() + b"\\n")
"""


class Storm:
    """The project, its folder remote, and what has been acknowledged so far."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.root = folder / "project"
        self.data = self.root / "data"
        self.acknowledged: set[Digest] = set()
        self.kills = 0
        (self.data / "deep").mkdir(parents=True)
        for number in range(40):
            (self.data / "deep" / f"{number}").write_bytes(self.random.randbytes(600))
        (self.data / "large").write_bytes(self.random.randbytes(1_300_000))
        self.say("init", ".")
        settings = self.root / "tricord.toml"
        with settings.open("a") as file:
            file.write(f'\n[remote.there]\nurl = "{folder / "remote"}"\n')
        (folder / "remote").mkdir()
        self.say("add", "data")

    def say(self, *words: str) -> None:
        """A command that is not killed works."""
        done = subprocess.run(
            self.command(*words), cwd=self.root, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{words}: {done.stderr or done.stdout}"

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tricord", *words]

    def edit(self) -> None:
        """Change, add and remove a few files, and a little in the middle of the large one."""
        for _ in range(self.random.randrange(6)):
            name = self.data / "deep" / f"{self.random.randrange(60)}"
            name.write_bytes(self.random.randbytes(self.random.randrange(2000)))
        large = bytearray((self.data / "large").read_bytes())
        place = self.random.randrange(len(large))
        large[place:place] = self.random.randbytes(50)
        (self.data / "large").write_bytes(large)

    def round(self) -> None:
        self.edit()
        commands = [
            self.command("add", "data"),
            self.command("checkout", "--force"),
            self.command("gc", "--delete"),
            self.command("verify", "--repair"),
            self.command("push", "--remote", "there"),
            [sys.executable, "-c", PUTS, str(self.root / ".tricord" / "store"), str(self.kills * 10**6)],
        ]  # fmt: skip
        chosen = self.random.sample(commands, self.random.randint(1, 3))
        running = [
            subprocess.Popen(
                words, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            for words in chosen
        ]
        time.sleep(self.random.uniform(0.05, 0.8))  # when it dies is random; nothing waits for it
        for process in running:
            process.send_signal(signal.SIGKILL)
            self.kills += 1
        for words, process in zip(chosen, running, strict=True):
            told = process.communicate(timeout=300)[0]
            if PUTS in words:
                lines = told.decode().splitlines()
                self.acknowledged.update(Digest(line) for line in lines if len(line) == 64)

    def check(self) -> None:
        project = Project.open(self.root)
        try:
            found = [(each.what, each.where) for each in problems(project.store)]
            assert found == [], found
            assert not project.store.missing(self.acknowledged)
            verified = verification.verify(project)
            assert verified.findings == (), verified.findings
            assert verified.elsewhere == 0
        finally:
            project.close()


def storm(rounds: int, seed: int) -> int:
    """How many processes were killed. AssertionError where something did not hold."""
    shared = Path("/dev/shm")  # a container often has little of it
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 1 << 30
    with tempfile.TemporaryDirectory(dir=shared if roomy else None) as folder:
        made = Storm(Path(folder), seed)
        for number in range(rounds):
            made.round()
            made.check()
            if number % 5 == 4:
                made.say("add", "data")
                made.say("push", "--remote", "there")
        made.say("add", "data")
        made.say("push", "--remote", "there")
        shutil.rmtree(made.data)
        made.say("checkout", "--force")
        made.check()
        return made.kills


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(f"{storm(rounds, seed)} processes killed; everything held")


if __name__ == "__main__":
    main()
