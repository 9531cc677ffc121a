"""Order: one sequence of events per user, the same whatever the order of the rows, and where sessions begin."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from recnb.errors import InputError
from recnb.hashing import mix

if TYPE_CHECKING:
    from recnb.data.dataset import Dataset

GAP_MINUTES = 30.0


def row_hash(ds: Dataset, seed: int) -> np.ndarray:
    """A hash per row from its user, its item and its occurrence: free of the order in which rows or ids arrive."""
    rows = ds.interactions
    nth = rows.groupby(["user", "item"]).cumcount().to_numpy().astype(np.uint64)
    users, items = ds.id_hashes
    return mix(users[rows["user"]], items[rows["item"]], nth, seed=seed)


def event_order(ds: Dataset, tie_seed: int | None = None) -> np.ndarray:
    """Row numbers of the interactions, user by user, the oldest first: the canonical order of events.

    Parameters
    ----------
    ds : Dataset
    tie_seed : int, optional
        Of the hash that orders rows of one time; None means the data set's own.

    Returns
    -------
    ndarray of shape (n_interactions,), int64

    Notes
    -----
    By `timestamp`, else by `position`; rows of one time by a seeded hash of the user's and the item's id, never by
    where they stood in a file or in the catalogue. Positions may repeat (a tie) and have gaps: only their order counts.
    Data without an order are ordered by the hash alone. Splits cut the same order with the same seed.

    Examples
    --------
    >>> import pandas as pd
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("baab"), "item_id": list("xyzx"), "position": [7, 2, 1, 3]})
    >>> ds = Dataset.from_frames(rows)
    >>> ds.item_ids[ds.interactions["item"].to_numpy()[event_order(ds)]].tolist()
    ['z', 'y', 'x', 'x']
    """
    seed = ds.tie_seed if tie_seed is None else tie_seed
    rows = ds.interactions
    user = rows["user"].to_numpy()
    clock = np.zeros(len(user)) if ds.order is None else rows[ds.order].to_numpy()
    same_user = user[1:] == user[:-1]
    if not ((user[1:] > user[:-1]) | (same_user & (clock[1:] >= clock[:-1]))).all():
        by_time = np.lexsort((clock, user))  # rows that were put together by hand
        risen = replace(ds, interactions=rows.iloc[by_time].reset_index(drop=True))
        return by_time[event_order(risen, seed)]
    order = np.arange(len(user))
    tied = same_user & (clock[1:] == clock[:-1])
    if tied.any():
        among = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
        run = np.cumsum(np.append(True, ~tied))[among]
        order[among] = among[np.lexsort((row_hash(ds, seed)[among], run))]
    return order


def session_numbers(ds: Dataset, gap_minutes: float = GAP_MINUTES) -> np.ndarray:
    """The session of each interaction: int64, counted from 0 over all users, rows as in the data set.

    The column `session` says it, where there is one. Else a session ends where the next row of the user is more than
    `gap_minutes` later; with positions only, or no order, all rows of a user are one session.

    Raises
    ------
    InputError
        The gap is not above 0.

    Examples
    --------
    >>> import pandas as pd
    >>> from recnb.data import Dataset
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xyzx"), "timestamp": [0, 60, 9000, 9000]})
    >>> session_numbers(Dataset.from_frames(rows)).tolist()
    [0, 0, 1, 2]
    """
    if not gap_minutes > 0:
        raise InputError(f"gap_minutes is {gap_minutes}", mend="give minutes above 0")
    rows = ds.interactions
    users = rows["user"].to_numpy()
    if not len(users):
        return np.zeros(0, dtype=np.int64)
    new = users[1:] != users[:-1]
    if "session" in rows:
        # A session's rows need not stand together: two windows of one user may be open at once.
        pairs = rows.groupby(["user", "session"], sort=False).ngroup()
        return pairs.to_numpy().astype(np.int64)
    if "timestamp" in rows:
        times = rows["timestamp"].to_numpy(dtype=np.float64)
        new = new | (np.diff(times) > 60 * gap_minutes)
    return np.concatenate([[0], np.cumsum(new)]).astype(np.int64)


def liked_events(ds: Dataset) -> np.ndarray:
    """Whether each event's own rating reaches the threshold of relevance, (n_interactions,), bool.

    All events where there is no threshold; without a rating a count is 1, and a rated event is not liked.
    """
    rows = ds.interactions
    if ds.threshold is None or "rating" not in rows:
        return np.ones(len(rows), bool)
    ratings = rows["rating"].to_numpy(dtype=np.float32)
    if ds.feedback == "count":
        ratings = np.nan_to_num(ratings, nan=1.0)
    return ratings >= np.float32(ds.threshold)
