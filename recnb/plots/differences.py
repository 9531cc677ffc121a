"""Paired differences to one model: a forest with a line at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recnb.evaluation.protocol import LOWER_IS_BETTER
from recnb.plots.canvas import axes, rows_height
from recnb.plots.palette import look_of
from recnb.plots.values import name_rows, one_measure
from recnb.plots.words import metric_name, p_value, people, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGNIFICANT = 0.05


def plot_differences(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Every model less one, with intervals; Holm-significant ones have a thick line and a star.

    Parameters
    ----------
    frame : DataFrame with `model, to, metric, k, difference, low, high, p_holm, n_users`
        What :meth:`recnb.evaluation.Evaluation.compare` returns.
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"model": ["als", "popularity"], "to": "ease", "metric": "ndcg", "k": 10,
    ...                       "difference": [-0.01, -0.1], "low": [-0.03, -0.12], "high": [0.01, -0.08],
    ...                       "p_holm": [0.4, 0.001], "n_users": 900})
    >>> [text.get_text() for text in plot_differences(frame).texts][:2]
    ['p = 0.40', 'p = 0.001 *']
    """
    rows = one_measure(frame)
    metric, k, to = rows["metric"].iloc[0], rows["k"].iloc[0], rows["to"].iloc[0]
    lower = metric in LOWER_IS_BETTER
    rows = rows.sort_values("difference", ascending=lower, kind="stable")
    ax = axes(ax, rows_height(len(rows)))
    for at, row in enumerate(rows.to_dict("records")):
        clear = row["p_holm"] < SIGNIFICANT
        look = look_of(row)
        interval(ax, at, row["difference"], row["low"], row["high"], look, 3 if clear else 1.3)
        p = p_value(row["p_holm"])
        said = f"p {p}" if p.startswith(("<", "not")) else f"p = {p}"
        beside(ax, at, said + (" *" if clear else ""))
    name_rows(ax, [plain(m) for m in rows["model"]])
    ax.set_ylim(len(rows) + 0.3, -0.6)  # room for the words at the line
    zero_line(ax, lower)
    ax.set_xlabel(f"Difference in {metric_name(metric, k)} to {plain(to)}")
    ax.set_title(f"Paired by user, 95 % intervals, {people(rows['n_users'])}", loc="left")
    return ax


def interval(ax: Axes, at: float, value: float, low: float, high: float, look, width=2.0) -> None:
    """One row: a line from low to high where there is one, and a marker."""
    if np.isfinite([low, high]).all():
        ax.plot([low, high], [at, at], color=look.colour, linewidth=width, solid_capstyle="butt")
    ax.plot([value], [at], linestyle="none", **look.marks())


def beside(ax: Axes, at: float, text: str) -> None:
    """A few words to the right of a row."""
    ax.annotate(
        text, (1.02, at), xycoords=ax.get_yaxis_transform(), va="center", annotation_clip=False
    )


def zero_line(ax: Axes, lower: bool) -> None:
    """The line of no difference, in sight, and which side is better."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.axvline(0, color="#1a1a1a", linewidth=1.2, zorder=1.4)
    low, high = ax.get_xlim()
    reach = max(abs(low), abs(high))
    ax.set_xlim(min(low, -0.1 * reach), max(high, 0.1 * reach))
    words = ("better ←", "→ worse") if lower else ("worse ←", "→ better")
    low, high = ax.get_xlim()
    for word, side, shift in ((words[0], "right", -4), (words[1], "left", 4)):
        room = -low if side == "right" else high
        if room / (high - low) > 0.22:
            ax.annotate(
                word,
                (0, 0),
                (shift, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha=side,
                color="#5a5a5a",
            )
