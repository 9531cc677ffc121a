"""Next events: every test event of a user on its own, with everything that came before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from recnb.data.dataset import Dataset
from recnb.data.order import liked_events
from recnb.data.split import TEST, Split
from recnb.errors import InputError
from recnb.hashing import hash_ids


@dataclass(frozen=True, eq=False)
class Turn:
    """Judged events of different users, and the history of each: all rows of the user before the event.

    Attributes
    ----------
    events : ndarray of int
        Places in :class:`Events`.
    users : ndarray of int
        Their users' codes, rising.
    history : Dataset
        The rows before the events, of these users alone.
    """

    events: np.ndarray
    users: np.ndarray
    history: Dataset


@dataclass(frozen=True, eq=False)
class Events:
    """The judged events of a split, by user and time.

    Attributes
    ----------
    dataset : Dataset
    rows : ndarray of shape (n,), int64
        Row numbers in the interactions of the data set.
    users, items : ndarray of shape (n,), int
        Codes.
    before : ndarray of shape (n,), int64
        How many test events of the user came before: events with as many are asked about together.
    n_known : ndarray of shape (n,), int64
        Distinct items of the user before the event.
    """

    dataset: Dataset
    rows: np.ndarray
    users: np.ndarray
    items: np.ndarray
    before: np.ndarray
    n_known: np.ndarray
    _place: np.ndarray
    _first: np.ndarray

    @classmethod
    def of(cls, split: Split, repeats: bool = False) -> Events:
        """The relevant test events of a split.

        Parameters
        ----------
        split : Split
        repeats : bool
            Whether an event counts whose item the user had before.

        Raises
        ------
        InputError
            The data have no order.
        """
        ds = split.dataset.with_tie_seed(split.tie_seed)
        if ds.order is None:
            raise InputError(
                f"'{ds.name}' has no order, so no event is the next one",
                column="timestamp",
                mend="add timestamp or position, or judge the test rows together",
            )
        _ = ds.id_hashes  # made once, for all histories
        order = ds.in_time
        users = ds.interactions["user"].to_numpy()[order].astype(np.int64)
        items = ds.interactions["item"].to_numpy()[order]
        first = np.searchsorted(users, np.arange(ds.n_users))
        test = split.part[order] == TEST
        tested = np.concatenate([[0], np.cumsum(test)])
        cell = users * ds.n_items + items
        _, newest, place = np.unique(cell, return_index=True, return_inverse=True)
        new = newest[place.ravel()] == np.arange(len(cell))
        news = np.concatenate([[0], np.cumsum(new)])
        judged = test & liked_events(ds)[order]
        at = np.flatnonzero(judged if repeats else judged & new)
        start = first[users[at]]
        before, n_known = tested[at] - tested[start], news[at] - news[start]
        return cls(ds, order[at], users[at], items[at], before, n_known, at, first)

    def __len__(self) -> int:
        return len(self.rows)

    def among(self, most_users: int) -> Events:
        """Those of at most so many users, by a hash of their ids."""
        there = np.unique(self.users)
        hashes = hash_ids(self.dataset.user_ids[there])
        kept = there[np.lexsort((self.dataset.user_ids[there], hashes))[:most_users]]
        return self._some(np.isin(self.users, kept))

    def _some(self, mask: np.ndarray) -> Events:
        names = ("rows", "users", "items", "before", "n_known", "_place")
        return replace(self, **{name: getattr(self, name)[mask] for name in names})

    @property
    def numbers(self) -> np.ndarray:
        """Which judged event of its user each is, from 1, (n,)."""
        return np.arange(len(self)) - np.searchsorted(self.users, self.users) + 1

    def turns(self) -> Iterator[Turn]:
        """All events, in turns of at most one event a user."""
        order = self.dataset.in_time
        by_turn = np.argsort(self.before, kind="stable")
        ends = np.flatnonzero(np.diff(self.before[by_turn])) + 1
        for events in np.split(by_turn, ends) if len(by_turn) else ():
            users, stops = self.users[events], self._place[events]
            starts = self._first[users]
            lengths = stops - starts
            skip = np.concatenate([[0], np.cumsum(lengths)])
            at = np.arange(skip[-1]) + np.repeat(starts - skip[:-1], lengths)
            yield Turn(events, users, self.dataset.rows(order[at]))
