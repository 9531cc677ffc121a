"""What the network learns from: a moment in a user's history, what came next, and items that did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.histories import Histories, Told

NEGATIVES = ("popularity", "uniform")
_TRIES = 20  # draws of a negative before a user counts as having no other item


@dataclass(eq=False)
class Draws:
    """Draws training rows of a data set, each a function of seed, epoch and number alone.

    Parameters
    ----------
    histories : Histories
        Of the training rows.
    n_items : int
    ordered : bool
        Whether rows have an order; without one it is drawn anew each epoch.
    ratings : ndarray of shape (n_rows,), float32, optional
        Of the rows: targets are ratings then, and there are no negatives.
    n_targets, n_negatives : int
        Of a row, at most.
    negatives : {"popularity", "uniform"}
        How items that did not come are drawn: as often as they are liked, so that to be popular is no merit; or all
        alike.
    users_per_epoch, batch_users : int
    seed : int
    user_order, item_order : ndarray, optional
        Codes in the order of their ids, so that the order of the tables decides nothing.
    """

    histories: Histories
    n_items: int
    ordered: bool
    ratings: np.ndarray | None = None
    n_targets: int = 4
    n_negatives: int = 8
    negatives: str = "popularity"
    users_per_epoch: int = 500
    batch_users: int = 8
    seed: int = 0
    user_order: np.ndarray | None = None
    item_order: np.ndarray | None = None
    _of_epoch: tuple[int, Histories, np.ndarray] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        held = self.histories
        wanted = np.ones(len(held.items), bool) if self.ratings is not None else held.liked
        if not wanted.any():
            raise InputError(
                "no row to learn from", mend="give liked items, or lower relevant_from"
            )
        self._wanted = wanted
        count = np.bincount(held.items[held.liked], minlength=self.n_items).astype(float)
        used = np.bincount(held.items, minlength=self.n_items) > 0
        share = count if self.negatives == "popularity" else used.astype(float)
        if self.user_order is None:
            self.user_order = np.arange(len(held.start) - 1)
        if self.item_order is None:
            self.item_order = np.arange(self.n_items)
        share = share[self.item_order]
        self._share = np.cumsum(share / max(share.sum(), 1e-12))

    def plan(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """The batches of an epoch: kind 0, and an array (n, 2) of user and the row at which the history is cut."""
        held, wanted = self._epoch(epoch)
        rng = np.random.default_rng([self.seed, epoch])
        n_users = len(held.start) - 1
        of_row = np.repeat(np.arange(n_users), np.diff(held.start))
        last = np.full(n_users, -1)
        last[of_row[wanted]] = np.flatnonzero(wanted)  # the last wanted row of each user
        able = last > held.start[:-1]
        if not able.any():  # nobody has a history and something after it
            able = last >= 0
        users = self.by_id(able, rng)[: self.users_per_epoch]
        low = np.minimum(held.start[users] + 1, last[users])
        cut = low + (rng.random(len(users)) * (last[users] - low + 1)).astype(np.int64)
        # like lengths together, in a random order of batches
        order = rng.permutation(len(users))
        length = cut - held.start[users]
        groups = np.array_split(order, max(1, len(order) // (8 * self.batch_users)))
        batches = []
        for group in groups:
            group = group[np.argsort(-length[group], kind="stable")]
            batches += np.array_split(group, -(-len(group) // self.batch_users))
        return [(0, np.stack([users[b], cut[b]], axis=1)) for b in _shuffled(batches, rng)]

    def draw(
        self, epoch: int, number: int, rows: np.ndarray, max_history: int
    ) -> list[tuple[Told, np.ndarray, np.ndarray]]:
        """Of each row of a batch the history, the candidates and their labels (1, 0, or ratings)."""
        held, wanted = self._epoch(epoch)
        ratings = self._epoch_ratings
        rng = np.random.default_rng([self.seed, epoch, number + 1])
        out = []
        for user, cut in rows.tolist():
            told = shown(held, user, cut, max_history, ratings is not None)
            after = np.arange(cut, held.start[user + 1])
            after = after[wanted[after]][: self.n_targets]
            items = held.items[after]
            if ratings is not None:
                out.append((told, items, ratings[after]))
                continue
            mine = held.items[held.start[user] : held.start[user + 1]]
            liked = mine[held.liked[held.start[user] : held.start[user + 1]]]
            others = self.others(rng, np.concatenate([liked, np.array(told.items, int)]))
            candidates = np.concatenate([items, others])
            labels = np.repeat([1.0, 0.0], [len(items), len(others)])
            out.append((told, candidates, labels))
        return out

    def all_of(self, n_epochs: int, max_history: int) -> Iterator[tuple[Told, np.ndarray]]:
        """Histories and candidates of so many epochs."""
        for epoch in range(n_epochs):
            for number, (_, rows) in enumerate(self.plan(epoch)):
                for told, items, _ in self.draw(epoch, number, rows, max_history):
                    yield told, items

    def by_id(self, able: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Some users in a drawn order that depends on their ids and not on their codes."""
        assert self.user_order is not None
        return rng.permutation(self.user_order[able[self.user_order]])

    def others(
        self, rng: np.random.Generator, mine: np.ndarray, n: int | None = None
    ) -> np.ndarray:
        """Distinct items that a user has not liked."""
        n = self.n_negatives if n is None else n
        assert self.item_order is not None
        taken, out = set(mine.tolist()), []
        for _ in range(_TRIES):
            drawn = np.searchsorted(self._share, rng.random(2 * n), side="right")
            for item in self.item_order[np.minimum(drawn, self.n_items - 1)].tolist():
                if item not in taken:
                    taken.add(item)
                    out.append(item)
            if len(out) >= n:
                break
        return np.array(out[:n], np.int64)

    def _epoch(self, epoch: int) -> tuple[Histories, np.ndarray]:
        """The rows in the order of an epoch, and which of them are targets."""
        if self.ordered:
            self._epoch_ratings = self.ratings
            return self.histories, self._wanted
        if self._of_epoch is None or self._of_epoch[0] != epoch:
            held = self.histories
            rng = np.random.default_rng([self.seed, epoch, 0])
            of_row = np.repeat(np.arange(len(held.start) - 1), np.diff(held.start))
            # shuffled from an order that the tables do not decide
            rank = np.argsort(self.item_order)[held.items]  # type: ignore[arg-type]
            people = np.argsort(self.user_order)[of_row]  # type: ignore[arg-type]
            straight = np.lexsort((rank, people))
            mixed_up = np.empty(len(of_row))
            mixed_up[straight] = rng.random(len(of_row))
            order = np.lexsort((mixed_up, of_row))
            mixed = Histories(held.start, held.items[order], held.liked[order], held.explicit)
            self._of_epoch = (epoch, mixed, order)
        _, mixed, order = self._of_epoch
        self._epoch_ratings = None if self.ratings is None else self.ratings[order]
        return mixed, self._wanted[order]


def shown(held: Histories, user: int, row: int, n: int, rated: bool) -> Told:
    """What is told of a user in front of a row: what was liked; where ratings are predicted all, with opinions."""
    if rated:
        return held.before(user, row, n)
    rows = np.arange(held.start[user], row)
    rows = rows[held.liked[rows]][-n:]
    return Told(tuple(held.items[rows].tolist()))


def ratings_of(held: Histories, ds: Dataset) -> np.ndarray:
    """The ratings of the rows of histories, (n_rows,), float32."""
    of_row = np.repeat(np.arange(len(held.start) - 1), np.diff(held.start))
    return np.asarray(ds.matrix()[of_row, held.items], np.float32).ravel()


def _shuffled(batches: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    return [batches[i] for i in rng.permutation(len(batches)) if len(batches[i])]
