"""Paths through the graph as reasons: user, something liked, a value that both have, the item on the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import liked_pairs
from recnb.models.knowledge.graph import Facts
from recnb.recommender import Recommender


@dataclass(frozen=True)
class Path:
    """From a user over one liked item to an item on the list.

    Attributes
    ----------
    item : int
        Code of the liked item.
    values : tuple of str
        What both items have, the rarest first, as ``column=value``.
    weight : float
        Sum over the values of ``log(n_items / n_items with it)``: rare values say more.
    """

    item: int
    values: tuple[str, ...]
    weight: float


class Paths:
    """All paths of two steps between items that share attribute values.

    Parameters
    ----------
    items : DataFrame
        The items table of a data set.
    columns : sequence of str, or str, optional
        Columns whose values are walked over, in a string joined by "+"; None means all but title and text whose values
        repeat.

    Examples
    --------
    >>> items = pd.DataFrame({"director": ["a", "a", "b", "b"], "genre": ["x", "x", "x", "y"]})
    >>> [(path.item, path.values) for path in Paths(items).between(np.array([0, 2]), 1)]
    [(0, ('director=a', 'genre=x')), (2, ('genre=x',))]
    """

    def __init__(self, items: pd.DataFrame, columns: Sequence[str] | None = None) -> None:
        facts = Facts.of(items, columns)
        self.names = facts.names
        self.edges = facts.edges(items)
        n = np.asarray(self.edges.sum(axis=0)).ravel()
        self.weights = np.log(len(items) / n)

    def between(self, history: np.ndarray, item: int, n: int = 3) -> list[Path]:
        """The strongest `n` paths from liked items to an item; empty where nothing is shared.

        Parameters
        ----------
        history : ndarray of int
            Codes of liked items; the item itself among them is no reason.
        item : int

        Raises
        ------
        InputError
            A code is none of the items table.
        """
        history = np.asarray(history)
        n_items = self.edges.shape[0]
        for code in [*history.tolist(), item]:
            if not isinstance(code, (int, np.integer)) or not 0 <= code < n_items:
                raise InputError(
                    f"{code!r} is no item code", mend=f"whole numbers from 0 to {n_items - 1:,}"
                )
        history = history[history != item]
        if not len(history):
            return []
        mine = self.edges[item].indices
        shared = self.edges[history][:, mine].toarray() > 0
        weights = shared @ self.weights[mine]
        ahead = np.argsort(-weights, kind="stable")[:n]
        out = []
        for row in ahead:
            values = mine[shared[row]]
            if len(values):
                rare = values[np.argsort(-self.weights[values], kind="stable")]
                names = tuple(self.names[rare].tolist())
                out.append(Path(int(history[row]), names, float(weights[row])))
        return out

    def strength(self, liked: sparse.csr_matrix, items: np.ndarray) -> np.ndarray:
        """The weight of each listed item's strongest path from another item, 0 where there is none.

        Parameters
        ----------
        liked : csr_matrix of shape (n, n_items)
        items : ndarray of shape (n, k), int
            -1 is an empty place.

        Returns
        -------
        ndarray of shape (n, k), float64
        """
        out = np.zeros(items.shape)
        for row, listed in enumerate(items):
            history = liked.indices[liked.indptr[row] : liked.indptr[row + 1]]
            there = np.flatnonzero(listed >= 0)
            if len(history) and len(there):
                weighed = self.edges[listed[there]].multiply(self.weights)
                others = listed[there][:, None] != history
                common = (weighed @ self.edges[history].T).multiply(others).tocsr()
                out[row, there] = common.max(axis=1).toarray().ravel()
        return out


def reliance(
    model: Recommender, train: Dataset, users: np.ndarray, items: np.ndarray, reasons: np.ndarray
) -> np.ndarray:
    """How far an item falls when the item that its reason names is taken out of the user's history.

    Parameters
    ----------
    model : Recommender
        Fitted on `train`; one for which a history counts.
    train : Dataset
    users, items, reasons : ndarray of shape (n,), int
        Different users; the listed item of each, and the liked item of the reason.

    Returns
    -------
    ndarray of shape (n,), float64
        The item's score before less after, each in standard deviations of the user's scores of all items.

    Raises
    ------
    InputError
        A history changes nothing for the model, or a user stands twice.

    Notes
    -----
    A reason is faithful where this is larger than for another item of the history (deletion test: S. Samek et al. 2017,
    "Evaluating the visualization of what a deep neural network has learned", section III).
    """
    if not model.uses_history:
        raise InputError(
            f"a history changes nothing for {type(model).__name__}", mend="take another model"
        )
    if len(np.unique(users)) < len(users):
        raise InputError("a user stands twice", mend="ask for one item a user at a time")
    taken = np.full(train.n_users, -1, np.int64)
    taken[users] = reasons
    rows = train.interactions
    kept = rows["item"].to_numpy() != taken[rows["user"].to_numpy()]
    return _height(model, users, items, train) - _height(model, users, items, train.rows(kept))


def _height(
    model: Recommender, users: np.ndarray, items: np.ndarray, history: Dataset
) -> np.ndarray:
    scores = np.asarray(model.score(users, history), np.float64)
    spread = np.maximum(scores.std(axis=1), 1e-12)
    return (scores[np.arange(len(users)), items] - scores.mean(axis=1)) / spread


def random_reasons(
    train: Dataset, users: np.ndarray, reasons: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Another liked item of each user, drawn; the reason itself where there is no other: (n,), int64."""
    rng = np.random.default_rng(seed)
    liked = liked_pairs(train)[users]
    out = np.array(reasons, dtype=np.int64)
    for row, reason in enumerate(reasons):
        history = liked.indices[liked.indptr[row] : liked.indptr[row + 1]]
        others = history[history != reason]
        if len(others):
            out[row] = rng.choice(others)
    return out
