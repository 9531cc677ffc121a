"""Factorisation of implicit feedback: ALS and BPR, with the solvers of the `implicit` package."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import by_id, counts, history_rows, liked_pairs, ruled
from recnb.optional import need
from recnb.recommender import Reads, Recommender

_BLOCK = 2**22  # cells of a block of scores


class Factors(Recommender):
    """A model whose score is the product of a user's and an item's vector.

    One more coordinate carries the rules: popularity orders equal scores (so that a user without history gets
    the popular items), and an item without users stands below all others.
    """

    def reads(self) -> Reads:
        return Reads("pairs")

    def _keep(self, users: np.ndarray, items: np.ndarray, popularity: np.ndarray) -> None:
        cold = popularity == 0
        low = _lowest(users, items[~cold]) if cold.any() else 0.0
        self.user_factors_, self.item_factors_ = ruled(users, items, cold, popularity, low)
        self.popularity_ = popularity

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """User and item vectors: their product is the score; float32, (n_users, d) and (n_items, d)."""
        return self.user_factors_, self.item_factors_

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        left = self.user_factors_[np.asarray(users)]
        if history is not None:
            left = self._fold_in(np.asarray(users), history, left)
        return left @ self.item_factors_.T

    def _fold_in(self, users: np.ndarray, history: Dataset, left: np.ndarray) -> np.ndarray:
        return left


class ALS(Factors):
    """Implicit factorisation by alternating least squares.

    Parameters
    ----------
    n_factors : int
    l2 : float
        Penalty on the vectors.
    alpha : float
        Confidence of an observed pair; an unobserved one has 1.
    frequency : float
        0 penalises every vector alike (the `implicit` package fits it). Above 0 the penalty of a user or
        item grows with
        its weight in the loss to this power, scaled so that its mean stays `l2` (an own solver fits it).
    n_epochs : int
        Sweeps over users and items.
    weights : {"log", "binary"}
        Counts c weigh ``alpha * log(1 + c)``; other feedback weighs `alpha`.
    seed : int

    Notes
    -----
    Loss: ``sum_ui c_ui (p_ui - x_u.y_i)^2 + sum_u l2_u |x_u|^2 + sum_i l2_i |y_i|^2``. With a history, a user's
    vector is the least-squares solution for its rows with the item vectors as they are.

    References
    ----------
    Hu, Koren & Volinsky (2008), "Collaborative filtering for implicit feedback datasets", ICDM, equations 4 and 5.
    Rendle et al. (2021), "Revisiting the performance of iALS on item recommendation benchmarks", section 3.
    """

    uses_history = True
    packages = ("implicit",)
    seeded = True
    _gram: tuple[np.ndarray, np.ndarray] | None = None  # of the item factors beside it

    def __init__(
        self,
        n_factors: int = 64,
        l2: float = 10.0,
        alpha: float = 1.0,
        frequency: float = 0.0,
        n_epochs: int = 15,
        weights: str = "log",
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.alpha = alpha
        self.frequency = frequency
        self.n_epochs = n_epochs
        self.weights = weights
        self.seed = seed

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        u, i = by_id(train)
        liked = liked_pairs(train, self.weights)
        x = liked[u][:, i].tocsr()
        x.sort_indices()
        left, right = self._alternate(x) if self.frequency > 0 else self._implicit(x)
        users, items = np.empty_like(left), np.empty_like(right)
        users[u], items[i] = left, right
        users[np.diff(liked.indptr) == 0] = 0
        self._keep(users, items, counts(liked))
        weight = self.alpha * np.asarray(liked.sum(axis=1)).ravel() + train.n_items
        self.mean_weight_ = float(weight.mean())

    def _implicit(self, x: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        als = need("implicit.als", "'als'")
        with quiet_blas():
            model = als.AlternatingLeastSquares(
                factors=self.n_factors,
                regularization=self.l2,
                alpha=self.alpha,
                iterations=self.n_epochs,
                random_state=self.seed,
                use_gpu=False,
                num_threads=0,
            )
            model.fit(x, show_progress=False)
        return np.asarray(model.user_factors), np.asarray(model.item_factors)

    def _alternate(self, x: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(self.seed)
        scale = 0.1 / np.sqrt(self.n_factors)
        left = rng.normal(0, scale, (x.shape[0], self.n_factors)).astype(np.float32)
        right = rng.normal(0, scale, (x.shape[1], self.n_factors)).astype(np.float32)
        columns = x.T.tocsr()
        user_l2, item_l2 = self._penalties(x), self._penalties(columns)
        with threadpool_limits(1):
            for _ in range(self.n_epochs):
                left = solve_rows(x, right, self.alpha, user_l2)
                right = solve_rows(columns, left, self.alpha, item_l2)
        return left, right

    def _penalties(self, x: sparse.csr_matrix, mean: float | None = None) -> np.ndarray:
        weight = self.alpha * np.asarray(x.sum(axis=1), dtype=float).ravel() + x.shape[1]
        return self.l2 * (weight / (weight.mean() if mean is None else mean)) ** self.frequency

    def _fold_in(self, users: np.ndarray, history: Dataset, left: np.ndarray) -> np.ndarray:
        return self._solved(liked_pairs(history, self.weights)[users])

    def score_histories(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Scores for people by what they like alone: see :meth:`FromHistory.score_histories`."""
        rows = history_rows(histories, len(self.item_factors_))
        return self._solved(rows) @ self.item_factors_.T

    def _solved(self, rows: sparse.csr_matrix) -> np.ndarray:
        """User vectors of rows of liked items."""
        penalty = self._penalties(rows, self.mean_weight_)
        right = self.item_factors_[:, :-1]
        if self._gram is None or self._gram[0] is not self.item_factors_:
            self._gram = self.item_factors_, right.T @ right  # dearer than the users of a request
        solved = solve_rows(rows, right, self.alpha, penalty, self._gram[1])
        return np.column_stack([solved, np.ones(len(solved), np.float32)])

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "n_factors": ("int_log", 16, 128),
            "l2": ("log", 0.1, 200.0),
            "alpha": ("log", 0.5, 40.0),
            "n_epochs": ("int", 5, 30),
        }


class BPR(Factors):
    """Pairwise ranking: an item the user likes should score above one drawn at random.

    Parameters
    ----------
    n_factors : int
    learning_rate : float
    l2 : float
    n_epochs : int
        Passes over the pairs.
    seed : int

    Notes
    -----
    Fitted by `implicit` on one thread, since its threads update without locks and would differ from run to
    run. The last
    coordinate is the item's bias. A history changes nothing: vectors are learned by training alone.

    References
    ----------
    Rendle et al. (2009), "BPR: Bayesian personalized ranking from implicit feedback", UAI, figure 4.
    """

    packages = ("implicit",)
    seeded = True

    def __init__(
        self,
        n_factors: int = 64,
        learning_rate: float = 0.01,
        l2: float = 0.01,
        n_epochs: int = 100,
        seed: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.learning_rate = learning_rate
        self.l2 = l2
        self.n_epochs = n_epochs
        self.seed = seed

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        u, i = by_id(train)
        liked = liked_pairs(train)
        x = liked[u][:, i].tocsr()
        x.sort_indices()
        bpr = need("implicit.bpr", "'bpr'")
        with quiet_blas():
            model = bpr.BayesianPersonalizedRanking(
                factors=self.n_factors,
                learning_rate=self.learning_rate,
                regularization=self.l2,
                iterations=self.n_epochs,
                random_state=self.seed,
                use_gpu=False,
                num_threads=1,
            )
            model.fit(x, show_progress=False)
        users = np.empty_like(np.asarray(model.user_factors))
        items = np.empty_like(np.asarray(model.item_factors))
        users[u], items[i] = model.user_factors, model.item_factors
        users[np.diff(liked.indptr) == 0] = 0
        self._keep(users, items, counts(liked))

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {
            "n_factors": ("int_log", 16, 128),
            "learning_rate": ("log", 0.003, 0.1),
            "l2": ("log", 0.001, 0.1),
            "n_epochs": ("int_log", 30, 300),
        }


def solve_rows(
    x: sparse.csr_matrix,
    right: np.ndarray,
    alpha: float,
    penalty: np.ndarray,
    gram: np.ndarray | None = None,
) -> np.ndarray:
    """The vectors of the rows of `x` that fit best, given those of its columns.

    Parameters
    ----------
    x : csr_matrix of shape (n, m)
        Confidences of observed pairs before `alpha`.
    right : ndarray of shape (m, d), float32
    alpha : float
    penalty : ndarray of shape (n,)
    gram : ndarray of shape (d, d), optional
        ``right.T @ right``, where it is kept.

    Returns
    -------
    ndarray of shape (n, d), float32
        ``inv(Y'Y + Y'(C - I)Y + penalty I) Y'C 1``; zero for an empty row.
    """
    gram = right.T @ right if gram is None else gram
    eye = np.eye(right.shape[1], dtype=np.float32)
    out = np.zeros((x.shape[0], right.shape[1]), np.float32)
    for row in np.flatnonzero(np.diff(x.indptr)):
        at = slice(x.indptr[row], x.indptr[row + 1])
        y, c = right[x.indices[at]], alpha * x.data[at]
        a = gram + (y.T * (c - 1)) @ y + np.float32(penalty[row]) * eye
        _, out[row], info = linalg.lapack.sposv(a, y.T @ c, overwrite_a=True, overwrite_b=True)
        if info != 0:
            raise InputError("a user's equations have no solution", mend="raise l2 or alpha")
    return out


def _lowest(users: np.ndarray, items: np.ndarray) -> float:
    """A little below the lowest product of any two rows."""
    low, high = 0.0, 0.0
    step = max(1, _BLOCK // max(len(items), 1))
    for start in range(0, len(users), step):
        block = users[start : start + step] @ items.T
        low, high = min(low, float(block.min(initial=0))), max(high, float(block.max(initial=0)))
    return low - 0.01 * (high - low) - 1e-6


class quiet_blas:
    """One BLAS thread, and without the advice of `implicit` to set it in the environment."""

    def __enter__(self) -> None:
        self._limits = threadpool_limits(1, "blas")
        self._limits.__enter__()
        self._quiet = warnings.catch_warnings()
        self._quiet.__enter__()
        warnings.filterwarnings(
            "ignore", message=".*(OpenBLAS|MKL|BLAS).*", category=RuntimeWarning
        )

    def __exit__(self, *_) -> None:
        self._quiet.__exit__(None, None, None)
        self._limits.__exit__(None, None, None)
