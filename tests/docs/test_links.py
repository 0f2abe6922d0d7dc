"""Links lead somewhere, every room has its page, and no file names this or that machine."""

import re
import subprocess
from pathlib import Path

import pytest

import tricord

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROOMS = sorted(path.parent.name for path in Path(tricord.__file__).parent.glob("*/__init__.py"))
NOWHERE = ("pypi" + ".org", "files.python" + "hosted", "/work" + "/main", "/ro" + "ot/")


def anchors(page: Path) -> set[str]:
    """The ids that a page's headings get."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_page_that_the_index_links(room: str) -> None:
    assert (ROOT / "docs" / "rooms" / f"{room}.md").is_file()
    assert f"(rooms/{room}.md)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_the_index_links_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    missing = [str(page) for page in pages if page.name != "README.md" and f"({page})" not in index]
    assert not missing


def test_no_file_names_a_registry_or_a_place_on_one_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        for word in NOWHERE:
            assert word.encode() not in content, f"{name} mentions {word}"
