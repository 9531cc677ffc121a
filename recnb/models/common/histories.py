"""Histories as blocks of one width: the most recent items of each user."""

from __future__ import annotations

import numpy as np

from recnb.data import Dataset


def padded(
    ds: Dataset, length: int, liked: bool, mean: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """The last `length` items of each user and what was thought of them.

    Parameters
    ----------
    ds : Dataset
        Rows of a user are in their order.
    length : int
    liked : bool
        Only pairs that count as relevant; else all.
    mean : float
        Subtracted from the ratings where `liked` is False and feedback is explicit.

    Returns
    -------
    items : ndarray of shape (n_users, length), int64
        Item codes, the oldest first, -1 where there are fewer.
    values : ndarray of shape (n_users, length), float32
        1, or the rating less `mean`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xyzx"), "timestamp": [1, 2, 3, 4]})
    >>> padded(Dataset.from_frames(rows), 2, liked=True)[0].tolist()
    [[1, 2], [-1, 0]]
    """
    rows = ds.interactions
    users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
    values = np.ones(len(rows), np.float32)
    if ds.feedback == "explicit":
        ratings = rows["rating"].to_numpy(np.float32)
        if liked:
            keep = ratings >= ds.threshold
            users, items, values = users[keep], items[keep], values[keep]
        else:
            values = np.nan_to_num(ratings - np.float32(mean))
    stop = np.searchsorted(users, np.arange(ds.n_users), side="right")
    place = length - stop[users] + np.arange(len(users))
    inside = place >= 0
    out = np.full((ds.n_users, length), -1, np.int64)
    thought = np.zeros((ds.n_users, length), np.float32)
    out[users[inside], place[inside]] = items[inside]
    thought[users[inside], place[inside]] = values[inside]
    return out, thought
