"""Put the sections together and write the file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from recnb.evaluation import Evaluation
from recnb.files import write_text
from recnb.plots import plot_costs, plot_differences, plot_values
from recnb.plots.canvas import rows_height
from recnb.plots.words import people
from recnb.report import beware, groups, methods, tables
from recnb.report.answer import Answer, answer
from recnb.report.examples import examples, newest_first
from recnb.report.figures import Figure, figure
from recnb.report.numbers import count
from recnb.report.reading import READING
from recnb.report.rows import cost_table, headline_rows, popular, readers, unknown

_HERE = Path(__file__).parent


def write_report(
    ev: Evaluation, path: str | Path, reasons: Mapping[str, Mapping[str, str]] | None = None
) -> Path:
    """Write an evaluation as one self-contained HTML file.

    No script, no font and no picture is loaded from elsewhere; the same evaluation gives the same bytes.

    Parameters
    ----------
    ev : Evaluation
    path : str or Path
        Written whole or not at all.
    reasons : mapping of model to mapping, optional
        By user id why the first item of the list stands there, for the examples.

    Returns
    -------
    Path
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = made.get_template("report.html.j2").render(**content(ev, reasons or {}))
    write_text(path, page)
    return Path(path)


def content(
    ev: Evaluation, reasons: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """Everything that the template shows, by name."""
    found = answer(ev)
    parts = groups.by_groups(ev, found)
    command, about = methods.repeat(ev)
    ds = ev.settings.get("dataset", {})
    return {
        "css": (_HERE / "report.css").read_text(encoding="utf-8"),
        "answer": found,
        "dataset": {name: ds.get(name, "not recorded") for name in ("name", "digest")},
        "counted": {n: count(ds.get(n, 0), n[:-1]) for n in ("users", "items", "interactions")},
        "n": people(headline_rows(ev)["n_users"]),
        "notes": list(dict.fromkeys([*ds.get("notes", []), *(ev.settings.get("notes") or [])])),
        "tuned": methods.tuned(ev),
        "language_models": methods.language_models(ev),
        "readers": readers(ev),
        "headline": tables.headline_table(ev),
        "tables": tables.all_tables(ev) if len(ev.keys) > 1 else [],
        "values_figure": _values_figure(ev),
        "differences": _differences(ev, found),
        "pair": tables.pair_table(ev, found),
        "group_tables": groups.group_tables(ev, found, parts),
        "group_figures": groups.group_figures(ev, found, parts),
        "unshown": len(ev.models) - len(groups.shown(ev, found)),
        "costs": tables.costs_table(ev),
        "costs_figure": _costs_figure(ev),
        "findings": ev.findings,
        "alarm": beware.alarm(ev),
        "checks": beware.checks(),
        "limits": beware.limits(ev, found),
        "examples": examples(ev, reasons or {}),
        "newest_first": newest_first(ev),
        "reading": READING,
        "models": ev.models,
        "settings": methods.settings_table(ev),
        "facts": methods.facts(ev),
        "command": command,
        "about_command": about,
        "definitions": methods.definitions(ev),
        "interval": _interval(ev),
        "draws": ev.settings.get("protocol", {}).get("draws", 2000),
    }


def _interval(ev: Evaluation) -> str:
    if ev.settings.get("protocol", {}).get("interval") == "bca":
        return "bias-corrected and accelerated bootstrap of values, percentile bootstrap of differences,"
    return "percentile bootstrap"


def _values_figure(ev: Evaluation) -> Figure:
    rows = headline_rows(ev)
    said = (
        f"{tables.measure(ev.headline)} of every model, the best on top, with 95 % intervals over users. "
        "A filled marker reads text with a language model. Overlapping intervals do not settle a comparison: "
        "the paired differences below do."
    )
    return figure("values", lambda ax: plot_values(rows, ax), said, rows_height(len(rows)))


def _differences(ev: Evaluation, found: Answer) -> list[tuple[str, tables.Table, Figure]]:
    """A table and a forest against the reference, and against popularity where that is another model."""
    if found.reference is None:
        return []
    rest = [m for m in ev.models if m not in readers(ev) + unknown(ev)]
    strongest = ev.best(among=rest) if found.asked else ev.best()
    out: list[tuple[str, tables.Table, Figure]] = []
    for to in dict.fromkeys(filter(None, (strongest, popular(ev)))):
        rows = ev.compare(to)
        said = (
            f"Each model less {to}, paired by user. A thick line and a star: p after Holm under 0.05. "
            "An interval across the line at zero shows no difference."
        )
        drawn = figure(
            f"differences-{len(out)}",
            partial(plot_differences, rows),
            said,
            rows_height(len(rows) + 1),
        )
        out.append((to, tables.difference_table(ev, to), drawn))
    return out


def _costs_figure(ev: Evaluation) -> Figure | None:
    rows = headline_rows(ev).merge(cost_table(ev)[["model", "seconds"]], on="model")
    rows = rows[rows["seconds"] > 0]
    if rows.empty:
        return None
    said = (
        "Quality against the time of fitting and scoring, which is on a log axis; the legend is ordered by quality. "
        "The grey steps join the models that no faster one beats."
    )
    return figure(
        "costs-figure", lambda ax: plot_costs(rows, ax), said, max(4.0, 0.24 * len(rows) + 1)
    )
