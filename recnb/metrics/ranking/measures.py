"""Measures of recommendation lists, per user, with one population and named formulas.

Every function takes `hits` (n_users, n_ranks) from :func:`hits`, `n_relevant` (n_users,), at least
1, and the cut-off `k`, and returns one float per user. A list shorter than `k` has empty places,
and an empty place is a miss; a user without any recommendation scores 0. A user without relevant
items has no value and raises. `METRICS` holds every measure by name, variants included
(:mod:`recnb.metrics.ranking.variants` says which library uses which).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recnb.errors import InputError
from recnb.metrics.ranking.auc import auc
from recnb.metrics.ranking.top import (
    check_k,
    discounts,
    first,
    first_hit,
    ideal_gain,
    precision_sum,
)
from recnb.metrics.ranking.truth import Truth, count_relevant, hits
from recnb.metrics.ranking.variants import (
    average_precision_hits,
    average_precision_mean_precision,
    average_precision_n,
    capped_recall,
    ndcg_fixed_ideal,
    ndcg_rank2,
    reciprocal_rank_all,
)

__all__ = [
    "METRICS",
    "UNCUT",
    "Truth",
    "auc",
    "average_precision",
    "average_precision_hits",
    "average_precision_mean_precision",
    "average_precision_n",
    "capped_recall",
    "count_relevant",
    "evaluate_lists",
    "f1",
    "hit_rate",
    "hits",
    "ndcg",
    "ndcg_fixed_ideal",
    "ndcg_rank2",
    "precision",
    "r_precision",
    "recall",
    "reciprocal_rank",
    "reciprocal_rank_all",
    "resolve",
]

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]
Counts = NDArray[np.integer]
ListMetric = Callable[[Hits, Counts, int], Floats]


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


METRICS: Mapping[str, ListMetric] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            hit_rate,
            recall,
            precision,
            f1,
            ndcg,
            average_precision,
            reciprocal_rank,
            r_precision,
            average_precision_n,
            average_precision_hits,
            average_precision_mean_precision,
            capped_recall,
            ndcg_fixed_ideal,
            ndcg_rank2,
            reciprocal_rank_all,
        )
    }
)
"""Every list metric by name."""

UNCUT = frozenset({"r_precision", "reciprocal_rank_all"})
"""Metrics that read the whole list, whatever `k`."""


def resolve(names: str | Iterable[str]) -> dict[str, ListMetric]:
    """Look metric names up.

    Raises
    ------
    InputError
        At an unknown name, with the known ones.

    Examples
    --------
    >>> list(resolve(("ndcg", "recall")))
    ['ndcg', 'recall']
    """
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in METRICS:
            raise InputError(
                f"metric '{name}' is not known for lists",
                mend=f"choose among {', '.join(METRICS)}",
            )
    return {name: METRICS[name] for name in names}


def evaluate_lists(
    lists: NDArray[np.integer], relevant: Any, metrics: Iterable[str], k: int
) -> dict[str, Floats]:
    """Several metrics of the same lists, per user.

    Only the first `k` places are read (and checked), unless a metric of `UNCUT` is asked for.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
        Item codes, best first; -1 is an empty place.
    relevant : Truth, or scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = relevant; every user needs at least one relevant item.
    metrics : names from `METRICS`
    k : int
        Cut-off, at least 1.

    Returns
    -------
    dict of name to ndarray of shape (n_users,), float64

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> values = evaluate_lists(np.array([[2, 0, 1]]), csr_array([[1, 1, 0]]), ("recall",), k=2)
    >>> values["recall"]
    array([0.5])
    """
    functions = resolve(metrics)
    check_k(k)
    lists = np.asarray(lists)
    if UNCUT.isdisjoint(functions):
        lists = lists[:, :k]
    truth = relevant if isinstance(relevant, Truth) else Truth(relevant)
    found, counts = hits(lists, truth), truth.counts
    kinds = _kinds(found, counts)
    if kinds is None:
        return {name: function(found, counts, k) for name, function in functions.items()}
    # Few combinations of hits and n_relevant occur: each is computed once.
    rows, n, kind = kinds
    return {name: function(rows, n, k).take(kind) for name, function in functions.items()}


def _kinds(found: Hits, counts: Counts) -> tuple[Hits, Counts, NDArray[np.intp]] | None:
    """Distinct rows of (hits, n_relevant), and each user's row among them; None where many."""
    n_users, n_ranks = found.shape
    size = (int(counts.max(initial=0)) + 1) << min(n_ranks, 32)
    if n_ranks > 16 or size > 4 * n_users:
        return None
    pattern = np.zeros(n_users, dtype=np.uint16)
    for rank in range(n_ranks):
        pattern |= np.left_shift(found[:, rank], rank, dtype=np.uint16)
    key = (counts << n_ranks) | pattern
    seen = np.zeros(size, dtype=bool)
    seen[key] = True
    distinct = np.flatnonzero(seen)
    row = np.empty(size, dtype=np.intp)
    row[distinct] = np.arange(len(distinct))
    bits = (distinct[:, None] >> np.arange(n_ranks)) & 1
    return bits.astype(bool), distinct >> n_ranks, row[key]
