"""Probabilities from scores: Platt's two numbers, and how far off the probabilities are before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.metrics import ece

FEWEST = 10  # rows of each answer below which nothing is learned


@dataclass(frozen=True)
class Platt:
    """p = 1 / (1 + exp(-(slope s + shift))).

    Examples
    --------
    >>> Platt(2.0, -1.0)(np.array([0.5])).tolist()
    [0.5]
    """

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(self.slope * np.asarray(scores, dtype=np.float64) + self.shift)))

    @classmethod
    def fitted(cls, scores: np.ndarray, true: np.ndarray) -> Platt:
        """From rows whose answer is known; with fewer than 10 rows of either answer as it is.

        Notes
        -----
        Targets are (n + 1) / (n + 2) and 1 / (m + 2), not 1 and 0, so that separable rows give finite numbers.

        References
        ----------
        J. Platt, Probabilistic outputs for support vector machines, 1999, section 2.2.
        """
        from sklearn.linear_model import LogisticRegression

        true = np.asarray(true, dtype=bool)
        n, m = int(true.sum()), int((~true).sum())
        if min(n, m) < FEWEST:
            return cls()
        high, low = (n + 1) / (n + 2), 1 / (m + 2)
        target = np.where(true, high, low)
        x = np.asarray(scores, dtype=np.float64)[:, None]
        scale = float(x.std()) or 1.0
        model = LogisticRegression(C=np.inf, max_iter=1000)
        weights = np.concatenate([target, 1 - target])
        labels = np.repeat([1, 0], len(x))
        model.fit(np.vstack([x, x]) / scale, labels, sample_weight=weights)
        return cls(float(model.coef_[0, 0]) / scale, float(model.intercept_[0]))


@dataclass(frozen=True)
class Calibration:
    """Platt's numbers, and the expected calibration error without and with them.

    Attributes
    ----------
    platt : Platt
        Of all rows.
    before, after : float
        Expected calibration error (15 bins of equal width) of the probabilities as they were, and of those of Platt's
        numbers from the other half of the users.
    n : int
        Rows.
    """

    platt: Platt
    before: float
    after: float
    n: int

    @classmethod
    def of(cls, scores: np.ndarray, true: np.ndarray, users: np.ndarray) -> Calibration:
        """From scores in log-odds, answers and the user of each row."""
        half = np.unique(users, return_inverse=True)[1] % 2 == 0
        crossed = np.empty(len(scores))
        for part in (half, ~half):
            crossed[part] = Platt.fitted(scores[~part], true[~part])(scores[part])
        before, after = ece(true, Platt()(scores)), ece(true, crossed)
        return cls(Platt.fitted(scores, true), before, after, len(scores))
