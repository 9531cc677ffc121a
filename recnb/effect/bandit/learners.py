"""LinUCB, Thompson sampling, epsilon-greedy and random choice over vectors of the candidates."""

from __future__ import annotations

import numpy as np

from recnb.errors import InputError

Floats = np.ndarray
KINDS = ("linucb", "thompson", "epsilon", "random")


class LinearBandit:
    """One linear model of the reward for all items, of vectors such as a text's.

    Parameters
    ----------
    n_features : int
    kind : {"linucb", "thompson", "epsilon", "random"}
        "linucb": the highest upper bound, expected reward plus `width` times its standard deviation. "thompson": the
        best under coefficients drawn from their posterior, whose deviations are `width` times the model's. "epsilon":
        the best expected one, with chance `epsilon` any. "random": any.
    width, epsilon : float
    l2 : float > 0
        Ridge penalty: the prior's precision.
    seed : int

    Notes
    -----
    The inverse of the Gram matrix is kept and updated by one row at a time (Sherman and Morrison), so that a step costs
    n_features². Random ties.

    References
    ----------
    Li, Chu, Langford and Schapire, A contextual-bandit approach to personalized news article recommendation, WWW 2010,
    algorithm 1 (with one model for all). Agrawal and Goyal, Thompson sampling for contextual bandits with linear
    payoffs, ICML 2013.

    Examples
    --------
    >>> bandit = LinearBandit(2, "linucb")
    >>> for _ in range(50):
    ...     at = bandit.choose(np.eye(2))
    ...     bandit.learn(np.eye(2)[at], float(at == 1))
    >>> bandit.choose(np.eye(2))
    1
    """

    def __init__(
        self,
        n_features: int,
        kind: str = "linucb",
        width: float = 1.0,
        epsilon: float = 0.1,
        l2: float = 1.0,
        seed: int = 0,
    ) -> None:
        if kind not in KINDS:
            raise InputError(f"a bandit '{kind}'", mend=f"one of {', '.join(KINDS)}")
        if n_features < 1 or not l2 > 0 or not 0 <= epsilon <= 1 or not width >= 0:
            raise InputError(
                f"n_features={n_features}, l2={l2}, epsilon={epsilon}, width={width}",
                mend="give at least one feature, l2 above 0, a chance, and a width of at least 0",
            )
        self.kind, self.width, self.epsilon = kind, width, epsilon
        self.inverse = np.eye(n_features) / l2
        self.total = np.zeros(n_features)
        self.rng = np.random.default_rng(seed)

    @property
    def coefficients(self) -> Floats:
        """Expected coefficients, shape (n_features,)."""
        return self.inverse @ self.total

    def scores(self, candidates: Floats) -> Floats:
        """What the choice goes by, for vectors of shape (n, n_features)."""
        n = len(candidates)
        if self.kind == "random":
            return self.rng.random(n)
        expected = candidates @ self.coefficients
        if self.kind == "linucb":
            spread = np.einsum("nf,fg,ng->n", candidates, self.inverse, candidates)
            return expected + self.width * np.sqrt(np.maximum(spread, 0))
        if self.kind == "thompson":
            root = np.linalg.cholesky((self.inverse + self.inverse.T) / 2)
            drawn = self.coefficients + self.width * root @ self.rng.standard_normal(len(root))
            return candidates @ drawn
        return self.rng.random(n) + (0.0 if self.rng.random() < self.epsilon else 1e12 * expected)

    def choose(self, candidates: Floats, k: int | None = None) -> int | np.ndarray:
        """The best candidate's row, or those of the best `k`, best first."""
        scores = self.scores(candidates)
        order = np.lexsort((self.rng.random(len(scores)), -scores))
        return int(order[0]) if k is None else order[:k]

    def learn(self, vectors: Floats, rewards: Floats | float) -> None:
        """What followed for one vector, or several.

        Parameters
        ----------
        vectors : ndarray of shape (n_features,) or (n, n_features)
        rewards : float or ndarray of shape (n,)
        """
        for x, r in zip(np.atleast_2d(vectors), np.atleast_1d(rewards)):
            ax = self.inverse @ x
            self.inverse -= np.outer(ax, ax) / (1 + x @ ax)
            self.total += r * x
