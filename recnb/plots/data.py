"""A data set and its split as pictures: the long tail, activity, ratings, and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recnb.data.describe import in_head
from recnb.errors import InputError
from recnb.plots.canvas import axes, plain_log, quiet
from recnb.plots.palette import BLUE, GREY, ORANGE, VERMILION
from recnb.plots.words import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from recnb.data import Dataset, Split

PARTS = {  # colour, hatch: readable in grey
    "train": ("#b9cfe0", ""),
    "valid": (ORANGE, "///"),
    "test": (VERMILION, "..."),
    "given": (GREY, "xx"),
}


def plot_long_tail(ds: Dataset, ax: Axes | None = None, share: float = 0.5) -> Axes:
    """The long tail: users per item, the most used item first, and how few items hold `share` of all pairs.

    Examples
    --------
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("aabbc"), "item_id": list("xyxzx")})
    >>> plot_long_tail(Dataset.from_frames(rows)).get_xlabel()
    'Items, the most used first (log scale)'
    """
    counts = np.sort(np.asarray(ds.pairs().sum(axis=0)).ravel())[::-1]
    counts = counts[counts > 0]
    rank = np.arange(1, len(counts) + 1)
    head = int(in_head(ds, share).sum())
    ax = axes(ax)
    ax.plot(rank, counts, color=BLUE, linewidth=2)
    ax.axvspan(0.8, head, color=BLUE, alpha=0.12, linewidth=0)
    ax.set_xlim(0.8, max(len(counts) * 1.3, 2))
    ax.set_ylim(0.8, counts.max() * 1.6)
    plain_log(ax, "x")
    plain_log(ax, "y")
    quiet(ax, "both")
    said = f"{head:,} of {len(counts):,} items ({head / len(counts):.0%})\nhold {share:.0%} of the pairs"
    ax.annotate(said, (0.04, 0.06), xycoords="axes fraction", va="bottom")
    ax.set_xlabel("Items, the most used first (log scale)")
    ax.set_ylabel("Users per item (log scale)")
    ax.set_title(f"{plain(ds.name)}: {len(ds.interactions):,} interactions", loc="left")
    return ax


def plot_activity(ds: Dataset, ax: Axes | None = None, bins: int = 20) -> Axes:
    """How many interactions a user has: a histogram with bins of equal width on a log axis.

    Examples
    --------
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("aabbc"), "item_id": list("xyxzx")})
    >>> plot_activity(Dataset.from_frames(rows)).get_title(loc="left")
    'data: 3 users, median 2'
    """
    counts = np.bincount(ds.interactions["user"], minlength=ds.n_users)
    counts = counts[counts > 0]
    edges = np.unique(np.round(np.geomspace(counts.min(), counts.max() + 1, bins + 1)))
    ax = axes(ax)
    ax.hist(counts, bins=edges.tolist(), color="#b9cfe0", edgecolor=BLUE)
    median = float(np.median(counts))
    ax.axvline(median, color=VERMILION, linestyle="--", linewidth=1.6)
    ax.set_xlim(edges[0] * 0.9, edges[-1] * 1.1)
    plain_log(ax, "x")
    quiet(ax, "y")
    ax.set_xlabel("Interactions per user (log scale; dashed: median)")
    ax.set_ylabel("Users")
    ax.set_title(f"{plain(ds.name)}: {len(counts):,} users, median {median:g}", loc="left")
    return ax


def plot_ratings(ds: Dataset, ax: Axes | None = None) -> Axes:
    """How often each rating is given; bars from the threshold of relevance on are dark.

    Raises
    ------
    InputError
        The data hold no ratings.

    Examples
    --------
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx"), "rating": [5, 3, 5]})
    >>> ax = plot_ratings(Dataset.from_frames(rows, feedback="explicit", scale=(1, 5)))
    >>> [round(float(bar.get_height()), 1) for bar in ax.patches]
    [33.3, 66.7]
    """
    rated = ds.interactions.get("rating", pd.Series(dtype=float)).dropna().astype(float)
    if rated.empty:
        raise InputError(f"'{ds.name}' holds no ratings", mend="draw its activity instead")
    shares = 100 * rated.value_counts(normalize=True).sort_index()
    gaps = np.diff(shares.index.to_numpy())
    width = 0.8 * (gaps.min() if len(gaps) else 1.0)
    limit = ds.threshold if ds.feedback == "explicit" else None
    relevant = [limit is not None and value >= limit for value in shares.index]
    ax = axes(ax)
    colours = [BLUE if yes else "#b9cfe0" for yes in relevant]
    ax.bar(shares.index, shares, width=width, color=colours, edgecolor=BLUE)
    ax.set_ylim(0, None)
    quiet(ax, "y")
    said = f"Rating (dark: relevant, from {limit:g})" if limit is not None else "Rating"
    ax.set_xlabel(said)
    ax.set_ylabel("Share of ratings (%)")
    ax.set_title(f"{plain(ds.name)}: {len(rated):,} ratings", loc="left")
    return ax


def plot_timeline(split: Split | pd.DataFrame, ax: Axes | None = None, bins: int = 40) -> Axes:
    """Interactions over time, stacked by the split's parts.

    Parameters
    ----------
    split : Split or DataFrame with `part, timestamp`
        A split, or the frame of one (:meth:`recnb.data.Split.frame`).
    ax : Axes, optional
    bins : int

    Raises
    ------
    InputError
        The data have no clock.

    Examples
    --------
    >>> frame = pd.DataFrame({"part": ["train", "train", "test"], "timestamp": [0, 86400, 864000]})
    >>> plot_timeline(frame, bins=5).get_title(loc="left")
    'train 2, test 1'
    """
    frame = split if isinstance(split, pd.DataFrame) else split.frame()
    if "timestamp" not in frame:
        raise InputError("no clock", column="timestamp", mend="draw data that have timestamps")
    days = pd.to_datetime(frame["timestamp"].astype(float), unit="s")
    there = [p for p in PARTS if (frame["part"] == p).any()]
    ax = axes(ax)
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    found = [date2num(days[frame["part"] == p]) for p in there]
    found = [np.asarray(f) for f in found]
    drawn: Any
    _, _, drawn = ax.hist(
        found,
        bins=bins,
        stacked=True,
        color=[PARTS[p][0] for p in there],
        edgecolor="white",
        linewidth=0.4,
        label=there,
    )
    blocks = list(drawn) if len(there) > 1 else [drawn]
    for part, bars in zip(there, blocks):
        for bar in bars:
            bar.set_hatch(PARTS[part][1])
    locator = AutoDateLocator(maxticks=7)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set_xlabel("Time (UTC)")
    ax.set_ylabel("Interactions")
    ax.set_title(", ".join(f"{p} {len(f):,}" for p, f in zip(there, found)), loc="left")
    ax.legend(frameon=False)
    quiet(ax, "y")
    return ax
