"""A re-ranker that gives attention to those who lack it, and what each step of it costs in quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.effect.fairness.exposure import attention, inequality, item_exposure, unearned
from recnb.errors import InputError
from recnb.metrics.intervals import bootstrap, paired

Floats = np.ndarray
MOST = 200  # candidates of a user that may be moved up


def fair_lists(
    scores: Floats,
    k: int,
    strength: float,
    target: Floats,
    barred: sparse.csr_matrix | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Lists made one user after the other, each with a bonus for those who have had less attention than their due.

    Parameters
    ----------
    scores : ndarray of shape (n_users, n_items)
    k : int
    strength : float
        Standard deviations of a user's scores that a group without any attention gains; 0 leaves the lists as they are.
    target : ndarray of shape (n_groups,)
        The share of attention that each is due; adds up to 1.
    barred : csr_matrix of shape (n_users, n_items), optional
        Stored pairs are not listed.
    groups : ndarray of shape (n_items,), int, optional
        The supplier of each item; None: every item by itself.
    seed : int
        Of the order of the users.

    Returns
    -------
    ndarray of shape (n_users, k), int64

    Notes
    -----
    The bonus is `strength` times ``(due - had) / due``, at most `strength`, where `had` is the share of attention so
    far: a proportional controller. Only the user's best 200 can be moved up.

    References
    ----------
    Morik, Singh, Hong and Joachims, Controlling fairness and bias in dynamic learning-to-rank, SIGIR 2020, equation 12.

    Examples
    --------
    Two items that all like best; with a bonus the third has its turns.

    >>> s = np.tile([2.0, 1.9, 1.8], (6, 1))
    >>> np.bincount(fair_lists(s, 1, 0.0, np.ones(3) / 3).ravel(), minlength=3).tolist()
    [6, 0, 0]
    >>> np.bincount(fair_lists(s, 1, 5.0, np.ones(3) / 3).ravel(), minlength=3).tolist()
    [2, 2, 2]
    """
    n_users, n_items = scores.shape
    if strength < 0 or not 1 <= k <= n_items:
        raise InputError(f"strength={strength}, k={k}", mend="0 or more, and 1 to all items")
    of = np.arange(n_items) if groups is None else np.asarray(groups)
    spread = scores.std(axis=1, keepdims=True)
    z = (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    if barred is not None:
        z = np.where(barred.toarray().astype(bool), -np.inf, z)
    worth, had = attention(k), np.zeros(len(target))
    out = np.full((n_users, k), -1, np.int64)
    for user in np.random.default_rng(seed).permutation(n_users).tolist():
        n = min(max(MOST, k), n_items)
        best = np.argpartition(-z[user], n - 1)[:n]
        best = best[np.isfinite(z[user, best])]
        lack = 1 - had / max(float(had.sum()), 1e-12) / np.maximum(target, 1e-12)
        value = z[user, best] + strength * np.clip(lack[of[best]], -1, 1)
        chosen = best[np.argsort(-value, kind="stable")[:k]]
        out[user, : len(chosen)] = chosen
        had += np.bincount(of[chosen], weights=worth[: len(chosen)], minlength=len(target))
    return out


def ndcg_of(lists: np.ndarray, relevant: sparse.csr_matrix) -> Floats:
    """NDCG of each list, binary gain, NaN for users without a relevant item: (n_users,)."""
    n = np.diff(relevant.indptr)
    worth = attention(lists.shape[1])
    hits = np.zeros(lists.shape, bool)
    for row in np.flatnonzero(n).tolist():
        hits[row] = np.isin(
            lists[row], relevant.indices[relevant.indptr[row] : relevant.indptr[row + 1]]
        )
    ideal = np.cumsum(worth)[np.minimum(n, lists.shape[1]).clip(1) - 1]
    return np.where(n > 0, (hits * worth).sum(axis=1) / ideal, np.nan)


def frontier(
    scores: Floats,
    relevant: sparse.csr_matrix,
    merit: Floats,
    k: int = 10,
    strengths: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 2.0),
    barred: sparse.csr_matrix | None = None,
    groups: np.ndarray | None = None,
    equal: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """What fairness of exposure costs, step by step.

    Parameters
    ----------
    scores, k, barred, groups, seed
        As in :func:`fair_lists`.
    relevant : csr_matrix of shape (n_users, n_items)
        Test items.
    merit : ndarray of shape (n_items,)
    strengths : sequence of float
        The first should be 0, against which NDCG is compared.
    equal : bool
        Everybody is due the same; else by merit.

    Returns
    -------
    DataFrame
        `strength, ndcg, low, high, difference, difference_low, difference_high, unearned, inequality, n_users`.
    """
    of = np.arange(scores.shape[1]) if groups is None else np.asarray(groups)
    n_groups = int(of.max()) + 1
    due = np.ones(n_groups) if equal else np.bincount(of, weights=merit, minlength=n_groups)
    target = due / due.sum()
    rows, first = [], None
    for strength in strengths:
        lists = fair_lists(scores, k, strength, target, barred, of, seed)
        values = ndcg_of(lists, relevant)
        kept = values[np.isfinite(values)]
        first = kept if first is None else first
        low, high = bootstrap(kept, seed=seed)
        d = paired(kept, first, seed=seed)
        seen = np.bincount(of, weights=item_exposure(lists, scores.shape[1]), minlength=n_groups)
        rows.append(
            {
                "strength": strength, "ndcg": float(kept.mean()), "low": low, "high": high,
                "difference": d.difference, "difference_low": d.low, "difference_high": d.high,
                "unearned": unearned(seen, target), "inequality": inequality(seen), "n_users": len(kept),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
