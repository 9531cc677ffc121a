"""A slate policy learned from another policy's log: REINFORCE with the off-policy correction for lists of k."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from recnb.effect.logs import Log
from recnb.errors import InputError

Floats = np.ndarray
CORRECTIONS = ("none", "item", "slate")


class SlatePolicy:
    """A softmax over linear scores of the candidates, whose slates are drawn item by item.

    Parameters
    ----------
    correction : {"slate", "item", "none"}
        "none": a click's log-probability, as if the policy had shown what the log shows (an imitation of clicks).
        "item": that weighted by the policy's chance over the logged one: the reward of one card. "slate": of the chance
        that the item stands among `k` cards at all.
    k : int
        Cards of a slate.
    clip : float
        Largest weight 1 / propensity.
    l2 : float
        Penalty on the squared coefficients.

    Notes
    -----
    The coefficients maximise the mean over cards of ``r / p * pi`` ("item"), ``r / p * (1 - (1 - pi)**k)`` ("slate") or
    ``r * log pi`` ("none"), with r the click over the chance that the place is looked at. Their gradients are those of
    REINFORCE with the importance weight ``pi / p`` and, for slates, the factor ``k (1 - pi)**(k - 1)``; on a fixed log
    all rows are at hand, so that L-BFGS follows them instead of single samples.

    References
    ----------
    Chen, Beutel, Covington, Jain, Belletti and Chi, Top-k off-policy correction for a REINFORCE recommender system,
    WSDM 2019, equations 2, 3 and 6.

    Attributes
    ----------
    coefficients : ndarray of shape (n_features,)
    """

    def __init__(
        self, correction: str = "slate", k: int = 5, clip: float = 100.0, l2: float = 1e-3
    ) -> None:
        if correction not in CORRECTIONS:
            raise InputError(f"correction='{correction}'", mend=f"one of {', '.join(CORRECTIONS)}")
        if k < 1 or clip <= 0 or l2 < 0:
            raise InputError(f"k={k}, clip={clip}, l2={l2}", mend="1 or more, above 0, 0 or more")
        self.correction, self.k, self.clip, self.l2 = correction, k, clip, l2
        self.coefficients = np.zeros(0)

    def fit(self, log: Log, vectors: Floats, look: Floats | None = None) -> SlatePolicy:
        """Learn from a log.

        Parameters
        ----------
        log : Log
            With `click` and propensities.
        vectors : ndarray of shape (n_contexts, n_items, n_features)
            In the order of `log.context_ids`.
        look : ndarray of shape (n_places,), optional
            Chance that each place is looked at; None: every place alike.

        Raises
        ------
        InputError
            The log has no propensities.
        """
        if log.propensity is None:
            raise InputError(
                f"{log.name} has no propensities", mend="estimate_propensities(log) first"
            )
        contexts, place = np.unique(log.context, return_inverse=True)
        reward = log.outcome("click").astype(np.float64)
        if look is not None:
            reward = reward / np.asarray(look)[log.position - 1]
        weight = (
            reward
            if self.correction == "none"
            else reward * np.minimum(1 / log.propensity, self.clip)
        )
        clicked = np.flatnonzero(weight)
        objective = self._objective(
            vectors[contexts], place[clicked], log.item[clicked], weight[clicked], log.n
        )
        start = np.zeros(vectors.shape[2])
        self.coefficients = minimize(objective, start, jac=True, method="L-BFGS-B").x
        return self

    def _objective(
        self, x: Floats, row: np.ndarray, item: np.ndarray, weight: Floats, n: int
    ) -> Callable[[Floats], tuple[float, Floats]]:
        def value(theta: Floats) -> tuple[float, Floats]:
            log_pi = log_softmax(x @ theta, axis=1)
            pi = np.exp(log_pi)
            mean = np.einsum("ci,cif->cf", pi, x)
            slope = x[row, item] - mean[row]  # of the logarithm
            p = pi[row, item]
            if self.correction == "none":
                gain, factor = log_pi[row, item], np.ones_like(p)
            elif self.correction == "item":
                gain, factor = p, p
            else:
                gain = 1 - (1 - p) ** self.k
                factor = self.k * (1 - p) ** (self.k - 1) * p
            total = -(weight @ gain) / n + self.l2 * theta @ theta
            return total, -((weight * factor) @ slope) / n + 2 * self.l2 * theta

        return value

    def probabilities(self, vectors: Floats) -> Floats:
        """Chance of each item to be the next card, (n_contexts, n_items)."""
        return np.exp(log_softmax(vectors @ self.coefficients, axis=1))

    def slates(self, vectors: Floats) -> np.ndarray:
        """The `k` likeliest items of each context, the likeliest first: (n_contexts, k)."""
        return np.argsort(-(vectors @ self.coefficients), axis=1, kind="stable")[:, : self.k]
