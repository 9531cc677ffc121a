"""Questions whose answers are known: histories, candidates behind them, and whether each was liked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recnb.data import Dataset
from recnb.hashing import hash_ids, mix
from recnb.models.common.histories import Histories, Told


@dataclass(frozen=True)
class Question:
    """A history and its candidates.

    Attributes
    ----------
    user : int
    told : Told
    items : ndarray of shape (n,), int
    liked : ndarray of shape (n,), bool
    """

    user: int
    told: Told
    items: np.ndarray
    liked: np.ndarray


def count(questions: Sequence[Question]) -> int:
    """Candidates in all."""
    return sum(len(q.items) for q in questions)


def from_rows(
    histories: Histories,
    ds: Dataset,
    n_history: int,
    targets: int,
    most: int | None,
    negatives: int = 1,
    seed: int = 0,
) -> list[Question]:
    """Rows as questions about the rows behind them.

    Parameters
    ----------
    histories : Histories
        The rows, with their opinions.
    ds : Dataset
        Whose ids fix the order.
    n_history : int
        Rows told before the candidates.
    targets : int
        Rows asked about after one history: the last so many of a user, those before them, and so on.
    most : int, optional
        Candidates in all; users and their groups are drawn by a hash.
    negatives : int
        Without opinions: for each row so many items that the user has not had, drawn evenly, as what is not liked.
    seed : int

    Returns
    -------
    list of Question
        A group has at least one row told.
    """
    groups = []
    for user in range(ds.n_users):
        first, stop = int(histories.start[user]), int(histories.start[user + 1])
        while stop - first >= 2:
            begin = max(stop - targets, first + 1)
            groups.append((user, begin, stop))
            stop = begin
    order = _shuffled(
        ds, np.array([g[0] for g in groups], int), np.array([g[1] for g in groups]), seed
    )
    out, n = [], 0
    for k in order:
        if most is not None and n >= most:
            break
        user, begin, stop = groups[k]
        rows = slice(begin, stop if most is None else min(stop, begin + max(1, most - n)))
        told = histories.before(user, begin, n_history)
        items, liked = histories.items[rows], histories.liked[rows]
        question = _with_negatives(user, told, items, liked, histories, ds.n_items, negatives, seed)
        n += len(items)
        out.append(question)
    return out


def from_later(
    histories: Histories,
    later: Dataset,
    n_history: int,
    most: int | None,
    negatives: int = 1,
    seed: int = 0,
    each: int | None = None,
) -> list[Question]:
    """Rows of a later part as questions behind the known histories; users without history are left out.

    Parameters
    ----------
    histories, n_history, negatives, seed
        As in :func:`from_rows`.
    later : Dataset
    most : int, optional
        Candidates in all; users are drawn by a hash.
    each : int, optional
        The first so many rows of a user at most, so that `most` rows come from many people.
    """
    asked = Histories.of(later)
    known = np.diff(histories.start) > 0
    users = np.flatnonzero((np.diff(asked.start) > 0) & known)
    out, n = [], 0
    for k in _shuffled(later, users, np.zeros(len(users), int), seed):
        if most is not None and n >= most:
            break
        user = int(users[k])
        stop = int(asked.start[user + 1])
        if each is not None:
            stop = min(stop, int(asked.start[user]) + each)
        if most is not None:
            stop = min(stop, int(asked.start[user]) + max(1, most - n))
        rows = slice(int(asked.start[user]), stop)
        told = histories.last(user, n_history)
        items, liked = asked.items[rows], asked.liked[rows]
        out.append(
            _with_negatives(user, told, items, liked, histories, later.n_items, negatives, seed)
        )
        n += len(items)
    return out


def _with_negatives(
    user: int,
    told: Told,
    items: np.ndarray,
    liked: np.ndarray,
    histories: Histories,
    n_items: int,
    negatives: int,
    seed: int,
) -> Question:
    if histories.explicit or not negatives:
        return Question(user, told, items, liked)
    had = histories.items[histories.start[user] : histories.start[user + 1]]
    others = np.setdiff1d(np.arange(n_items), np.concatenate([had, items]))
    rng = np.random.default_rng([seed, user, int(items[0])])
    drawn = rng.choice(others, min(len(others), negatives * len(items)), replace=False)
    both = np.concatenate([items, drawn])
    return Question(user, told, both, np.arange(len(both)) < len(items))


def _shuffled(ds: Dataset, users: np.ndarray, numbers: np.ndarray, seed: int) -> np.ndarray:
    """An order by a hash of the users' ids: that of the tables decides nothing."""
    if not len(users):
        return np.zeros(0, int)
    ids = hash_ids(ds.user_ids)[users]
    return np.argsort(mix(ids, numbers.astype(np.uint64), seed=seed), kind="stable")
