"""What users do, as figures: features side by side, change beside chance, means of groups."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from recnb.plots.canvas import DPI, axes, plain_log, quiet
from recnb.plots.palette import BLUE, GREY, VERMILION
from recnb.plots.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_features(features: pd.DataFrame, names: Mapping[str, str]) -> NDArray[np.object_]:
    """A histogram per feature of users, three in a row; the dashed line is the median.

    Parameters
    ----------
    features : DataFrame, a row per user
    names : mapping of column to the label of its axis, with the unit

    Returns
    -------
    ndarray of Axes
        Values above the 99 % quantile are drawn in the last bar.

    Examples
    --------
    >>> panels = plot_features(pd.DataFrame({"rows": [1, 2, 3]}), {"rows": "Rows"})
    >>> panels[0].get_xlabel()
    'Rows'
    """
    import matplotlib.pyplot as plt

    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    _, grid = plt.subplots(
        lines, columns, figsize=(10, 2.6 * lines), dpi=DPI, layout="constrained", squeeze=False
    )
    panels = grid.ravel()
    for ax, (name, label) in zip(panels, names.items(), strict=False):
        values = features[name].dropna()
        ax.set_xlabel(label)
        quiet(ax, "y")
        if values.empty:
            ax.annotate("not in these data", (0.5, 0.5), xycoords="axes fraction", ha="center")
            continue
        ax.hist(
            values.clip(upper=float(values.quantile(0.99))), 30, color="#b9cfe0", edgecolor=BLUE
        )
        ax.axvline(values.median(), color=VERMILION, linestyle="--")
    for ax in grid[:, 0]:
        ax.set_ylabel("Users")
    for ax in panels[len(names) :]:
        ax.axis("off")
    return panels


def plot_chance(
    size: ArrayLike,
    seen: ArrayLike,
    by_chance: ArrayLike,
    ax: Axes | None = None,
    n_groups: int = 8,
) -> Axes:
    """A measure over the number of rows behind it, and what chance alone gives with as many.

    Parameters
    ----------
    size, seen, by_chance : array-like of shape (n_users,)
        Rows of a user, the measure, and the measure on the same rows in random order.
    ax : Axes, optional
    n_groups : int
        Groups of users of like size; a point is a mean.

    Examples
    --------
    >>> ax = plot_chance([1, 2, 3, 4], [0.9, 0.8, 0.6, 0.5], [0.9, 0.7, 0.5, 0.5], n_groups=2)
    >>> len(ax.lines)
    2
    """
    frame = pd.DataFrame(
        {"size": np.asarray(size), "seen": np.asarray(seen), "chance": np.asarray(by_chance)}
    )
    groups = pd.qcut(
        frame["size"].rank(method="first"), min(n_groups, max(1, len(frame))), labels=False
    )
    mean = frame.groupby(groups).mean()
    ax = axes(ax)
    ax.plot(mean["size"], mean["seen"], "o-", color=BLUE, label="early and late half")
    ax.plot(mean["size"], mean["chance"], "s--", color=GREY, label="the same rows in random order")
    plain_log(ax, "x")
    ax.set_ylim(0, 1)
    ax.set_xlabel("Rows of the user (log scale)")
    ax.set_ylabel("Mean Jensen-Shannon distance")
    ax.set_title(f"{len(frame):,} users, {len(mean)} groups by activity", loc="left")
    ax.legend(frameon=False)
    quiet(ax, "both")
    return ax


def plot_means(tables: Mapping[str, pd.DataFrame], xlabel: str) -> NDArray[np.object_]:
    """Means of groups with their intervals, a panel per way to group; groups that name numbers are put in order.

    Parameters
    ----------
    tables : mapping of title to what :func:`recnb.metrics.group_gap` returns
    xlabel : str
        What is averaged, with its unit.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["45-54", "19-24"], "value": [2.0, 1.0], "low": [1.0, 0.5],
    ...                       "high": [3.0, 1.5], "n_users": [9, 4]})
    >>> [label.get_text() for label in plot_means({"age": table}, "Rows")[0].get_yticklabels()]
    ['19-24 (n = 4)', '45-54 (n = 9)']
    """
    import matplotlib.pyplot as plt

    height = max(2.4, 0.9 + 0.27 * max(len(table) for table in tables.values()))
    _, grid = plt.subplots(
        1, len(tables), figsize=(10, height), dpi=DPI, layout="constrained", squeeze=False
    )
    for ax, (title, table) in zip(grid[0], tables.items(), strict=True):
        rows = table.sort_values("group", key=lambda names: names.map(_first_number))
        at = np.arange(len(rows))
        ax.hlines(at, rows["low"], rows["high"], color=BLUE, linewidth=2)
        ax.plot(rows["value"], at, "o", color=BLUE)
        ax.set_yticks(
            at,
            [f"{plain(g)} (n = {n})" for g, n in zip(rows["group"], rows["n_users"], strict=True)],
        )
        ax.set(xlabel=xlabel, xlim=(0, None))
        ax.set_title(plain(title.replace("_", " ").capitalize()), loc="left")
        quiet(ax)
    return grid[0]


def _first_number(label: object) -> float:
    digits = re.search(r"\d+", str(label).replace("Under", "0"))
    return float(digits.group()) if digits else np.inf
