"""Values with their intervals, one row a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.evaluation.protocol import LOWER_IS_BETTER
from recnb.plots.canvas import axes, quiet, rows_height
from recnb.plots.palette import look_of
from recnb.plots.words import metric_axis, people, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_values(table: pd.DataFrame, ax: Axes | None = None, n_best: int | None = None) -> Axes:
    """Dots and intervals, the best model on top.

    Parameters
    ----------
    table : DataFrame with `model, metric, k, value, low, high, n_users`
        Rows of :meth:`recnb.evaluation.Evaluation.table` for one metric, cut-off and candidate set.
    ax : Axes, optional
    n_best : int, optional
        Draw only so many models.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        The rows are of several metrics, or there are none.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["ease", "popularity"], "metric": "ndcg", "k": 10, "value": [0.3, 0.2],
    ...                       "low": [0.28, 0.19], "high": [0.32, 0.21], "n_users": 900})
    >>> [label.get_text() for label in plot_values(table).get_yticklabels()]
    ['ease', 'popularity']
    """
    rows = one_measure(table)
    metric, k = rows["metric"].iloc[0], rows["k"].iloc[0]
    rows = rows.sort_values("value", ascending=metric in LOWER_IS_BETTER, kind="stable")
    rows = rows.head(n_best or len(rows))
    ax = axes(ax, rows_height(len(rows)))
    for at, row in enumerate(rows.to_dict("records")):
        look = look_of(row)
        if np.isfinite([row["low"], row["high"]]).all():
            ax.plot([row["low"], row["high"]], [at, at], color=look.colour, linewidth=2)
        ax.plot([row["value"]], [at], linestyle="none", **look.marks())
    name_rows(ax, [plain(m) for m in rows["model"]])
    ax.set_xlabel(metric_axis(metric, k))
    ax.set_title(f"Values with 95 % intervals, {people(rows['n_users'])}", loc="left")
    return ax


def one_measure(table: pd.DataFrame) -> pd.DataFrame:
    """The rows, checked to be of one metric, cut-off and candidate set."""
    if table.empty:
        raise InputError("no row to draw", mend="choose a metric that was measured")
    for column in ("metric", "k", "candidates"):
        if column in table and table[column].nunique(dropna=False) > 1:
            seen = ", ".join(map(str, table[column].unique()))
            raise InputError(
                f"rows of several values of {column} ({seen})",
                column=column,
                mend="draw one at a time",
            )
    return table


def name_rows(ax: Axes, names: list[str]) -> None:
    """Rows from the top down, named."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    quiet(ax)
