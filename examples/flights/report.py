"""The replay as a page: what was served month by month, what happened, and on what evidence."""

from pathlib import Path
from typing import Any

from month import Record
from tricord.core.verdict import Verdict
from tricord.web.report import (
    Badge,
    Card,
    Cards,
    Chart,
    Group,
    Heading,
    Line,
    Mark,
    Moment,
    Page,
    Section,
    Table,
    Text,
    Timeline,
    Tone,
    VerdictBox,
)

ABOUT = (
    "336,776 flights left New York in 2013. At the scheduled departure of each a model says how likely "
    "it is to arrive more than 15 minutes late, from what is known by then: schedule, weather observed "
    "before, and delays of flights that have landed already. Each month came in as files, was validated, "
    "was served by the release that was live, and was judged when its outcomes were known. Verdicts, "
    "not a calendar, decided when to train again and what went live.\n\n"
    "Cancelled flights have no outcome and count for nothing. One year cannot tell the season from drift, "
    "and a good part of what retraining gains is simply more data."
)


def write_report(path: Path, records: list[Record]) -> Path:
    """Write the page; the same records give the same bytes."""
    served = [record for record in records if "auc" in record.figures]
    sections: list[Section] = [Cards(_cards(records, served)), Text(ABOUT)]
    if served:
        sections += [Heading("Quality"), _quality(served), _rates(served)]
    sections += [Heading("Month by month"), _table(records)]
    accidents = [
        (record, entry) for record in records for entry in record.story if entry["accident"]
    ]
    if accidents:
        note = "Stopped by verdicts, without a hand on it; each with its evidence."
        sections.append(Heading("Accidents", note))
        for record, entry in accidents:
            sections.append(_box(record, entry))
    sections += [Heading("Everything that happened"), Timeline(_moments(records))]
    others = [
        _box(record, entry)
        for record in records
        for entry in record.story
        if entry["verdict"] and not entry["accident"]
    ]
    sections.append(Group("All other verdicts, with their evidence", others))
    title = "A year of flights, released by its own verdicts"
    return Page(title, "New York 2013, replayed month by month", sections).write(path)


def _cards(records: list[Record], served: list[Record]) -> list[Card]:
    decisions = [record.figures["decision"] for record in records]
    cards = [
        Card("flights delivered", sum(record.figures["flights"] for record in records)),
        Card("requests answered", sum(record.figures["requests"] for record in served)),
    ]
    if served:
        mean = sum(record.figures["auc"] for record in served) / len(served)
        frozen = sum(record.figures["auc_never_retrained"] for record in served) / len(served)
        cards.append(Card("mean AUC served", round(mean, 3), f"never retrained: {frozen:.3f}"))
    live = sum(
        decision.count("promoted") + decision.count("first release") for decision in decisions
    )
    cards.append(Card("releases that went live", live))
    stopped = sum(entry["accident"] for record in records for entry in record.story)
    cards.append(
        Card("accidents stopped", stopped, "a broken delivery, a bad model, a bad release")
    )
    return cards


def _quality(served: list[Record]) -> Chart:
    figures = [record.figures for record in served]
    return Chart(
        "How well late flights were told from the others (AUC)",
        [record.month for record in served],
        (
            Line(
                "served",
                [f["auc"] for f in figures],
                low=[f["auc_interval"][0] for f in figures],
                high=[f["auc_interval"][1] for f in figures],
            ),
            Line(
                "January's model, never retrained",
                [f["auc_never_retrained"] for f in figures],
                dashed=True,
            ),
        ),
        marks=_marks(served),
        y_label="AUC",
        note="On the month's own requests, once their outcomes were known; the band is the 95 % interval.",
    )


def _rates(served: list[Record]) -> Chart:
    return Chart(
        "Flights that arrived late",
        [record.month for record in served],
        (
            Line("observed", [record.figures["rate"] for record in served]),
            Line(
                "predicted by the live release",
                [record.figures["predicted"] for record in served],
                dashed=True,
            ),
        ),
        y_label="share",
        unit="percent",
    )


def _marks(served: list[Record]) -> list[Mark]:
    words: dict[str, tuple[str, Tone]] = {
        "promoted": ("new release", "good"),
        "rolled back": ("rolled back", "bad"),
        "candidate refused": ("refused", "bad"),
        "delivery stopped": ("delivery stopped", "bad"),
    }
    return [
        Mark(record.month, label, tone)
        for record in served
        for word, (label, tone) in words.items()
        if word in record.figures["decision"].split(", ")
    ]


def _table(records: list[Record]) -> Table:
    rows: list[list[Any]] = []
    for record in records:
        figures = record.figures
        decision = figures["decision"]
        tone: Tone = (
            "bad" if any(w in decision for w in ("refused", "rolled", "stopped")) else "good"
        )
        rows.append(
            [
                record.month,
                figures["flights"],
                figures.get("requests"),
                figures.get("auc"),
                figures.get("auc_never_retrained"),
                figures.get("drifted"),
                Badge(decision, "neutral" if decision == "kept" else tone),
                figures.get("release", "")[:8],
            ]
        )
    columns = (
        "month",
        "flights",
        "requests",
        "AUC served",
        "never retrained",
        "features drifted",
        "decision",
        "release",
    )
    return Table(columns, rows)


def _moments(records: list[Record]) -> list[Moment]:
    return [
        Moment(record.month, entry["text"], entry["tone"], "")
        for record in records
        for entry in record.story
    ]


def _box(record: Record, entry: dict[str, Any]) -> VerdictBox:
    return VerdictBox(Verdict.from_json(entry["verdict"]), f"{record.month}: {entry['text']}")
