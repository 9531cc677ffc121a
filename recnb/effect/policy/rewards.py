"""Reward models: the outcome expected of any item in any context, fitted on rows other than those they judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from recnb.effect.logs import Log
from recnb.errors import InputError

Floats = np.ndarray


class Predicts(Protocol):
    """A fitted reward model."""

    positional: bool

    def predict(self, contexts: np.ndarray, position: int) -> Floats:
        """Expected outcome of every item, shape (n, n_items)."""


class Rewards(Protocol):
    """What makes one from rows of a log."""

    def fit(self, log: Log, outcome: Floats, rows: np.ndarray) -> Predicts:
        """Learn from some rows of a log.

        Parameters
        ----------
        log : Log
        outcome : ndarray of shape (n,)
        rows : ndarray of bool, shape (n,)
        """


class _ItemMeans:
    def __init__(self, means: Floats, places: Floats) -> None:
        self.means, self.places = means, places
        self.positional = len(places) > 1

    def predict(self, contexts: np.ndarray, position: int) -> Floats:
        place = self.places[min(position, len(self.places)) - 1]
        return np.broadcast_to(self.means * place, (len(contexts), len(self.means)))


class ItemRewards:
    """The mean outcome of each item, drawn towards the mean of all, times the level of the place.

    Parameters
    ----------
    strength : float >= 0
        How many rows the mean of all counts as.
    """

    def __init__(self, strength: float = 50.0) -> None:
        self.strength = strength

    def fit(self, log: Log, outcome: Floats, rows: np.ndarray) -> _ItemMeans:
        """As :class:`Rewards`."""
        item, r, place = log.item[rows], outcome[rows], log.position[rows] - 1
        mean = float(r.mean())
        n_places = int(log.position.max())
        counts = np.bincount(place, minlength=n_places)
        level = (np.bincount(place, r, n_places) + self.strength * mean) / (counts + self.strength)
        level = level / mean if mean else np.ones(n_places)
        n_items = len(log.item_ids)
        due = np.bincount(item, level[place], n_items)  # rows, in rows of an average place
        means = (np.bincount(item, r, n_items) + self.strength * mean) / (due + self.strength)
        return _ItemMeans(means, level)


class ScoreRewards:
    """A regression of the outcome on scores of context and item, the item's own level, and the place.

    Parameters
    ----------
    scores : sequence of functions of context codes, each giving ndarray of shape (n, n_items)
        Such as the scores of a fitted recommender; finite.
    items : bool
        Whether the item's own mean counts besides.
    strength : float > 0
        Ridge penalty of the standardised columns.

    Notes
    -----
    Logistic for outcomes of 0 and 1, else linear. Expected outcomes of other items than the shown one come from the
    same regression.
    """

    def __init__(
        self,
        scores: Sequence[Callable[[np.ndarray], Floats]],
        items: bool = True,
        strength: float = 1.0,
    ) -> None:
        self.scores, self.items, self.strength = tuple(scores), items, strength

    def fit(self, log: Log, outcome: Floats, rows: np.ndarray) -> _Regression:
        """As :class:`Rewards`."""
        n_places = int(log.position.max())
        popular = ItemRewards().fit(log, outcome, rows).means if self.items else None
        model = _Regression(self.scores, popular, n_places)
        context, item, place = log.context[rows], log.item[rows], log.position[rows]
        columns = [model.shown(score, context, item) for score in self.scores]
        if popular is not None:
            columns.append(np.log(np.maximum(popular[item], 1e-9)))
        model.centre = np.array([column.mean() for column in columns])
        model.spread = np.array([column.std() or 1.0 for column in columns])
        design = (np.column_stack(columns) - model.centre) / model.spread
        design = np.hstack([design, np.eye(n_places)[place - 1][:, 1:]])
        r = outcome[rows]
        if not np.isin(r, (0.0, 1.0)).all():
            fitted = Ridge(self.strength).fit(design, r)
            model.logistic, model.coef, model.intercept = False, fitted.coef_, fitted.intercept_
        elif r.min() == r.max():
            model.logistic, model.coef = False, np.zeros(design.shape[1])
            model.intercept = float(r[0])
        else:
            fitted = LogisticRegression(C=1 / self.strength, max_iter=200).fit(design, r)
            model.coef, model.intercept = fitted.coef_[0], float(fitted.intercept_[0])
        return model


class _Regression:
    def __init__(self, scores, popular: Floats | None, n_places: int) -> None:
        self.scores, self.popular, self.n_places = scores, popular, n_places
        self.positional = n_places > 1
        self.logistic = True
        self.centre = self.spread = self.coef = np.empty(0)
        self.intercept = 0.0

    @staticmethod
    def shown(score, context: np.ndarray, item: np.ndarray) -> Floats:
        """Scores of the shown items, without a matrix of all rows."""
        distinct, place = np.unique(context, return_inverse=True)
        out = np.empty(len(context))
        step = 1024
        for start in range(0, len(distinct), step):
            block = np.asarray(score(distinct[start : start + step]), np.float64)
            of = (place >= start) & (place < start + step)
            out[of] = block[place[of] - start, item[of]]
        if not np.isfinite(out).all():
            raise InputError("a score is not finite", mend="give finite scores of every shown item")
        return out

    def predict(self, contexts: np.ndarray, position: int) -> Floats:
        z = np.full((1, 1), self.intercept)
        columns = [np.asarray(score(contexts), np.float64) for score in self.scores]
        if self.popular is not None:
            columns.append(np.log(np.maximum(self.popular, 1e-9))[None, :])
        for at, column in enumerate(columns):
            z = z + self.coef[at] * (column - self.centre[at]) / self.spread[at]
        if position > 1:
            z = z + self.coef[len(columns) + min(position, self.n_places) - 2]
        return 1 / (1 + np.exp(-z)) if self.logistic else z


def folds_of(unit: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """A fold for each row, whole units together, shape (n,)."""
    n_units = int(unit.max()) + 1
    if n_units < n_folds:
        raise InputError(
            f"{n_units} users or rows cannot be cut into {n_folds} folds",
            mend=f"give a log of {n_folds} or more",
        )
    dealt = np.arange(n_units) % n_folds
    np.random.default_rng([seed, 2]).shuffle(dealt)
    return dealt[unit]
