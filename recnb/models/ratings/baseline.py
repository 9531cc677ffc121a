"""Models that predict ratings: the contract they share, and the baseline of user and item averages."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import counts, sink
from recnb.recommender import Reads, Recommender


class RatingModel(Recommender):
    """A model that answers in rating units.

    Subclasses implement ``_learn(ratings, train, valid)`` and ``_raw(users, history)``, the predicted ratings
    of all items, not cut to the scale; with ``_raw_pairs(users, items)`` for single pairs where that is cheaper.
    :meth:`score` ranks by the predicted rating, with items that nobody has rated last; :meth:`predict` is
    cut to the scale.
    """

    needs_ratings = True

    def reads(self) -> Reads:
        return Reads("pairs")

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self.check_data(train)
        ratings = train.matrix()
        if not ratings.nnz:
            raise InputError("no rating to learn from", file=train.name, mend="give ratings")
        self.low_, self.high_ = map(float, train.scale or (ratings.data.min(), ratings.data.max()))
        self.mean_ = float(ratings.data.mean(dtype=float))
        self.n_ratings_ = counts(ratings)
        self._learn(ratings, train, valid)

    def _learn(self, ratings: sparse.csr_matrix, train: Dataset, valid: Dataset | None) -> None:
        raise NotImplementedError

    def _raw(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        raise NotImplementedError

    def _raw_pairs(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        out = np.empty(len(users), np.float32)
        distinct, place = np.unique(users, return_inverse=True)
        step = max(1, 2**22 // max(len(self.item_ids_), 1))
        for start in range(0, len(distinct), step):
            block = self._raw(distinct[start : start + step])
            inside = np.flatnonzero((place >= start) & (place < start + step))
            out[inside] = block[place[inside] - start, items[inside]]
        return out

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predicted ratings of pairs.

        Parameters
        ----------
        users, items : ndarray of shape (n,), int
            Codes.

        Returns
        -------
        ndarray of shape (n,), float32
            In rating units, cut to the scale.
        """
        raw = self._raw_pairs(np.asarray(users), np.asarray(items))
        return np.clip(raw, self.low_, self.high_).astype(np.float32)

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        scores = self._raw(np.asarray(users), history).astype(np.float32)
        return sink(scores, self.n_ratings_ == 0, self.n_ratings_)


class Baseline(RatingModel):
    """The mean rating plus what a user and an item add to it.

    Parameters
    ----------
    l2_user, l2_item : float
        Ratings at the mean that are added to each user and item.
    n_epochs : int
        Alternations.

    Notes
    -----
    A user with a new history keeps the learned item values and gets a value of their own.

    References
    ----------
    Koren (2010), "Factor in the neighbors", TKDD, section 2.1.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aabb"), "item_id": list("xyxy"), "rating": [5, 3, 3, 1]})
    >>> ds = Dataset.from_frames(rows, feedback="explicit", scale=(1, 5))
    >>> Baseline(l2_user=0, l2_item=0).fit(ds).predict(np.array([0]), np.array([0]))  # 3 + 1 + 1
    array([5.], dtype=float32)
    """

    cheap = True
    uses_history = True

    def __init__(self, l2_user: float = 5.0, l2_item: float = 2.0, n_epochs: int = 10) -> None:
        self.l2_user = l2_user
        self.l2_item = l2_item
        self.n_epochs = n_epochs

    def reads(self) -> Reads:
        return Reads("counts")

    def _learn(self, ratings: sparse.csr_matrix, train: Dataset, valid: Dataset | None) -> None:
        self.user_bias_, self.item_bias_ = biases(
            ratings, self.mean_, self.l2_user, self.l2_item, self.n_epochs
        )

    def _raw(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        own = self.user_bias_[users]
        if history is not None:
            own = self._fold_in(history.matrix()[users])
        return self.mean_ + own[:, None] + self.item_bias_[None, :]

    def _raw_pairs(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.mean_ + self.user_bias_[users] + self.item_bias_[items]

    def _fold_in(self, rows: sparse.csr_matrix) -> np.ndarray:
        rest = rows.data - self.mean_ - self.item_bias_[rows.indices]
        return _shrunk(_row_of(rows), rest, rows.shape[0], self.l2_user).astype(np.float32)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"l2_user": ("log", 0.5, 50.0), "l2_item": ("log", 0.5, 50.0)}


def biases(
    ratings: sparse.csr_matrix, mean: float, l2_user: float, l2_item: float, n_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """User and item values by alternating ridge regression: float32, (n_users,) and (n_items,)."""
    u, i = _row_of(ratings), ratings.indices
    rest = ratings.data.astype(float) - mean
    user, item = np.zeros(ratings.shape[0]), np.zeros(ratings.shape[1])
    for _ in range(n_epochs):
        item = _shrunk(i, rest - user[u], len(item), l2_item)
        user = _shrunk(u, rest - item[i], len(user), l2_user)
    return user.astype(np.float32), item.astype(np.float32)


def _shrunk(code: np.ndarray, values: np.ndarray, n: int, l2: float) -> np.ndarray:
    total = np.bincount(code, weights=values, minlength=n)
    number = np.bincount(code, minlength=n)
    return np.divide(total, number + l2, out=np.zeros(n), where=number > 0)


def _row_of(m: sparse.csr_matrix) -> np.ndarray:
    return np.repeat(np.arange(m.shape[0]), np.diff(m.indptr))
