"""The pages of a course run: each executed notebook as HTML, and one page that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from recnb.course.notebook import needed
from recnb.course.render import as_html
from recnb.files import write_text


def write_html(executed: Path) -> Path:
    """Render an executed notebook beside itself as ``notebook.html`` and return that path."""
    exporter = needed("nbconvert").HTMLExporter(embed_images=True)
    body, _ = exporter.from_filename(str(executed))
    page = executed.with_name("notebook.html")
    write_text(page, body)
    return page


def as_page(summary: Mapping[str, Any]) -> str:
    """Return the page of a course run.

    Parameters
    ----------
    summary : mapping
        The content of ``course.json``.
    """
    pages = Environment(
        loader=PackageLoader("recnb.course.running", "."),
        autoescape=True,
        undefined=StrictUndefined,
    )
    seconds = [entry["seconds"] for entry in summary["notebooks"]]
    return pages.get_template("page.html.j2").render(
        **summary, as_html=as_html, seconds=sum(seconds), longest=max(seconds, default=0.0)
    )
