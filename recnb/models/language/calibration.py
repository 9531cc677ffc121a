"""Probabilities from scores: Platt's two numbers, and how far off the probabilities are before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recnb.metrics import ece, log_loss

FEWEST = 10  # rows of each answer below which nothing is learned
MEASURED = ("before", "after", "chance", "n", "people")
HALVINGS = 20  # of the people at random: one alone decides by its luck


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
        Of all rows; (1, 0), which changes nothing, where numbers from some people did not lower the log loss of others.
    before, after : float
        Expected calibration error (15 bins of equal width) of the probabilities as they were, and of those that
        `platt` stands for: each half of the people by the numbers of the other half, the mean of
        :data:`HALVINGS` random halvings.
    chance : float
        The expected calibration error that perfectly calibrated probabilities show on so many rows.
    n, people : int
        Rows, and whose.

    Notes
    -----
    Rows of one person are alike: with few people, or many rows of one, the halves differ in how much they like at
    all, and numbers from one harm the other. So rows are to come from many people, few from each.
    """

    platt: Platt
    before: float
    after: float
    chance: float
    n: int
    people: int

    @classmethod
    def of(cls, scores: np.ndarray, true: np.ndarray, users: np.ndarray) -> Calibration:
        """From scores in log-odds, answers and the user of each row."""
        plain, rng = Platt()(scores), np.random.default_rng(0)
        people, place = np.unique(users, return_inverse=True)
        errors, losses = [], []
        for _ in range(HALVINGS if len(people) > 1 else 0):
            half = (rng.permutation(len(people)) % 2 == 0)[place]
            crossed = np.empty(len(scores))
            for part in (half, ~half):
                crossed[part] = Platt.fitted(scores[~part], true[~part])(scores[part])
            errors.append(ece(true, crossed))
            losses.append(log_loss(true, crossed))
        helps = bool(losses) and float(np.mean(losses)) < log_loss(true, plain)
        platt = Platt.fitted(scores, true) if helps else Platt()
        before, kept = ece(true, plain), platt(scores)
        chance = [ece(rng.random(len(kept)) < kept, kept) for _ in range(HALVINGS)]
        return cls(
            platt,
            before,
            float(np.mean(errors)) if helps else before,
            float(np.mean(chance)),
            len(scores),
            len(people),
        )
