"""Past items behind a score: exactly where it is their sum, else by leaving one out; the smallest set that decides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from recnb.effect.reasons.asking import Asked

_PAIRED = 12  # items whose pairs are tried
_LONGEST = 60  # items of a history that are taken out one by one, the newest


@dataclass(frozen=True)
class PastItems:
    """What each past item adds.

    Attributes
    ----------
    items : ndarray of shape (n,), int64
    values : ndarray of shape (n,), float64
        In units of the score where `exact`, else in standard deviations of the user's scores.
    exact : bool
        The values are terms of the sum that the score is.
    """

    items: np.ndarray
    values: np.ndarray
    exact: bool

    @property
    def order(self) -> np.ndarray:
        """Items, what adds most first."""
        return self.items[np.argsort(-self.values, kind="stable")]


def past_items(asked: Asked, item: int) -> PastItems:
    """What each item of the history adds to one item's score.

    Parameters
    ----------
    asked : Asked
    item : int

    Notes
    -----
    A model with `history_parts` (EASE, ItemKNN, content models) says it exactly. For any other the history is scored
    without each of its newest sixty items, and the value is by how much the item then stands lower
    (:meth:`Asked.standing`).

    References
    ----------
    Koh and Liang, Understanding black-box predictions via influence functions, ICML 2017, section 2 (leave-one-out,
    here of the history at scoring time: nothing is trained again).
    """
    if hasattr(asked.model, "history_parts"):
        parts = asked.model.history_parts(asked.history, np.array([item]))
        return PastItems(asked.history, np.asarray(parts, dtype=np.float64)[:, 0], True)
    items = asked.history[-_LONGEST:]
    scores = asked.scores([asked.history, *(asked.without(code) for code in items)])
    standing = asked.standing(scores, item)
    return PastItems(items, standing[0] - standing[1:], False)


@dataclass(frozen=True)
class Counterfactual:
    """Past items without which an item would not be listed.

    Attributes
    ----------
    items : tuple of int
    rank : int
        Its place without them.
    smallest : bool
        No smaller set does it: all smaller ones were tried.
    """

    items: tuple[int, ...]
    rank: int
    smallest: bool


def smallest_set(
    asked: Asked, item: int, k: int, parts: PastItems | None = None
) -> Counterfactual | None:
    """The smallest set found whose absence takes an item out of the first `k`; None where none does.

    Parameters
    ----------
    asked : Asked
    item, k : int
    parts : PastItems, optional
        Of :func:`past_items`.

    Notes
    -----
    Every single item is tried, then the pairs of the twelve that add most, then more and more of the order until the
    item is gone, of which those are put back that are not needed. Removed items stay out of the list. So one item is
    the smallest for certain, and two are where the history has at most twelve items.

    References
    ----------
    Tran, Ghazimatin and Saha Roy, Counterfactual explanations for neural recommenders, SIGIR 2021 (sets of past items
    whose absence changes the list).
    """
    order = (parts or past_items(asked, item)).order
    singles = asked.rank(asked.scores([asked.without(code) for code in order]), item)
    if singles.max() > k:
        at = int(singles.argmax())
        return Counterfactual((int(order[at]),), int(singles[at]), True)
    pairs = list(combinations(order[:_PAIRED].tolist(), 2))
    if pairs:
        ranks = asked.rank(asked.scores([asked.without(*pair) for pair in pairs]), item)
        if ranks.max() > k:
            at = int(ranks.argmax())
            return Counterfactual(pairs[at], int(ranks[at]), len(asked.history) <= _PAIRED)
    return _grown(asked, item, k, order)


def _grown(asked: Asked, item: int, k: int, order: np.ndarray) -> Counterfactual | None:
    more = [asked.without(*order[:n]) for n in range(3, len(order) + 1)]
    if not more:
        return None
    gone = np.flatnonzero(asked.rank(asked.scores(more), item) > k)
    if not len(gone):
        return None
    taken = order[: 3 + int(gone[0])].tolist()
    for code in taken[::-1]:
        rest = [c for c in taken if c != code]
        if rest and int(asked.rank(asked.scores([asked.without(*rest)]), item)[0]) > k:
            taken = rest
    rank = int(asked.rank(asked.scores([asked.without(*taken)]), item)[0])
    return Counterfactual(tuple(taken), rank, False)
