"""Histories in which newer events weigh more."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.histories import check_items
from recnb.models.common.liked import FromHistory
from recnb.models.common.sequences import Sequences

FAINT = 1e-4  # weights below this share of the newest event's are left out


def check_decay(decay: float) -> None:
    """Raise unless a factor per step back lies above 0 and at most at 1."""
    if not 0 < decay <= 1:
        raise InputError(f"decay={decay}", mend="a number above 0 and at most 1")


def reach(decay: float) -> int | None:
    """How many of the newest events weigh at least :data:`FAINT`; None where all do.

    Examples
    --------
    >>> reach(0.1), reach(1.0)
    (5, None)
    """
    return None if decay == 1 else int(np.log(FAINT) / np.log(decay) + 1e-9) + 1


def recency_weights(sequences: Sequences, decay: float) -> sparse.csr_matrix:
    """What each user's items weigh: ``decay`` to the number of events since, the newest event of an item counts.

    Returns
    -------
    csr_matrix of shape (n_users, n_items), float32

    Examples
    --------
    >>> s = Sequences(np.array([0, 1, 0, 2]), np.array([0, 3, 4]), 3)
    >>> recency_weights(s, 0.5).toarray().tolist()
    [[1.0, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    n = reach(decay)
    newest = sequences if n is None else sequences.last(n)
    users, items = newest.users, newest.items
    cell = users * newest.n_items + items
    _, last = np.unique(cell[::-1], return_index=True)  # the newest event of each pair
    at = len(cell) - 1 - last
    weights = np.float64(decay) ** newest.steps_back[at]
    shape = (len(newest), newest.n_items)
    return sparse.csr_matrix((weights.astype(np.float32), (users[at], items[at])), shape=shape)


class RecentHistory(FromHistory):
    """A mixin for models of :class:`FromHistory`: when they score, each step back in a history costs a factor `decay`.

    What they learn from is not changed: only whom they are asked about.
    """

    sums = False

    decay: float

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        if train.order is None:
            Sequences.of(train)  # says why

    def _learn_liked(self, train: Dataset) -> sparse.csr_matrix:
        check_decay(self.decay)
        self.recency_ = recency_weights(Sequences.of(train), self.decay)
        return super()._learn_liked(train)

    def history_of(self, user: int) -> np.ndarray:
        """Codes of the items that count for the user, the oldest first, (n,), int64."""
        row = self.recency_[user]
        return row.indices[np.argsort(row.data, kind="stable")].astype(np.int64)

    def rows(self, users: np.ndarray, history: Dataset | None = None) -> sparse.csr_matrix:
        if history is None:
            return self.recency_[users]
        check_items(history, self.item_ids_)
        return recency_weights(Sequences.of(history).take(users), self.decay)

    def told_rows(self, histories: Iterable[np.ndarray]) -> sparse.csr_matrix:
        return recency_weights(Sequences.of_items(histories, self.liked_.shape[1]), self.decay)
