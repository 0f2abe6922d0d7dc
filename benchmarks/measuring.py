"""What the benchmarks share: the CPU time of a process, medians, a small table, a JSON file."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "build" / "benchmarks"


@dataclass(frozen=True)
class Times:
    """Times of the repeats of one thing, in seconds."""

    all: Sequence[float]

    @property
    def best(self) -> float:
        return min(self.all)

    @property
    def median(self) -> float:
        return statistics.median(self.all)


def environment() -> dict[str, str]:
    """A user's environment: compiled files are kept, as they are after the first start."""
    return {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def cpu_of(*words: str, folder: Path | None = None) -> float:
    """CPU seconds (user and system) of a Python process with these arguments, to its end."""
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # wait4 tells microseconds; os.times() counts ticks of a hundredth of a second
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime


def answer_of(module: str, *words: str) -> Any:
    """The JSON that a fresh process with `python -m MODULE WORDS…` prints as its last line."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def report(
    name: str,
    workload: str,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    **figures: Any,
) -> None:
    """Print the table; keep it, and the figures behind it, in build/benchmarks/NAME.json."""
    cells = [[_shown(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    print(f"\n{name}: {workload}")
    for row in cells:
        first, *rest = (cell.ljust(w) if not i else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        print("  " + "  ".join([first, *rest]))
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept: Mapping[str, Any] = {
        "workload": workload,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "rows": [dict(zip(header, row, strict=True)) for row in rows],
        **figures,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _shown(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:.3g}" if cell and abs(cell) < 1 else f"{cell:,.2f}" if abs(cell) < 100 else f"{cell:,.0f}"  # fmt: skip
