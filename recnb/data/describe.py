"""A data set in numbers: how large, how dense, how unequal, how well ordered, how much text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of non-negative counts: 0 = all alike, towards 1 = one has everything.

    Examples
    --------
    >>> gini(np.array([5, 5, 5])), round(gini(np.array([0, 0, 9])), 3)
    (0.0, 0.667)
    """
    counts = np.sort(np.asarray(counts, dtype=float))
    n, total = len(counts), counts.sum()
    if total == 0:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * total))


def in_head(ds: Any, head: float = 0.5) -> np.ndarray:
    """Whether an item is in the head: the most used that hold `head` of all pairs, and all tied with the last of them.

    The one definition of the head in this package. Returns an ndarray of shape (n_items,), bool.

    Examples
    --------
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("abcc"), "item_id": list("xxxy")})
    >>> in_head(Dataset.from_frames(rows)).tolist()
    [True, False]
    """
    known = np.asarray(ds.pairs().sum(axis=0)).ravel()
    falling = np.sort(known)[::-1]
    last = int(np.searchsorted(np.cumsum(falling), head * known.sum()))
    return (known > 0) & (known >= falling[min(last, len(falling) - 1)])


def tied_last(ds: Any) -> float:
    """Share of users whose last rows, two or more, have the same time; NaN without an order.

    Where it is not zero, "the last item of a user" depends on how ties are broken.
    """
    if ds.order is None:
        return float("nan")
    rows = ds.interactions[["user", ds.order]]
    last = rows.groupby("user")[ds.order].transform("max")
    at_last = rows[rows[ds.order] == last].groupby("user").size()
    return float((at_last > 1).mean())


def describe(ds: Any) -> pd.Series:
    """Describe a data set.

    Parameters
    ----------
    ds : Dataset

    Returns
    -------
    Series
        `users`, `items` (rows of the tables), `interactions`, `pairs` (distinct user-item pairs),
        `active_users`, `active_items` (with at least one interaction), `density` (pairs over active users times
        active items), `repeat_share` (rows beyond a pair's first), `per_user_median`, `per_item_median` (pairs),
        `gini_items`, `gini_users` (over all of the table), `mean_rating`, `relevant_share`, `order`, `first`, `last`
        (UTC days), `tied_timestamps` (rows that share user and time with another), `tied_last` (users),
        `text_coverage` (items with a title or text), `text_median_chars`.

    Examples
    --------
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": ["a", "a", "b"], "item_id": [1, 2, 2], "timestamp": [10, 10, 20]})
    >>> d = Dataset.from_frames(rows).describe()
    >>> int(d["pairs"]), float(d["density"]), float(d["tied_last"])
    (3, 0.75, 0.5)
    """
    rows, pairs = ds.interactions, ds.pairs()
    per_user, per_item = np.diff(pairs.indptr), np.asarray(pairs.sum(0)).ravel()
    active_users, active_items = int((per_user > 0).sum()), int((per_item > 0).sum())
    out: dict[str, object] = {
        "users": ds.n_users,
        "items": ds.n_items,
        "interactions": len(rows),
        "pairs": pairs.nnz,
        "active_users": active_users,
        "active_items": active_items,
        "density": pairs.nnz / max(active_users * active_items, 1),
        "repeat_share": 1 - pairs.nnz / max(len(rows), 1),
        "per_user_median": float(np.median(per_user[per_user > 0])) if active_users else 0.0,
        "per_item_median": float(np.median(per_item[per_item > 0])) if active_items else 0.0,
        "gini_items": gini(per_item),
        "gini_users": gini(per_user),
        "feedback": ds.feedback,
    }
    if ds.feedback == "explicit":
        out["scale"] = f"{ds.scale[0]:g}-{ds.scale[1]:g}" if ds.scale else None
        out["mean_rating"] = float(rows["rating"].mean())
        out["relevant_share"] = ds.positives().nnz / max(pairs.nnz, 1)
    out["order"] = ds.order or "none"
    if ds.order == "timestamp":
        for name, value in (("first", rows["timestamp"].min()), ("last", rows["timestamp"].max())):
            out[name] = str(pd.Timestamp(float(value), unit="s").date())
    if ds.order:
        out["tied_timestamps"] = float(rows.duplicated(["user", ds.order], keep=False).mean())
        out["tied_last"] = tied_last(ds)
    lengths = np.zeros(ds.n_items, int)
    said = [ds.items[column] for column in ("title", "text") if column in ds.items]
    for at, column in enumerate(said):
        new = True if at == 0 else (column != said[0]).to_numpy()  # a text may repeat the title
        lengths += column.str.len().to_numpy().astype(int) * new
    out["text_coverage"] = float((lengths > 0).mean())
    out["text_median_chars"] = (
        float(np.median(lengths[lengths > 0])) if (lengths > 0).any() else 0.0
    )
    return pd.Series(out, name=ds.name, dtype=object)
