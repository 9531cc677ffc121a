"""Measures of recommendation lists, per user, with one population and named formulas.

Every function takes `hits` (n_users, n_ranks) from :func:`hits`, `n_relevant` (n_users,), at least
1, and the cut-off `k`, and returns one float per user. A list shorter than `k` has empty places,
and an empty place is a miss; a user without any recommendation scores 0. A user without relevant
items has no value and raises. :data:`recnb.metrics.METRICS` holds every measure by name, the variants of
:mod:`recnb.metrics.ranking.variants` among them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recnb.metrics.ranking.top import discounts, first, first_hit, ideal_gain, precision_sum

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]
Counts = NDArray[np.integer]


def hit_rate(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """1 where the first `k` places hold a relevant item, else 0.

    Examples
    --------
    >>> hit_rate(np.array([[False, True], [False, False]]), np.array([3, 1]), k=2)
    array([1., 0.])
    """
    top, _ = first(hits, n_relevant, k)
    return (top.sum(axis=1) > 0).astype(np.float64)


def recall(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Share of the user's relevant items found in the first `k` places: hits / n_relevant.

    Cannot reach 1 where n_relevant > k; :func:`capped_recall` can.

    Examples
    --------
    >>> recall(np.array([[True, False, True]]), np.array([4]), k=3)
    array([0.5])
    """
    top, n = first(hits, n_relevant, k)
    return top.sum(axis=1) / n


def precision(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Share of the first `k` places that are relevant: hits / k, also for shorter lists.

    Examples
    --------
    >>> precision(np.array([[True, False, True]]), np.array([4]), k=10)
    array([0.2])
    """
    top, _ = first(hits, n_relevant, k)
    return top.sum(axis=1) / k


def f1(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Harmonic mean of precision and recall, which is 2 hits / (k + n_relevant).

    Examples
    --------
    >>> f1(np.array([[True, False, True]]), np.array([5]), k=3)
    array([0.5])
    """
    top, n = first(hits, n_relevant, k)
    return 2.0 * top.sum(axis=1) / (k + n)


def ndcg(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Discounted gain over that of the best possible list, with gain 1 and discount log2(rank + 1).

    The ideal list has min(k, n_relevant) hits on top.

    References
    ----------
    Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 2002, section 2.

    Examples
    --------
    Hits at ranks 1 and 3 of three relevant: (1 + 1/2) / (1 + 1/log2(3) + 1/2).

    >>> ndcg(np.array([[True, False, True]]), np.array([3]), k=3).round(4)
    array([0.7039])
    """
    top, n = first(hits, n_relevant, k)
    weights = discounts(k)
    return top @ weights[: top.shape[1]] / ideal_gain(weights, np.minimum(n, k))


def average_precision(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Sum over the hits of the precision at their rank, divided by min(k, n_relevant).

    Reaches 1 for the best list of any user; :func:`average_precision_n` divides by n_relevant.

    Examples
    --------
    Hits at ranks 1 and 3: (1/1 + 2/3) / min(3, 4).

    >>> average_precision(np.array([[True, False, True]]), np.array([4]), k=3).round(4)
    array([0.5556])
    """
    top, n = first(hits, n_relevant, k)
    return precision_sum(top) / np.minimum(n, k)


def reciprocal_rank(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """1 / rank of the first hit among the first `k` places, 0 without a hit.

    Examples
    --------
    >>> reciprocal_rank(np.array([[False, True], [False, False]]), np.array([1, 1]), k=2)
    array([0.5, 0. ])
    """
    top, _ = first(hits, n_relevant, k)
    return first_hit(top)


def r_precision(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Share of relevant among the first n_relevant places; `k` is not used.

    Places beyond the end of the list are misses, so lists should be as long as the largest
    n_relevant.

    Examples
    --------
    >>> r_precision(np.array([[True, False, True]]), np.array([2]), k=10)
    array([0.5])
    """
    top, n = first(hits, n_relevant, k, whole=True)
    return (top * (np.arange(top.shape[1]) < n[:, None])).sum(axis=1) / n
