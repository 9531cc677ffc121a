"""Neighbours: items liked by the same users, users who like the same items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.liked import FromHistory, steady_product
from recnb.recommender.blocks import top_k_rows

SIMILARITIES = ("cosine", "jaccard", "dice")
_BLOCK = 2**22  # cells of a dense block of similarities: 16 MB


class ItemKNN(FromHistory):
    """An item's score is the sum of its similarities to what the user likes, over its `k` nearest items.

    Parameters
    ----------
    k : int
        Neighbours kept per item.
    similarity : {"cosine", "jaccard", "dice"}
    shrinkage : float
        Added to the denominator: similarities that rest on few users count less.
    weights : {"binary", "log"}
        What a pair of count data weighs.

    Notes
    -----
    cosine: ``x.y / (|x||y| + shrinkage)``; jaccard: ``x.y / (|x|^2 + |y|^2 - x.y + shrinkage)``; dice:
    ``2 x.y / (|x|^2 + |y|^2 + shrinkage)``, with x and y the columns of two items. Equal similarities are kept
    by a hash of the ids. Items that share no user with the history are ordered by popularity; an item without
    users stands last.

    References
    ----------
    Sarwar et al. (2001), "Item-based collaborative filtering recommendation algorithms", WWW, section 3.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aabbc"), "item_id": list("xyxyx")})
    >>> ItemKNN().fit(Dataset.from_frames(rows)).score(np.array([2])).round(4)  # 2 / sqrt(3 * 2)
    array([[0.    , 0.8165]], dtype=float32)
    """

    cheap = True
    sums = True

    def __init__(
        self,
        k: int = 200,
        similarity: str = "cosine",
        shrinkage: float = 0.0,
        weights: str = "binary",
    ) -> None:
        self.k = k
        self.similarity = similarity
        self.shrinkage = shrinkage
        self.weights = weights

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        liked = self._learn_liked(train)
        self.neighbours_ = nearest(
            liked.T.tocsr(), hash_ids(train.item_ids), self.k, self.similarity, self.shrinkage
        )

    def _score_rows(self, rows: sparse.csr_matrix, users: np.ndarray | None) -> np.ndarray:
        return steady_product(rows, self.neighbours_.T)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "k": ("int_log", 5, 1000),
            "similarity": ("choice", list(SIMILARITIES)),
            "shrinkage": ("log", 0.1, 1000.0),
        }


class UserKNN(FromHistory):
    """An item's score is the sum of the similarities of those of the `k` nearest users who like it.

    Parameters
    ----------
    k : int
        Neighbours of a user.
    similarity : {"cosine", "jaccard", "dice"}
    shrinkage : float
        Added to the denominator: similarities that rest on few items count less.
    weights : {"binary", "log"}
        What a pair of count data weighs.

    Notes
    -----
    Similarities are those of :class:`ItemKNN` between rows. They are computed when scores are asked for,
    between the history given and the users of the training data, so an unknown user with a history is served
    like any other. A user is never the own neighbour. Without history the popular items come first.

    References
    ----------
    Herlocker et al. (1999), "An algorithmic framework for performing collaborative filtering", SIGIR.
    """

    def __init__(
        self,
        k: int = 100,
        similarity: str = "cosine",
        shrinkage: float = 0.0,
        weights: str = "binary",
    ) -> None:
        self.k = k
        self.similarity = similarity
        self.shrinkage = shrinkage
        self.weights = weights

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        _check(self.k, self.similarity)
        self._learn_liked(train)

    def _score_rows(self, rows: sparse.csr_matrix, users: np.ndarray | None) -> np.ndarray:
        near = nearest(
            self.liked_,
            hash_ids(self.user_ids_),
            self.k,
            self.similarity,
            self.shrinkage,
            queries=rows,
            own=users,
        )
        return steady_product(near, self.liked_)

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return ItemKNN.search_space()


def nearest(
    rows: sparse.csr_matrix,
    row_hash: np.ndarray,
    k: int,
    similarity: str = "cosine",
    shrinkage: float = 0.0,
    queries: sparse.csr_matrix | None = None,
    own: np.ndarray | None = None,
) -> sparse.csr_matrix:
    """The `k` most similar rows of each query.

    Parameters
    ----------
    rows : csr_matrix of shape (n, d)
    row_hash : ndarray of shape (n,), uint64
        Decides between equal similarities.
    k : int
    similarity : {"cosine", "jaccard", "dice"}
    shrinkage : float
    queries : csr_matrix of shape (m, d), optional
        None means the rows themselves.
    own : ndarray of shape (m,), int, optional
        The row that is the query itself and is never its neighbour.

    Returns
    -------
    csr_matrix of shape (m, n), float32
        Similarities above zero, at most `k` per row.
    """
    _check(k, similarity)
    own = np.arange(rows.shape[0]) if queries is None else own
    queries = rows if queries is None else queries
    query_hash = np.zeros(queries.shape[0], np.uint64) if own is None else row_hash[own]
    columns = rows.T.tocsr()
    norms, query_norms = _squares(rows), _squares(queries)
    n, size = rows.shape[0], max(1, _BLOCK // max(rows.shape[0], 1))
    parts = []
    for start in range(0, queries.shape[0], size):
        block = slice(start, min(start + size, queries.shape[0]))
        near = (queries[block] @ columns).toarray().astype(np.float32, copy=False)
        near = _similarity(near, query_norms[block, None], norms[None, :], similarity, shrinkage)
        if own is not None:
            near[np.arange(len(near)), own[block]] = 0
        near[near <= 0] = -np.inf  # no neighbours; most of a sparse row, not to be ordered by hash
        best = top_k_rows(near, min(k, n), query_hash[block], row_hash)
        place = np.maximum(best, 0)
        values = np.where(best >= 0, np.take_along_axis(near, place, axis=1), 0)
        indptr = np.arange(0, best.size + 1, best.shape[1])
        part = sparse.csr_matrix((values.ravel(), place.ravel(), indptr), shape=(len(near), n))
        part.eliminate_zeros()
        part.sort_indices()
        parts.append(part)
    return (
        sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, n), dtype=np.float32)
    )


def _similarity(
    dot: np.ndarray, left: np.ndarray, right: np.ndarray, similarity: str, shrinkage: float
) -> np.ndarray:
    if similarity == "cosine":
        below = np.sqrt(left) * np.sqrt(right) + shrinkage
    elif similarity == "jaccard":
        below = left + right - dot + shrinkage
    else:
        below, dot = left + right + shrinkage, 2 * dot
    return np.divide(dot, below, out=np.zeros_like(dot), where=below > 0)


def _squares(m: sparse.csr_matrix) -> np.ndarray:
    squares = m.astype(np.float64).multiply(m)
    return np.asarray(squares.sum(axis=1), dtype=np.float32).ravel()


def _check(k: int, similarity: str) -> None:
    if k < 1:
        raise InputError(f"k={k}", mend="ask for at least one neighbour")
    if similarity not in SIMILARITIES:
        raise InputError(f"similarity='{similarity}'", mend=f"one of {', '.join(SIMILARITIES)}")
