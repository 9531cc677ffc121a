"""Several metrics of the same lists at once, per user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recnb.metrics.ranking.measures import Counts, Floats, Hits
from recnb.metrics.ranking.top import check_k
from recnb.metrics.ranking.truth import RelevantItems, hits
from recnb.metrics.table import resolve


def evaluate_lists(
    lists: NDArray[np.integer], relevant: Any, metrics: Iterable[str], k: int
) -> dict[str, Floats]:
    """Several metrics of the same lists, per user.

    Only the first `k` places are read (and checked), unless a metric that reads whole lists is asked for.

    Parameters
    ----------
    lists : ndarray of shape (n_users, n_ranks), integer
        Item codes, best first; -1 is an empty place.
    relevant : RelevantItems, or scipy sparse array or matrix of shape (n_users, n_items)
        Nonzero = relevant; every user needs at least one relevant item.
    metrics : names from :data:`recnb.metrics.METRICS` that need lists
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
    wanted = resolve(metrics)
    check_k(k)
    lists = np.asarray(lists)
    if not any(metric.whole for metric in wanted.values()):
        lists = lists[:, :k]
    truth = relevant if isinstance(relevant, RelevantItems) else RelevantItems(relevant)
    is_hit, counts = hits(lists, truth), truth.counts
    kinds = _kinds(is_hit, counts)
    if kinds is None:
        return {name: metric(is_hit, counts, k) for name, metric in wanted.items()}
    # Few combinations of hits and n_relevant occur: each is computed once.
    rows, n, kind = kinds
    return {name: metric(rows, n, k).take(kind) for name, metric in wanted.items()}


def _kinds(is_hit: Hits, counts: Counts) -> tuple[Hits, Counts, NDArray[np.intp]] | None:
    """Distinct rows of (hits, n_relevant), and each user's row among them; None where many."""
    n_users, n_ranks = is_hit.shape
    size = (int(counts.max(initial=0)) + 1) << min(n_ranks, 32)
    if n_ranks > 16 or size > 4 * n_users:
        return None
    pattern = np.zeros(n_users, dtype=np.uint16)
    for rank in range(n_ranks):
        pattern |= np.left_shift(is_hit[:, rank], rank, dtype=np.uint16)
    key = (counts << n_ranks) | pattern
    seen = np.zeros(size, dtype=bool)
    seen[key] = True
    distinct = np.flatnonzero(seen)
    row = np.empty(size, dtype=np.intp)
    row[distinct] = np.arange(len(distinct))
    bits = (distinct[:, None] >> np.arange(n_ranks)) & 1
    return bits.astype(bool), distinct >> n_ranks, row[key]
