"""For whom: tables and figures by group of users."""

from __future__ import annotations

from functools import partial

import pandas as pd
from markupsafe import Markup

from recnb.evaluation import Evaluation
from recnb.plots.canvas import rows_height
from recnb.plots.groups import plot_group_differences, plot_groups
from recnb.plots.words import decimals, metric_name
from recnb.report.answer import Answer
from recnb.report.figures import Figure, figure
from recnb.report.rows import headline_rows, popular, records
from recnb.report.tables import Table, stacked, valued

MOST_GROUPS, MOST_GROUPINGS, MOST_MODELS = 12, 8, 7
SAID = {
    "activity": "Activity: how many rows of the user are known",
    "popularity": "Taste for the popular: mean number of users of the items the user knows",
}


def groupings(ev: Evaluation) -> list[str]:
    """Columns of users that divide them into a few groups: 2 to 12."""
    out = []
    for name in ev.users.columns:
        values = ev.users[name]
        numeric = pd.api.types.is_numeric_dtype(values)
        distinct = (values if numeric else values.astype("string")).nunique(dropna=False)
        if distinct < 2 or (not numeric and distinct > MOST_GROUPS):
            continue
        if values.notna().any() and ev.groups(name).nunique() > 1:
            out.append(str(name))
    return out[:MOST_GROUPINGS]


def shown(ev: Evaluation, found: Answer) -> list[str]:
    """The models whose values by group are shown: all of few, else the best and those that are compared."""
    order = list(headline_rows(ev)["model"])
    wanted = {found.model, found.reference, popular(ev)} & set(order)
    for model in order:
        if len(wanted) < MOST_MODELS:
            wanted.add(model)
    return [m for m in order if m in wanted]


def by_groups(ev: Evaluation, found: Answer) -> dict[str, pd.DataFrame]:
    """:meth:`Evaluation.by` against the reference, for every grouping."""
    models = shown(ev, found)
    parts = {name: ev.by(name, to=found.reference or found.model) for name in groupings(ev)}
    return {name: part[part["model"].isin(models)] for name, part in parts.items() if len(part)}


def group_tables(ev: Evaluation, found: Answer, parts: dict[str, pd.DataFrame]) -> list[Table]:
    """One table a grouping: one row a model, one column a group with its number of users."""
    order = shown(ev, found)
    out = []
    for name, part in parts.items():
        groups = list(dict.fromkeys(part["group"]))
        n = part.groupby("group")["n_users"].max()
        digits = decimals(part["low"], part["high"])
        cells = {(r["group"], r["model"]): r for r in records(part)}
        heads: list[str | Markup] = ["Model", *(stacked(g, f"n = {n[g]:,}") for g in groups)]
        body: list[list[str | Markup]] = [
            [
                m,
                *(
                    valued(cells[g, m], digits) if (g, m) in cells else "not measured"
                    for g in groups
                ),
            ]
            for m in order
        ]
        caption = f"{title_of(name)}. {metric_name(*ev.headline[:2])}, 95 % intervals beneath."
        out.append(Table(caption, heads, body))
    return out


def group_figures(ev: Evaluation, found: Answer, parts: dict[str, pd.DataFrame]) -> list[Figure]:
    """The compared pair in every group, and all models by activity and by popularity."""
    out = []
    if found.reference is not None and parts:
        pair = pd.concat([p.assign(by=name) for name, p in parts.items()], ignore_index=True)
        pair = pair[pair["model"] == found.model]
        said = (
            f"{found.model} less {found.reference} within each group of users, with the number of users. "
            "An interval that crosses the line at zero shows no difference in that group; "
            "no correction is made for the number of groups."
        )
        height = rows_height(len(pair) + pair["by"].nunique())
        draw = partial(plot_group_differences, pair)
        out.append(figure("group-differences", draw, said, height))
    for name in ("activity", "popularity"):
        if name in parts:
            said = f"{title_of(name)}. Values within groups of users, the number of users beneath."
            out.append(
                figure(
                    f"group-{name}",
                    partial(plot_groups, parts[name], title=title_of(name).split(":")[0]),
                    said,
                    4.4,
                )
            )
    return out


def title_of(name: str) -> str:
    """What a grouping is, in words."""
    return SAID.get(name, f"Users by {name.replace('_', ' ')}")
