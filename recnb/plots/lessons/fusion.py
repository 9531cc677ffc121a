"""What modalities are worth together, and what is left where one is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.plots.canvas import axes, quiet, rows_height
from recnb.plots.palette import BLACK, BLUE, GREEN, GREY, VERMILION
from recnb.plots.words import metric_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = ((GREY, "o"), (BLUE, "D"), (VERMILION, "s"), (GREEN, "^"))


def plot_ladder(
    table: pd.DataFrame, groups: Mapping[str, Sequence[str]], top: str, ax: Axes | None = None
) -> Axes:
    """Values in named groups, a look for each, beside the best that can be reached.

    Parameters
    ----------
    table : DataFrame with `model, metric, k, value, low, high, n_users`
        Rows of one measure.
    groups : mapping of str to sequence of str
        Models of each group, at most four, from the top down.
    top : str
        The model that is drawn as a line with its band.
    ax : Axes, optional
    """
    values = table.set_index("model")
    names = [name for group in groups.values() for name in group]
    ax = axes(ax, rows_height(len(names)) + 0.4)
    best: dict[Any, Any] = values.loc[top].to_dict()
    ink = GREEN
    ax.axvspan(best["low"], best["high"], color=ink, alpha=0.15, linewidth=0)
    ax.axvline(best["value"], color=ink, linewidth=1.5)
    ax.text(best["value"], -0.75, top, color=ink, ha="center", va="bottom", fontsize=10)
    at = 0
    for (colour, marker), (group, members) in zip(LOOKS, groups.items(), strict=False):
        rows, places = values.loc[list(members)], np.arange(at, at + len(members))
        ax.hlines(places, rows["low"], rows["high"], color=colour, linewidth=2)
        ax.plot(rows["value"], places, marker, color=colour, markersize=6, label=group)
        at += len(members)
    ax.set_yticks(range(len(names)), [name.replace("_", " ").replace("+", " + ") for name in names])
    ax.set_ylim(len(names) - 0.4, -0.8)
    ax.set_xlim(0, None)
    ax.set_xlabel(f"{metric_axis(best['metric'], best['k'])}, {best['n_users']:,} users")
    ax.legend(frameon=False, fontsize=10, loc="lower left")
    quiet(ax)
    return ax


def plot_gains(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Gains of each modality counted in several ways, with intervals.

    Parameters
    ----------
    table : DataFrame with `model, group, value, low, high, n_users`
        A row a modality (`model`) and way of counting (`group`); at most four ways.
    ax : Axes, optional
    """
    ax = axes(ax, 3.0)
    names, ways = (list(dict.fromkeys(table[c])) for c in ("model", "group"))
    for step, ((colour, marker), way) in enumerate(zip(LOOKS, ways, strict=False)):
        rows = table[table["group"] == way].set_index("model").loc[names]
        at = np.arange(len(names)) + (step - (len(ways) - 1) / 2) * 0.22
        ax.hlines(at, rows["low"], rows["high"], color=colour, linewidth=2)
        ax.plot(rows["value"], at, marker, color=colour, label=way, markersize=6)
    ax.axvline(0, color=BLACK, linewidth=1)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(f"Gain in NDCG among new items, {table['n_users'].iloc[0]} users")
    ax.legend(frameon=False, fontsize=10, loc="center left", bbox_to_anchor=(1, 0.5))
    quiet(ax)
    return ax


def plot_missing(
    table: pd.DataFrame, never: Mapping[str, float], what: str, ax: Axes | None = None
) -> Axes:
    """Quality as a modality goes missing, beside a model that never had it.

    Parameters
    ----------
    table : DataFrame with `model, share, value, low, high, n_users`
        Share of the items that lack it, 0 to 1; at most four models.
    never : mapping with `value, low, high`
        Of the model that was trained without it.
    what : str
        What is missing, for the label.
    ax : Axes, optional
    """
    ax = axes(ax)
    ax.axhspan(never["low"], never["high"], color=GREEN, alpha=0.15, linewidth=0)
    ax.axhline(never["value"], color=GREEN, linewidth=1.5, label=f"never had a {what}")
    models = list(dict.fromkeys(table["model"]))
    for step, ((colour, marker), model) in enumerate(zip(LOOKS[::-1][1:], models, strict=False)):
        rows = table[table["model"] == model]
        at = 100 * rows["share"] + 1.2 * (step - (len(models) - 1) / 2)
        ax.vlines(at, rows["low"], rows["high"], color=colour, linewidth=1.5)
        ax.plot(at, rows["value"], color=colour, marker=marker, label=model, markersize=6)
    ax.set_xlabel(f"New items without a {what} (%), {table['n_users'].iloc[0]} users")
    ax.set_ylabel("NDCG@10 among new items (axis cut)")
    ax.legend(frameon=False, fontsize=10)
    quiet(ax, "y")
    return ax
