"""Cost against quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.evaluation.protocol import LOWER_IS_BETTER
from recnb.plots.canvas import axes, plain_log, quiet
from recnb.plots.palette import look_of
from recnb.plots.values import one_measure
from recnb.plots.words import metric_axis, people, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_costs(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What each model takes and what it reaches; the legend is ordered by quality.

    Parameters
    ----------
    frame : DataFrame with `model, seconds, metric, k, value, low, high, n_users`
        Seconds of fitting and scoring, on a log axis; models with 0 seconds (ready lists) are left out.
    ax : Axes, optional

    Raises
    ------
    InputError
        No model has a time above 0.

    Examples
    --------
    >>> frame = pd.DataFrame({"model": ["ease", "popularity"], "seconds": [1.5, 0.01], "metric": "ndcg", "k": 10,
    ...                       "value": [0.3, 0.2], "low": [0.28, 0.19], "high": [0.32, 0.21], "n_users": 900})
    >>> plot_costs(frame).get_xscale()
    'log'
    """
    rows = one_measure(frame)
    rows = rows[rows["seconds"] > 0]
    if rows.empty:
        raise InputError(
            "no model has a time", column="seconds", mend="judge a model that is fitted"
        )
    metric, k = rows["metric"].iloc[0], rows["k"].iloc[0]
    lower = metric in LOWER_IS_BETTER
    rows = rows.sort_values("value", ascending=lower, kind="stable")
    ax = axes(ax)
    _frontier(ax, rows, lower)
    handles = []
    for row in rows.to_dict("records"):
        look = look_of(row)
        if np.isfinite([row["low"], row["high"]]).all():
            ax.plot(
                [row["seconds"]] * 2, [row["low"], row["high"]], color=look.colour, linewidth=1.6
            )
        handles += ax.plot([row["seconds"]], [row["value"]], linestyle="none", **look.marks(8))
    plain_log(ax, "x")
    quiet(ax, "both")
    ax.set_xlabel("Fitting and scoring (seconds, log scale)")
    ax.set_ylabel(metric_axis(metric, k))
    ax.set_title(f"Cost and quality, {people(rows['n_users'])}", loc="left")
    names = [plain(m, 22) for m in rows["model"]]
    ax.legend(handles, names, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return ax


def _frontier(ax: Axes, rows: pd.DataFrame, lower: bool) -> None:
    """The best value to be had for a time: steps through the models that nobody beats for less."""
    order = rows.sort_values(["seconds", "value"], ascending=[True, lower])
    best = order["value"].cummin() if lower else order["value"].cummax()
    order = order[(order["value"] == best) & ~best.duplicated()]
    if len(order) > 1:
        steps = ax.step(order["seconds"], order["value"], where="post", color="#bbbbbb", zorder=1)
        steps[0].set_linewidth(1.2)
