"""The Bayesian factorisation machine, by Gibbs sampling with the `myfm` package."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.models.common.liked import by_id
from recnb.models.ratings.baseline import RatingModel
from recnb.optional import need_myfm


class BFM(RatingModel):
    """Bayesian factorisation machine over user and item ids: the mean over samples of the posterior.

    Parameters
    ----------
    n_factors : int
    n_epochs : int
        Gibbs samples drawn.
    burn_in : int
        The first samples, which are thrown away.
    seed : int

    Notes
    -----
    Over ids alone each sample is a biased matrix factorisation, so the mean of their predictions is one product of
    longer factors: the fitted model needs ``4 (n_users + n_items) (n_epochs - burn_in) n_factors`` bytes and `myfm` no
    more. Users and items of which the training data say nothing get the mean. A history changes nothing.

    References
    ----------
    Freudenthaler, Schmidt-Thieme & Rendle (2011), "Bayesian factorization machines".
    Rendle, Zhang & Koren (2019), "On the difficulty of evaluating baselines", section 4.
    """

    seeded = True
    packages = ("myfm",)

    def __init__(
        self, n_factors: int = 10, n_epochs: int = 200, burn_in: int = 20, seed: int = 0
    ) -> None:
        self.n_factors = n_factors
        self.n_epochs = n_epochs
        self.burn_in = burn_in
        self.seed = seed

    def _learn(self, ratings: sparse.csr_matrix, train: Dataset, valid: Dataset | None) -> None:
        myfm = need_myfm("bfm")
        u, i = by_id(train)
        rated = ratings[u][:, i].tocoo()
        n, m = rated.shape
        order = np.lexsort((rated.col, rated.row))
        codes = np.column_stack([rated.row[order], rated.col[order] + n])
        x = sparse.csr_matrix(
            (np.ones(codes.size), codes.ravel(), np.arange(0, codes.size + 1, 2)),
            shape=(len(codes), n + m),
        )
        model = myfm.MyFMGibbsRegressor(rank=self.n_factors, random_seed=self.seed)
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar cannot be turned off
            model.fit(
                x,
                rated.data[order].astype(float),
                n_iter=self.n_epochs,
                n_kept_samples=max(self.n_epochs - self.burn_in, 1),
                group_shapes=[n, m],
            )
        samples = model.predictor_.samples
        weights = np.mean([s.w for s in samples], axis=0)
        vectors = np.hstack([s.V for s in samples]) / np.sqrt(len(samples))
        self.offset_ = float(np.mean([s.w0 for s in samples]))
        told = ratings.getnnz(axis=1) > 0, ratings.getnnz(axis=0) > 0
        self.user_bias_, self.item_bias_, self.user_factors_, self.item_factors_ = (
            _back(part, code, seen)
            for part, code, seen in (
                (weights[:n], u, told[0]),
                (weights[n:], i, told[1]),
                (vectors[:n], u, told[0]),
                (vectors[n:], i, told[1]),
            )
        )

    def _raw(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        scores = self.user_factors_[users] @ self.item_factors_.T
        return self.offset_ + scores + self.user_bias_[users, None] + self.item_bias_[None, :]

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"n_factors": ("int_log", 4, 32)}


def _back(values: np.ndarray, codes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Values in the order of the codes, zero where nothing was seen (a draw from the prior says nothing)."""
    out = np.zeros(values.shape, np.float32)
    out[codes] = values
    out[~seen] = 0
    return out
