"""For whom: values, and the difference of two models, by group of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recnb.evaluation.protocol import LOWER_IS_BETTER
from recnb.plots.canvas import axes, quiet, rows_height
from recnb.plots.differences import beside, interval, zero_line
from recnb.plots.palette import look_of
from recnb.plots.values import name_rows, one_measure
from recnb.plots.words import metric_axis, metric_name, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_groups(frame: pd.DataFrame, ax: Axes | None = None, title: str = "") -> Axes:
    """Values by group, models side by side.

    Parameters
    ----------
    frame : DataFrame with `group, model, metric, k, value, low, high, n_users`
        What :meth:`recnb.evaluation.Evaluation.by` returns; groups are drawn in its order.
    ax : Axes, optional
    title : str
        What the groups are, such as "Activity (known rows)".

    Examples
    --------
    >>> frame = pd.DataFrame({"group": ["low", "high"], "model": "ease", "metric": "ndcg", "k": 10,
    ...                       "value": [0.3, 0.2], "low": [0.28, 0.19], "high": [0.32, 0.21], "n_users": [40, 60]})
    >>> [label.get_text() for label in plot_groups(frame).get_xticklabels()]
    ['low\\nn = 40', 'high\\nn = 60']
    """
    rows = one_measure(frame)
    metric, k = rows["metric"].iloc[0], rows["k"].iloc[0]
    groups = list(dict.fromkeys(rows["group"]))
    overall = rows.groupby("model", sort=False)["value"].mean()
    models = list(overall.sort_values(ascending=metric in LOWER_IS_BETTER, kind="stable").index)
    ax = axes(ax)
    shift = np.linspace(-0.36, 0.36, len(models)) if len(models) > 1 else [0.0]
    handles = []
    for model, dx in zip(models, shift):
        mine = rows[rows["model"] == model]
        look = look_of(mine.iloc[0])
        for row in mine.to_dict("records"):
            x = groups.index(row["group"]) + dx
            if np.isfinite([row["low"], row["high"]]).all():
                ax.plot([x, x], [row["low"], row["high"]], color=look.colour, linewidth=1.6)
            handle = ax.plot([x], [row["value"]], linestyle="none", **look.marks(6))
        handles += handle
    n = rows.groupby("group", sort=False)["n_users"].max()
    ax.set_xticks(range(len(groups)), [f"{_two_lines(g)}\nn = {n[g]:,}" for g in groups])
    ax.tick_params(axis="x", length=0)
    for edge in range(1, len(groups)):
        ax.axvline(edge - 0.5, color="#bbbbbb", linewidth=0.8)
    ax.set_ylabel(metric_axis(metric, k))
    ax.set_title(plain(title, 60) if title else "By group of users", loc="left")
    names = [plain(m, 22) for m in models]
    ax.legend(handles, names, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    quiet(ax, "y")
    return ax


def plot_group_differences(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The difference of one model to another in every group: a forest, a block a grouping.

    Parameters
    ----------
    frame : DataFrame with `by, group, model, to, metric, k, difference, difference_low, difference_high, n_users`
        Rows of one model, of :meth:`recnb.evaluation.Evaluation.by` with the grouping's name in `by`.
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"by": "activity", "group": ["low", "high"], "model": "text_dot", "to": "ease",
    ...                       "metric": "ndcg", "k": 10, "difference": [0.01, -0.02],
    ...                       "difference_low": [0.0, -0.03], "difference_high": [0.02, -0.01], "n_users": [40, 60]})
    >>> [label.get_text() for label in plot_group_differences(frame).get_yticklabels()]
    ['Activity', 'low', 'high']
    """
    rows = one_measure(frame)
    metric, k = rows["metric"].iloc[0], rows["k"].iloc[0]
    model, to = rows["model"].iloc[0], rows["to"].iloc[0]
    look = look_of(rows.iloc[0])
    names: list[str] = []
    heads: list[int] = []
    ax = axes(ax, rows_height(len(rows) + rows["by"].nunique()))
    for grouping, part in rows.groupby("by", sort=False):
        heads.append(len(names))
        names.append(plain(str(grouping).replace("_", " ").capitalize()))
        for row in part.to_dict("records"):
            at = len(names)
            ends = row["difference_low"], row["difference_high"]
            interval(ax, at, row["difference"], *ends, look)
            beside(ax, at, f"n = {row['n_users']:,}")
            names.append(plain(row["group"]))
    name_rows(ax, names)
    ax.set_ylim(len(names) + 0.3, -0.6)  # room for the words at the line
    for at in heads:
        ax.get_yticklabels()[at].set_fontweight("bold")
    zero_line(ax, metric in LOWER_IS_BETTER)
    ax.set_xlabel(f"{plain(model)} less {plain(to)}, {metric_name(metric, k)}")
    ax.set_title("For whom: differences with 95 % intervals", loc="left")
    return ax


def _two_lines(text: object) -> str:
    """A range such as "low (1 to 20)" breaks before its bracket, a long one also within, so that neighbours
    do not touch.
    """
    head, bracket, tail = plain(text, 26).partition(" (")
    if not bracket:
        return head
    return f"{head}\n({tail if len(tail) <= 10 else tail.replace(' to ', ' to' + chr(10), 1)}"
