"""A page of sections: an answer on top, then tables and figures, then how it was made; the report's style."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recnb.files import write_text
from recnb.report.figures import Figure
from recnb.report.tables import Table

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and what they are about."""

    id: str
    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)
    """Severity (note, warning, error) and sentence."""


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes
    ----------
    title : str
    under : str
        A line under the title.
    answer : str
        The answer in a line.
    sentences : list of str
        What stands beneath it.
    notes : list of str
        Of the data and the run.
    sections : list of Section
    facts : list of (str, str)
        How it was made.
    command : str
    """

    title: str
    under: str
    answer: str
    sentences: list[str]
    notes: list[str]
    sections: list[Section]
    facts: list[tuple[str, str]]
    command: str


def write_page(page: Page, path: str | Path) -> Path:
    """Write a page as one self-contained HTML file, whole or not at all."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    css = (_HERE.parent / "report.css").read_text(encoding="utf-8")
    write_text(path, made.get_template("page.html.j2").render(page=page, css=css))
    return Path(path)
