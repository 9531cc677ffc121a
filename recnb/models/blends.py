"""Hybrids: several models weighed together, and one model where another has nothing to go by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.composed import Composed
from recnb.models.common.liked import counts
from recnb.models.common.validation import MOST_USERS, Validation
from recnb.recommender import Recommender

SCALES = ("zscore", "rank")
TUNED = ("apart", "together")
_MOST = 4
_CELLS = 2 * 10**7  # of one score matrix while the weights are chosen


class Blend(Composed):
    """A weighted sum of the scores of several models, each brought to one scale per user.

    Parameters
    ----------
    models : list of Recommender
        Two to four, unfitted.
    weights : sequence of float, optional
        One per model. None: the weights of a grid in steps of a tenth that give the highest NDCG@10 on
        `valid`; equal ones
        without `valid`.
    scale : {"zscore", "rank"}
        Scores less their mean over their deviation, or their rank among all items from 0 to 1.
    seed : int, optional
        Set on the models that have one.
    users : int
        The most users of the validation part who choose the weights.
    tuned : {"apart", "together"}
        What :func:`~recnb.study.search` does: each model on its own, or the first on its own and the others within the
        blend, for what they add to it. The best neighbours alone are not the best beside a table of transitions.

    Notes
    -----
    Up to `users` users of the validation part (fewer where the catalogue is large) choose the weights, among the new
    items where most of it are new (:class:`~recnb.models.common.validation.Validation`); of equal grid points the
    one nearest to equal weights wins.

    References
    ----------
    Burke (2002), "Hybrid recommender systems", UMUAI, section 3.1.
    """

    _parts = ("models",)

    def __init__(
        self,
        models: list[Recommender],
        weights: tuple[float, ...] | None = None,
        scale: str = "zscore",
        seed: int | None = None,
        users: int = MOST_USERS,
        tuned: str = "apart",
    ) -> None:
        self.models = models
        self.weights = weights
        self.scale = scale
        self.seed = seed
        self.users = users
        self.tuned = tuned

    def search_space(self) -> dict[str, tuple]:
        """With ``tuned="together"`` the settings of all models but the first."""
        return {
            f"models__{i}__{name}": spec
            for i, model in enumerate(self.models)
            if i and self.tuned == "together" and hasattr(model, "search_space")
            for name, spec in model.search_space().items()
        }

    def map_parts(self, change: Callable[[Recommender], Recommender]) -> Composed:
        """An unfitted copy; models that are tuned within the blend are left as they are."""
        if self.tuned == "apart":
            return super().map_parts(change)
        first, *others = self.models
        return clone(self).set_params(models=[change(first), *(clone(m) for m in others)])

    @property
    def uses_valid(self) -> bool:  # type: ignore[override]
        return self.weights is None or any(m.uses_valid for m in self.given())

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        n = len(self.models)
        if not 2 <= n <= _MOST:
            raise InputError(f"a blend of {n} models", mend=f"give two to {_MOST}")
        if self.scale not in SCALES:
            raise InputError(f"scale='{self.scale}'", mend=f"one of {', '.join(SCALES)}")
        if self.tuned not in TUNED:
            raise InputError(f"tuned='{self.tuned}'", mend=f"one of {', '.join(TUNED)}")
        if self.weights is not None and len(self.weights) != n:
            raise InputError(f"{len(self.weights)} weights for {n} models", mend="one per model")
        self.models_ = [self._fitted(m, train, valid) for m in self.models]
        if self.weights is not None:
            self.weights_ = np.array(self.weights, dtype=np.float32)
        elif valid is None:
            self.weights_ = np.full(n, 1 / n, dtype=np.float32)
        else:
            self.weights_ = self._choose(train, valid)

    def _choose(self, train: Dataset, valid: Dataset) -> np.ndarray:
        cells = max(_CELLS, self.users * train.n_items) if self.users > MOST_USERS else _CELLS
        validation = Validation.of(train, valid, self.users, cells)
        if not len(validation.users):
            return np.full(len(self.models), 1 / len(self.models), dtype=np.float32)
        # On one scale over all items, as when they are asked, and then only those that may be listed.
        asked = validation.users, validation.allowed, validation.barred, validation.told
        parts = [self._on_scale(m.score_among(*asked))[:, validation.items] for m in self.models_]
        best, best_value = None, -1.0
        for weights in _grid(len(parts)):
            value = validation.value_of_scores(_sum(weights, parts))
            if value > best_value + 1e-12:
                best, best_value = weights, value
        return np.array(best, dtype=np.float32)

    def chosen(self) -> dict[str, Any]:
        """The weights, and what the parts have chosen."""
        parts = [clone(m).set_params(**m.chosen()) for m in self.parts()]
        return {"weights": tuple(round(float(w), 6) for w in self.weights_), "models": parts}

    def _on_scale(self, scores: np.ndarray) -> np.ndarray:
        return by_rank(scores, hash_ids(self.item_ids_)) if self.scale == "rank" else zscore(scores)

    def _weighed(self, n: int, ask: Callable[[Recommender], np.ndarray]) -> np.ndarray:
        """The weighted sum of what `ask` gets from each part that has a weight, for `n` people."""
        out = np.zeros((n, len(self.item_ids_)), np.float32)
        for weight, model in zip(self.weights_, self.parts()):
            if weight:
                out += weight * self._on_scale(ask(model))
        return out

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        return self._weighed(len(users), lambda m: m.score(users, history))

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """As :meth:`score`; each part is told what may be listed. The scale is that of all items."""
        users = np.asarray(users)
        return self._weighed(len(users), lambda m: m.score_among(users, allowed, barred, history))

    @available_if(lambda self: all(hasattr(m, "score_histories") for m in self.parts()))
    def score_histories(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Scores for people by what they like alone, where every part can."""
        return self._weighed(len(histories), lambda m: m.score_histories(histories))  # type: ignore[attr-defined]

    def with_items(self, items: pd.DataFrame) -> Recommender:
        """A copy that also scores new items, where every model can."""
        return self._grown(items)


class Switch(Composed):
    """One model for what is known, another for users and items without enough rows.

    Parameters
    ----------
    warm : Recommender
        For users and items with rows, unfitted; a collaborative model.
    cold : Recommender
        For the rest, unfitted; a content model.
    min_user, min_item : int
        Relevant training pairs that a user and an item need for `warm`.
    seed : int, optional
        Set on the models that have one.

    Notes
    -----
    Both are z-scored per user; a row of a cold user is that of `cold`, and so is the column of a cold item.
    With a history the users' rows are counted there.

    References
    ----------
    Burke (2002), "Hybrid recommender systems", UMUAI, section 3.2.
    """

    _parts = ("warm", "cold")

    def __init__(
        self,
        warm: Recommender,
        cold: Recommender,
        min_user: int = 1,
        min_item: int = 1,
        seed: int | None = None,
    ) -> None:
        self.warm = warm
        self.cold = cold
        self.min_user = min_user
        self.min_item = min_item
        self.seed = seed

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        liked = train.positives()
        self.user_rows_ = np.diff(liked.indptr)
        self.item_rows_ = counts(liked)
        self.warm_ = self._fitted(self.warm, train, valid)
        self.cold_ = self._fitted(self.cold, train, valid)

    def chosen(self) -> dict[str, Any]:
        """What the parts have chosen."""
        warm, cold = (clone(m).set_params(**m.chosen()) for m in self.parts())
        return {"warm": warm, "cold": cold}

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        return self._switched(users, history, lambda m, at: m.score(users[at], history))

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        """As :meth:`score`; both models are told what may be listed. The scale is that of all items."""
        users = np.asarray(users)

        def ask(model: Recommender, at: np.ndarray) -> np.ndarray:
            theirs = None if barred is None else barred[at]
            return model.score_among(users[at], allowed, theirs, history)

        return self._switched(users, history, ask)

    def _switched(
        self,
        users: np.ndarray,
        history: Dataset | None,
        ask: Callable[[Recommender, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Each user and item by the model that is for it; `ask` gets a model's scores for the users at some places."""
        warm, cold = self.parts()
        rows = self.user_rows_[users]
        if history is not None:
            rows = np.diff(history.positives()[users].indptr)
        new_user, new_item = rows < self.min_user, self.item_rows_ < self.min_item
        out = zscore(ask(cold, np.arange(len(users))))
        known = np.flatnonzero(~new_user)
        if len(known):
            other = zscore(ask(warm, known))
            out[np.ix_(known, ~new_item)] = other[:, ~new_item]
        return out


def _sum(weights: Sequence[float], parts: Sequence[np.ndarray]) -> np.ndarray:
    out = np.zeros(parts[0].shape, np.float32)
    for weight, part in zip(weights, parts):
        out += np.float32(weight) * part
    return out


def zscore(scores: np.ndarray) -> np.ndarray:
    """Each row less its mean, over its standard deviation; a constant row becomes zero. float32.

    Examples
    --------
    >>> zscore(np.array([[1., 3.], [5., 5.]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    scores = np.asarray(scores, dtype=np.float64)
    away = scores - scores.mean(axis=1, keepdims=True)
    spread = away.std(axis=1, keepdims=True)
    return np.divide(away, spread, out=np.zeros_like(away), where=spread > 0).astype(np.float32)


def by_rank(scores: np.ndarray, column_hash: np.ndarray) -> np.ndarray:
    """Rank of each score in its row from 0 (lowest) to 1 (highest); equal scores by hash. float32.

    Examples
    --------
    >>> by_rank(np.array([[5., 9., 1.]]), np.arange(3)).tolist()
    [[0.5, 1.0, 0.0]]
    """
    out = np.empty(scores.shape, np.float32)
    last = max(scores.shape[1] - 1, 1)
    for row, values in enumerate(scores):
        out[row, np.lexsort((column_hash, values))] = np.arange(len(values)) / last
    return out


def _grid(n: int) -> list[tuple[float, ...]]:
    """Weights in tenths that sum to 1, the most equal first."""
    points = [p for p in product(range(11), repeat=n) if sum(p) == 10]
    points.sort(key=lambda p: (sum(x * x for x in p), tuple(-x for x in p)))
    return [tuple(x / 10 for x in p) for p in points]
