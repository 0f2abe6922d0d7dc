"""What the pages show is what happens: Python blocks run, commands in guides answer as shown.

A block is fenced. Its language says what is done with it, in the order of the page, in a folder of its own:

- ```LANGUAGE file=NAME``` is written to that file;
- ```python``` is executed; the blocks of a page share one namespace;
- ```console```, in guides: each line that begins with `$ ` is typed into one shell, and what follows must match
  its output. `…` stands for any text in a line, and on a line of its own for any lines; runs of spaces are one.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGES = sorted({ROOT / "README.md", *(ROOT / "docs").rglob("*.md")} - set(GUIDES))
FENCE = re.compile(r"^```(\w+)?(?: file=(\S+))?$")
DONE = "-- done, exit code "


@dataclass
class Block:
    """`line` is the number of its first line of content, from 1."""

    language: str
    file: str | None
    line: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    open_: Block | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if open_ is not None and line == "```":
            yield open_
            open_ = None
        elif open_ is not None:
            open_.lines.append(line)
        elif fence:
            open_ = Block(fence[1] or "", fence[2], number + 1, [])
    assert open_ is None, f"{page}: a block is not closed"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.language == "python" for b in blocks(p))], ids=name_of
)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            source = (
                "\n" * (block.line - 1) + block.text
            )  # so that a traceback names the page's line
            exec(compile(source, str(page), "exec", dont_inherit=True), namespace)


def free_port() -> int:
    """A port that nobody has, of those that the system gives to nobody who does not ask for it by number."""
    first = 20_000 + os.getpid() * 10 % 10_000
    for port in range(first, first + 1000):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class Shell:
    """One bash for a whole guide, with Ada's Git and a free port."""

    def __init__(self, folder: Path, own: Path) -> None:
        (own / "gitconfig").write_text(
            "[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = main\n"
        )
        port = free_port()
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "120",
            "OMP_NUM_THREADS": "1",  # threads that spin cost more here than they bring
            "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",  # the same commit, so the same releases
            "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",  # and the same keys at each arm
            "GIT_CONFIG_GLOBAL": str(own / "gitconfig"),
            "TRICORD_SERVING__PORT": str(port),
        }
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def type(self, command: str) -> tuple[list[str], int]:
        """What a command prints, both streams, and its exit code."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        # eval, so that a command that is not closed cannot swallow the mark; $? stays for the next
        stdin.write(f"eval {shlex.quote(command)} </dev/null\n")
        stdin.write(f'__code=$?; echo; echo "{DONE}$__code"; (exit $__code)\n')
        stdin.flush()
        printed: list[str] = []
        for line in stdout:
            if line.startswith(DONE):
                return printed, int(line.removeprefix(DONE))
            printed.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended in {command!r}: {printed}")

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("kill $(jobs -p) 2>/dev/null; exit\n")
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=120)


def typed(block: Block) -> Iterator[tuple[int, str, list[str]]]:
    """Each command of a console block: its line's number, itself, and the output shown."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.lines, block.line):
        if line.startswith("$ "):
            found.append((number, line[2:], []))
        elif found:
            found[-1][2].append(line)
    return iter(found)


def tidy(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines if line.strip()]


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether output is as shown: `…` is any text, on a line of its own any lines.

    >>> matches(["run …", "…", "end"], ["run   17", "one", "two", "end"]), matches(["a"], ["a", "b"])
    (True, False)
    """
    pattern = "".join(
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in tidy(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in tidy(printed))) is not None


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_guides_answer_as_shown(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / page.stem
    folder.mkdir()
    shell = Shell(folder, tmp_path)
    try:
        for block in blocks(page):
            if block.file:
                (folder / block.file).write_text(block.text, encoding="utf-8")
            elif block.language == "console":
                for line, command, shown in typed(block):
                    printed, code = shell.type(command)
                    assert matches(shown, printed), (
                        f"{name_of(page)}:{line}: {command} (exit code {code}) printed\n"
                        + "\n".join(printed)
                    )
    finally:
        shell.close()
