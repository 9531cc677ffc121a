"""What is known on the day of the recommendation: the protocol as a drawing, and splits as ticks in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data.checks.cells import PARTS
from recnb.plots.canvas import DPI
from recnb.plots.palette import BLACK, BLUE, GREY, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from recnb.data import Split

BOXES = (
    ("train", 0.0, 7.0, "#b9cfe0"),
    ("validation", 7.0, 8.0, "#f0d9a8"),
    ("test", 8.0, 10.0, "#f3c3a3"),
)
STEPS = (  # text, from, to, colour
    ("1  fit every model", 0.0, 7.0, BLUE),
    ("2  choose settings", 7.0, 8.0, ORANGE),
    ("3  fit again on all that is known", 0.0, 8.0, BLUE),
    ("4  judge, once", 8.0, 10.0, VERMILION),
)
TICKS = {  # colour and height of a tick: the later it comes in the life of a model, the taller
    "train": ("#6f9cc0", 25),
    "given": (BLACK, 45),
    "valid": ("#c98200", 65),
    "test": (VERMILION, 120),
}


def plot_protocol(ax: Axes | None = None) -> Axes:
    """The protocol as a drawing: three stretches of time, and what is done with each.

    Examples
    --------
    >>> [text.get_text() for text in plot_protocol().texts][:3]
    ['train', 'validation', 'test']
    """
    ax = ax if ax is not None else _wide(3.2)
    for name, start, end, colour in BOXES:
        ax.barh(
            0, end - start, left=start, height=0.8, color=colour, edgecolor="white", linewidth=2
        )
        ax.annotate(name, ((start + end) / 2, 0), ha="center", va="center", fontweight="bold")
    for line, (text, start, end, colour) in enumerate(STEPS):
        y = -1.0 - 0.62 * line
        ax.annotate(
            "", (end, y), (start, y), arrowprops={"arrowstyle": "<->", "color": colour, "lw": 2}
        )
        right = start < 5
        ax.annotate(
            text,
            (start + 0.1, y + 0.08) if right else (start - 0.1, y),
            ha="left" if right else "right",
            va="bottom" if right else "center",
            color=colour,
        )
    ax.axvline(8.0, color=BLACK, linestyle="--", linewidth=1.4)
    ax.annotate("the day of the recommendation", (7.92, 0.62), ha="right", color=BLACK)
    ax.annotate("not known yet", (9.0, 0.62), ha="center", color=GREY)
    ax.set(xlim=(-0.05, 10.05), ylim=(-3.3, 0.95), yticks=[], xticks=[], xlabel="time")
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def plot_cuts(
    splits: Mapping[str, Split], n_users: int = 7, axes: Sequence[Axes] | None = None
) -> Any:
    """Several splits of one data set: a line per user, a tick per moment, coloured and sized by its part.

    Parameters
    ----------
    splits : mapping of name to Split
        All of the same data set; up to seven, the eighth place holds the legend.
    n_users : int
        Users of middling activity; two more from the cold users of a split that has them.
    axes : sequence of Axes, optional
        One for each split and one for the legend.

    Returns
    -------
    ndarray of Axes

    Examples
    --------
    >>> from recnb.data import Dataset, splits
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xyzx"), "timestamp": [0, 1, 2, 1]})
    >>> drawn = plot_cuts({"random": splits.random(Dataset.from_frames(rows), test=0.5)})
    >>> drawn[0].get_title()
    'random'
    """
    if axes is None:
        import matplotlib.pyplot as plt

        columns = min(4, len(splits) + 1)
        shape = (-(-(len(splits) + 1) // columns), columns)
        _, grid = plt.subplots(
            *shape,
            figsize=(10, 2.5 * shape[0]),
            dpi=DPI,
            sharex=True,
            sharey=True,
            layout="constrained",
        )
        axes = list(np.atleast_1d(grid).ravel())
    rows, users = _moments(next(iter(splits.values())), _cold(splits), n_users)
    for ax, (name, split) in zip(axes, splits.items()):
        _ticks(ax, split, rows, users)
        ax.set_title(name)
    legend, *spare = axes[len(splits) :]
    for name, (colour, tall) in TICKS.items():
        legend.scatter([], [], marker="|", s=2 * tall, color=colour, linewidth=3, label=name)
    legend.legend(loc="center", frameon=False, title="a row is part of")
    for ax in (legend, *spare):
        ax.axis("off")
    return np.array(axes)


def _cold(splits: Mapping[str, Split]) -> np.ndarray:
    """Users whose first rows are given and whose later ones are judged, in whichever split has them."""
    codes = [
        split.dataset.interactions["user"].to_numpy()[split.part >= 3] for split in splits.values()
    ]
    return np.unique(np.concatenate(codes)) if codes else np.array([], int)


def _moments(split: Split, cold: np.ndarray, n_users: int) -> tuple[pd.DataFrame, list[int]]:
    """One row per user and moment with its place in time, and the users to draw."""
    ds = split.dataset
    order = ds.order
    rows = ds.interactions
    when = rows[order] if order else rows.groupby("user").cumcount()
    rows = rows.assign(when=when.to_numpy()).drop_duplicates(["user", "when"])
    size = np.bincount(rows["user"], minlength=ds.n_users)
    middling = np.argsort(np.abs(size - np.clip(np.median(size), 5, 40)), kind="stable")[:200]
    late = np.isin(middling, cold)
    return rows, [*middling[~late][:n_users], *middling[late][:2]]


def _ticks(ax: Axes, split: Split, rows: pd.DataFrame, users: list[int]) -> None:
    names = np.array([*PARTS, "given", "given"])
    for line, user in enumerate(users):
        moments = rows.index[rows["user"] == user]
        part = names[split.part[moments]]
        for name, (colour, tall) in TICKS.items():
            x = rows["when"][moments][part == name]
            ax.scatter(x, np.full(len(x), line), marker="|", s=tall, color=colour, linewidth=1.2)
    ax.set(yticks=[])
    span = rows["when"].quantile([0.02, 0.98])
    ax.set_xticks(
        span,
        ["first days", "last days"] if split.dataset.order == "timestamp" else ["first", "last"],
    )
    ax.spines[["top", "right", "left"]].set_visible(False)


def _wide(height: float) -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(10, height), dpi=DPI, layout="constrained")[1]
