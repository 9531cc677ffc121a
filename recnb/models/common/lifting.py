"""Candidates in a new order, written as scores: what a re-ranking model gives back."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.hashing import hash_ids
from recnb.recommender import Recommender
from recnb.recommender.blocks import top_k_rows


def best_open(
    first: Recommender,
    n: int,
    users: np.ndarray,
    allowed: np.ndarray | None,
    barred: sparse.csr_matrix | None,
    history: Dataset | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a first model for all items, and its best `n` of those that may be listed.

    Parameters
    ----------
    first : Recommender
        Fitted.
    n : int
    users, allowed, barred, history
        As in :meth:`Recommender.score_among`.

    Returns
    -------
    scores : ndarray of shape (n_users, n_items)
    items : ndarray of shape (n_users, n), int64
        In the model's order, ties by the hash of the ids; -1 where fewer may be listed.
    """
    scores = np.asarray(first.score_among(users, allowed, barred, history))
    open_ = scores.astype(np.float32, copy=True)
    if allowed is not None:
        open_[:, ~allowed] = -np.inf
    if barred is not None:
        open_[barred.nonzero()] = -np.inf
    by_user, by_item = hash_ids(first.user_ids_)[users], hash_ids(first.item_ids_)
    return scores, top_k_rows(open_, min(n, open_.shape[1]), by_user, by_item)


def standardised(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Values less their row's mean, over its deviation, where there are any; 0 elsewhere, and in an even row. float64.

    Examples
    --------
    >>> standardised(np.array([[1.0, 3.0, -np.inf]]), np.array([[True, True, False]])).tolist()
    [[-1.0, 1.0, 0.0]]
    """
    values = np.where(there, values, 0).astype(np.float64)
    n = np.maximum(there.sum(axis=1, keepdims=True), 1)
    away = np.where(there, values - values.sum(axis=1, keepdims=True) / n, 0)
    spread = np.sqrt((away**2).sum(axis=1, keepdims=True) / n)
    return np.divide(away, spread, out=np.zeros_like(away), where=spread > 0)


def lifted(scores: np.ndarray, items: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Scores in which some items stand above all others, ordered by values of their own.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        All other items keep these.
    items : ndarray of shape (n, m), int
        Codes of the lifted items, -1 where there are fewer.
    values : ndarray of shape (n, m)
        Higher stands higher; equal ones in the order of `items`.

    Returns
    -------
    ndarray of shape (n, n_items), float32
        No two lifted items of a row are equal.

    Examples
    --------
    >>> lifted(np.array([[0.0, 5.0, 1.0]]), np.array([[2, 0]]), np.array([[1.0, 1.0]])).argsort()[0, ::-1].tolist()
    [2, 0, 1]
    """
    there = items >= 0
    # falling, equal ones in the order of the columns
    order = np.argsort(np.where(there, -values, np.inf), axis=1, kind="stable")
    falling = np.take_along_axis(values, order, axis=1)
    filled = np.take_along_axis(there, order, axis=1)
    low, high = scores.min(axis=1).astype(float), scores.max(axis=1).astype(float)
    step = np.maximum.reduce([high - low, 1e-3 * np.abs(high), np.full_like(high, 1e-6)])
    bottom = np.where(filled, falling, np.inf).min(axis=1, initial=np.inf)
    bottom = np.where(filled.any(axis=1), bottom, 0.0)
    above = high[:, None] + step[:, None] * (1 + np.where(filled, falling, 0) - bottom[:, None])
    # no two are equal in float32: the order decides, not a hash
    grain = 4 * np.spacing(np.abs(above).max(axis=1, initial=0).astype(np.float32))
    above += grain[:, None].astype(float) * np.arange(items.shape[1], 0, -1)
    out = scores.astype(np.float32, copy=True)
    row, column = np.nonzero(filled)
    out[row, np.take_along_axis(items, order, axis=1)[row, column]] = above[row, column]
    return out
