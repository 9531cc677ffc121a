"""Neighbours for ratings: the weighted mean of what similar items (or users) deviate from the baseline."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.ratings.baseline import RatingModel, biases

_BLOCK = 2**21


class KNNBaseline(RatingModel):
    """Baseline plus the mean deviation of the `k` most similar items the user rated, weighted by similarity.

    Parameters
    ----------
    k : int
        Neighbours of a prediction.
    shrinkage : float
        Common ratings at which a similarity is halved.
    pool : int
        Most similar items (or users) kept for each, from which the neighbours of a prediction come.
    user_based : bool
        Similar users who rated the item instead of similar items that the user rated.
    l2_user, l2_item : float
        Of the baseline.

    Notes
    -----
    Similarity is the correlation of deviations from the baseline over common ratings, times
    ``(n - 1) / (n - 1 + shrinkage)``; only positive ones count. A history changes nothing where
    `user_based`; else the deviations come from it.

    References
    ----------
    Koren (2010), "Factor in the neighbors", TKDD, section 2.2.
    """

    def __init__(
        self,
        k: int = 50,
        shrinkage: float = 200.0,
        pool: int = 1000,
        user_based: bool = False,
        l2_user: float = 2.0,
        l2_item: float = 2.0,
    ) -> None:
        self.k = k
        self.shrinkage = shrinkage
        self.pool = pool
        self.user_based = user_based
        self.l2_user = l2_user
        self.l2_item = l2_item

    @property
    def uses_history(self) -> bool:  # type: ignore[override]
        return not self.user_based

    def _learn(self, ratings: sparse.csr_matrix, train: Dataset, valid: Dataset | None) -> None:
        if self.k < 1:
            raise InputError(f"k={self.k}", mend="ask for at least one neighbour")
        self.user_bias_, self.item_bias_ = biases(
            ratings, self.mean_, self.l2_user, self.l2_item, 10
        )
        self.deviations_ = self._deviations(ratings)
        rows = self.deviations_ if self.user_based else self.deviations_.T.tocsr()
        self.similar_ = correlations(rows, self.shrinkage, self.pool)

    def _deviations(self, ratings: sparse.csr_matrix) -> sparse.csr_matrix:
        out = ratings.copy()
        rows = np.repeat(np.arange(out.shape[0]), np.diff(out.indptr))
        out.data = out.data - np.float32(self.mean_)
        out.data -= self.user_bias_[rows] + self.item_bias_[out.indices]
        # A deviation of exactly zero is still a rating.
        out.data[out.data == 0] = 1e-12
        return out

    def _raw(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        base = self.mean_ + self.user_bias_[users, None] + self.item_bias_[None, :]
        if self.user_based:
            columns = self.deviations_.T.tocsr()
            for item in range(columns.shape[0]):
                at = slice(columns.indptr[item], columns.indptr[item + 1])
                near = self.similar_[users][:, columns.indices[at]]
                base[:, item] += _mean_of_nearest(near.toarray(), columns.data[at], self.k)
            return base
        rated = self.deviations_ if history is None else self._deviations(history.matrix())
        for place, user in enumerate(users):
            at = slice(rated.indptr[user], rated.indptr[user + 1])
            near = self.similar_[rated.indices[at]].T.toarray()
            base[place] += _mean_of_nearest(near, rated.data[at], self.k)
        return base

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "k": ("int_log", 10, 200),
            "shrinkage": ("log", 5.0, 500.0),
            "l2_user": ("log", 1.0, 50.0),
            "l2_item": ("log", 1.0, 50.0),
        }


def correlations(rows: sparse.csr_matrix, shrinkage: float, pool: int) -> sparse.csr_matrix:
    """Shrunk positive correlations over common columns, the `pool` largest of each row; symmetric before that cut.

    Returns
    -------
    csr_matrix of shape (n, n), float32
    """
    n = rows.shape[0]
    columns = rows.T.tocsr()
    ones, squares = rows.copy(), rows.multiply(rows).tocsr()
    ones.data = np.ones_like(rows.data)
    ones_t, squares_t = ones.T.tocsr(), squares.T.tocsr()
    step, parts = max(1, _BLOCK // max(n, 1)), []
    for start in range(0, n, step):
        block = slice(start, min(start + step, n))
        common = (ones[block] @ ones_t).toarray()
        left, right = (squares[block] @ ones_t).toarray(), (ones[block] @ squares_t).toarray()
        value = (rows[block] @ columns).toarray()
        value /= np.sqrt(np.maximum(left * right, 1e-20))
        value *= np.maximum(common - 1, 0) / (np.maximum(common - 1, 0) + max(shrinkage, 1e-9))
        value[np.arange(len(value)), np.arange(start, start + len(value))] = 0
        value[value < 0] = 0
        if pool < n:
            bound = np.partition(value, n - pool, axis=1)[:, n - pool, None]
            value[value < bound] = 0
        parts.append(sparse.csr_matrix(value.astype(np.float32)))
    return sparse.vstack(parts, format="csr")


def _mean_of_nearest(near: np.ndarray, values: np.ndarray, k: int) -> np.ndarray:
    """Mean of `values` (m,) weighted by the `k` largest similarities of each row of `near` (n, m)."""
    if near.shape[1] == 0:
        return np.zeros(len(near), np.float32)
    if near.shape[1] > k:
        bound = np.partition(near, near.shape[1] - k, axis=1)[:, near.shape[1] - k, None]
        near = np.where(near >= bound, near, 0)
    total = near.sum(axis=1)
    return np.divide(near @ values, total, out=np.zeros_like(total), where=total > 0)
