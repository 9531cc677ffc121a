"""Tables of the report: rows of ready cells, so that the template only lays them out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from recnb.evaluation import Evaluation
from recnb.evaluation.protocol import LOWER_IS_BETTER, Key
from recnb.plots.words import decimals, metric_name, p_value, people, seconds
from recnb.report.answer import Answer, judge
from recnb.report.numbers import amount, data, fixed, percent, signed
from recnb.report.rows import (
    Row,
    by_model,
    cost_table,
    finer,
    finer_of,
    headline_rows,
    readers,
    rows_of,
    unknown,
)

MOST_COLUMNS = 5
SHELVES = {"catalogue": "whole catalogue", "shelf": "new items among themselves"}


@dataclass(frozen=True)
class Table:
    """A caption, heads, and rows whose first cell is the row's head. Cells are text or markup."""

    caption: str
    heads: list[str | Markup]
    rows: list[list[str | Markup]]
    best: set[tuple[int, int]] = field(default_factory=set)
    text: bool = False


def headline_table(ev: Evaluation) -> Table:
    """Value, interval, users, seeds of the headline, the best first."""
    rows = headline_rows(ev)
    digits = decimals(rows["low"], rows["high"])
    seeded = bool((rows["seeds"] > 1).any())
    out: list[list[str | Markup]] = []
    for row in rows.to_dict("records"):
        cells = [
            str(row["model"]),
            data(row["value"], fixed(row["value"], digits)),
            between(row["low"], row["high"], digits),
            f"{row['n_users']:,}",
        ]
        if seeded:
            cells += [
                str(row["seeds"]),
                data(row["seed_sd"], fixed(row["seed_sd"], digits + 1))
                if row["seeds"] > 1
                else "one seed",
            ]
        out.append([*cells, _by_language(ev, str(row["model"]))])
    heads: list[str | Markup] = ["Model", metric_name(*ev.headline[:2]), "95 % interval", "Users"]
    heads += ["Seeds", "SD over seeds"] if seeded else []
    caption = f"{measure(ev.headline)}, best first. Interval: over users, of the mean over seeds."
    best = {(at, 1) for at in range(len(rows)) if rows["value"].iloc[at] == rows["value"].iloc[0]}
    return Table(caption, [*heads, "Language model"], out, best)


def _by_language(ev: Evaluation, model: str) -> str:
    """Whether a language model reads for a model, as the table says it."""
    return "yes" if model in readers(ev) else "not known" if model in unknown(ev) else "no"


def all_tables(ev: Evaluation) -> list[Table]:
    """Every metric: one row a model, one column a metric, the interval beneath; a table per candidate set."""
    order = list(headline_rows(ev)["model"])
    order += [m for m in ev.models if m not in order]
    out = []
    for shelf in dict.fromkeys(key[2] for key in ev.keys):
        for lower in (False, True):  # errors of ratings have a table of their own
            keys = [key for key in ev.keys if key[2] == shelf and _lower(key) == lower]
            for start in range(0, len(keys), MOST_COLUMNS):
                out.append(_block(ev, keys[start : start + MOST_COLUMNS], order, shelf, lower))
    return out


def _block(
    ev: Evaluation, keys: list[Key], order: list[str], shelf: str, lower: bool = False
) -> Table:
    held = {m for m in order for key in keys if ev.mean_over_seeds(m, key) is not None}
    order = [m for m in order if m in held]
    heads: list[str | Markup] = ["Model"]
    columns = []
    for key in keys:
        frame = rows_of(ev, key)
        columns.append(
            (by_model(frame), decimals(frame["low"], frame["high"]), frame["value"].iloc[0])
        )
        heads.append(stacked(metric_name(key[0], key[1]), people(frame["n_users"])))
    body: list[list[str | Markup]] = []
    best = set()
    for at, model in enumerate(order):
        cells: list[str | Markup] = [model]
        for column, (rows, digits, first) in enumerate(columns, 1):
            if model not in rows:
                cells.append("not measured")
                continue
            cells.append(valued(rows[model], digits))
            if rows[model]["value"] == first:
                best.add((at, column))
        body.append(cells)
    what = "Errors of predicted ratings, lower is better" if lower else "All measures of lists"
    what = what if lower else f"{what}, {SHELVES.get(shelf, shelf)}"
    caption = f"{what}. Beneath each value its 95 % interval."
    return Table(caption, heads, body, best)


def difference_table(ev: Evaluation, to: str) -> Table:
    """Every other model less one, on the headline."""
    frame = ev.compare(to)
    rows, digits = by_model(frame), finer(frame)
    base = by_model(headline_rows(ev))[to]["value"]
    lower = _lower(ev.headline)
    body: list[list[str | Markup]] = []
    for model in [m for m in headline_rows(ev)["model"] if m in rows]:
        row = rows[model]
        verdict = judge(row["difference"], row["low"], row["high"], row["p_holm"], lower)
        relative = percent(row["difference"] / base) if base > 0 else "not defined"
        body.append(
            [
                str(model),
                data(row["difference"], signed(row["difference"], digits)),
                between(row["low"], row["high"], digits, signed),
                relative,
                p_value(row["p"]),
                p_value(row["p_holm"]),
                f"{row['n_users']:,}",
                VERDICTS[verdict],
            ]
        )
    heads = [
        "Model",
        "Difference",
        "95 % interval",
        "Relative",
        "p",
        "p (Holm)",
        "Users",
        "Reading",
    ]
    caption = f"{measure(ev.headline)}: each model less {to}, paired by user."
    return Table(caption, list(heads), body)


VERDICTS = {"better": "better", "worse": "worse", "null": "not shown", "open": "not settled"}


def pair_table(ev: Evaluation, found: Answer) -> Table | None:
    """The compared pair in every measure; None where there is one measure only."""
    if found.reference is None or len(ev.keys) < 2:
        return None
    body: list[list[str | Markup]] = []
    for key in ev.keys:
        have = [ev.mean_over_seeds(m, key) for m in (found.model, found.reference)]
        if any(column is None for column in have):
            continue
        row = by_model(ev.compare(found.reference, *key))[found.model]
        digits = finer_of(row)
        verdict = judge(row["difference"], row["low"], row["high"], row["p_holm"], _lower(key))
        body.append(
            [
                measure(key),
                data(row["difference"], signed(row["difference"], digits)),
                between(row["low"], row["high"], digits, signed),
                p_value(row["p_holm"]),
                f"{row['n_users']:,}",
                VERDICTS[verdict],
            ]
        )
    heads = ["Measure", "Difference", "95 % interval", "p (Holm)", "Users", "Reading"]
    caption = (
        f"{found.model} less {found.reference} in every measure. Holm corrects within a measure."
    )
    return Table(caption, list(heads), body)


def costs_table(ev: Evaluation) -> Table:
    """Seconds, memory, parameters and device of every model."""
    held = by_model(cost_table(ev))
    body: list[list[str | Markup]] = []
    for model in [m for m in headline_rows(ev)["model"] if m in held]:
        row = held[model]
        ready = not row["fit_seconds"] > 0
        body.append(
            [
                str(model),
                "made elsewhere" if ready else seconds(row["fit_seconds"]),
                _scoring(row),
                f"{row['peak_memory_mb']:,.0f} MiB"
                if row["peak_memory_mb"] >= 1
                else "under 1 MiB",
                amount(row.get("trainable_parameters")),
                amount(row.get("total_parameters")),
                str(row.get("device") or "not recorded"),
            ]
        )
    heads = ["Model", "Fitting", "Scoring", "Memory", "Trainable", "Parameters", "Device"]
    caption = (
        "Costs, means over seeds. Scoring: all judged users, the whole catalogue; of two stages also what each takes "
        "for a user. Memory: how far the process grew; what an earlier model loaded, such as a library, is "
        "not counted again. Parameters: numbers that the model holds, a language model that it works with among them; "
        "where the vectors of a frozen encoder are all that is kept (text_frozen, text_joint), it is not."
    )
    return Table(caption, list(heads), body)


def _scoring(row: Row) -> str | Markup:
    """Seconds of scoring; of two stages what a user takes in each."""
    whole, stages = seconds(row["score_seconds"]), ("first_stage_ms", "second_stage_ms")
    told = [
        f"{row[stage]:,.1f} ms {word}"
        for stage, word in zip(stages, ("first stage", "second"))
        if np.isfinite(row.get(stage, np.nan))
    ]
    return stacked(whole, f"{', '.join(told)}, a user") if told else whole


def valued(row: Row, digits: int) -> Markup:
    """A value with its interval beneath."""
    value = data(row["value"], fixed(row["value"], digits))
    return stacked(value, between(row["low"], row["high"], digits))


def stacked(above: str | Markup, beneath: str | Markup) -> Markup:
    """Two lines in one cell, the second one small."""
    return Markup("{}<small>{}</small>").format(above, beneath)


def between(low: float, high: float, digits: int, write=fixed) -> str:
    """An interval, or why there is none."""
    if not np.isfinite([low, high]).all():
        return "no interval"
    return f"{write(low, digits)} to {write(high, digits)}"


def measure(key: Key) -> str:
    """A measure with its candidate set, where that is not the whole catalogue."""
    name = metric_name(key[0], key[1])
    return name if key[2] == "catalogue" else f"{name}, {SHELVES.get(key[2], key[2])}"


def _lower(key: Key) -> bool:
    return key[0] in LOWER_IS_BETTER
