"""Vectors to look at: items as a map, and which items of a history a candidate looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.plots.canvas import DPI, quiet
from recnb.plots.palette import BLUE, GREEN, GREY, MARKERS, ORANGE, PURPLE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
LONGEST = 34  # letters of a title


def plot_map(
    vectors: np.ndarray,
    groups: Sequence[Any],
    titles: Sequence[Any],
    named: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Vectors on the two directions in which they differ most; the five largest groups in colour, some named.

    Parameters
    ----------
    vectors : ndarray of shape (n, dim), float
    groups, titles : sequence of length n
    named : int
        So many points are named, far from each other.
    ax : Axes, optional

    Examples
    --------
    >>> drawn = plot_map(np.eye(4), list("aabb"), ["w", "x", "y", "z"], named=2)
    >>> len(drawn.texts)
    2
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(10.0, 5.0), dpi=DPI, layout="constrained")[1]
    centred = np.asarray(vectors, dtype=float)
    centred = centred - centred.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * size[:2]
    far = np.abs(points).argmax(axis=0)
    points = points * np.where(points[far, [0, 1]] < 0, -1.0, 1.0)  # a direction has no sign
    shown = (size[:2] ** 2 / (size**2).sum()).sum()
    kinds = pd.Series(list(groups)).fillna("none").astype(str)
    largest = list(kinds.value_counts().index[: len(COLOURS)])
    rest = ~kinds.isin(largest).to_numpy()
    ax.plot(*points[rest].T, ".", color="#bbbbbb", label="other" if rest.any() else "_")
    for kind, colour, marker in zip(largest, COLOURS, MARKERS):
        part = points[(kinds == kind).to_numpy()]
        ax.plot(*part.T, marker, color=colour, markersize=5, linestyle="none", label=_short(kind))
    for at in _spread(points, named):
        x, y = map(float, points[at])
        ax.annotate(_short(titles[at], 26), (x, y), (4, 4), textcoords="offset points", fontsize=9)
    ax.set(xlabel=f"Direction 1 (both: {shown:.0%} of the spread)", ylabel="Direction 2")
    ax.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    quiet(ax, "both")
    return ax


def plot_shares(
    shares: np.ndarray, history: Sequence[Any], candidates: Sequence[Any], ax: Axes | None = None
) -> Axes:
    """A heatmap of attention: rows are items of a history, columns candidates, the darker the larger the share.

    Parameters
    ----------
    shares : ndarray of shape (n_history, n_candidates), float
        Each column sums to 1.
    history, candidates : sequence of str
        Titles.
    ax : Axes, optional

    Examples
    --------
    >>> drawn = plot_shares(np.array([[0.9, 0.2], [0.1, 0.8]]), ["coffee", "soap"], ["tea", "shampoo"])
    >>> [text.get_text() for text in drawn.texts]
    ['90', '20', '10', '80']
    """
    if ax is None:
        import matplotlib.pyplot as plt

        size = (10.0, 1.9 + 0.3 * len(history))
        ax = plt.subplots(figsize=size, dpi=DPI, layout="constrained")[1]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=float(np.max(shares)) * 1.1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        dark = share > 0.6 * np.max(shares)
        ax.text(
            column,
            row,
            f"{100 * share:.0f}",
            ha="center",
            va="center",
            color="white" if dark else GREY,
        )
    ax.set_xticks(range(len(candidates)), [_short(c, 24) for c in candidates], rotation=20)
    ax.set_yticks(range(len(history)), [_short(h) for h in history])
    for label in ax.get_xticklabels():
        label.set_horizontalalignment("right")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title("Share of each item of the history, in percent", loc="left")
    return ax


def _spread(points: np.ndarray, n: int) -> list[int]:
    """Points far from each other, each the farthest from those before it."""
    chosen = [int(np.linalg.norm(points, axis=1).argmax())]
    while len(chosen) < min(n, len(points)):
        gaps = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
        chosen.append(int(gaps.argmax()))
    return chosen


def _short(text: Any, longest: int = LONGEST) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"
