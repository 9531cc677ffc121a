"""Matrix factorisation of ratings that users chose to give: plain, weighted by propensities, and doubly robust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.errors import InputError

Floats = np.ndarray


@dataclass(frozen=True)
class Factors:
    """Predicted ratings as a mean, levels of users and items, and a product.

    Attributes
    ----------
    mean : float
    left : ndarray of shape (n_users, rank + 2)
        Factors, the user's level, and 1.
    right : ndarray of shape (n_items, rank + 2)
        Factors, 1, and the item's level.
    """

    mean: float
    left: Floats
    right: Floats

    def predict(self) -> Floats:
        """Ratings of every pair, shape (n_users, n_items)."""
        return self.mean + self.left @ self.right.T


def factorise(
    ratings: Floats,
    weights: Floats,
    rank: int = 4,
    l2: float = 5.0,
    sweeps: int = 15,
    seed: int = 0,
) -> Factors:
    """Alternating least squares on a dense matrix.

    Parameters
    ----------
    ratings : ndarray of shape (n_users, n_items)
        Any number where the weight is 0.
    weights : ndarray of shape (n_users, n_items), at least 0
        1 for what was rated is the plain factorisation, 1 / propensity the weighted one.
    rank : int
    l2 : float > 0
        Ridge penalty, in units of the mean weight of a rated pair.
    sweeps, seed : int

    Raises
    ------
    InputError
        Shapes differ, a weight is negative, or all are 0.

    References
    ----------
    Schnabel, Swaminathan, Singh, Chandak and Joachims, Recommendations as treatments, ICML 2016, section 4.
    """
    if ratings.shape != weights.shape or (weights < 0).any() or not weights.any():
        raise InputError(
            f"ratings of shape {ratings.shape} and weights of shape {weights.shape}, or weights below 0 or all 0",
            mend="give a weight of at least 0 for each rating",
        )
    w = weights / weights[weights > 0].mean()
    r = np.where(w > 0, ratings, 0.0)
    mean = float((w * r).sum() / w.sum())
    rest = r - mean
    rng = np.random.default_rng(seed)
    n, m = r.shape
    left = np.column_stack([0.1 * rng.standard_normal((n, rank)), np.zeros(n), np.ones(n)])
    right = np.column_stack([0.1 * rng.standard_normal((m, rank)), np.ones(m), np.zeros(m)])
    for _ in range(sweeps):
        _solve(left, right, w, rest, rank, l2, fixed=rank + 1)
        _solve(right, left, w.T, rest.T, rank, l2, fixed=rank)
    return Factors(mean, left, right)


def _solve(
    own: Floats, other: Floats, w: Floats, rest: Floats, rank: int, l2: float, fixed: int
) -> None:
    """Best rows of one side for the other, in place; column `fixed` stays 1."""
    free = [at for at in range(rank + 2) if at != fixed]
    design = other[:, free]
    target = rest - other[:, fixed]
    gram = np.einsum("ui,ia,ib->uab", w, design, design, optimize=True)
    gram += l2 * np.eye(len(free))
    own[:, free] = np.linalg.solve(gram, ((w * target) @ design)[:, :, None])[:, :, 0]


def doubly_robust(
    ratings: Floats,
    observed: np.ndarray,
    propensities: Floats,
    rank: int = 4,
    l2: float = 5.0,
    sweeps: int = 15,
    clip: float = 0.02,
    seed: int = 0,
) -> Factors:
    """Factorisation of every pair's rating, imputed where it is missing and corrected by what was rated.

    The loss of Wang et al., sum of (f - m)² over all pairs plus ((f - r)² - (f - m)²) / p over those rated, is for
    every imputation m that of least squares against m + o (r - m) / p. The imputation has a loss of its own, the
    weighted error over what was rated; where m is a rating it does not depend on f, so one pass learns both.

    Parameters
    ----------
    ratings, observed, propensities : ndarrays of shape (n_users, n_items)
    rank, l2, sweeps, seed
        As in :func:`factorise`; `l2` is multiplied for the second fit by the mean of 1 / p, the
        noise of a corrected pair over that of a rating.
    clip : float
        Smallest propensity that is believed.

    References
    ----------
    Wang, Zhang, Sun and Qi, Doubly robust joint learning for recommendation on data missing not at random, ICML 2019,
    section 3.
    """
    p = np.maximum(propensities, clip)
    given = ratings[observed]
    imputed = factorise(ratings, observed / p, rank, l2, sweeps, seed).predict()
    imputed = np.clip(imputed, given.min(), given.max())
    target = imputed + np.where(observed, (ratings - imputed) / p, 0.0)
    noise = float((1 / p[observed]).mean())
    return factorise(target, np.ones_like(p), rank, l2 * noise, sweeps, seed)
