"""Matrix factorisation of ratings by variational Bayes: fast, and without penalties to tune.

The loss is that of the SVD and SVD++ of the Netflix prize. Instead of one best vector per user and item it
keeps a mean and a covariance, and learns the noise and the spread of each factor on the way; a user with few ratings
is then held back by the uncertainty itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.models.common.liked import by_id
from recnb.models.common.ridge import ridge
from recnb.models.ratings.baseline import RatingModel, biases

_ROWS = 4096  # users or items whose equations are built at a time


@dataclass
class Side:
    """What is believed of all users, or of all items: factors and, as the last coordinate, the bias.

    Attributes
    ----------
    mean : ndarray of shape (n, d)
    cov : ndarray of shape (n, d, d)
    precision : ndarray of shape (d,)
        One over the spread of each coordinate.
    prior : ndarray of shape (n, d)
        Where a row is drawn to.
    """

    mean: np.ndarray
    cov: np.ndarray
    precision: np.ndarray
    prior: np.ndarray
    design: np.ndarray = field(init=False)
    square: np.ndarray = field(init=False)
    cross: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """The expectations that the other side's equations need; the bias enters there with weight 1."""
        k = self.mean.shape[1] - 1
        self.design = np.column_stack([self.mean[:, :k], np.ones(len(self.mean))])
        square = self.design[:, :, None] * self.design[:, None, :]
        square[:, :k, :k] += self.cov[:, :k, :k]
        self.square = square.reshape(len(square), -1)
        self.cross = self.design * self.mean[:, k:]
        self.cross[:, :k] += self.cov[:, :k, k]


def update(
    rated: sparse.csr_matrix, other: Side, precision: np.ndarray, prior: np.ndarray, noise: float
):
    """Mean and covariance of each row, given the other side.

    Parameters
    ----------
    rated : csr_matrix of shape (n, m)
        Ratings less their mean.
    other : Side
        Of the m columns.
    precision : ndarray of shape (d,)
    prior : ndarray of shape (n, d)
    noise : float
        Variance of a rating.

    Returns
    -------
    mean : ndarray of shape (n, d)
    cov : ndarray of shape (n, d, d)
    """
    n, d = prior.shape
    mean, cov = np.empty((n, d)), np.empty((n, d, d))
    for start in range(0, n, _ROWS):
        block = slice(start, min(start + _ROWS, n))
        part = rated[block]
        ones = part.copy()
        ones.data = np.ones_like(part.data)
        a = (ones @ other.square).reshape(-1, d, d) / noise
        a[:, np.arange(d), np.arange(d)] += precision
        b = (part @ other.design - ones @ other.cross) / noise + precision * prior[block]
        cov[block] = np.linalg.inv(a)
        mean[block] = np.einsum("nij,nj->ni", cov[block], b)
    return mean, cov


class MF(RatingModel):
    """Biased matrix factorisation of ratings: mean + user + item + the product of their factors.

    Parameters
    ----------
    n_factors : int
    n_epochs : int
        Sweeps over users and items, at most.
    patience : int
        With validation data, stop after this many sweeps without a lower RMSE and go back to the best.
    seed : int
        Of the start.

    Notes
    -----
    Mean-field variational inference: Gaussian beliefs over the (factors, bias) of each user and item, the
    noise and the spread of
    every coordinate set to their expectations. It takes 8 (n_users + n_items) (n_factors + 1)^2 bytes, twice.
    With a history, a user's beliefs are computed from it with the items as they are.

    References
    ----------
    Lim & Teh (2007), "Variational Bayesian approach to movie rating prediction", KDD Cup, section 3.
    Koren, Bell & Volinsky (2009), "Matrix factorization techniques for recommender systems", equation 4.
    """

    seeded = True
    uses_valid = True
    uses_history = True

    def __init__(
        self, n_factors: int = 10, n_epochs: int = 20, patience: int = 3, seed: int = 0
    ) -> None:
        self.n_factors = n_factors
        self.n_epochs = n_epochs
        self.patience = patience
        self.seed = seed

    # ---------------------------------------------------------------- learning

    def _learn(self, ratings: sparse.csr_matrix, train: Dataset, valid: Dataset | None) -> None:
        u, i = by_id(train)
        centred = ratings[u][:, i].astype(float)
        centred.sort_indices()
        centred.data -= self.mean_
        state = self._start(centred)
        watch = None if valid is None else self._pairs(valid, u, i)
        best, best_error, best_epoch = None, np.inf, 0
        for epoch in range(1, self.n_epochs + 1):
            self._sweep(centred, state)
            if watch is None:
                continue
            error = self._error(state, watch)
            if error < best_error:
                best, best_error, best_epoch = self._snapshot(state), error, epoch
            elif epoch - best_epoch >= self.patience:
                break
        self.n_epochs_ = best_epoch if best is not None else self.n_epochs
        self._keep(best or self._snapshot(state), u, i)

    def _start(self, centred: sparse.csr_matrix) -> dict:
        k, (n, m) = self.n_factors, centred.shape
        deviation = max(float(np.std(centred.data)), 1e-3)
        factors = 0.5 * np.sqrt(deviation) * leading(centred, k, self.seed)
        # Users and items share the spread of a rating, so a factor goes with its root.
        precision = np.append(np.full(k, 15 / deviation), 5 / deviation**2)

        def side(mean: np.ndarray) -> Side:
            cov = np.zeros((len(mean), k + 1, k + 1))
            return Side(mean, cov, precision, np.zeros_like(mean))

        return {
            "users": side(np.zeros((n, k + 1))),
            "items": side(np.column_stack([factors, np.zeros(m)])),
            "noise": 0.7 * deviation**2,
            "columns": centred.T.tocsr(),
        }

    def _sweep(self, centred: sparse.csr_matrix, state: dict) -> None:
        users, items = state["users"], state["items"]
        for side, other, rated in ((users, items, centred), (items, users, state["columns"])):
            side.mean, side.cov = update(rated, other, side.precision, side.prior, state["noise"])
            side.refresh()
        self._learn_prior(state)
        for side in (users, items):
            away = ((side.mean - side.prior) ** 2).mean(axis=0)
            side.precision = 1 / (away + np.einsum("nii->i", side.cov) / len(side.cov) + 1e-9)
        state["noise"] = max(_noise(centred, users, items), 1e-6)

    def _learn_prior(self, state: dict) -> None:
        """Nothing here: users are drawn to zero."""

    def _snapshot(self, state: dict) -> dict:
        users, items = state["users"], state["items"]
        return {
            "user_factors_": users.mean,
            "item_factors_": items.mean,
            "item_cov_": items.cov,
            "user_precision_": users.precision,
            "noise_": state["noise"],
        }

    def _keep(self, found: dict, u: np.ndarray, i: np.ndarray) -> None:
        order = {"user_factors_": u, "item_factors_": i, "item_cov_": i}
        for name, value in found.items():
            if name in order:
                back = np.empty_like(value)
                back[order[name]] = value
                value = back
            setattr(
                self, name, np.float32(value) if isinstance(value, np.ndarray) else float(value)
            )

    def _pairs(self, valid: Dataset, u: np.ndarray, i: np.ndarray) -> tuple[np.ndarray, ...]:
        asked = valid.matrix().tocoo()
        return np.argsort(u)[asked.row], np.argsort(i)[asked.col], asked.data

    def _error(self, state: dict, watch: tuple[np.ndarray, ...]) -> float:
        users, items, truth = watch
        got = self.mean_ + _dot(state["users"].mean[users], state["items"].mean[items])
        return float(np.sqrt(np.mean((np.clip(got, self.low_, self.high_) - truth) ** 2)))

    # ---------------------------------------------------------------- answering

    def _raw(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        left = self.user_factors_[users]
        if history is not None:
            left = self._fold_in(history.matrix()[users])
        scores = left[:, :-1] @ self.item_factors_[:, :-1].T
        return self.mean_ + scores + left[:, -1:] + self.item_factors_[None, :, -1]

    def _raw_pairs(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.mean_ + _dot(self.user_factors_[users], self.item_factors_[items])

    def _fold_in(self, rows: sparse.csr_matrix) -> np.ndarray:
        rated = rows.astype(float)
        rated.data -= self.mean_
        mean = self.item_factors_.astype(float)
        items = Side(
            mean, self.item_cov_.astype(float), np.ones(mean.shape[1]), np.zeros_like(mean)
        )
        prior = self._prior(rows)
        return update(rated, items, self.user_precision_, prior, self.noise_)[0].astype(np.float32)

    def _prior(self, rows: sparse.csr_matrix) -> np.ndarray:
        return np.zeros((rows.shape[0], self.n_factors + 1))

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {"n_factors": ("int_log", 4, 40), "n_epochs": ("int", 6, 40)}


class SVDpp(MF):
    """Matrix factorisation that also reads which items a user has rated, whatever the rating.

    Parameters
    ----------
    n_factors : int
    n_epochs : int
    l2_implicit : float
        Penalty on the vectors of the items that were rated.
    patience : int
    seed : int

    Notes
    -----
    As :class:`MF`, but the factors of user u are drawn to ``|N(u)|^-1/2 sum_j in N(u) y_j`` instead of zero: with
    ``p_u`` the rest, that is SVD++. The y are the ridge regression of the user factors on those rows, by conjugate
    gradients, in every sweep.

    References
    ----------
    Koren (2008), "Factorization meets the neighborhood", KDD, equation 15.
    """

    def __init__(
        self,
        n_factors: int = 10,
        n_epochs: int = 30,
        l2_implicit: float = 3.0,
        patience: int = 3,
        seed: int = 0,
    ) -> None:
        super().__init__(n_factors, n_epochs, patience, seed)
        self.l2_implicit = l2_implicit

    def _start(self, centred: sparse.csr_matrix) -> dict:
        state = super()._start(centred)
        state["rated"] = _rated(centred)
        state["y"] = np.zeros((centred.shape[1], self.n_factors))
        return state

    def _learn_prior(self, state: dict) -> None:
        users, s, k = state["users"], state["rated"], self.n_factors
        state["y"] = ridge(s, users.mean[:, :k], self.l2_implicit, state["y"])
        users.prior = np.zeros_like(users.mean)
        users.prior[:, :k] = s @ state["y"]

    def _snapshot(self, state: dict) -> dict:
        return {**super()._snapshot(state), "y_": state["y"]}

    def _keep(self, found: dict, u: np.ndarray, i: np.ndarray) -> None:
        y = np.empty_like(found["y_"])
        y[i] = found["y_"]
        super()._keep({**found, "y_": y}, u, i)

    def _prior(self, rows: sparse.csr_matrix) -> np.ndarray:
        prior = super()._prior(rows)
        prior[:, :-1] = _rated(rows) @ self.y_
        return prior

    @classmethod
    def search_space(cls) -> dict[str, tuple]:
        return {**super().search_space(), "l2_implicit": ("log", 0.3, 100.0)}


def leading(centred: sparse.csr_matrix, k: int, seed: int) -> np.ndarray:
    """Directions of the items in which users differ most beyond the biases: a start that does not collapse.

    Three power iterations from a random matrix, as in a randomised SVD.

    Returns
    -------
    ndarray of shape (n_items, k)
        Columns of mean square about 1.
    """
    user, item = biases(centred, 0.0, 5.0, 2.0, 3)
    rest = centred.copy()
    rest.data = rest.data - item[rest.indices]
    rest.data -= np.repeat(user, np.diff(rest.indptr))
    found = np.random.default_rng(seed).normal(size=(centred.shape[1], k))
    for _ in range(3):
        q = np.linalg.qr(rest.T @ (rest @ found))[0]
        found[:, : q.shape[1]] = q
    return found * np.sqrt(len(found))


def _noise(centred: sparse.csr_matrix, users: Side, items: Side) -> float:
    """Mean squared error that the beliefs expect over the ratings, their own uncertainty included."""
    d = users.mean.shape[1]
    ones = centred.copy()
    ones.data = np.ones_like(centred.data)
    rows = np.repeat(np.arange(centred.shape[0]), np.diff(centred.indptr))
    error = 0.0
    for start in range(0, len(rows), 2**18):
        at = slice(start, start + 2**18)
        got = _dot(users.mean[rows[at]], items.mean[centred.indices[at]])
        error += float(((centred.data[at] - got) ** 2).sum())
    for start in range(0, len(users.mean), _ROWS):
        block = slice(start, min(start + _ROWS, len(users.mean)))
        seen = ones[block] @ items.square
        error += float((users.cov[block].reshape(-1, d * d) * seen).sum())
    plain = (items.cov.reshape(-1, d * d), users.design)
    for start in range(0, len(users.mean), _ROWS):
        block = slice(start, min(start + _ROWS, len(users.mean)))
        outer = (plain[1][block, :, None] * plain[1][block, None, :]).reshape(-1, d * d)
        error += float(((ones[block] @ plain[0]) * outer).sum())
    return error / len(centred.data)


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left[:, :-1] * right[:, :-1]).sum(axis=1) + left[:, -1] + right[:, -1]


def _rated(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Ones where rated, over the root of their number."""
    number = np.maximum(np.diff(rows.indptr), 1)
    values = np.repeat(1 / np.sqrt(number), np.diff(rows.indptr))
    return sparse.csr_matrix((values, rows.indices, rows.indptr), shape=rows.shape)
