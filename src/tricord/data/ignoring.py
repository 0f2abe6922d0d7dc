"""What is left out: `.tricordignore` says what is no data, `.gitignore` keeps data out of Git."""

import re
from dataclasses import dataclass
from pathlib import Path

from tricord.core.errors import DataError
from tricord.core.files import replace_bytes
from tricord.store.workspace import Ignore

FILE = ".tricordignore"
GIT_FILE = ".gitignore"


@dataclass(frozen=True, slots=True)
class _Rule:
    expression: re.Pattern[str]
    keeps: bool
    folders_only: bool


def rules(root: Path, place: Path) -> Ignore | None:
    """What the `.tricordignore` files of the folders from the project's root down to the one that holds
    the data at `place` leave out of it; None where there is nothing to leave out.

    Patterns are Git's: `*.tmp` in any folder, `/raw/*.tmp` from that file's folder on, `cache/` a folder,
    `**` any folders, `!keep.tmp` an exception. The last one that fits decides.
    """
    if not place.is_relative_to(root):
        return None
    found: list[tuple[str, _Rule]] = []
    folder = root
    for part in place.relative_to(root).parts:
        file = folder / FILE
        if file.is_file():
            base = place.relative_to(folder).as_posix() + "/"
            found += [(base, rule) for rule in _read(file)]
        folder = folder / part
    if not found:
        return None

    def ignored(path: str, is_folder: bool) -> bool:
        for base, rule in reversed(found):
            if (is_folder or not rule.folders_only) and rule.expression.fullmatch(base + path):
                return not rule.keeps
        return False

    return ignored


def hide(root: Path, path: str) -> bool:
    """Let Git ignore the data at `path` (relative to the project's root): a line of the `.gitignore`
    beside it. False where the line is there already."""
    file, line = _git_line(root, path)
    data = _bytes(file)
    if any(each.rstrip(b"\r") == line for each in data.split(b"\n")):
        return False
    end = b"\r\n" if b"\r\n" in data else b"\n"
    between = end if data and not data.endswith(b"\n") else b""
    replace_bytes(file, data + between + line + end)
    return True


def unhide(root: Path, path: str) -> bool:
    """Take that line away, and the file with it where nothing else is in it. False where there is none."""
    file, line = _git_line(root, path)
    lines = _bytes(file).split(b"\n")
    rest = [each for each in lines if each.rstrip(b"\r") != line]
    if len(rest) == len(lines):
        return False
    if b"".join(rest).strip():
        replace_bytes(file, b"\n".join(rest))
    else:
        file.unlink()
    return True


def _git_line(root: Path, path: str) -> tuple[Path, bytes]:
    """
    >>> _git_line(Path("/p"), "data/[1] flights ")[1]
    b'/\\\\[1\\\\] flights\\\\ '
    """
    place = root / path
    name = re.sub(r"([\\*?\[\]])", r"\\\1", place.name).replace("\n", "?").replace("\r", "?")
    stripped = name.rstrip(" ")
    line = "/" + stripped + "\\ " * (len(name) - len(stripped))
    return place.parent / GIT_FILE, line.encode("utf-8", "surrogateescape")


def _bytes(file: Path) -> bytes:
    """What is in a file that others write too, in whatever encoding; nothing where there is none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from error


def _read(file: Path) -> list[_Rule]:
    made: list[_Rule] = []
    for line in _bytes(file).split(b"\n"):
        pattern = line.decode("utf-8", "surrogateescape").rstrip()
        if not pattern or pattern.startswith("#"):
            continue
        keeps = pattern.startswith("!")
        pattern = pattern.removeprefix("!")
        folders_only = pattern.endswith("/")
        pattern = pattern.rstrip("/")
        anywhere = "/" not in pattern
        expression = ("(?:.*/)?" if anywhere else "") + _expression(pattern.lstrip("/"))
        made.append(_Rule(re.compile(expression, re.DOTALL), keeps, folders_only))
    return made


def _expression(pattern: str) -> str:
    """
    >>> re.fullmatch(_expression("raw/**/a?[0-9].csv"), "raw/x/y/ab7.csv") is not None
    True
    """
    made, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            made, at = made + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            made, at = made + ".*", at + 2
        elif pattern[at] == "*":
            made, at = made + "[^/]*", at + 1
        elif pattern[at] == "?":
            made, at = made + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 2)) > 0:
            inner = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            inner = "^" + inner[1:] if inner[0] in "!^" else inner
            made, at = f"{made}[{inner}]", end + 1
        else:
            at += pattern[at] == "\\" and at + 1 < len(pattern)
            made, at = made + re.escape(pattern[at]), at + 1
    return made
