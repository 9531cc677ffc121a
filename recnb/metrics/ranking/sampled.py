"""Sampled metrics, here only to show their bias: never judge a model by them.

Ranking a relevant item among 100 drawn ones instead of the whole catalogue is cheap and common. It is another
measure: by :func:`expected_hit_rate`, rank r among n candidates becomes about 1 + m (r - 1) / (n - 1) among m drawn, so
a cut at 10 of 100 drawn is a cut near n / 10 of the catalogue, and two models may change places.
Drawing by popularity bends the ranks once more, against models that list popular items.

References
----------
Krichene and Rendle, On sampled metrics for item recommendation, KDD 2020.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, stats

from recnb.errors import InputError
from recnb.metrics.ranking.top import check_k

Floats = NDArray[np.float64]


def sampled_ranks(
    scores: NDArray[np.floating],
    relevant: Any,
    excluded: Any = None,
    n_negatives: int = 100,
    popularity: ArrayLike | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The rank of each relevant item in the whole catalogue and among drawn negatives.

    Parameters
    ----------
    scores : ndarray of shape (n_users, n_items)
        A block of scores, higher is better.
    relevant, excluded : scipy sparse of shape (n_users, n_items)
        Nonzero = relevant, and never listed. Other relevant items are no candidates beside a relevant one.
    n_negatives : int
        Drawn per user, without replacement, the same for all of the user's relevant items; all of them where there
        are no more.
    popularity : array-like of shape (n_items,), optional
        Weights of the drawing, at least 0, and 0 is never drawn; None draws uniformly.
    seed : int

    Returns
    -------
    DataFrame, one row per relevant pair
        `user` (row of the block), `item`, `rank` and `sampled_rank` (from 1; an equal score counts half a place),
        `n_candidates` and `n_drawn` (negatives there were and were drawn).

    Raises
    ------
    InputError
        Shapes that differ, NaN or infinite scores, or fewer than one negative.

    References
    ----------
    Efraimidis and Spirakis, Weighted random sampling with a reservoir,
    Information Processing Letters 97(5), 2006 (weighted draws without replacement).

    Examples
    --------
    Item 2 has the third best score; of all 3 negatives, two stand before it.

    >>> found = sampled_ranks(np.array([[4.0, 3.0, 2.0, 1.0]]), sparse.csr_array([[0, 0, 1, 0]]), n_negatives=3)
    >>> found[["user", "item", "rank", "sampled_rank"]].values.tolist()
    [[0.0, 2.0, 3.0, 3.0]]
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or not np.isfinite(scores).all():
        raise InputError(f"scores have shape {scores.shape}, or hold NaN or infinite numbers")
    wanted = sparse.csr_array(relevant)
    barred = sparse.csr_array(scores.shape) if excluded is None else sparse.csr_array(excluded)
    if wanted.shape != scores.shape or barred.shape != scores.shape:
        raise InputError(
            f"scores of shape {scores.shape} beside relevant {wanted.shape}, excluded {barred.shape}"
        )
    if n_negatives < 1:
        raise InputError(f"n_negatives is {n_negatives}", mend="draw at least one")
    weights = _weights(popularity, scores.shape[1])
    rng = np.random.default_rng(seed)
    parts = []
    for user in range(len(scores)):
        own = np.flatnonzero(wanted[[user]].toarray()[0])
        free = barred[[user]].toarray()[0] == 0
        free[own] = False
        negatives = np.flatnonzero(free)
        possible = negatives[weights[negatives] > 0]
        keys = np.log(rng.random(len(possible))) / weights[possible]
        drawn = possible[np.argsort(-keys, kind="stable")[:n_negatives]]
        parts.append(
            pd.DataFrame(
                {
                    "user": user,
                    "item": own,
                    "rank": _rank(scores[user, own], scores[user, negatives]),
                    "sampled_rank": _rank(scores[user, own], scores[user, drawn]),
                    "n_candidates": len(negatives),
                    "n_drawn": len(drawn),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def single_item(ranks: ArrayLike, k: int) -> pd.DataFrame:
    """The metrics of one relevant item at a rank: `hit_rate`, `ndcg` and `reciprocal_rank`, all 0 beyond `k`.

    Examples
    --------
    >>> single_item([1, 3, 11], k=10).round(4).values.tolist()
    [[1.0, 1.0, 1.0], [1.0, 0.5, 0.3333], [0.0, 0.0, 0.0]]
    """
    check_k(k)
    r = np.asarray(ranks, dtype=np.float64)
    inside = (r <= k).astype(np.float64)
    return pd.DataFrame(
        {"hit_rate": inside, "ndcg": inside / np.log2(r + 1), "reciprocal_rank": inside / r}
    )


def expected_hit_rate(
    ranks: ArrayLike, n_candidates: ArrayLike, n_negatives: int, k: int
) -> Floats:
    """The hit rate that uniform drawing turns a catalogue rank into, on average.

    Of the n negatives r - 1 stand before the item, so the number drawn of these is hypergeometric.

    Parameters
    ----------
    ranks : array-like of int
        From 1 to n_candidates + 1.
    n_candidates : int, or array-like of int of the shape of `ranks`
        Negatives in the catalogue.
    n_negatives, k : int
        Drawn, and the cut-off.

    References
    ----------
    Krichene and Rendle 2020 (binomial there, for draws with replacement).

    Examples
    --------
    Rank 50 misses the top 10 of 1,000, and nearly always "hits" among 100 drawn; with all drawn it misses.

    >>> expected_hit_rate([50], 999, 100, k=10).round(2), expected_hit_rate([50], 999, 999, k=10)
    (array([0.98]), array([0.]))
    """
    check_k(k)
    r, n = np.broadcast_arrays(ranks, n_candidates)
    if not 1 <= n_negatives <= n.min(initial=n_negatives) or ((r < 1) | (r > n + 1)).any():
        raise InputError(
            f"ranks from {r.min()} to {r.max()}, {n_negatives} drawn of {n.min()} candidates",
            mend="ranks lie from 1 to n_candidates + 1, draws from 1 to n_candidates",
        )
    return np.asarray(stats.hypergeom.cdf(k - 1, n, r - 1, n_negatives))


def _weights(popularity: ArrayLike | None, n_items: int) -> Floats:
    if popularity is None:
        return np.ones(n_items)
    weights = np.asarray(popularity, dtype=np.float64)
    if weights.shape != (n_items,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError(
            f"popularity has shape {weights.shape} for {n_items} items, or a negative or not finite number"
        )
    return weights


def _rank(own: Floats, others: Floats) -> Floats:
    ordered = np.sort(others)
    above = len(others) - np.searchsorted(ordered, own, side="right")
    equal = len(others) - np.searchsorted(ordered, own, side="left") - above
    return 1.0 + above + equal / 2
