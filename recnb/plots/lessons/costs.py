"""What a training step costs: memory in four parts, and work on a log axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from recnb.plots.canvas import axes, plain_log, rows_height
from recnb.plots.palette import BLUE, GREEN, ORANGE, VERMILION
from recnb.plots.values import name_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = (  # column, colour, hatch for readers in grey
    ("weights", BLUE, ""),
    ("gradients", GREEN, "///"),
    ("optimiser", ORANGE, "..."),
    ("kept", VERMILION, "xx"),
)


def plot_memory(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Bars of bytes, one a way of training, in four parts.

    Parameters
    ----------
    frame : DataFrame with `weights, gradients, optimiser, kept` in bytes
        The index names the ways, in the order of drawing.
    ax : Axes, optional

    Examples
    --------
    >>> frame = pd.DataFrame({"weights": [1e6], "gradients": 1e6, "optimiser": 2e6, "kept": 5e6}, ["plain"])
    >>> len(plot_memory(frame).patches)
    4
    """
    ax = axes(ax, rows_height(len(frame)) + 0.5)
    left = pd.Series(0.0, frame.index)
    for part, colour, hatch in PARTS:
        width = frame[part].astype(float) / 1e6
        ax.barh(
            range(len(frame)),
            width,
            left=left,
            height=0.65,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label="kept for the backward pass" if part == "kept" else part,
        )
        left = left + width
    for at, total in enumerate(left):
        ax.annotate(f" {total:,.0f}", (total, at), va="center")
    ax.set_xlim(0, 1.12 * float(left.max()))
    name_rows(ax, list(map(str, frame.index)))
    ax.set_xlabel("Memory of a step (MB)")
    ax.legend(frameon=False, fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    return ax


def plot_work(values: pd.Series, xlabel: str, ax: Axes | None = None) -> Axes:
    """Dots on a log axis, one a way of training; the dotted line is the first, which the others are held against.

    Examples
    --------
    >>> drawn = plot_work(pd.Series({"plain": 128.0, "short": 20.0}), "Tokens a row")
    >>> [text.get_text() for text in drawn.texts]
    ['128', '20']
    """
    ax = axes(ax, rows_height(len(values)))
    ax.axvline(float(values.iloc[0]), color="#5a5a5a", linestyle=":", linewidth=1.3)
    for at, value in enumerate(values):
        ax.plot([value], [at], "o", color=BLUE, markersize=8)
        text = f"{value:,.0f}" if value >= 20 else f"{value:.1f}"
        ax.annotate(text, (value, at), (9, 0), textcoords="offset points", va="center")
    ax.set_xlim(values.min() / 1.6, values.max() * 3)
    plain_log(ax, "x")
    name_rows(ax, list(map(str, values.index)))
    ax.set_xlabel(xlabel)
    return ax
