"""The parts that list metrics share: the checked first k places, discounts, sums of precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recnb.errors import InputError

Floats = NDArray[np.float64]


def check_k(k: int) -> None:
    """Raise :class:`InputError` unless the cut-off is a whole number of at least 1.

    Examples
    --------
    >>> check_k(10)
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InputError(f"k is {k!r}", mend="give a whole number of at least 1")


def first(
    hits: NDArray[np.bool_], n_relevant: NDArray[np.integer], k: int, whole: bool = False
) -> tuple[Floats, NDArray[np.int64]]:
    """Hits of the first `k` places (with `whole`, of all) as floats, and the checked counts.

    Returns
    -------
    top : ndarray of shape (n_users, min(k, n_ranks)), float64
        0 or 1.
    n_relevant : ndarray of shape (n_users,), int64

    Raises
    ------
    InputError
        Where `hits` is no bool matrix, `k` is below 1, a user has no relevant item (an empty truth
        never becomes a number), or has more hits than relevant items.

    Examples
    --------
    >>> first(np.array([[True, False, True]]), np.array([2]), k=2)
    (array([[1., 0.]]), array([2]))
    """
    hits, counts = np.asarray(hits), np.asarray(n_relevant)
    if hits.ndim != 2 or hits.dtype != bool:
        raise InputError(
            f"hits have shape {hits.shape} and dtype {hits.dtype}, not bool (n_users, n_ranks)",
            mend="make them with recnb.metrics.hits",
        )
    check_k(k)
    if counts.shape != (len(hits),) or not np.issubdtype(counts.dtype, np.integer):
        raise InputError(
            f"n_relevant is {counts.dtype} of shape {counts.shape} beside {len(hits)} lists",
            mend="give one whole number per user",
        )
    top = (hits if whole else hits[:, :k]).astype(np.float64)
    if len(hits) and counts.min() < 1:
        raise InputError(
            "the user has no relevant item, so no metric is defined",
            row=int(np.argmax(counts < 1)) + 1,
            mend="leave users without relevant items out",
        )
    n_hits = top @ np.ones(top.shape[1])
    if (n_hits > counts).any():
        row = int(np.argmax(n_hits > counts))
        raise InputError(
            f"the list has {int(n_hits[row])} hits but n_relevant is {counts[row]}", row=row + 1
        )
    return top, counts.astype(np.int64)


def discounts(k: int) -> Floats:
    """1 / log2(rank + 1) of the ranks 1 to k.

    Examples
    --------
    >>> discounts(3).round(4)
    array([1.    , 0.6309, 0.5   ])
    """
    return 1.0 / np.log2(np.arange(2, k + 2))


def ideal_gain(weights: Floats, n_hits: NDArray[np.int64]) -> Floats:
    """Sum of the first `n_hits` weights: the discounted gain of the best list.

    Examples
    --------
    >>> ideal_gain(np.array([1.0, 0.5]), np.array([1, 2]))
    array([1. , 1.5])
    """
    return np.cumsum(weights)[n_hits - 1]


def precision_sum(top: Floats) -> Floats:
    """Sum over the hits of the precision at their rank, per list.

    Examples
    --------
    >>> precision_sum(np.array([[1.0, 0.0, 1.0]])).round(4)
    array([1.6667])
    """
    ranks = np.arange(1, top.shape[1] + 1)
    # Column j of the product holds hits up to rank j, divided by j: the precision there.
    at_rank = top @ (np.triu(np.ones((len(ranks), len(ranks)))) / ranks)
    return np.einsum("ij,ij->i", at_rank, top)


def first_hit(top: Floats) -> Floats:
    """1 / rank of the first hit, 0 without one, per list.

    Examples
    --------
    >>> first_hit(np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    array([0.5, 0. ])
    """
    if top.shape[1] == 0:
        return np.zeros(len(top))
    return (top / np.arange(1, top.shape[1] + 1)).max(axis=1)
