"""Miscalibration: how far the mix of a list is from the mix of the user's own history."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics.beyond_accuracy import Floats, Lists, _membership

DIVERGENCES = ("kl", "js")


def miscalibration(
    lists: Lists,
    history: Any,
    categories: Any,
    divergence: str = "kl",
    alpha: float = 0.01,
) -> Floats:
    """Divergence of each list's mix of categories from that of the user's history; 0 is perfectly calibrated.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
    history : scipy sparse array or matrix of shape (n_users, n_items)
        At least 0: how much each of the user's own items weighs (times bought, or ones); row i belongs to row i of
        `lists`.
    categories : sparse or dense, of shape (n_items, n_categories)
        Shares of each item, at least 0, such as :func:`recnb.behaviour.item_categories` gives.
    divergence : {"kl", "js"}
        "kl": sum of p ln(p / q'), in nats, with q' = (1 - alpha) q + alpha p, so that it is finite. "js": the
        Jensen-Shannon divergence in bits, from 0 to 1, with q itself.
    alpha : float in (0, 1)
        Only for "kl".

    Returns
    -------
    ndarray of shape (n_users,)
        NaN for a user whose list or history has no item with a category: leave out and say how many remain.

    Notes
    -----
    A short list cannot hold a broad taste: ten places have at most ten shares, so compare models at one k only.

    References
    ----------
    Steck, Calibrated recommendations, RecSys 2018, section 3 (weights of rank set to one).
    Lin, Divergence measures based on the Shannon entropy, IEEE TIT 37(1), 1991 ("js").

    Examples
    --------
    Half comedy, half crime in the past; a list of both is calibrated, one of comedy alone is not. By Jensen-Shannon:
    H(3/4, 1/4) - (1 + 0) / 2 = 0.3113 bits.

    >>> history, genres = sparse.csr_array([[1, 1, 0, 0]] * 2), np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    >>> miscalibration(np.array([[2, 3], [2, -1]]), history, genres, "js").round(4)
    array([0.    , 0.3113])
    """
    if divergence not in DIVERGENCES:
        raise InputError(f"divergence='{divergence}'", mend=f"one of {', '.join(DIVERGENCES)}")
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}", mend="give a number between 0 and 1, such as 0.01")
    shares = sparse.csr_array(categories, dtype=np.float64)
    own = sparse.csr_array(history, dtype=np.float64)
    if own.shape != (len(lists), shares.shape[0]):
        raise InputError(
            f"history has shape {own.shape} beside {len(lists)} lists and categories of {shares.shape[0]} items",
            mend="one row per list, one column per item",
        )
    for name, table in (("history", own), ("categories", shares)):
        if not np.isfinite(table.data).all() or (table.data < 0).any():
            raise InputError(f"{name} holds a negative, NaN or infinite number")
    p = _distribution((own @ shares).toarray())
    q = _distribution((_membership(lists, shares.shape[0]) @ shares).toarray())
    if divergence == "js":
        middle = (p + q) / 2
        found = (_relative(p, middle) + _relative(q, middle)) / (2 * np.log(2))
    else:
        found = _relative(p, (1 - alpha) * q + alpha * p)
    return np.maximum(found, 0.0)  # rounding; NaN stays NaN


def _distribution(counts: Floats) -> Floats:
    """Rows scaled to sum 1; NaN where a row is empty."""
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def _relative(p: NDArray[np.float64], q: NDArray[np.float64]) -> Floats:
    """Kullback-Leibler divergence in nats, row by row; 0 ln 0 = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p == 0, 0.0, p * np.log(p / q))
    return terms.sum(axis=1)
