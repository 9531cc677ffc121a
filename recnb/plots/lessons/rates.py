"""Learning rates: what a value does over them, and how they change while a training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recnb.plots.canvas import axes, quiet
from recnb.plots.palette import BLUE, GREEN, LINES, MARKERS, ORANGE, PURPLE, VERMILION, Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)


def _look(number: int) -> Style:
    return Style(_COLOURS[number % 5], MARKERS[number % 12], LINES[number % 4], filled=True)


def plot_rates(frame: pd.DataFrame, frozen: float | None = None, ax: Axes | None = None) -> Axes:
    """A value over the learning rate, a line for each way to train, with its spread over seeds.

    Parameters
    ----------
    frame : DataFrame with `way, rate, value, spread`
    frozen : float, optional
        The value without any training of the language model: a dashed line.
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"way": "AdamW", "rate": [1e-4, 1e-3], "value": [0.1, 0.2], "spread": 0.01})
    >>> plot_rates(frame, 0.12).get_xscale()
    'log'
    """
    ax = axes(ax)
    ways = list(dict.fromkeys(frame["way"]))
    for number, way in enumerate(ways):
        part = frame[frame["way"] == way].sort_values("rate")
        look = _look(number)
        # beside each other, so that spreads can be told apart
        at = part["rate"] * 1.09 ** (number - (len(ways) - 1) / 2)
        spread = part["spread"].fillna(0)
        ax.errorbar(
            at, part["value"], spread, label=way, linestyle=look.line, capsize=2, **look.marks(5)
        )
    if frozen is not None:
        ax.axhline(frozen, color="#1a1a1a", linestyle="--", linewidth=1, label="not trained")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate of the language model (log scale)")
    ax.legend(fontsize=8)
    quiet(ax)
    return ax


def plot_range_test(
    rates: ArrayLike,
    losses: ArrayLike,
    smoothed: ArrayLike,
    steepest: float,
    ax: Axes | None = None,
) -> Axes:
    """The loss of a range test over the rate, its running mean, and the rate at which it fell fastest.

    Examples
    --------
    >>> len(plot_range_test([1e-3, 1e-2, 1e-1], [1.0, 0.8, 2.0], [1.0, 0.9, 1.4], 1e-2).lines)
    3
    """
    ax = axes(ax)
    ax.plot(rates, losses, color="#999999", linewidth=1, label="each step")
    ax.plot(rates, smoothed, color="#0072b2", linewidth=2, label="running mean")
    ax.axvline(steepest, color="#1a1a1a", linestyle="--", linewidth=1, label="falls fastest")
    low, high = np.nanmin(np.asarray(smoothed)), np.asarray(smoothed)[0]
    ax.set_ylim(low - 0.15 * abs(high - low), high + 1.2 * abs(high - low))
    ax.set_xscale("log")
    ax.set_xlabel("learning rate (log scale)")
    ax.set_ylabel("loss")
    ax.legend(fontsize=8)
    quiet(ax)
    return ax


def plot_schedules(schedules: Mapping[str, ArrayLike], ax: Axes | None = None) -> Axes:
    """The factor of the learning rate over the training, a line for each schedule.

    Examples
    --------
    >>> len(plot_schedules({"constant": [1, 1], "linear": [1, 0]}).lines)
    2
    """
    ax = axes(ax)
    for number, (name, factors) in enumerate(schedules.items()):
        look, values = _look(number), np.asarray(factors)
        share = (np.arange(len(values)) + 0.5) / len(values)
        ax.plot(share, values, label=name, linewidth=2, color=look.colour, linestyle=look.line)
    ax.set_xlabel("share of the training")
    ax.set_ylabel("factor of the learning rate")
    ax.legend(fontsize=8)
    quiet(ax)
    return ax
