"""A page as the flights example makes it: a year of real figures, its accidents and its verdicts."""

import pytest

from tricord.core.verdict import Action, Check, Outcome, Verdict
from tricord.web.report import (
    Badge,
    Bars,
    Cards,
    Chart,
    Group,
    Heading,
    Line,
    Mark,
    Moment,
    Page,
    Table,
    Text,
    Timeline,
    VerdictBox,
)

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FROZEN = (None, 0.702, 0.751, 0.732, 0.767, 0.759, 0.742, 0.726, 0.697, 0.700, 0.703, 0.739)
SERVED = (None, 0.702, 0.768, 0.748, 0.793, 0.796, 0.789, 0.759, 0.760, 0.740, 0.728, 0.749)
LATE = (0.227, 0.229, 0.228, 0.279, 0.220, 0.308, 0.315, 0.238, 0.132, 0.168, 0.174, 0.326)
DECISIONS = (
    ("trained", "neutral", "delay 1"),
    ("kept", "neutral", "delay 1"),
    ("released", "good", "delay 2"),
    ("data stopped", "bad", "delay 2"),
    ("released", "good", "delay 3"),
    ("released", "good", "delay 4"),
    ("refused", "bad", "delay 4"),
    ("rolled back", "warn", "delay 4"),
    ("released", "good", "delay 6"),
    ("kept", "neutral", "delay 6"),
    ("released", "good", "delay 7"),
    ("kept", "neutral", "delay 7"),
)


def refused() -> Verdict:
    """A candidate trained on shuffled labels meets the champion."""

    def auc(segment: str | None, observed: float, half: float, outcome: Outcome) -> Check:
        name = segment or "all flights"
        return Check(
            "AUC gained on the champion",
            outcome,
            f"{name}: AUC {observed:+.3f} against the champion",
            code="model-worse" if outcome == Outcome.FAIL else "",
            path="auc",
            segment=segment,
            observed=observed,
            limit=-0.005,
            interval=(observed - half, observed + half),
            level=0.95,
            evidence={"rows": 28243, "champion": 0.789, "candidate": round(0.789 + observed, 3)}
            if segment is None
            else {},
        )

    return Verdict(
        "models/delay candidate of July",
        "Is it at least as good as the champion on the held-out month?",
        (
            Check("rows held out", Outcome.PASS, "28,243 rows with a known outcome", observed=28243, limit=2000),
            Check("signature", Outcome.PASS, "same 22 columns in and 1 out"),
            Check("calibration", Outcome.PASS, "expected calibration error 0.021", observed=0.021, limit=0.05),
            Check("positives", Outcome.PASS, "31.5 % of outcomes are late", observed=0.315, limit=[0.05, 0.6]),
            auc("carrier=HA", -0.11, 0.19, Outcome.UNDECIDED),
            auc(None, -0.287, 0.009, Outcome.FAIL),
            auc("origin=EWR", -0.291, 0.015, Outcome.FAIL),
            auc("origin=JFK", -0.279, 0.016, Outcome.FAIL),
            auc("origin=LGA", -0.268, 0.017, Outcome.FAIL),
        ),
    )  # fmt: skip


def stopped() -> Verdict:
    """April's file comes with times as minutes and a renamed column."""
    return Verdict(
        "datasets/flights of April",
        "Does it match the committed schema?",
        (
            Check(
                "column present", Outcome.FAIL, "column 'carrier' is missing; 'airline_code' is new and looks like it",
                code="column-missing", path="carrier", evidence={"values of airline_code": ["UA", "B6", "EV", "DL"]},
            ),
            Check(
                "range", Outcome.FAIL, "sched_dep_time is between 5 and 1,439: minutes, not HHMM",
                code="out-of-range", path="sched_dep_time", observed=1439, limit=[1, 2359],
                evidence={"rows": [{"sched_dep_time": 1439, "hour": 23, "minute": 59}, {"sched_dep_time": 315, "hour": 5, "minute": 15}]},
            ),
            Check("rows", Outcome.PASS, "28,330 rows", observed=28330, limit=1000),
            Check("drift", Outcome.WARN, "month has moved, as it must", path="month", observed=1.0, limit=0.2, action=Action.WARN),
        ),
    )  # fmt: skip


@pytest.fixture
def page() -> Page:
    return year()


def year() -> Page:
    rows = [
        [
            month,
            auc,
            round(0.02 + 0.011 * ((place * 7) % 5), 3),
            Badge(DECISIONS[place][0], DECISIONS[place][1]),
            DECISIONS[place][2],
        ]
        for place, (month, auc) in enumerate(zip(MONTHS, SERVED, strict=True))
    ]

    def band(side: float) -> list[float | None]:
        return [
            None if y is None else round(y + side * (0.008 + 0.0004 * k), 4)
            for k, y in enumerate(SERVED)
        ]

    return Page(
        "A year of flights, replayed",
        "336,776 departures from New York in 2013, month by month: trained, checked, released, served, watched and retrained.",
        (
            Cards(
                (
                    ("AUC served, Feb–Dec", 0.758, "0.729 with January's model kept"),
                    ("Flights answered", 26400, "over HTTP, each one logged"),
                    ("Releases", 6, "of 9 candidates"),
                    ("Accidents caught", "3 of 3", "schema, gate, canary"),
                    ("Slowest answer", "4.1 ms", "99th percentile"),
                )
            ),
            Heading("The year at a glance", "Two thirds of the gain comes from more data; a single year cannot tell season from drift."),
            Chart(
                "AUC on each month's flights", MONTHS,
                (Line("served", SERVED, band(-1), band(1)), Line("January's model, kept", FROZEN, dashed=True)),
                (
                    Mark("Mar", "retrained", "good"), Mark("Apr", "data stopped", "bad"), Mark("May", "retrained", "good"),
                    Mark("Jun", "retrained", "good"), Mark("Jul", "refused", "bad"), Mark("Aug", "rolled back", "warn"),
                    Mark("Sep", "retrained", "good"), Mark("Nov", "retrained", "good"),
                ),
                "area under the ROC curve", "The band is a 95 % interval (DeLong).",
            ),
            Chart(
                "Share of flights more than 15 minutes late", MONTHS,
                (Line("predicted", [None, *(round(y * 0.96 + 0.012, 4) for y in LATE[1:])]), Line("observed", LATE)),
                unit="percent",
            ),
            Table(("month", "AUC served", "drift", "decision", "release"), rows, "Month by month"),
            Heading("What was stopped"),
            VerdictBox(refused(), "July's candidate is refused"),
            VerdictBox(stopped(), "April's file is stopped"),
            Heading("What happened"),
            Timeline(
                (
                    Moment("2013-04-01", "flights of April stopped at the schema", "bad", "The column carrier is missing and times are minutes. Delivered again on the 2nd, accepted."),
                    Moment("2013-05-01", "delay 3 released", "good", "Drift of dep_hour and weather asked for retraining."),
                    Moment("2013-07-01", "candidate refused by its gate", "bad", "Its labels were shuffled."),
                    Moment("2013-08-04", "delay 5 rolled back by the canary after 312 requests", "warn", "Stale features in serving: rolling delays were three days old."),
                    Moment("2013-12-31", "The year ends on delay 7"),
                )
            ),
            Bars("AUC by carrier, December", ("UA", "B6", "EV", "DL", "AA", "HA"), (0.742, 0.731, 0.728, 0.761, 0.722, 0.64),
                 intervals=((0.73, 0.754), (0.717, 0.745), (0.714, 0.742), (0.745, 0.777), (0.7, 0.744), (0.41, 0.87))),
            Bars("What moved the AUC between delay 6 and delay 7", ("data", "code", "parameters", "environment"), (0.014, -0.003, 0.001, 0.0),
                 "Shapley shares", tones=("good", "bad", "neutral", "neutral")),
            Group("December in detail", (Text("Snow on the 8th and the 14th.\n\nThe model did not see it coming."),
                  Chart("AUC by day", [f"12-{d:02}" for d in range(1, 32)], (Line("served", [0.75 + 0.04 * ((d * 37) % 11 - 5) / 5 for d in range(31)]),))), note="31 days"),
        ),
    )  # fmt: skip
