"""Studies of some users each: their intervals beside the truth, and how wide intervals are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from recnb.plots.canvas import axes, plain_log, quiet
from recnb.plots.palette import BLACK, BLUE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_studies(
    low: ArrayLike, high: ArrayLike, truth: float, ax: Axes | None = None, ylabel: str = "Value"
) -> Axes:
    """An interval per study; thick ones miss the truth, which is the line.

    Parameters
    ----------
    low, high : array-like of shape (n_studies,), float
    truth : float
    ax : Axes, optional
    ylabel : str
        Of the measure, with its unit.

    Examples
    --------
    >>> ax = plot_studies([0.1, 0.3], [0.2, 0.4], truth=0.15)
    >>> ax.get_title(loc="left")
    '1 of 2 intervals hold the line'
    """
    lows, highs = np.asarray(low, float), np.asarray(high, float)
    held = (lows <= truth) & (truth <= highs)
    ax = axes(ax, 3.4)
    at = np.arange(len(lows))
    ax.vlines(at[held], lows[held], highs[held], color=BLUE, linewidth=1.8)
    ax.vlines(at[~held], lows[~held], highs[~held], color=VERMILION, linewidth=3.5)
    ax.axhline(truth, color=BLACK, linewidth=1.2)
    ax.set_xlabel("Study")
    ax.set_ylabel(ylabel)
    ax.set_title(f"{held.sum()} of {len(lows)} intervals hold the line", loc="left")
    quiet(ax, "y")
    return ax


def plot_width(
    n_users: ArrayLike,
    half_width: ArrayLike,
    gap: float,
    ax: Axes | None = None,
    label: str = "the gap",
) -> Axes:
    """Half an interval's width over the number of users, and the gap that one would like to see.

    Parameters
    ----------
    n_users : array-like of shape (n,), int
    half_width : array-like of shape (n,), float
    gap : float
        A difference between two models; it can be told from zero where the curve is below it.
    ax : Axes, optional
    label : str
        What the gap is.

    Examples
    --------
    >>> ax = plot_width([100, 400], [0.02, 0.01], gap=0.015)
    >>> ax.get_xlabel()
    'Users (log scale)'
    """
    users, half = np.asarray(n_users), np.asarray(half_width, float)
    ax = axes(ax)
    ax.plot(users, half, "o-", color=BLUE, linewidth=2)
    ax.axhline(gap, color=VERMILION, linestyle="--")
    ax.annotate(
        label, (users.max(), gap), (0, 4), textcoords="offset points", ha="right", color=VERMILION
    )
    ax.fill_between(users, 0, half, color=BLUE, alpha=0.1, linewidth=0)
    plain_log(ax, "x")
    ax.set_ylim(0, None)
    ax.set_xlabel("Users (log scale)")
    ax.set_ylabel("Half the width of a 95 % interval")
    quiet(ax, "both")
    return ax
