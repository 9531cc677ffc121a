"""The page of `recnb across`: where a language model helps, over data sets, situations and activity, and its cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from recnb.plots.canvas import rows_height
from recnb.plots.effect import plot_forest
from recnb.plots.words import metric_name, p_value, seconds
from recnb.report.effect.page import Page, Section, write_page
from recnb.report.figures import Figure, figure
from recnb.report.numbers import amount, count, data, fixed, percent
from recnb.report.tables import Table

WORDS = {"warm": "known users and items", "items": "new items", "users": "new users"}
CHOSEN = "chosen on validation"
LEVEL = 0.05


def write_across(result: dict[str, Any], path: str | Path, command: str = "") -> Path:
    """Write a study over several data sets as one self-contained HTML file.

    Parameters
    ----------
    result : dict
        Of :func:`recnb.study.across.run_across`.
    path : str or Path
    command : str
    """
    return write_page(page(result, command), path)


def page(result: dict[str, Any], command: str) -> Page:
    """What the page shows."""
    plan, sets = result["plan"], result["sets"]
    n_sets = len({s["data"] for s in sets})
    situations = [WORDS[s] for s in plan["situations"]]
    metric = metric_name(sets[0]["metric"], sets[0]["k"])
    return Page(
        title="Does a language model help these recommenders?",
        under=f"{count(n_sets, 'data set')}; {', '.join(situations)}; relative change in {metric}.",
        answer=answer(result),
        sentences=sentences(result),
        notes=[],
        sections=[_pooled(result), _table(result), _activity(result), _costs(result), _sets(result)],
        facts=_facts(result),
        command=command or "recnb across",
    )  # fmt: skip


def answer(result: Mapping[str, Any]) -> str:
    """The study in a line: the models chosen on validation, pooled over data sets, by situation."""
    said = [_one(row) for row in result["pooled"] if row["model"] == CHOSEN]
    return "; ".join(said)[:1].upper() + "; ".join(said)[1:] + "."


def _one(row: Mapping[str, Any]) -> str:
    where = WORDS[row["situation"]]
    if row["change"] is None:
        return f"{where}: not pooled, {row['why']}"
    verdict = "no difference shown"
    if row["p_holm"] < LEVEL:
        verdict = "it helps" if row["change"] > 0 else "it harms"
    return f"{where}: {verdict}, {percent(row['change'])} ({_ends(row)}) over {count(row['n_sets'], 'set')}"


def sentences(result: Mapping[str, Any]) -> list[str]:
    """What stands beneath the answer: on which sets it is clear, one by one."""
    out = []
    for situation in result["plan"]["situations"]:
        rows = [r for r in result["rows"] if r["situation"] == situation and r["chosen"]]
        clear = [r for r in rows if r["p_holm"] is not None and r["p_holm"] < LEVEL]
        up = [r["data"] for r in clear if r["change"] > 0]
        down = [r["data"] for r in clear if r["change"] < 0]
        told = [f"clearly better on {', '.join(up)}"] if up else []
        told += [f"clearly worse on {', '.join(down)}"] if down else []
        rest = len(rows) - len(clear)
        told += [f"not told apart on {count(rest, 'set')}"] if rest else []
        out.append(f"{WORDS[situation].capitalize()}, set by set: {'; '.join(told) or 'nothing'}.")
    return out


_CHANGE = ("Change", "95 % interval")
_HOW = (
    "On every data set and in every situation each model with a language model is compared with the best model without "
    "one, which is chosen on the validation part; the test rows choose nothing. A change is the ratio of the two means "
    "over the same users, less one."
)
_POOLING = (
    "Means over data sets by a random-effects model: sets may truly differ, and each weighs by its own error and by "
    "how far sets lie apart. The interval is for the mean over such sets; one more set would lie in the prediction. "
    "I² is the share of the spread that chance within sets does not explain."
)


def _pooled(result: Mapping[str, Any]) -> Section:
    cells: list[list[Any]] = []
    for r in result["pooled"]:
        head = [f"{WORDS[r['situation']]}, {r['model']}", str(r["n_sets"])]
        if r["change"] is None:
            cells.append([*head, r["why"], *[""] * 5])
            continue
        cells.append(
            [
                *head,
                data(r["change"], percent(r["change"])),
                _ends(r),
                _ends(r, "predict_low", "predict_high"),
                f"{100 * r['i2']:.0f} %",
                p_value(r["p"]),
                p_value(r["p_holm"]),
            ]
        )
    heads: list[Any] = ["Situation, model", "Sets", *_CHANGE, "One more set", "I²", "p", "p (Holm)"]
    caption = "Mean change over data sets. Holm over the rows of this table."
    figures = [one for s in result["plan"]["situations"] for one in _forest(result, s)]
    return Section(
        "pooled", "Where does it help?", [_HOW, _POOLING], [Table(caption, heads, cells)], figures
    )


def _forest(result: Mapping[str, Any], situation: str) -> list[Figure]:
    rows = [r for r in result["rows"] if r["situation"] == situation and r["chosen"]]
    if not any(r["change"] is not None for r in rows):
        return []
    frame = pd.DataFrame(
        [
            {
                "name": r["data"],
                "change": r["change"],
                "low": r["low"],
                "high": r["high"],
                "strong": r["p_holm"] is not None and r["p_holm"] < LEVEL,
            }
            for r in rows
        ]
    )
    mean = next(r for r in result["pooled"] if r["situation"] == situation and r["model"] == CHOSEN)
    return [
        figure(
            f"forest-{situation}",
            partial(plot_forest, frame, mean),
            f"{WORDS[situation].capitalize()}: change by the model with a language model against the one without, both "
            "chosen on validation, with 95 % intervals. Filled: clear after Holm. Diamond: mean over sets and its "
            "interval; thin line: where one more set would lie.",
            rows_height(len(frame) + 1),
        )
    ]


def _table(result: Mapping[str, Any]) -> Section:
    tables = []
    n = sum(r["p"] is not None for r in result["rows"])
    for situation in result["plan"]["situations"]:
        rows = [r for r in result["rows"] if r["situation"] == situation]
        cells = [_row(r) for r in rows]
        heads: list[Any] = [
            "Data, model",
            "Less",
            "Value",
            "Of that",
            *_CHANGE,
            "Users",
            "p",
            "p (Holm)",
        ]
        caption = f"{WORDS[situation].capitalize()}. *: chosen on validation. Holm over all {n} rows of this section."
        tables.append(Table(caption, heads, cells))
    return Section("table", "Model, domain, situation", tables=tables)


def _row(r: Mapping[str, Any]) -> list[Any]:
    head = [f"{r['data']}, {r['model']}{' *' if r['chosen'] else ''}", r["to"]]
    if r["change"] is None:
        return [*head, "", "", r["why"], "", f"{r['n_users']:,}", "", ""]
    return [
        *head,
        data(r["value"], fixed(r["value"], 4)),
        fixed(r["base"], 4),
        data(r["change"], percent(r["change"])),
        _ends(r),
        f"{r['n_users']:,}",
        p_value(r["p"]),
        p_value(r["p_holm"]),
    ]


def _activity(result: Mapping[str, Any]) -> Section:
    cells: list[list[Any]] = []
    for r in result["pooled_groups"]:
        head = [f"{WORDS[r['situation']]}, {r['group']}", str(r["n_sets"])]
        if r["change"] is None:
            cells.append([*head, r["why"], "", ""])
        else:
            shown = data(r["change"], percent(r["change"]))
            cells.append([*head, shown, _ends(r), p_value(r["p"])])
    heads: list[Any] = ["Situation, users by activity", "Sets", *_CHANGE, "p"]
    told = (
        "Thirds of the judged users of each set by the number of rows that are known of them. `low less high` compares "
        "the change of the least active with that of the most active. Nothing is corrected: read it as a description."
    )
    caption = "The models chosen on validation, by activity, pooled over data sets."
    return Section("activity", "For whom?", [told], [Table(caption, heads, cells)])


def _costs(result: Mapping[str, Any]) -> Section:
    cells: list[list[Any]] = [
        [
            r["model"],
            "yes" if r["language"] else "no",
            amount(r["parameters"]),
            seconds(r["fit_seconds"]),
            seconds(r["most_fit_seconds"]),
            seconds(r["score_seconds"]),
        ]
        for r in result["costs"]
    ]
    times = ("Fitting, middle cell", "Fitting, at most", "Scoring, middle cell")
    heads: list[Any] = ["Model", "Language model", "Parameters of its own", *times]
    told = "A text is read once and its vector kept: the first cell of a data set pays for reading, the others do not."
    caption = "Seconds of a cell, means over seeds."
    return Section("cost", "At what cost?", [told], [Table(caption, heads, cells)])


def _sets(result: Mapping[str, Any]) -> Section:
    cells: list[list[Any]] = []
    for s in result["sets"]:
        links = [_link(result, s, draw) for draw in s["draws"]]
        cells.append(
            [
                f"{s['data']}, {WORDS[s['situation']]}",
                f"{s['users']:,}",
                f"{s['items']:,}",
                f"{s['rows']:,}",
                fixed(s["rows_an_item"], 1),
                "no text" if s["words"] is None else f"{s['words']:.0f}",
                f"{s['judged']:,}",
                s["split"],
                Markup(", ").join(links),
            ]
        )
    sizes = ("Users", "Items", "Rows", "Rows an item", "Words a text", "Judged users")
    heads: list[Any] = ["Data, situation", *sizes, "Split", "Report"]
    caption = "Rows an item: known rows per item that has any. A report stands behind each cell, with audit and lists."
    notes = dict.fromkeys(f"{s['data']}: {'; '.join(s['notes'])}" for s in result["sets"] if s["notes"])  # fmt: skip
    return Section("sets", "The data sets", list(notes), [Table(caption, heads, cells)])


def _link(result: Mapping[str, Any], s: Mapping[str, Any], draw: int) -> Markup:
    to = result["reports"].get(f"{s['data']} {s['situation']} {draw}")
    shown = f"draw {draw}"
    return Markup(f'<a href="{escape(to)}">{shown}</a>') if to else Markup(shown)


def _ends(row: Mapping[str, Any], low: str = "low", high: str = "high") -> str:
    if row[low] is None:
        return "not defined"
    return f"{percent(row[low])} to {percent(row[high])}"


_UNTUNED = "defaults; what a model chooses while it is fitted it chooses on the validation part"


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    plan = result["plan"]
    models = result["models"]
    trials = plan["trials"]
    return [
        ("with a language model", ", ".join(models["language"])),
        ("without one", ", ".join(models["without"])),
        ("settings", f"{trials} trials on the validation part for every model" if trials else _UNTUNED),
        ("seeds", ", ".join(map(str, plan["seeds"]))),
        ("draws of new items and users", ", ".join(map(str, plan["draws"]))),
        ("interval of a set", "delta method over users (and draws, where several), t, on the logarithm of the ratio"),
        ("interval of the mean", "Paule and Mandel's variance between sets, Hartung and Knapp's interval"),
        ("correction", "Holm, once over all rows of model, domain and situation, once over the pooled rows"),
        ("data sets", "those that are at hand are no random sample of domains"),
    ]  # fmt: skip
