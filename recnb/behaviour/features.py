"""`behaviour`: what a user does, as one table of features."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recnb.behaviour.mix import CATEGORY_COLUMNS, category_mix, drift, entropy
from recnb.behaviour.sessions import sessions
from recnb.data.dataset import Dataset
from recnb.data.describe import in_head
from recnb.errors import InputError

Floats = NDArray[np.float64]
DAY = 86_400.0


def behaviour(
    ds: Dataset,
    now: float | None = None,
    *,
    category: str | None = None,
    gap_minutes: float = 30.0,
    shrinkage: float = 10.0,
    head: float = 0.5,
    seed: int = 0,
) -> pd.DataFrame:
    """Describe every user by what stands in the rows.

    Give it the known part of a split where the features are to explain or predict what comes later.

    Parameters
    ----------
    ds : Dataset
    now : float, optional
        Unix seconds from which recency is counted back; default: the last row of the data.
    category : str, optional
        Column of the items table for entropy and drift; default: the first usual one there is
        (:data:`recnb.behaviour.CATEGORY_COLUMNS`).
    gap_minutes : float
        The longest pause within a session.
    shrinkage : float
        Ratings at the global mean that are added to each user's own.
    head : float in (0, 1)
        The head is made of the most used items that hold this share of all pairs.
    seed : int
        Of the random orders behind `drift_excess`.

    Returns
    -------
    DataFrame of float64, indexed by user_id, in the order of `ds.users`
        Always these columns, NaN where the data cannot tell:

        - `rows`, `pairs`, `days_active`: rows, distinct items, distinct UTC days. 0 for a user without rows
          (`days_active` NaN without a clock).
        - `repeat_rate`: (rows - pairs) / rows, the share of rows that repeat a pair.
        - `recency_days`: (now - the user's last row) / 86,400. NaN without a clock or rows.
        - `rating_bias`: sum(r - mean of all ratings) / (shrinkage + number of ratings). NaN without ratings.
        - `log_popularity`: mean natural log of the number of users of the user's distinct items.
        - `head_share`: share of the user's distinct items that are in the head. Both NaN without rows.
        - `category_entropy`: bits, see :func:`~recnb.behaviour.entropy`. NaN without categories.
        - `drift`, `drift_excess`: see :func:`~recnb.behaviour.drift`. NaN without order or categories,
          or with fewer than 10 rows in a half.
        - `sessions`, `session_rows` (median rows), `session_minutes` (median), `days_between` (median days
          between the starts of two sessions; NaN with one): see :func:`~recnb.behaviour.sessions`.

    Raises
    ------
    InputError
        `now` is before the last row, a setting is out of its range, or a named column is missing.

    References
    ----------
    Koren, Factor in the neighbors, ACM TKDD 4(1), 2010, section 2.1 (shrunken bias).

    Examples
    --------
    >>> rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xxyx"),
    ...                      "timestamp": [0, 86400, 86400, 172800]})
    >>> found = behaviour(Dataset.from_frames(rows, duplicates="keep"))
    >>> found.loc["a", ["rows", "pairs", "days_active", "repeat_rate", "recency_days"]].round(3).tolist()
    [3.0, 2.0, 2.0, 0.333, 1.0]
    """
    if not shrinkage >= 0:
        raise InputError(f"shrinkage is {shrinkage}", mend="give a number of at least 0")
    if not 0 < head < 1:
        raise InputError(f"head is {head}", mend="give a share between 0 and 1")
    columns = {**_activity(ds), **_recency(ds, now), "rating_bias": _rating_bias(ds, shrinkage)}
    columns |= _popularity_taste(ds, head)
    nothing = np.full(ds.n_users, np.nan)
    if category is None and not any(c in ds.items for c in CATEGORY_COLUMNS):
        columns |= dict.fromkeys(("category_entropy", "drift", "drift_excess"), nothing)
    else:
        columns["category_entropy"] = entropy(category_mix(ds, category)[0])
        moved = drift(ds, category, seed=seed)
        columns |= {n: moved[n].to_numpy() for n in ("drift", "drift_excess")}
    out = pd.DataFrame(columns, index=ds.users.index, dtype=np.float64)
    visits = _visits(ds, gap_minutes).reindex(out.index)
    return out.join(visits)


def _activity(ds: Dataset) -> dict[str, Floats]:
    users = ds.interactions["user"].to_numpy()
    rows = np.bincount(users, minlength=ds.n_users).astype(np.float64)
    pairs = np.diff(ds.pairs().indptr).astype(np.float64)
    days = np.full(ds.n_users, np.nan)
    if "timestamp" in ds.interactions:
        day = np.floor(ds.interactions["timestamp"].to_numpy(dtype=np.float64) / DAY)
        seen = pd.DataFrame({"user": users, "day": day}).drop_duplicates()["user"]
        days = np.bincount(seen, minlength=ds.n_users).astype(np.float64)
    with np.errstate(invalid="ignore"):
        repeat = (rows - pairs) / rows
    return {"rows": rows, "pairs": pairs, "days_active": days, "repeat_rate": repeat}


def _recency(ds: Dataset, now: float | None) -> dict[str, Floats]:
    out = np.full(ds.n_users, np.nan)
    if "timestamp" in ds.interactions and len(ds.interactions):
        last = ds.interactions.groupby("user")["timestamp"].max()
        now = float(last.max()) if now is None else float(now)
        if not now >= last.max():
            raise InputError(
                f"now is {now:g}, before the last row at {last.max()}",
                column="timestamp",
                mend="leave later rows out first, or give a later moment",
            )
        out[last.index] = (now - last.to_numpy(dtype=np.float64)) / DAY
    return {"recency_days": out}


def _rating_bias(ds: Dataset, shrinkage: float) -> Floats:
    if ds.feedback != "explicit" or "rating" not in ds.interactions:
        return np.full(ds.n_users, np.nan)
    given = ds.interactions[ds.interactions["rating"].notna()]
    users, ratings = given["user"].to_numpy(), given["rating"].to_numpy(dtype=np.float64)
    n = np.bincount(users, minlength=ds.n_users)
    off = np.bincount(users, ratings - ratings.mean(), minlength=ds.n_users) if len(users) else n
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 0, off / (shrinkage + n), np.nan)


def _popularity_taste(ds: Dataset, head: float) -> dict[str, Floats]:
    pairs = ds.pairs()
    logs = np.log(np.maximum(np.asarray(pairs.sum(axis=0), dtype=np.float64).ravel(), 1))
    n = np.diff(pairs.indptr)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "log_popularity": pairs.astype(np.float64) @ logs / n,
            "head_share": pairs.astype(np.float64) @ in_head(ds, head).astype(np.float64) / n,
        }


def _visits(ds: Dataset, gap_minutes: float) -> pd.DataFrame:
    names = ["sessions", "session_rows", "session_minutes", "days_between"]
    if "timestamp" not in ds.interactions:
        return pd.DataFrame(np.nan, index=ds.users.index, columns=names)
    found = sessions(ds, gap_minutes)
    found["pause"] = found.groupby("user_id")["start"].diff() / DAY
    by_user = found.groupby("user_id", sort=False)
    middle = by_user[["rows", "minutes", "pause"]].median()
    out = pd.DataFrame({"sessions": by_user.size()}).join(middle).astype(np.float64)
    out.columns = pd.Index(names)
    return out
