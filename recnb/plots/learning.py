"""Learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from recnb.plots.canvas import axes, quiet
from recnb.plots.palette import look_of
from recnb.plots.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_learning(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    x: str = "epoch",
    y: str = "value",
    xlabel: str | None = None,
    ylabel: str | None = None,
    stopped: int | None = None,
) -> Axes:
    """A value over training, one line a model (or a part), with a band where an interval is given.

    Parameters
    ----------
    frame : DataFrame with `model`, the columns named by `x` and `y`, and `low, high` (optional)
    ax : Axes, optional
    x, y : str
        Column names.
    xlabel, ylabel : str, optional
        Labels with their units; by default the column names.
    stopped : int, optional
        Where training stopped: a dashed line.

    Examples
    --------
    >>> frame = pd.DataFrame({"model": "text_dot", "epoch": [1, 2, 3], "value": [0.1, 0.2, 0.19]})
    >>> len(plot_learning(frame, stopped=2).lines)
    2
    """
    ax = axes(ax)
    handles, names = [], []
    for model, part in frame.groupby("model", sort=False):
        look, part = look_of(part.iloc[0]), part.sort_values(x)
        if {"low", "high"} <= set(part):
            ax.fill_between(
                part[x], part["low"], part["high"], color=look.colour, alpha=0.15, linewidth=0
            )
        handles += ax.plot(part[x], part[y], linestyle=look.line, linewidth=2, **look.marks(5))
        names.append(plain(model))
    if stopped is not None:
        ax.axvline(stopped, color="#1a1a1a", linestyle="--", linewidth=1)
    if pd.api.types.is_integer_dtype(frame[x]):
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(xlabel or plain(x.replace("_", " ").capitalize()))
    ax.set_ylabel(ylabel or plain(y.replace("_", " ").capitalize()))
    if len(names) > 1:
        # five lines leave no corner free
        beside: dict[str, Any] = {}
        if len(names) > 4:
            beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        ax.legend(handles, names, frameon=False, **beside)
    quiet(ax, "y")
    return ax
