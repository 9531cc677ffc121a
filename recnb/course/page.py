"""The pages of a course run: each executed notebook as HTML, and one page that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from recnb.course.notebook import needed
from recnb.course.render import as_html
from recnb.files import write_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .25rem .75rem; text-align: left; border-bottom: 1px solid #ccc;
  vertical-align: top; }
.failed { color: #a11; font-weight: 600; }
details { margin: .5rem 0; overflow-x: auto; }
"""


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
    rows = "".join(_row(entry) for entry in summary["notebooks"])
    found = "".join(_records(entry) for entry in summary["notebooks"] if entry["records"])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>recnb: a run of the course</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body><h1>A run of the course</h1>
<p>Profile {escape(summary["profile"])}, recnb {escape(summary["version"])}.</p>
<table><thead><tr><th>Notebook</th><th>Status</th><th>Seconds</th><th>Set</th><th>Files</th></tr>
</thead><tbody>{rows}</tbody></table>
<h2>What the notebooks recorded</h2>
{found or "<p>Nothing was recorded.</p>"}
</body></html>
"""


def _row(entry: Mapping[str, Any]) -> str:
    title, status = escape(entry["title"]), escape(entry["status"])
    if entry["html"]:
        title = f'<a href="{escape(entry["html"])}">{title}</a>'
    problem = f"<br>{escape(entry['problem'])}" if entry["problem"] else ""
    values = "<br>".join(escape(f"{k} = {v!r}") for k, v in entry["parameters"].items())
    link = f'<a href="{escape(entry["executed"])}">executed notebook</a>'
    return (
        f'<tr><td>{title}</td><td class="{status}">{status}{problem}</td>'
        f"<td>{entry['seconds']:.1f}</td><td>{values or 'the defaults'}</td><td>{link}</td></tr>"
    )


def _records(entry: Mapping[str, Any]) -> str:
    tables = "".join(as_html(found["rows"], found["extras"]) for found in entry["records"])
    return f"<details open><summary>{escape(entry['title'])}</summary>{tables}</details>"
