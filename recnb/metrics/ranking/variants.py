"""The same metrics as other libraries define them, each under a name of its own.

| name | difference | used by |
|---|---|---|
| `average_precision_n` | divides by n_relevant | ranx, pytrec_eval, RecTools |
| `average_precision_hits` | divides by the number of hits in the list | torchmetrics |
| `average_precision_mean_precision` | mean of the precision at 1, 2, ... k | Elliot |
| `capped_recall` | divides by min(k, n_relevant) | LensKit |
| `ndcg_fixed_ideal` | ideal list of k hits, however few are relevant | RecTools |
| `ndcg_rank2` | rank 2 is not discounted: max(1, log2(rank)) | LensKit |
| `reciprocal_rank_all` | no cut-off | pytrec_eval |

Arguments, result and errors are those of :mod:`recnb.metrics.ranking.measures`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recnb.metrics.ranking.top import discounts, first, first_hit, ideal_gain, precision_sum

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]
Counts = NDArray[np.integer]


def average_precision_n(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Average precision divided by n_relevant: below 1 for every list where n_relevant > k.

    Examples
    --------
    >>> average_precision_n(np.array([[True, False, True]]), np.array([5]), k=3).round(4)
    array([0.3333])
    """
    top, n = first(hits, n_relevant, k)
    return precision_sum(top) / n


def average_precision_hits(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Average precision divided by the hits in the first `k` places; 0 without a hit.

    It forgets the relevant items that were not found: one hit at rank 1 gives 1.

    Examples
    --------
    >>> average_precision_hits(np.array([[True, False, True]]), np.array([5]), k=3).round(4)
    array([0.8333])
    """
    top, _ = first(hits, n_relevant, k)
    return precision_sum(top) / np.maximum(top.sum(axis=1), 1)


def average_precision_mean_precision(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Mean of the precision at 1, 2, ... `k`; missing places are misses.

    Examples
    --------
    (1/1 + 1/2 + 2/3) / 3.

    >>> hits = np.array([[True, False, True]])
    >>> average_precision_mean_precision(hits, np.array([5]), k=3).round(4)
    array([0.7222])
    """
    top, _ = first(hits, n_relevant, k)
    full = np.zeros((len(top), k))
    full[:, : top.shape[1]] = top
    return (np.cumsum(full, axis=1) / np.arange(1, k + 1)).mean(axis=1)


def capped_recall(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """Hits divided by min(k, n_relevant), the most that the list could hold.

    Examples
    --------
    >>> capped_recall(np.array([[True, False]]), np.array([5]), k=2)
    array([0.5])
    """
    top, n = first(hits, n_relevant, k)
    return top.sum(axis=1) / np.minimum(n, k)


def ndcg_fixed_ideal(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """NDCG whose ideal list has `k` hits: below 1 for every list where n_relevant < k.

    Examples
    --------
    The best possible list of a user with one relevant item: 1 / (1 + 1/log2(3)).

    >>> ndcg_fixed_ideal(np.array([[True, False]]), np.array([1]), k=2).round(4)
    array([0.6131])
    """
    top, _ = first(hits, n_relevant, k)
    weights = discounts(k)
    return top @ weights[: top.shape[1]] / weights.sum()


def ndcg_rank2(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """NDCG with the discount max(1, log2(rank)): ranks 1 and 2 count the same.

    References
    ----------
    Järvelin and Kekäläinen, TOIS 2002, section 2.2, with b = 2.

    Examples
    --------
    A hit at rank 2 of one relevant item scores 1; the usual NDCG gives 0.6309.

    >>> ndcg_rank2(np.array([[False, True]]), np.array([1]), k=2)
    array([1.])
    """
    top, n = first(hits, n_relevant, k)
    weights = 1.0 / np.maximum(1.0, np.log2(np.arange(1, k + 1)))
    return top @ weights[: top.shape[1]] / ideal_gain(weights, np.minimum(n, k))


def reciprocal_rank_all(hits: Hits, n_relevant: Counts, k: int) -> Floats:
    """1 / rank of the first hit in the whole list; `k` is not used.

    Examples
    --------
    >>> reciprocal_rank_all(np.array([[False, False, False, True]]), np.array([1]), k=2)
    array([0.25])
    """
    top, _ = first(hits, n_relevant, k, whole=True)
    return first_hit(top)
