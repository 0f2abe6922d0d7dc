"""What these benchmarks share: commands and their cost, workloads, bytes on the disk, options."""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import environment

TRICORD = (sys.executable, "-m", "tricord")
Words = Sequence[str | Path]


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall and of CPU, and the most memory in MB, of a process to its end."""

    wall: float
    cpu: float
    memory: float


def cost_of(words: Words, folder: Path, more: Mapping[str, str] | None = None) -> Cost:
    """Run a command; what it says is kept for the message where it fails."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in words], cwd=folder, env={**environment(), **(more or {})},
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            shown = said.read()[-2000:].decode(errors="replace")
            raise SystemExit(
                f"{' '.join(map(str, words))} ended with {process.returncode}:\n{shown}"
            )
    return Cost(wall, used.ru_utime + used.ru_stime, _megabytes(used))


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1 << 10 if sys.platform != "darwin" else 1 << 20)


def stored(*folders: Path) -> int:
    """Bytes that files below the folders take, each once."""
    seen: dict[tuple[int, int], int] = {}
    for folder in folders:
        for top, _, names in os.walk(folder):
            for name in names:
                status = os.lstat(Path(top) / name)
                seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def many_files(folder: Path, count: int, size: int, *, seed: int = 0) -> None:
    """Files of random bytes, a hundred in a folder."""
    rng = random.Random(seed)
    for number in range(count):
        place = folder / f"{number // 100:05}"
        if number % 100 == 0:
            place.mkdir(parents=True)
        (place / f"{number:07}.bin").write_bytes(rng.randbytes(size))


def change_some(folder: Path, share: float, *, seed: int = 1) -> None:
    """Other bytes in that share of the files."""
    rng = random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in rng.sample(files, max(1, int(len(files) * share))):
        path.write_bytes(rng.randbytes(path.stat().st_size))


def one_file(path: Path, size: int, *, seed: int = 0) -> None:
    """A file that nothing compresses."""
    rng = random.Random(seed)
    with path.open("wb") as file:
        for start in range(0, size, 16 << 20):
            file.write(rng.randbytes(min(16 << 20, size - start)))


def insert(path: Path, size: int, *, seed: int = 2) -> None:
    """Put random bytes into the middle of a file."""
    middle = path.stat().st_size // 2
    target = path.with_suffix(".new")
    with path.open("rb") as source, target.open("wb") as file:
        for start in range(0, middle, 16 << 20):
            file.write(source.read(min(16 << 20, middle - start)))
        file.write(random.Random(seed).randbytes(size))
        shutil.copyfileobj(source, file, 16 << 20)
    target.replace(path)


def copy_durably(source: Path, target: Path) -> Cost:
    """The floor of anything that keeps a second copy: cp, and a sync of that file system."""
    return cost_of(
        ("sh", "-c", 'cp -r "$1" "$2" && sync -f "$2"', "sh", source, target), source.parent
    )


@contextmanager
def fresh(folder: Path | None) -> Generator[Path]:
    """An empty folder, on the file system that is asked for, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-store-", dir=folder) as made:
        yield Path(made)


def medians(
    repeats: int, once: Callable[[Path], dict[str, float]], folder: Path | None
) -> dict[str, float]:
    """Each figure's median over repeats, each in a folder of its own."""
    all_of: dict[str, list[float]] = {}
    for _ in range(repeats):
        with fresh(folder) as place:
            for name, value in once(place).items():
                all_of.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in all_of.items()}


def options(description: str, **defaults: int) -> argparse.Namespace:
    """--folder, --repeats, --peers, and a number for each default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--folder", type=Path, help="on which file system (a journaled ext4 is meant)"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--peers", default="dvc,restic,oxen", help="which of them, with commas; none: ''"
    )
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def table(found: Mapping[str, Mapping[str, float]], steps: Sequence[str]) -> list[list[object]]:
    """One row a tool: each step's figure, and how many times ours it is."""
    ours = found["tricord"]
    rows: list[list[object]] = []
    for tool, figures in found.items():
        row: list[object] = [tool]
        for step in steps:
            value = figures.get(step)
            ratio = (
                f" ({value / ours[step]:.1f}×)"
                if value and ours.get(step) and tool != "tricord"
                else ""
            )
            row.append(
                "–"
                if value is None
                else f"{value:,.0f}"
                if value >= 1000
                else f"{value:.3g}{ratio}"
            )
        rows.append(row)
    return rows
