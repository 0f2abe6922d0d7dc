import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest

from tricord.core.errors import TricordError
from tricord.core.verdict import Check, Outcome, Verdict
from tricord.web.report import (
    Badge,
    Bars,
    Cards,
    Chart,
    Group,
    Heading,
    Line,
    Mark,
    Page,
    Table,
    Text,
    Timeline,
    VerdictBox,
)

VOID = {"meta", "br", "img", "input", "link", "hr", "path", "rect", "circle", "line"}
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"


class Tree(HTMLParser):
    """Every element with its attributes and the text within it; elements must nest and close."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.elements = [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def classed(self, name):
        return [e for e in self.elements if name in (e.get("class") or "").split()]


def read(*sections, title="T", subtitle=""):
    return Tree(Page(title, subtitle, sections).html())


def embedded(tree):
    return [json.loads(e["text"]) for e in tree.all("script") if e.get("type")]


def test_sample_page_is_well_formed_and_says_what_it_shows(page):
    tree = Tree(page.html())
    assert [h["text"] for h in tree.all("h1")] == ["A year of flights, replayed"]
    assert [a["href"] for a in tree.all("a")] == [
        "#" + e["id"] for e in tree.elements if e.get("class") == "heading"
    ]
    ids = [e["id"] for e in tree.elements if "id" in e]
    assert len(ids) == len(set(ids))
    assert all(th.get("scope") in ("col", "row") for th in tree.all("th"))
    assert len(tree.all("summary")) == len(tree.all("details"))
    plots = [e for e in tree.elements if e.get("role") == "img"]
    assert len(plots) == 3
    assert "served: between 0.702 and 0.796, last 0.749." in plots[0]["aria-label"]
    assert "Jul: refused." in plots[0]["aria-label"]


def test_sample_page_is_small(page):
    assert len(page.html().encode()) < 150_000


def test_nothing_is_loaded_from_anywhere(page):
    html = page.html()
    tree = Tree(html)
    for element in tree.elements:
        assert not {"src", "srcset", "action", "data", "poster"} & element.keys()
        assert element.get("href", "#").startswith("#")
    assert not tree.all("link")
    style = "".join(e["text"] for e in tree.all("style"))
    assert "url(" not in style
    assert "@import" not in style
    script = "".join(e["text"] for e in tree.all("script"))
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon", script)


def test_policy_allows_the_script_of_the_page_and_no_other(page):
    tree = Tree(page.html())
    policy = next(m["content"] for m in tree.all("meta") if "http-equiv" in m)
    [script] = [e["text"] for e in tree.all("script") if not e.get("type")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "Permission is hereby granted" in script  # uPlot's licence goes with every copy


def test_page_without_charts_carries_no_script():
    tree = read(Text("words"))
    assert not tree.all("script")
    assert "script-src 'none'" in tree.all("meta")[1]["content"]


def test_names_out_of_the_data_are_text_wherever_they_stand():
    check = Check(EVIL, Outcome.FAIL, EVIL, code=EVIL, path=EVIL, segment=EVIL, observed=EVIL,
                  limit={EVIL: EVIL}, evidence={EVIL: EVIL, "rows": [{EVIL: EVIL}], "deep": {EVIL: [[EVIL]]}})  # fmt: skip
    sections = (
        Heading(EVIL, EVIL), Heading(EVIL), Heading(EVIL), Text(EVIL),
        Table((EVIL, "b"), ((EVIL, Badge(EVIL)),), EVIL), Cards(((EVIL, EVIL, EVIL),)),
        Chart(EVIL, (EVIL, "b"), (Line(EVIL, (1, 2)),), (Mark(EVIL, EVIL),), EVIL, EVIL, EVIL),
        Chart(EVIL, list(range(500)), (Line(EVIL, list(range(500))),), x_label=EVIL),
        Bars(EVIL, (EVIL,), (1.0,), EVIL), Timeline(((EVIL, EVIL, "bad", EVIL),), EVIL),
        Group(EVIL, (VerdictBox(Verdict(EVIL, EVIL, (check,), {EVIL: EVIL}), EVIL),), note=EVIL),
    )  # fmt: skip
    tree = read(*sections, title=EVIL, subtitle=EVIL)
    assert not tree.all("img")
    assert [e.get("type") for e in tree.all("script")] == ["application/json"] * 2 + [None]
    assert not any(name.startswith("on") for e in tree.elements for name in e)
    assert [h["text"] for h in tree.all("h1")] == [EVIL]
    labelled, numbered = embedded(tree)
    assert labelled["labels"] == [EVIL, "b"]
    assert labelled["marks"][0]["label"] == EVIL
    assert numbered["lines"][0]["name"] == EVIL


def test_a_tone_cannot_leave_its_attribute():
    tree = read(Table(("a",), ((Badge("x", 'bad" onclick="alert(1)'),),)))
    assert not any("onclick" in element for element in tree.elements)


def test_equal_content_gives_equal_bytes_in_every_process(page):
    program = "import conftest, hashlib; print(hashlib.sha256(conftest.year().html().encode()).hexdigest())"
    seen = {hashlib.sha256(page.html().encode()).hexdigest()}
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"}
        folder = os.path.dirname(__file__)  # noqa: PTH120
        out = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=True)  # fmt: skip
        seen.add(out.stdout.strip())
    assert len(seen) == 1


def test_a_verdict_looks_the_same_after_it_was_stored():
    check = Check("n", Outcome.FAIL, "m", observed=1.5, limit=1, interval=(1.2, 1.8), evidence={"b": 1, "a": {"d": 1, "c": 2}})  # fmt: skip
    verdict = Verdict("s", "q", (check,), {"z": 1, "y": 2})
    stored = Verdict.from_json(json.loads(json.dumps(verdict.to_json(), sort_keys=True)))
    assert Page("T", "", (VerdictBox(verdict),)).html() == Page("T", "", (VerdictBox(stored),)).html()  # fmt: skip


def test_failed_checks_come_first_and_passed_ones_are_folded_away():
    outcomes = [Outcome.PASS] * 4 + [Outcome.WARN, Outcome.FAIL, Outcome.UNDECIDED]
    checks = tuple(Check(f"c{k}", outcome, f"message {k}") for k, outcome in enumerate(outcomes))
    tree = read(VerdictBox(Verdict("s", "q", checks)))
    said = [e["text"].split() for e in tree.classed("message")]
    assert [words[0] for words in said] == ["fail", "undecided", "warn", *["pass"] * 4]
    assert [e["text"].count("message") for e in tree.classed("folded")] == [4]
    assert "1 fail · 1 undecided · 1 warn · 4 pass" in tree.classed("verdict")[0]["text"]


def test_a_verdict_of_passes_only_is_shown_whole():
    checks = tuple(Check(f"c{k}", Outcome.PASS, "good") for k in range(9))
    tree = read(VerdictBox(Verdict("s", "q", checks)))
    assert len(tree.classed("check")) == 9
    assert not tree.classed("folded")


def test_range_bar_puts_interval_and_limit_on_one_scale():
    check = Check("auc", Outcome.FAIL, "m", observed=-0.1, limit=0.0, interval=(-0.2, 0.0))
    tree = read(VerdictBox(Verdict("s", "q", (check,))))
    [dot] = tree.all("circle")
    [interval] = [e for e in tree.all("rect") if e["class"] == "interval"]
    [limit] = [e for e in tree.all("line") if e["class"] == "limit"]
    low, width = (float(interval[name].rstrip("%")) for name in ("x", "width"))
    assert float(dot["cx"].rstrip("%")) == pytest.approx(low + width / 2, abs=0.02)
    assert float(limit["x1"].rstrip("%")) == pytest.approx(low + width, abs=0.02)


def test_a_check_without_numbers_has_no_range_bar():
    tree = read(VerdictBox(Verdict("s", "q", (Check("n", Outcome.FAIL, "m", observed="a", limit="b"),))))  # fmt: skip
    assert not tree.classed("range")
    assert [e["text"] for e in tree.all("dd")] == ["a", "b"]


def test_long_evidence_is_cut_and_says_so():
    evidence = {"long": "x" * 9000, "rows": [{"a": k} for k in range(50)]}
    tree = read(VerdictBox(Verdict("s", "q", (), evidence)))
    text = tree.classed("evidence")[0]["text"]
    assert "5,000 more characters not shown" in text
    assert "30 more rows not shown" in text


def test_gaps_are_gaps_in_picture_data_and_text():
    nan = float("nan")
    tree = read(Chart("c", ("a", "b", "c", "d"), (Line("l", (1, None, nan, float("inf"))),)))
    assert embedded(tree)[0]["lines"][0]["y"] == [1.0, None, None, None]
    assert [e["text"] for e in tree.all("td")] == ["1", "", "", ""]


def test_table_shows_aligned_decimals_and_keeps_the_exact_value():
    rows = (("a", 0.70212345, 1000), ("b", None, 2), ("c", 0.5, None))
    tree = read(Table(("name", "auc", "n"), rows))
    assert [e["text"] for e in tree.all("td")] == ["0.7021", "1,000", "–", "2", "0.5000", "–"]
    assert [e["value"] for e in tree.all("data")] == ["0.70212345", "1000", "0.5"]
    assert [e["class"].split()[0] for e in tree.all("th")][:3] == ["left", "right", "right"]


def test_thousands_of_points_stay_quick_and_can_be_copied():
    n = 20_000
    wave = [(k * 37 % 101) / 101 for k in range(n)]
    chart = Chart("c", [1.35e9 + 60 * k for k in range(n)], (Line("l", wave),), time=True)
    start = time.process_time()  # what others take of the machine meanwhile is not its fault
    tree = read(chart)
    assert time.process_time() - start < 5
    lines = tree.all("pre")[0]["text"].strip().split("\n")
    assert len(lines) == n + 1
    assert lines[0] == "time (UTC),l"
    assert lines[1] == "2012-10-12 00:00:00,0"
    paths = [e["d"] for e in tree.all("path") if e.get("class") == "line"]
    assert paths[0].count("L") < 400  # the still picture is thinned


def test_x_may_come_in_any_order():
    data = embedded(read(Chart("c", (3, 1, 2), (Line("l", (30, 10, 20)),))))[0]
    assert data["x"] == [1, 2, 3]
    assert data["lines"][0]["y"] == [10, 20, 30]


@pytest.mark.parametrize(
    "section",
    [
        Text(""), Table((), ()), Table(("a",), ()), Cards(()), Timeline(()), Group("g", ()),
        Bars("b", (), ()), Bars("b", ("a",), (None,)), Bars("b", ("a",), (0,)), Chart("c", (), ()),
        Chart("c", ("a",), ()), Chart("c", ("a",), (Line("l", (None,)),)), Chart("c", (), (Line("l", ()),)),
        Chart("c", ("a",), (Line("l", (5,)),)), Chart("c", (1, 1), (Line("l", (0, 0)),)),
        Chart("c", (1, 2), (Line("l", (1e308, -1e308)),)), Chart("c", (1, 2), (Line("l", (5e-324, 0)),)),
        Chart("c", (1e18, -1e18), (Line("l", (1, 2)),), time=True), VerdictBox(Verdict("s", "q", ())),
        Text("a lone surrogate \ud800, a NUL \x00, 長い, 🛬, \u2028"), Chart("\ud800", ("🛬",), (Line("\ud800", (1,)),)),
    ],
)  # fmt: skip
def test_odd_content_still_makes_a_page(section):
    Page("T", "", (section,)).html().encode()
    read(section)


def test_a_page_of_nothing_says_so():
    assert "no sections" in read().all("main")[0]["text"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Table(("a", "b"), ((1,),)),
        lambda: Table(("a",), ((1,),), align=("left", "left")),
        lambda: Chart("c", (1, 2), (Line("l", (1,)),)),
        lambda: Chart("c", (1, float("nan")), (Line("l", (1, 2)),)),
        lambda: Chart("c", ("a", 2), (Line("l", (1, 2)),)),
        lambda: Chart("c", ("a",), (), (Mark("z", "m"),)),
        lambda: Chart("c", (1,), (), (Mark(float("inf"), "m"),)),
        lambda: Line("l", (1,), low=(0,)),
        lambda: Line("l", (1,), low=(0,), high=(1, 2)),
        lambda: Bars("b", ("a",), (1, 2)),
        lambda: Bars("b", ("a",), (1,), tones=("good", "bad")),
    ],
)
def test_what_does_not_fit_together_is_refused(make):
    with pytest.raises(TricordError):
        make()


def test_write_replaces_the_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "new" / ("r" * 250 + ".html")
    for title in ("first", "second"):
        assert Page(title).write(target) == target
    assert "<h1>second</h1>" in target.read_text()
    assert list(target.parent.iterdir()) == [target]


def test_write_that_fails_leaves_nothing_and_says_where(tmp_path):
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(TricordError) as failure:
        Page("T").write(target)
    assert failure.value.where == str(target)
    assert list(tmp_path.iterdir()) == [target]


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_have_the_contrast_that_wcag_asks_for(scheme):
    """WCAG 2.2, 1.4.3 (text 4.5) and 1.4.11 (lines 3)."""
    style = read().all("style")[0]["text"]
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", block))
    for ground in ("paper", "panel", "faint"):
        for text in ("ink", "soft", "link"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for tone in ("good", "warn", "bad", "neutral"):
        assert contrast(colours[tone], colours[f"{tone}-wash"]) >= 4.5, tone
        assert contrast(colours[tone], colours["panel"]) >= 4.5, tone
    for line in range(6):
        assert contrast(colours[f"c{line}"], colours["panel"]) >= 3, line
