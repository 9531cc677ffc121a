"""Who is seen: how attention falls on items and suppliers, against an equal share and against what they deserve."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.stats import norm

from recnb.errors import InputError
from recnb.metrics.intervals import LEAST_USERS, bootstrap, resamples

Floats = np.ndarray
_BLOCK = 1024  # users at once


def attention(k: int) -> Floats:
    """What each place of a list is worth, (k,): 1 / log2(rank + 1).

    References
    ----------
    Singh and Joachims, Fairness of exposure in rankings, KDD 2018, section 3 (the discount of NDCG as attention).

    Examples
    --------
    >>> attention(3).round(3).tolist()
    [1.0, 0.631, 0.5]
    """
    return 1 / np.log2(np.arange(2, k + 2))


def item_exposure(lists: np.ndarray, n_items: int, users: Floats | None = None) -> Floats:
    """Share of all attention that falls on each item, (n_items,); adds up to 1.

    Parameters
    ----------
    lists : ndarray of shape (n_users, k), int
        -1 at empty places.
    n_items : int
    users : ndarray of shape (n_users,), optional
        How often each list counts.

    Raises
    ------
    InputError
        All lists are empty.
    """
    worth = np.broadcast_to(attention(lists.shape[1]), lists.shape)
    worth = worth if users is None else worth * users[:, None]
    filled = lists >= 0
    total = np.bincount(lists[filled], weights=worth[filled], minlength=n_items)
    if not total.sum():
        raise InputError("all lists are empty", mend="give lists of a fitted model")
    return total / total.sum()


def shares_of(exposure: Floats, groups: ArrayLike) -> pd.Series:
    """Attention by group of items: suppliers, genres, classes of popularity."""
    return pd.Series(exposure).groupby(np.asarray(groups, dtype=object)).sum()


def inequality(exposure: Floats) -> float:
    """Gini coefficient of attention: 0 where all get the same, near 1 where one gets all.

    Examples
    --------
    >>> inequality(np.array([0.25, 0.25, 0.25, 0.25])), inequality(np.array([0.0, 0.0, 0.0, 1.0]))
    (0.0, 0.75)
    """
    held = np.sort(exposure)
    n = len(held)
    steps = 2 * np.arange(1, n + 1) - n - 1
    return float(steps @ held / (n * held.sum()))


def unearned(exposure: Floats, merit: Floats) -> float:
    """Share of all attention that would have to move for everybody to get a share by merit; 0 is fair, below 1.

    Parameters
    ----------
    exposure : ndarray of shape (n,)
    merit : ndarray of shape (n,)
        At least 0, not all 0: likes in the training data, or true relevance where it is known.

    References
    ----------
    Biega, Gummadi and Weikum, Equity of attention, SIGIR 2018, equation 3 (there summed, here halved and over shares).

    Examples
    --------
    >>> unearned(np.array([1.0, 0.0]), np.array([3.0, 1.0]))
    0.25
    """
    if (merit < 0).any() or not merit.sum():
        raise InputError("merit is negative or 0 for all", mend="give likes, or relevance")
    return float(np.abs(exposure - merit / merit.sum()).sum() / 2)


def exposure_table(
    lists: np.ndarray,
    groups: ArrayLike,
    merit: Floats,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Attention of each group of items beside its share of items and of merit, with intervals over users.

    Parameters
    ----------
    lists : ndarray of shape (n_users, k), int
    groups : array-like of shape (n_items,)
        A supplier, a genre, a class of popularity for each item.
    merit : ndarray of shape (n_items,)
    draws, seed, level
        As in :func:`recnb.metrics.bootstrap`.

    Returns
    -------
    DataFrame, one row per group by name
        `group, n_items, items, merit, exposure, low, high, to_merit, to_merit_low, to_merit_high`: shares, and exposure
        over the share of merit (NaN without merit).
    """
    named = np.asarray(groups, dtype=object)
    names, place = np.unique(named.astype(str), return_inverse=True)
    n_items, n_groups = len(named), len(names)
    worth = np.broadcast_to(attention(lists.shape[1]), lists.shape)
    filled = lists >= 0
    row = np.broadcast_to(np.arange(len(lists))[:, None], lists.shape)[filled]
    cell = row * n_groups + place[lists[filled]]
    by_user = np.bincount(cell, weights=worth[filled], minlength=len(lists) * n_groups)
    by_user = by_user.reshape(len(lists), n_groups)
    drawn = np.vstack([counts @ by_user for counts in resamples(len(lists), draws, seed)])
    drawn = drawn / drawn.sum(axis=1, keepdims=True)
    tail = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(drawn, tail, axis=0)
    exposure = np.minimum(by_user.sum(axis=0) / by_user.sum(), 1.0)  # the sum rounds
    deserved = np.bincount(place, weights=merit, minlength=n_groups) / merit.sum()
    sizes = np.bincount(place, minlength=n_groups)
    over = np.where(deserved > 0, deserved, np.nan)
    return pd.DataFrame(
        {
            "group": names, "n_items": sizes, "items": sizes / n_items, "merit": deserved, "exposure": exposure,
            "low": low, "high": high, "to_merit": exposure / over, "to_merit_low": low / over,
            "to_merit_high": high / over,
        }
    )  # fmt: skip


def supplier_exposure(
    lists: np.ndarray,
    suppliers: ArrayLike,
    merit: Floats,
    level: float = 0.95,
) -> pd.DataFrame:
    """How far attention is from an equal share for each supplier, and from a share by merit; intervals over users.

    Parameters
    ----------
    lists : ndarray of shape (n_users, k), int
        -1 at empty places.
    suppliers : array-like of shape (n_items,)
        Brand, publisher, maker. Items without one (empty or missing) take no part, nor do their places.
    merit : ndarray of shape (n_items,)
        At least 0; a supplier's is the sum over its items.
    level : float in (0, 1), default 0.95

    Returns
    -------
    DataFrame, one row per measure
        `measure, value, low, high, n_suppliers, named`. Measures: "unequal" and "unearned", the share of the suppliers'
        attention that would have to move for all to have the same, or a share by merit (:func:`unearned`), their ends
        NaN with fewer than :data:`recnb.metrics.intervals.LEAST_USERS` users; "gini" (:func:`inequality`), without an
        interval. `named`: the share of all attention that falls on items with a supplier.

    Raises
    ------
    InputError
        No listed item has a supplier, or none has merit.

    Notes
    -----
    Ends by the jackknife over users (Efron and Tibshirani 1993, section 11.5). A bootstrap would not do: its resamples
    are noisier than the users, and noise counts as inequality. For the same reason values of few users are high, a
    little for the shares and more for the Gini of many suppliers: compare models on the same users.

    References
    ----------
    Singh and Joachims, KDD 2018, section 4 (groups: parity of exposure, exposure by merit). Biega et al., SIGIR 2018.

    Examples
    --------
    >>> lists = np.array([[0], [0], [1], [2]] * 10)
    >>> table = supplier_exposure(lists, ["a", "a", "b"], np.array([1.0, 2.0, 1.0]))
    >>> table.set_index("measure")["value"].to_dict()
    {'unequal': 0.25, 'unearned': 0.0, 'gini': 0.25}
    """
    named = pd.Series(np.asarray(suppliers, dtype=object)).astype("string").str.strip()
    codes, names = pd.factorize(named.where(named.str.len() > 0), sort=True)
    held = codes >= 0
    deserved = np.bincount(codes[held], weights=np.asarray(merit)[held], minlength=len(names))
    if not deserved.sum() or (deserved < 0).any():
        raise InputError("merit is negative or 0 for all", mend="give likes, or relevance")
    filled = lists >= 0
    worth = np.broadcast_to(attention(lists.shape[1]), lists.shape)[filled]
    user = np.broadcast_to(np.arange(len(lists))[:, None], lists.shape)[filled]
    supplier = codes[lists[filled]]
    seen = supplier >= 0
    if not seen.any():
        raise InputError("no listed item has a supplier", mend="name the column of suppliers")
    cells = (worth[seen], (user[seen], supplier[seen]))
    by_user = sparse.csr_matrix(cells, shape=(len(lists), len(names)))

    def apart(totals: Floats) -> Floats:
        """Shares that would have to move, (n, 2): to be equal, to be by merit."""
        shares = totals / totals.sum(axis=1, keepdims=True)
        due = (1 / len(names), deserved / deserved.sum())
        return np.column_stack([np.abs(shares - one).sum(axis=1) / 2 for one in due])

    total, n = np.asarray(by_user.sum(axis=0)), len(lists)
    blocks = (by_user[at : at + _BLOCK].toarray() for at in range(0, n, _BLOCK))
    without = np.vstack([apart(total - rows) for rows in blocks])
    error = np.sqrt((n - 1) * without.var(axis=0)) if n >= LEAST_USERS else np.full(2, np.nan)
    reach = np.append(norm.ppf((1 + level) / 2) * error, np.nan)
    value = np.append(apart(total)[0], inequality(total[0]))
    return pd.DataFrame(
        {"measure": ["unequal", "unearned", "gini"], "value": value, "low": value - reach,
         "high": value + reach, "n_suppliers": len(names), "named": worth[seen].sum() / worth.sum()}
    )  # fmt: skip


def with_interval(values: Floats, seed: int = 0) -> dict[str, float]:
    """A mean over users and its 95 % interval, users without a value left out."""
    held = values[np.isfinite(values)]
    low, high = bootstrap(held, seed=seed)
    return {"value": float(held.mean()), "low": low, "high": high, "n_users": len(held)}
