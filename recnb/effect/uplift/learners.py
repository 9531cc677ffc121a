"""The effect of showing an item, learned from rows where it was shown and others: S-, T-, X- and DR-learner."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import KFold

from recnb.errors import InputError

Floats = np.ndarray
LEARNERS = ("s", "t", "x", "dr")


class Uplift:
    """The effect of a treatment given features.

    Parameters
    ----------
    kind : {"s", "t", "x", "dr"}
        "s": one model of the outcome, the treatment among its features. "t": one for each arm. "x": effects imputed
        by the other arm's model, then regressed. "dr": doubly robust effects of each row, cross-fitted, regressed.
    outcome : scikit-learn estimator
        Of the outcome; a classifier's chance of class 1 is used.
    effect : scikit-learn regressor, optional
        Of the effect ("x", "dr"); None means a copy of `outcome`, which then must be a regressor.
    folds, seed : int
        Of the cross-fitting.

    Raises
    ------
    InputError
        An unknown kind, or a classifier for the effect.

    References
    ----------
    Künzel, Sekhon, Bickel and Yu, Metalearners for estimating heterogeneous treatment effects, PNAS 116, 2019.
    Kennedy, Towards optimal doubly robust estimation of heterogeneous causal effects, EJS 17, 2023, algorithm 1.
    """

    def __init__(
        self, kind: str, outcome: Any, effect: Any = None, folds: int = 5, seed: int = 0
    ) -> None:
        if kind not in LEARNERS:
            raise InputError(f"an uplift learner '{kind}'", mend=f"one of {', '.join(LEARNERS)}")
        self.kind, self.outcome, self.folds, self.seed = kind, outcome, folds, seed
        self.effect = outcome if effect is None else effect
        if kind in ("x", "dr") and is_classifier(self.effect):
            raise InputError(
                f"'{kind}' regresses effects, and {type(self.effect).__name__} is a classifier",
                mend="give a regressor as effect",
            )

    def fit(
        self, features: Floats, treated: np.ndarray, outcome: Floats, propensity: Floats
    ) -> Uplift:
        """Learn.

        Parameters
        ----------
        features : ndarray of shape (n, m)
        treated : ndarray of shape (n,), 0 or 1
        outcome : ndarray of shape (n,)
        propensity : ndarray of shape (n,), strictly between 0 and 1
            Chance of the treatment.

        Raises
        ------
        InputError
            Shapes differ, nobody or everybody is treated, or a propensity is not strictly between 0 and 1.
        """
        t, y, p = (np.asarray(v, np.float64) for v in (treated, outcome, propensity))
        n = len(features)
        if not (t.shape == y.shape == p.shape == (n,)) or not np.isin(t, (0, 1)).all():
            raise InputError(
                "features, treatment, outcome, propensity do not fit", mend="one row each"
            )
        if t.min() == t.max():
            raise InputError("everybody or nobody is treated", mend="give rows of both")
        if not ((p > 0) & (p < 1)).all():
            raise InputError("a propensity is 0 or 1", mend="leave out who could not be otherwise")
        x = np.asarray(features, np.float64)
        if self.kind == "s":
            self.models_ = [clone(self.outcome).fit(_with(x, t), y)]
            return self
        if self.kind == "dr":
            pseudo = self._pseudo(x, t, y, p)
            self.models_ = [clone(self.effect).fit(x, pseudo)]
            return self
        arms = [clone(self.outcome).fit(x[t == side], y[t == side]) for side in (0, 1)]
        self.models_ = arms
        if self.kind == "x":
            imputed = (
                _expected(arms[1], x[t == 0]) - y[t == 0],
                y[t == 1] - _expected(arms[0], x[t == 1]),
            )
            self.models_ = [
                clone(self.effect).fit(x[t == side], gap) for side, gap in enumerate(imputed)
            ]
            # The share treated near a row weighs the two; here the mean chance stands for it.
            self.share_ = float(p.mean())
        return self

    def predict(self, features: Floats) -> Floats:
        """Effect of the treatment, shape (n,)."""
        x = np.asarray(features, np.float64)
        if self.kind == "s":
            ones = np.ones(len(x))
            return _expected(self.models_[0], _with(x, ones)) - _expected(
                self.models_[0], _with(x, 0 * ones)
            )
        first = _expected(self.models_[0], x)
        if self.kind == "dr":
            return first
        second = _expected(self.models_[1], x)
        if self.kind == "t":
            return second - first
        return self.share_ * first + (1 - self.share_) * second

    def _pseudo(self, x: Floats, t: Floats, y: Floats, p: Floats) -> Floats:
        out = np.empty(len(x))
        for train, held in KFold(self.folds, shuffle=True, random_state=self.seed).split(x):
            m0, m1 = (
                _expected(clone(self.outcome).fit(x[rows], y[rows]), x[held])
                for rows in (train[t[train] == 0], train[t[train] == 1])
            )
            own = np.where(t[held] == 1, m1, m0)
            side = (t[held] - p[held]) / (p[held] * (1 - p[held]))
            out[held] = m1 - m0 + side * (y[held] - own)
        return out


def _with(x: Floats, t: Floats) -> Floats:
    """Features, the treatment, and its products with them: a linear model then knows who reacts how."""
    return np.hstack([x, t[:, None], x * t[:, None]])


def _expected(model: Any, x: Floats) -> Floats:
    if hasattr(model, "predict_proba"):
        return model.predict_proba(x)[:, list(model.classes_).index(1)]
    return np.asarray(model.predict(x))
