"""What classical models learn from, and what they answer where they have learned nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.histories import check_items, item_codes
from recnb.recommender import Reads, Recommender

WEIGHTS = ("binary", "log")
_TIE = 1e-9  # below the float32 resolution of any score that carries information


def liked_pairs(ds: Dataset, weights: str = "binary") -> sparse.csr_matrix:
    """The relevant pairs of a data set: ones, or for counts the damped count.

    Parameters
    ----------
    ds : Dataset
    weights : {"binary", "log"}
        "log" gives a pair of count c the value log(1 + c); it says nothing where feedback is no count.

    Returns
    -------
    csr_matrix of shape (n_users, n_items), float32
    """
    if weights not in WEIGHTS:
        raise InputError(f"weights='{weights}'", mend=f"one of {', '.join(WEIGHTS)}")
    liked = ds.positives()
    if weights == "log" and ds.feedback == "count":
        counts = ds.matrix()
        counts.data = np.log1p(counts.data)
        liked = liked.multiply(counts).tocsr().astype(np.float32)
    return liked


def counts(liked: sparse.csr_matrix) -> np.ndarray:
    """How many users like each item: ndarray of shape (n_items,), float32."""
    return np.bincount(liked.indices, minlength=liked.shape[1]).astype(np.float32)


def ties(popularity: np.ndarray) -> np.ndarray:
    """A value per item, at most 1e-9, that orders equal scores by popularity and changes no other.

    A user without history scores zero everywhere, so the most used items come first. An item that nobody
    has used gets 0.

    Examples
    --------
    >>> ties(np.array([4., 0., 2.], dtype=np.float32)).tolist() == [np.float32(1e-9), 0, np.float32(5e-10)]
    True
    """
    return (popularity * (_TIE / max(float(popularity.max(initial=0)), 1.0))).astype(np.float32)


def sink(scores: np.ndarray, unknown: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Put items that a model does not know below all others of the row, the more popular first.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items), float32
        Changed in place.
    unknown : ndarray of shape (n_items,), bool
    popularity : ndarray of shape (n_items,), float32

    Examples
    --------
    >>> s = sink(np.array([[1., 9., -1.]], dtype=np.float32), np.array([False, True, False]), np.zeros(3))
    >>> s.round(2)
    array([[ 1.  , -1.02, -1.  ]], dtype=float32)
    """
    if not unknown.any() or unknown.all():
        return scores
    known = scores[:, ~unknown]
    low, high = known.min(axis=1, keepdims=True), known.max(axis=1, keepdims=True)
    # A margin of 1 % of the row's range keeps z-scores of the row meaningful.
    margin = 0.01 * np.maximum(high - low, 1e-6)
    share = popularity[unknown] / max(float(popularity[unknown].max()), 1.0)
    scores[:, unknown] = low - margin * (1 - 0.5 * share)
    return scores


def ruled(
    users: np.ndarray,
    items: np.ndarray,
    unknown: np.ndarray,
    popularity: np.ndarray,
    low: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of users and items with one more coordinate: their product orders items by :func:`ties` and :func:`sink`.

    Parameters
    ----------
    users : ndarray of shape (n_users, d)
    items : ndarray of shape (n_items, d)
    unknown : ndarray of shape (n_items,), bool
        Items that the model does not know, which nobody has used; what their vectors are does not count.
    popularity : ndarray of shape (n_items,), float32
    low : float, optional
        The score of an unknown item, below every product with a known one; by default below the longest user's
        product with the longest item, were they opposite.

    Returns
    -------
    users : ndarray of shape (n_users, d + 1), float32
    items : ndarray of shape (n_items, d + 1), float32

    Examples
    --------
    >>> users, items = np.array([[2.0], [0.0]]), np.array([[-1.0], [3.0], [1.0]])
    >>> left, right = ruled(users, items, np.array([False, True, False]), np.array([1.0, 0.0, 4.0]))
    >>> np.argsort(-left @ right.T).tolist()  # of who has no vector the most used first, the unknown last
    [[2, 0, 1], [2, 0, 1]]
    """
    items = np.where(unknown[:, None], 0, items)
    if low is None:
        longest = [float(np.linalg.norm(part, axis=1).max(initial=0)) for part in (users, items)]
        low = -1.01 * longest[0] * longest[1] - 1e-6
    rule = ties(popularity) + np.where(unknown, low, 0)
    left = np.column_stack([users, np.ones(len(users))]).astype(np.float32)
    return left, np.column_stack([items, rule]).astype(np.float32)


def steady_product(left: sparse.csr_matrix, right: sparse.spmatrix) -> np.ndarray:
    """A product of sparse matrices, summed in float64 and then rounded to float32.

    Sums that are equal but for the order of their terms are then equal, so that the order of the tables decides no
    tie.

    Examples
    --------
    >>> a = sparse.csr_matrix(np.array([[1.0, 1.0, 1.0]], dtype=np.float32))
    >>> b = np.array([0.1, 0.7, 0.3], dtype=np.float32)
    >>> x = steady_product(a, sparse.csr_matrix(np.column_stack([b, b[::-1], b[[1, 0, 2]]])))
    >>> len(set(x[0].tolist()))
    1
    """
    out = (left.astype(np.float64) @ right.astype(np.float64)).toarray()
    return out.astype(np.float32)


class FromHistory(Recommender):
    """A model whose user is the sum of a history: new rows of a user count at once, without retraining.

    Subclasses set `weights` among their settings, call :meth:`_learn_liked` in `_fit`, and implement
    ``_score_rows(rows, users) -> (n, n_items)``; `users` is None where the rows are nobody's of the training data.
    """

    uses_history = True
    sums = False  # whether a row's score is the sum of the scores of its single items

    def reads(self) -> Reads:
        return Reads("pairs")

    def history_of(self, user: int) -> np.ndarray:
        """Codes of the items that the model knows the user to like, (n,), int64."""
        return self.liked_[user].indices.astype(np.int64)

    @available_if(lambda self: self.sums)
    def history_parts(self, history: np.ndarray, items: np.ndarray) -> np.ndarray:
        """What each item of a history adds to the scores of some items, exactly.

        Parameters
        ----------
        history : ndarray of shape (n,), int
            Codes, each once.
        items : ndarray of shape (m,), int

        Returns
        -------
        ndarray of shape (n, m), float64
            Columns add up to what :meth:`score_histories` gives, but for ties and items that the model does not know.
        """
        singles = history_rows([np.array([code]) for code in history], self.liked_.shape[1])
        return np.asarray(self._score_rows(singles, None), dtype=np.float64)[:, items]

    def _learn_liked(self, train: Dataset) -> sparse.csr_matrix:
        self.liked_ = liked_pairs(train, getattr(self, "weights", "binary"))
        self.popularity_ = counts(self.liked_)
        return self.liked_

    def rows(self, users: np.ndarray, history: Dataset | None = None) -> sparse.csr_matrix:
        """What the users like: their rows of the history, else of the training data; csr (n, n_items)."""
        if history is None:
            return self.liked_[users]
        check_items(history, self.item_ids_, fewer=hasattr(self, "with_items"))
        rows = liked_pairs(history, getattr(self, "weights", "binary"))[users]
        rows.resize(len(users), len(self.item_ids_))
        return rows

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        scores = self._score_rows(self.rows(users, history), users)
        scores = np.asarray(scores, dtype=np.float32)
        scores += ties(self.popularity_)
        return scores

    def score_histories(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Scores for people by what they like alone, whoever they are.

        Parameters
        ----------
        histories : sequence of ndarray of int
            Codes of liked items, the oldest first; may be empty.

        Returns
        -------
        ndarray of shape (len(histories), n_items), float32

        See Also
        --------
        recnb.serving : strangers that send a history along are served by this.
        """
        scores = np.asarray(self._score_rows(self.told_rows(histories), None), dtype=np.float32)
        scores += ties(self.popularity_)
        return scores

    def told_rows(self, histories: Sequence[np.ndarray]) -> sparse.csr_matrix:
        """Histories as :meth:`rows` would give them: csr (len(histories), n_items)."""
        return history_rows(histories, self.liked_.shape[1])

    def _score_rows(self, rows: sparse.csr_matrix, users: np.ndarray | None) -> np.ndarray:
        raise NotImplementedError


def history_rows(histories: Sequence[np.ndarray], n_items: int) -> sparse.csr_matrix:
    """Liked items as rows of ones: csr_matrix of shape (len(histories), n_items), float32.

    Examples
    --------
    >>> history_rows([np.array([2, 0, 2]), np.array([], int)], 3).toarray().tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    rows = [np.unique(codes) for codes in item_codes(histories, n_items)]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    indices = np.concatenate([*rows, np.zeros(0, np.int64)])
    return sparse.csr_matrix(
        (np.ones(len(indices), np.float32), indices, indptr), shape=(len(rows), n_items)
    )


def by_id(train: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """User and item codes in the order of their ids.

    Seeded training runs in this order, so that its result does not depend on how the tables were sorted.
    """
    return np.argsort(train.user_ids, kind="stable"), np.argsort(train.item_ids, kind="stable")
