"""EASE: a linear model between items with a closed form, and a baseline that is hard to beat."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.liked import FromHistory, sink

PRECISIONS = ("float32", "float64")


class EASE(FromHistory):
    """Each item is a weighted sum of the user's other items; the weights have a closed form.

    Parameters
    ----------
    l2 : float
        Ridge penalty, in numbers of users. 200 suits MovieLens-100K; larger data want more.
    max_items : int
        The largest number of items in the model: those liked by most users. The rest are listed behind them,
        by popularity, and their rows say nothing. The matrix takes 8 (float64) or 4 (float32) bytes times
        ``max_items`` squared while fitting, and 4 once fitted: 800 MB and 400 MB at 10,000 items; time grows
        with the cube (about 20 s there on two cores).
    precision : {"float64", "float32"}
        Of the factorisation; float32 halves memory and time, and needs an `l2` well above 1.
    weights : {"binary", "log"}
        What a pair of count data weighs.

    Notes
    -----
    With ``P = inv(X'X + l2 I)`` the weights are ``B = -P / diag(P)`` by column and zero on the diagonal; a
    user's scores are ``x B``. A user without history gets the popular items; an item without users stands last.

    References
    ----------
    Steck (2019), "Embarrassingly shallow autoencoders for sparse data", WWW, equations 8 and 9.

    Examples
    --------
    Two users like x, one of them y too; the weight from x to y is 1 / (2 + l2):

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx")})
    >>> EASE(l2=1.0).fit(Dataset.from_frames(rows)).score(np.array([1])).round(4)
    array([[0.    , 0.3333]], dtype=float32)
    """

    cheap = True
    sums = True
    cheap_items = 2500  # the inverse takes the cube of it

    def __init__(
        self,
        l2: float = 200.0,
        max_items: int = 10_000,
        precision: str = "float64",
        weights: str = "binary",
    ) -> None:
        self.l2 = l2
        self.max_items = max_items
        self.precision = precision
        self.weights = weights

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        if not self.l2 > 0:
            raise InputError(f"l2={self.l2}", mend="a number above 0")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision='{self.precision}'", mend="float32 or float64")
        liked = self._learn_liked(train)
        order = np.lexsort((hash_ids(train.item_ids), -self.popularity_))
        used = int((self.popularity_ > 0).sum())
        self.modelled_ = np.sort(order[: min(used, self.max_items)])
        self.item_weights_ = ease_weights(
            liked[:, self.modelled_], self.l2, np.dtype(self.precision)
        )

    def _score_rows(self, rows: sparse.csr_matrix, users: np.ndarray | None) -> np.ndarray:
        part = rows[:, self.modelled_] @ self.item_weights_
        if len(self.modelled_) == rows.shape[1]:
            return part
        scores = np.zeros(rows.shape, np.float32)
        scores[:, self.modelled_] = part
        unknown = np.ones(rows.shape[1], bool)
        unknown[self.modelled_] = False
        # An empty row stays at zero: its order is popularity alone.
        told = np.diff(rows[:, self.modelled_].indptr) > 0
        scores[told] = sink(scores[told], unknown, self.popularity_)
        return scores

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"l2": ("log", 1.0, 5000.0)}


def ease_weights(x: sparse.csr_matrix, l2: float, dtype: np.dtype) -> np.ndarray:
    """The item-to-item weights: ndarray of shape (n_items, n_items), float32, zero diagonal."""
    gram = (x.T @ x).toarray().astype(dtype, order="F")
    gram[np.diag_indices_from(gram)] += l2
    potrf, potri = linalg.get_lapack_funcs(("potrf", "potri"), (gram,))
    factor, info = potrf(gram, lower=True, overwrite_a=True)
    if info == 0:
        inverse, info = potri(factor, lower=True, overwrite_c=True)
    if info != 0:
        raise InputError(
            f"X'X + {l2:g} I is not positive definite in {np.dtype(dtype).name}",
            mend="raise l2 or use precision='float64'",
        )
    lower = np.tril(inverse)
    diagonal = lower.diagonal().copy()
    weights = (lower + np.tril(lower, -1).T).astype(np.float32)
    weights /= -diagonal.astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights
