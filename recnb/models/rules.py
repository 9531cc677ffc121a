"""Soft rules at ranking: a list in which a second item of one kind has its price."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.composed import Composed
from recnb.models.common.item_tables import groups_of, split_value
from recnb.models.common.lifting import best_open, lifted, standardised
from recnb.recommender import Reads, Recommender

_BLOCK = 64  # users whose candidates are compared with each other at once


class Apart(Composed):
    """A model's list, in which every further item of one kind (series, brand, type) has its price.

    Parameters
    ----------
    model : Recommender
        Unfitted.
    column : str
        Of the items table; two items are of one kind where they share a value of it.
    penalty : float
        What an item loses for each item of its kind that stands above it, in standard deviations of the candidates'
        scores. 0 changes nothing, infinite forbids a second one as long as there are others: a list that is longer
        than there are kinds among the candidates repeats them.
    n : int
        Candidates of a user: the best of the model that may be listed.
    seed : int, optional
        Set on the model where it has one.

    Notes
    -----
    Places are filled from the top, each with the item whose score less its price is highest. The other items keep the
    model's order below the candidates.

    References
    ----------
    J. Carbonell, J. Goldstein (1998), "The use of MMR", SIGIR, with a likeness of 0 or 1.
    """

    _parts = ("model",)

    def __init__(
        self,
        model: Recommender,
        column: str,
        penalty: float = 1.0,
        n: int = 100,
        seed: int | None = None,
    ) -> None:
        self.model = model
        self.column = column
        self.penalty = penalty
        self.n = n
        self.seed = seed

    @classmethod
    def around(
        cls,
        model: Recommender,
        train: Dataset,
        column: str,
        penalty: float = 1.0,
        n: int = 100,
    ) -> Apart:
        """The rule around a model that is fitted on `train` already: several prices of one fit."""
        if not model.fitted:
            raise InputError(
                f"{type(model).__name__} is not fitted", mend="fit it, or call fit of the rule"
            )
        out = cls(model, column, penalty, n)
        out._check(train)
        out.remember(train)
        out.known_ = train.pairs().astype(bool)
        out.kinds_ = kinds_of(train.items[column])
        out.model_ = model
        return out

    def reads(self) -> Reads:
        return super().reads() | Reads(modalities=("attributes",))

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        self._check(train)

    def _check(self, train: Dataset) -> None:
        if not isinstance(self.penalty, Real) or not self.penalty >= 0:
            raise InputError(f"penalty={self.penalty!r}", mend="a number of at least 0")
        if not isinstance(self.n, Integral) or self.n < 1:
            raise InputError(f"n={self.n!r}", mend="at least 1 candidate")
        groups_of(train.items, self.column)

    def _fit(self, train: Dataset, valid: Dataset | None) -> None:
        self._check(train)
        self.known_ = train.pairs().astype(bool)
        self.kinds_ = kinds_of(train.items[self.column])
        self.model_ = self._fitted(self.model, train, valid)

    def chosen(self) -> dict[str, Any]:
        part = self.parts()[0]
        return {f"model__{name}": value for name, value in part.chosen().items()}

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        users = np.asarray(users)
        known = self.known_ if history is None else history.pairs()
        return self.score_among(users, None, known[users], history)

    def score_among(
        self,
        users: np.ndarray,
        allowed: np.ndarray | None = None,
        barred: sparse.csr_matrix | None = None,
        history: Dataset | None = None,
    ) -> np.ndarray:
        users = np.asarray(users)
        scores, items = best_open(self.parts()[0], self.n, users, allowed, barred, history)
        places = np.zeros(items.shape)
        for start in range(0, len(users), _BLOCK):
            block = slice(start, start + _BLOCK)
            worth = np.take_along_axis(scores[block], np.maximum(items[block], 0), axis=1)
            places[block] = self._places(items[block], worth.astype(np.float32))
        return lifted(scores, items, -places)

    def _places(self, items: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """The place that each candidate gets, from 0: (n_users, n)."""
        there = items >= 0
        worth = standardised(worth, there)
        kinds = self.kinds_[np.maximum(items, 0)]  # (n_users, n, most)
        alike = np.zeros((*items.shape, items.shape[1]), bool)
        for a in range(kinds.shape[2]):
            for b in range(kinds.shape[2]):
                mine, theirs = kinds[:, :, None, a], kinds[:, None, :, b]
                alike |= (mine == theirs) & (mine >= 0)
        price = np.zeros(items.shape)  # items of its kind above it
        left, places = there.copy(), np.zeros(items.shape)
        rows = np.arange(len(items))
        cost = min(self.penalty, 1e9)
        for place in range(items.shape[1]):
            now = np.where(left, worth - cost * price, -np.inf)
            chosen = now.argmax(axis=1)
            places[rows, chosen] = np.where(left[rows, chosen], place, places[rows, chosen])
            left[rows, chosen] = False
            price += alike[rows, :, chosen]
        return places


def kinds_of(column: Any) -> np.ndarray:
    """Codes of each item's values: (n_items, most values of one item), int64, -1 where there are fewer.

    Examples
    --------
    >>> kinds_of(["a", None, "b|a"]).tolist()
    [[0, -1], [-1, -1], [0, 1]]
    """
    parts = [sorted(set(split_value(v))) for v in column]
    names = {name: code for code, name in enumerate(sorted({v for row in parts for v in row}))}
    out = np.full((len(parts), max(map(len, parts), default=0) or 1), -1, np.int64)
    for row, values in enumerate(parts):
        out[row, : len(values)] = [names[v] for v in values]
    return out


def repeated_kinds(items: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """How many items of each list share a kind with an item above them.

    Parameters
    ----------
    items : ndarray of shape (n, k), int
        -1 is an empty place.
    kinds : ndarray of shape (n_items, most), int
        Of :func:`kinds_of`.

    Returns
    -------
    ndarray of shape (n,), int64

    Examples
    --------
    >>> repeated_kinds(np.array([[0, 2, 1], [0, 1, -1]]), kinds_of(["a", None, "b|a"])).tolist()
    [1, 0]
    """
    out = np.zeros(len(items), np.int64)
    for row, listed in enumerate(items):
        seen: set[int] = set()
        for item in listed[listed >= 0]:
            mine = set(kinds[item][kinds[item] >= 0].tolist())
            out[row] += bool(mine & seen)
            seen |= mine
    return out
