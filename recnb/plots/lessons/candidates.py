"""What a sample of candidates does to a rank: one item among all, and models over the size of the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recnb.plots.canvas import DPI, axes, plain_log, quiet
from recnb.plots.palette import BLACK, BLUE, VERMILION, style
from recnb.plots.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_candidates(rank: int, n_candidates: int, drawn: ArrayLike, ax: Axes | None = None) -> Axes:
    """One relevant item in the whole catalogue, and the same item among a few that were drawn.

    Parameters
    ----------
    rank : int
        Of the relevant item in the catalogue, from 1.
    n_candidates : int
        Items in the catalogue that could be listed, the relevant one among them.
    drawn : array-like of int
        Catalogue ranks of the drawn items.
    ax : Axes, optional

    Examples
    --------
    >>> [text.get_text() for text in plot_candidates(40, 100, [10, 50, 90]).texts]
    ['rank 40 of 100', 'rank 2 of 4']
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(10, 2.2), dpi=DPI, layout="constrained")[1]
    ranks = np.asarray(drawn)
    before = ranks < rank
    ax.barh(1, n_candidates, height=0.28, color="#b9cfe0")
    ax.vlines(ranks[~before], -0.16, 0.16, color="#9a9a9a", linewidth=1.4)
    ax.vlines(ranks[before], -0.22, 0.22, color=BLUE, linewidth=2.4)
    for y, place, of in ((1, rank, n_candidates), (0, before.sum() + 1, len(ranks) + 1)):
        ax.vlines(rank, y - 0.28, y + 0.28, color=VERMILION, linewidth=3)
        ax.annotate(f"rank {place:,} of {of:,}", (rank, y + 0.3), ha="left", color=VERMILION)
    ax.set_yticks([0, 1], [f"{len(ranks):,} drawn", "catalogue"])
    ax.set(
        xlim=(0, n_candidates + 1),
        ylim=(-0.4, 1.75),
        xlabel="Rank in the catalogue (1 = best score)",
    )
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def plot_negatives(
    frame: pd.DataFrame, ax: Axes | None = None, base: str | None = None, marked: int | None = None
) -> Axes:
    """Each model's value for each number of candidates that were drawn, up to the whole catalogue.

    Parameters
    ----------
    frame : DataFrame with `model, n_negatives, value`
    ax : Axes, optional
    base : str, optional
        Draw each value as a multiple of this model's.
    marked : int, optional
        A number of negatives to mark with a line.

    Examples
    --------
    >>> frame = pd.DataFrame({"model": "ease", "n_negatives": [10, 100, 1000], "value": [0.9, 0.3, 0.04]})
    >>> plot_negatives(frame, base="ease").get_xlabel()
    'Drawn candidates beside each relevant item (log scale)'
    """
    ax = axes(ax)
    bases = frame[frame["model"] == base].set_index("n_negatives")["value"]
    for model, part in frame.groupby("model", sort=False):
        look = style(str(model))
        ax.plot(
            part["n_negatives"],
            part["value"] / (1 if base is None else bases.loc[part["n_negatives"]].to_numpy()),
            linestyle=look.line,
            label=plain(model),
            **look.marks(5),
        )
    if marked is not None:
        ax.axvline(marked, color=BLACK, linestyle="--", linewidth=1)
    plain_log(ax, "x")
    ax.set_xlabel("Drawn candidates beside each relevant item (log scale)")
    ax.set_ylabel("Hit rate" + ("" if base is None else f", times that of {plain(base)}"))
    ax.legend(frameon=False)
    quiet(ax, "y")
    return ax
