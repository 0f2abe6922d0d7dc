"""Reports: one HTML file that a person opens, mails or archives, and that needs no network to be read.

    >>> from tricord.web.report import Cards, Page, Text
    >>> page = Page("Flights", "2013", (Cards((("flights", 336776, ""),)), Text("All of them.")))
    >>> "336,776" in page.html()
    True

The file works without scripts (charts are then still pictures) and carries every figure it draws as
text. Nothing of when or where it was made is in it: equal content gives equal bytes.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tricord.core.errors import TricordError
from tricord.web.rendering import render
from tricord.web.sections import (
    Badge,
    Bars,
    Card,
    Cards,
    Cell,
    Chart,
    Group,
    Heading,
    Line,
    Mark,
    Moment,
    Section,
    Table,
    Text,
    Timeline,
    Tone,
    VerdictBox,
)

__all__ = [
    "Badge",
    "Bars",
    "Card",
    "Cards",
    "Cell",
    "Chart",
    "Group",
    "Heading",
    "Line",
    "Mark",
    "Moment",
    "Page",
    "Section",
    "Table",
    "Text",
    "Timeline",
    "Tone",
    "VerdictBox",
]


@dataclass(frozen=True, slots=True)
class Page:
    """A report: a title, a line under it, and sections."""

    title: str
    subtitle: str = ""
    sections: Sequence[Section] = ()

    def html(self) -> str:
        """The whole file. MissingDependency without the extra `web`."""
        return render(self.title, self.subtitle, self.sections)

    def write(self, path: Path) -> Path:
        """Put the file at `path`, whole or not at all; what was there is replaced in one move.

        Folders are made as needed. TricordError where the file system does not let it.
        """
        html = self.html().encode()
        # a short name of its own: the target's may be as long as the file system allows
        temporary = path.parent / f".report-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("xb") as file:
                    file.write(html)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise TricordError(
                f"the report cannot be written: {error.strerror}", where=str(path)
            ) from error
        return path
