"""Sessions: rows of one user without a long pause between them; at a till, a basket."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.data.dataset import Dataset
from recnb.data.order import GAP_MINUTES, session_numbers
from recnb.errors import InputError


def sessions(ds: Dataset, gap_minutes: float = GAP_MINUTES) -> pd.DataFrame:
    """One row per session, by user and time.

    Parameters
    ----------
    ds : Dataset with a timestamp
    gap_minutes : float
        The longest pause within a session, in minutes. 30 is the habit of the web; with purchases whose rows
        carry the moment of the till, any small gap gives baskets.

    Returns
    -------
    DataFrame
        `user_id`, `start` (Unix seconds), `minutes` (last row less first), `rows`, `items` (distinct).

    Raises
    ------
    InputError
        No timestamp, or a gap that is not above 0.

    References
    ----------
    Catledge and Pitkow, Characterizing browsing strategies in the World-Wide Web, 1995 (the 25.5-minute timeout).

    Examples
    --------
    A pause of 10 minutes, then one of 100:

    >>> rows = pd.DataFrame({"user_id": list("aaa"), "item_id": list("xyx"), "timestamp": [0, 600, 6600]})
    >>> sessions(Dataset.from_frames(rows))
      user_id  start  minutes  rows  items
    0       a      0     10.0     2      2
    1       a   6600      0.0     1      1
    """
    if "timestamp" not in ds.interactions:
        raise InputError("sessions need a clock", column="timestamp", mend="add a timestamp")
    number = session_numbers(ds, gap_minutes)
    rows = ds.interactions
    frame = pd.DataFrame(
        {"user": rows["user"], "item": rows["item"], "time": rows["timestamp"], "session": number}
    )
    grouped = frame.groupby("session", sort=True)
    distinct = frame.drop_duplicates(["session", "item"])["session"]
    start, end = grouped["time"].min(), grouped["time"].max()
    return pd.DataFrame(
        {
            "user_id": ds.user_ids[grouped["user"].first().to_numpy(dtype=np.int64)],
            "start": start.to_numpy(),
            "minutes": ((end - start) / 60).to_numpy(dtype=np.float64),
            "rows": grouped.size().to_numpy(dtype=np.int64),
            "items": np.bincount(distinct, minlength=len(start)).astype(np.int64),
        }
    )
