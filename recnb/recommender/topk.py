"""The best items of each user: from a model or from scores, known pairs left out."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.recommender import blocks
from recnb.recommender.candidates import ahead
from recnb.recommender.contract import Recommender


def top_k(
    model: Recommender | np.ndarray,
    users: np.ndarray | None = None,
    k: int = 10,
    exclude: Dataset | sparse.csr_matrix | None = None,
    candidates: np.ndarray | None = None,
    history: Dataset | None = None,
) -> np.ndarray:
    """The `k` best items of each user, best first.

    Parameters
    ----------
    model : Recommender or ndarray of shape (n_users, n_items)
        A fitted model, or scores whose row is the user's code.
    users : ndarray of shape (n,), int, optional
        User codes; None means all.
    k : int
    exclude : Dataset or csr_matrix of shape (n_users, n_items), optional
        Pairs that are never listed: every pair that occurs, or every stored entry.
    candidates : ndarray of int, optional
        The only item codes that may be listed; None means the whole catalogue.
    history : Dataset, optional
        Passed to the model's `score`.

    Returns
    -------
    ndarray of shape (n, k), int64
        Item codes, -1 where a list is short.

    Raises
    ------
    InputError
        A score is NaN or infinite, a code does not exist, `k` is below 1.

    Notes
    -----
    Ties are broken by a hash of the user's and the item's id (of the codes where the model knows no ids).

    Examples
    --------
    >>> top_k(np.array([[.2, .9, .4], [.5, .1, .3]], dtype=np.float32), k=2)
    array([[1, 2],
           [0, 2]])
    """
    return top_k_scores(model, users, k, exclude, candidates, history)[0]


def top_k_scores(
    model: Recommender | np.ndarray,
    users: np.ndarray | None = None,
    k: int = 10,
    exclude: Dataset | sparse.csr_matrix | None = None,
    candidates: np.ndarray | None = None,
    history: Dataset | None = None,
    name: str | None = None,
    ids: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`top_k`, with the scores of the listed items (NaN where a list is short).

    `ids` are the user and item ids by code; their hashes break ties.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InputError(f"k={k}", mend="ask for a whole number of items, at least one")
    name = name or (type(model).__name__ if isinstance(model, Recommender) else "the score matrix")
    user_ids, item_ids = ids if ids is not None else _ids(model)
    n_items = len(item_ids)
    users = np.arange(len(user_ids)) if users is None else np.asarray(users)
    if len(users) and (users.min() < 0 or users.max() >= len(user_ids)):
        raise InputError(
            f"a user code outside 0..{len(user_ids) - 1}", mend="pass codes of this data set"
        )
    allowed = None if candidates is None else _shelf(candidates, n_items)
    barred = None
    if exclude is not None:
        barred = exclude.pairs() if isinstance(exclude, Dataset) else sparse.csr_matrix(exclude)
        if barred.shape != (len(user_ids), n_items):
            raise InputError(
                f"exclude has shape {barred.shape}, expected {(len(user_ids), n_items)}",
                mend="pass pairs of this data set",
            )
    barred = None if barred is None else barred[users]
    score_block, threads, finite = _scorer(model, users, history, name, allowed, barred)
    with ahead(len(users)):
        return blocks.rank_blocks(
            len(users),
            n_items,
            score_block,
            k,
            hash_ids(user_ids)[users],
            hash_ids(item_ids),
            barred,
            allowed,
            name,
            threads,
            finite,
        )


def _shelf(candidates: np.ndarray, n_items: int) -> np.ndarray:
    """The candidates as a mask."""
    codes = np.asarray(candidates)
    if codes.dtype == bool and codes.shape == (n_items,):
        return codes
    codes = codes.astype(int) if not len(codes) else codes
    if codes.dtype.kind not in "iu" or ((codes < 0) | (codes >= n_items)).any():
        raise InputError(
            f"a candidate outside 0..{n_items - 1}", mend="pass item codes of this data set"
        )
    allowed = np.zeros(n_items, bool)
    allowed[codes] = True
    return allowed


def _scorer(
    model,
    users: np.ndarray,
    history: Dataset | None,
    name: str,
    allowed: np.ndarray | None,
    barred: sparse.csr_matrix | None,
):
    if not isinstance(model, Recommender):
        if not hasattr(model, "score"):
            scores = np.asarray(model, dtype=np.float32)
            return lambda start, stop: scores[users[start:stop]], 1, False
    elif history is None and hasattr(model, "factors"):
        left, right = model.factors()
        left = np.ascontiguousarray(left[users], np.float32)
        right = np.ascontiguousarray(right, np.float32).T
        # A product of finite factors overflows float32 only where their norms do.
        largest = [float(np.abs(part).max(initial=0)) for part in (left, right)]
        finite = largest[0] * largest[1] * left.shape[1] < float(np.finfo(np.float32).max)
        return blocks.Product(left, right), blocks.n_threads(), finite

    def score(start: int, stop: int) -> np.ndarray:
        if not isinstance(model, Recommender):
            return model.score(users[start:stop], history)
        rows = None if barred is None else barred[start:stop]
        return model.score_among(users[start:stop], allowed, rows, history)

    return score, 1, False


def _ids(model) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(model, Recommender):
        if not hasattr(model, "item_ids_"):
            raise InputError(f"{type(model).__name__} is not fitted", mend="call fit first")
        return model.user_ids_, model.item_ids_
    shape = np.asarray(model).shape
    return np.arange(shape[0]).astype(str), np.arange(shape[1]).astype(str)
