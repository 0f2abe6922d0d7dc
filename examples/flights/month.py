"""One month of the replay: data comes in, flights are predicted, the month is judged, a model may be made.

A month's files are there before its flights are asked. Serving looks features up as of each
request's own instant, so a request sees what a stream would have brought by then, and no more.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import polars as pl

from deliveries import YEAR, break_delivery, deliver, deliver_planes
from flight_features import FLIGHTS, outcomes, requests
from pipelines import ingest
from traffic import Server
from tricord.checks.metrics import auc
from tricord.core.artifact import Artifact, Digest, Kind, short
from tricord.core.errors import TricordError
from tricord.core.event import Event
from tricord.core.release import Release
from tricord.core.verdict import Outcome, Verdict
from tricord.data.numbers import rounded
from tricord.data.versions import add
from tricord.models.package import Model
from tricord.monitor.health import HealthLimits, judge
from tricord.monitor.window import collect, window
from tricord.pipelines.execute import Result, StepReport, StepState, Watcher, run_pipeline
from tricord.project.project import Project
from tricord.rollout import canary
from tricord.triggers.rules import Rule, due, fire

ENDPOINT = "delay"
BROKEN = 4
"""The month whose delivery comes with broken columns."""
SHUFFLED = 6
"""The month in which somebody trains a candidate on shuffled labels."""
STALE = 7
"""The month in which a release is made whose features are pinned to that day's state."""

RETRAIN = Rule("retrain delay", pipeline="delay", subject=ENDPOINT)
GOOD, WARN, BAD, NEUTRAL = "good", "warn", "bad", "neutral"
MINIMUM = 100
"""Requests that each arm must have answered before a canary can pass."""
STAGES = ((0.2, 1 / 3), (0.5, 2 / 3))
"""The canary's share of the traffic, and up to which part of the month's requests it has it."""


@dataclass(frozen=True)
class Settings:
    """How much of the year is played: requests a month, share of the flights."""

    requests: int = 3000
    fraction: float = 1.0

    @property
    def held_out_days(self) -> int:
        """10 days of all flights; of a share of them more days, up to 20, so that a gate can still decide."""
        return min(20, math.ceil(10 / self.fraction))


@dataclass(frozen=True)
class Standing:
    """Where the project's refs stood when a month ended. The next month starts from there."""

    refs: Mapping[str, str] = field(default_factory=dict[str, str])
    candidate: str | None = None
    first_model: str | None = None


@dataclass
class Record:
    """What a month came to: the figures of its row, its story, and where it ended."""

    kind: ClassVar[Kind] = Kind.REPORT

    month: str
    figures: dict[str, Any] = field(default_factory=dict[str, Any])
    story: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    standing: Standing = field(default_factory=Standing)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Record":
        return cls(data["month"], data["figures"], data["story"], Standing(**data["standing"]))


@dataclass(frozen=True)
class Screen:
    """Where a month shows itself: `tell` prints a line of the story, `busy` what is under way."""

    tell: Callable[[str, dict[str, Any]], None]
    busy: Callable[[str], None]


class Month:
    """One act. Played from the same standing with the same settings, it comes to the same end."""

    def __init__(
        self,
        project: Project,
        settings: Settings,
        number: int,
        before: Standing,
        server: Server,
        screen: Screen,
    ) -> None:
        self.project = project
        self.settings = settings
        self.number = number
        self.before = before
        self.server = server
        self.screen = screen
        self.record = Record(f"{YEAR}-{number:02}", standing=before)
        self.figures = self.record.figures
        self.candidate = before.candidate
        self.first_model = before.first_model
        self.decision: list[str] = []
        self.folder = project.folder / "replay"  # its own: a user's deliveries lie in data/

    def play(self) -> Record:
        """Data, traffic, judgement, learning: in this order."""
        started = self.project.ledger.last_event()
        self._restore()
        flights = self._data_arrives()
        if self.project.ledger.ref(f"endpoints/{ENDPOINT}@live"):
            self._flights_are_predicted(flights)
            self._the_month_is_judged(flights)
        self._a_model_may_be_made(started)
        self.figures["decision"] = ", ".join(self.decision) or "kept"
        if live := canary.state(self.project, ENDPOINT):
            self.figures["release"] = live.live.release
        refs = dict(self.project.ledger.refs())
        self.record.standing = Standing(refs, self.candidate, self.first_model)
        return self.record

    # -- the acts --------------------------------------------------------------------------

    def _restore(self) -> None:
        """Put every ref where the month before left it: an act that was killed half-way starts over."""
        project, wanted = self.project, self.before.refs
        for ref in {*project.ledger.refs(), *wanted}:
            at = wanted.get(ref)
            project.move(
                ref, Digest(at) if at else None, why=f"{self.record.month} starts over", signed=True
            )
        for folder in ("flights", "weather"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        for earlier in range(1, self.number):
            deliver(earlier, self.folder, fraction=self.settings.fraction)
        if not (self.folder / "planes.csv").exists():
            deliver_planes(self.folder)

    def _data_arrives(self) -> pl.DataFrame:
        """The delivery becomes dataset versions; the pipeline `ingest` validates and materializes."""
        data = self.folder
        if self.number == BROKEN:
            deliver(self.number, data, fraction=self.settings.fraction)
            break_delivery(self.number, data, fraction=self.settings.fraction)
            result = self._ingest()
            verdict = self._verdict_of(result, "check_schema")
            self.decision.append("delivery stopped" if result.refused else "broken delivery let by")
            text = "is stopped at the schema" if result.refused else "with broken columns is let by"
            self._tell(BAD, f"the delivery {text}", verdict, accident=bool(result.refused))
        deliver(self.number, data, fraction=self.settings.fraction)
        result = self._ingest()
        if result.refused:
            raise TricordError(f"{self.record.month} is refused: {result.refused.error}")
        flights = self.project.load(result.step("admit").outputs["result"], pl.DataFrame)
        mine = flights.filter(pl.col("month") == self.number)
        self.figures["flights"] = mine.height
        corrected = "the corrected delivery: " if self.number == BROKEN else ""
        self._tell(GOOD, f"{corrected}{mine.height:,} flights admitted")
        return mine

    def _ingest(self) -> Result:
        data = self.folder
        for name in ("flights", "weather"):
            add(self.project, data / name, why=f"delivery of {self.record.month}")
        add(self.project, data / "planes.csv", why="register of aircraft")
        return run_pipeline(self.project, ingest, watch=self._watch("data"))

    def _flights_are_predicted(self, flights: pl.DataFrame) -> None:
        """The month's flights as requests, in the order of their departure; a candidate's canary."""
        rows = requests(flights).select("flight_id", *FLIGHTS.needs)
        rows = rows.sample(min(self.settings.requests, rows.height), seed=self.number, shuffle=True)
        rows = rows.sort("scheduled_at", "flight_id")
        self.figures["requests"] = rows.height
        self.sent = 0
        if self.candidate:
            self._canary(rows, self.project.resolve(self.candidate, kind=Kind.RELEASE))
            self.candidate = None
        self._send(rows, rows.height)
        self._tell(NEUTRAL, f"{rows.height:,} requests answered")

    def _canary(self, rows: pl.DataFrame, release: Artifact) -> None:
        """Two stages, each judged on its own traffic; what is undecided may show in the next."""
        name = f"release {short(release.digest)}"
        canary.start(self.project, ENDPOINT, release, weight=STAGES[0][0])
        for number, (weight, upto) in enumerate(STAGES, 1):
            self._send(rows, round(rows.height * upto))
            kept, verdict = canary.judge(self.project, ENDPOINT, minimum_rows=MINIMUM)
            last = number == len(STAGES)
            if verdict.outcome == Outcome.FAIL or (last and not verdict.passed):
                bad = verdict.having(Outcome.FAIL, Outcome.UNDECIDED)
                why = f"{len(bad)} checks of its canary did not pass, first: {bad[0].message}"
                canary.abort(self.project, ENDPOINT, kept, why=why)
                self.decision.append("rolled back")
                text = f"{name} is rolled back by its canary at {weight:.0%} of the traffic"
                self._tell(BAD, text, verdict, accident=True)
            elif last:
                canary.promote(self.project, ENDPOINT, kept, why="the canary passed")
                self.decision.append("promoted")
                self._tell(GOOD, f"{name} passed its canary and has all traffic", verdict)
            else:
                canary.advance(
                    self.project,
                    ENDPOINT,
                    release,
                    weight=STAGES[number][0],
                    verdict=kept if verdict.passed else None,
                )
                continue
            return

    def _send(self, rows: pl.DataFrame, upto: int) -> None:
        part = rows.slice(self.sent, upto - self.sent)

        def done() -> None:
            self.sent += 1
            if self.sent % 50 == 0:
                self.screen.busy(f"{self.record.month}  {self.sent:,} of {rows.height:,} requests")

        self.server.ask(part, "flight_id", done)
        self.sent = upto

    def _the_month_is_judged(self, flights: pl.DataFrame) -> None:
        """The log becomes a dataset, the outcomes are joined to it, drift and quality are judged."""
        self.screen.busy(f"{self.record.month}  judging")
        keys = requests(flights)["flight_id"].to_list()
        seen = window(self.project, ENDPOINT, keys=keys)
        collect(self.project, ENDPOINT, seen)
        known = outcomes(flights).rename({"flight_id": "key"})
        live = canary.state(self.project, ENDPOINT)
        assert live is not None
        mine = seen.filter(pl.col("release") == live.live.release)
        _, verdict = judge(self.project, ENDPOINT, mine, known, label="late", limits=HealthLimits())
        evidence: Mapping[str, Any] = verdict.evidence
        self.figures["rate"] = evidence.get("observed_rate")
        self.figures["predicted"] = evidence.get("predicted_rate")
        self.figures["drifted"] = len(evidence.get("drifted", []))
        self.figures["features"] = sum(name.startswith("feature.") for name in mine.columns)
        self.figures["prediction"] = seen["prediction_id"][-1]
        self._quality(seen, known)
        tone = BAD if verdict.outcome == Outcome.FAIL else GOOD
        failed = "; ".join(check.message for check in verdict.having(Outcome.FAIL))
        self._tell(tone, f"monitoring: {failed or 'as good as at its gate'}", verdict)

    def _quality(self, seen: pl.DataFrame, known: pl.DataFrame) -> None:
        """AUC of what was served, and of what January's model would have said to the same rows."""
        labelled = seen.join(known, on="key").drop_nulls("late").filter(pl.col("error").is_null())
        truth = labelled["late"].cast(pl.Float64).to_numpy()
        served = auc(truth, labelled["score"].to_numpy())
        self.figures["auc"] = rounded(float(served.values[0]))
        self.figures["auc_interval"] = [rounded(end) for end in served.interval()]
        self.figures["labelled"] = labelled.height
        names = {
            c: c.removeprefix("feature.") for c in labelled.columns if c.startswith("feature.")
        }
        features = labelled.select(list(names)).rename(names)
        if self.first_model:
            model = self.project.load(self.first_model, Model)
            frozen = float(auc(truth, model.predict(features)).values[0])
            self.figures["auc_never_retrained"] = rounded(frozen)

    def _a_model_may_be_made(self, since: int) -> None:
        if self.number == SHUFFLED:
            result = self._train("a colleague tries something", {"shuffle_labels": True})
            self.decision.append("candidate refused" if result.refused else "bad candidate let by")
            text = "refused" if result.refused else "let by"
            self._tell(
                BAD,
                f"a candidate trained on shuffled labels is {text} by its gate",
                self._verdict_of(result, "evaluate"),
                accident=bool(result.refused),
            )
        event = due(self.project, RETRAIN, after=since)
        if self.number == STALE:
            pinned = {"pinned": self._features_now()}
            self._learn("by hand, and by mistake with the features pinned to today's", pinned)
        elif self.first_model is None:
            self._learn("the first model")
        elif event is not None:
            self._learn("because monitoring asks for it", event=event)

    def _learn(
        self, why: str, params: dict[str, Any] | None = None, event: Event | None = None
    ) -> None:
        result = self._train(why, params or {}, event)
        verdict = self._verdict_of(result, "evaluate")
        gate: Mapping[str, Any] = verdict.evidence
        shown = f"AUC {gate.get('auc', 0):.3f}"
        if gate.get("champion_auc") is not None:
            shown += f", champion {gate['champion_auc']:.3f}"
        if result.refused:
            self.decision.append("retrained, refused")
            self._tell(WARN, f"trained {why}: refused by its gate ({shown})", verdict)
            return
        released = self.project.resolve("releases/delay@latest")
        name = f"release {short(released.digest)}"
        if self.first_model is None:
            canary.start(self.project, ENDPOINT, released, why="the first release")
            self.first_model = self.project.load(released, Release).model
            self.decision.append("first release")
            self._tell(GOOD, f"{name}: the first model is live ({shown})", verdict)
            return
        self.candidate = released.digest
        self.decision.append("retrained")
        self._tell(
            GOOD, f"trained {why}: {name} passed its gate ({shown}), its canary is next", verdict
        )

    def _train(self, why: str, params: dict[str, Any], event: Event | None = None) -> Result:
        return fire(
            self.project,
            RETRAIN,
            event,
            params={"held_out_days": self.settings.held_out_days, **params},
            reason="" if event else why,
            watch=self._watch("training"),
        )

    def _features_now(self) -> dict[str, str]:
        """View → where its online timeline stands today, which a careless release pins itself to."""
        online = self.project.ledger.refs("features/")
        return {ref[len("features/") : -len("@online")]: at for ref, at in online.items()}

    # -- telling ---------------------------------------------------------------------------

    def _tell(
        self, tone: str, text: str, verdict: Verdict | None = None, *, accident: bool = False
    ) -> None:
        entry: dict[str, Any] = {"tone": tone, "text": text, "accident": accident}
        entry["verdict"] = verdict.to_json() if verdict else None
        self.record.story.append(entry)
        self.screen.tell(self.record.month, entry)

    def _verdict_of(self, result: Result, step: str) -> Verdict:
        """The verdict of a pipeline's step; where several bear its name, the first that is not a pass."""
        found = [
            self.project.load(report.outputs["result"], Verdict)
            for report in result.steps
            if report.label.startswith(step) and report.outputs
        ]
        return next((verdict for verdict in found if not verdict.passed), found[0])

    def _watch(self, what: str) -> Watcher:
        def watch(report: StepReport) -> None:
            if report.state == StepState.RUNNING:
                self.screen.busy(f"{self.record.month}  {what}: {report.label}")

        return watch
