"""Ordered histories as flat arrays: what every model that reads the order of events is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recnb.data import Dataset
from recnb.data.order import liked_events, session_numbers
from recnb.errors import InputError
from recnb.models.common.histories import check_items, item_codes
from recnb.recommender import Reads, Recommender

EVENTS = ("liked", "all")
_KEPT = 2  # histories that a model remembers: blocks of users are asked with one and the same


@dataclass(frozen=True, eq=False)
class Sequences:
    """The events of some users, each user's oldest first, one user after the other.

    Attributes
    ----------
    items : ndarray of shape (n_events,), int32
        Item codes.
    offsets : ndarray of shape (n_users + 1,), int64
        The events of user u stand at ``offsets[u]:offsets[u + 1]``.
    n_items : int
        Size of the catalogue.
    times : ndarray of shape (n_events,), float64, or None
        Unix seconds; None where the data have no clock.
    sessions : ndarray of shape (n_events,), int64, or None
        Numbers that differ between sessions; None where each user has one.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user_id": list("abaa"), "item_id": list("xyyz"), "timestamp": [5, 1, 9, 2]})
    >>> s = Sequences.of(Dataset.from_frames(rows))
    >>> s.items.tolist(), s.offsets.tolist(), s.gaps.tolist()
    ([2, 0, 1, 1], [0, 3, 4], [0.0, 3.0, 4.0, 0.0])
    >>> s.take(np.array([1, 0])).last(2).items.tolist()
    [1, 0, 1]
    """

    items: np.ndarray
    offsets: np.ndarray
    n_items: int
    times: np.ndarray | None = None
    sessions: np.ndarray | None = None

    @classmethod
    def of(cls, ds: Dataset, liked: bool = True, gap_minutes: float | None = None) -> Sequences:
        """The sequences of all users of a data set.

        Parameters
        ----------
        ds : Dataset
        liked : bool
            Only events whose own rating reaches the threshold of relevance, where the data have one; else all events.
        gap_minutes : float, optional
            Cut sessions, by the column `session` or by pauses longer than this; None cuts none.

        Raises
        ------
        InputError
            The data have no order.

        Notes
        -----
        The order is :attr:`recnb.data.Dataset.in_time`. Repeated events are kept.
        """
        if ds.order is None:
            raise InputError(
                f"a sequence model reads the order of events and '{ds.name}' has none",
                column="timestamp",
                mend="add timestamp or position, or take a model without order (itemknn, ease)",
            )
        order = ds.in_time
        if liked:
            order = order[liked_events(ds)[order]]
        rows = ds.interactions
        users = rows["user"].to_numpy()[order]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=ds.n_users))])
        items = rows["item"].to_numpy()[order].astype(np.int32, copy=False)
        times = sessions = None
        if "timestamp" in rows:
            times = rows["timestamp"].to_numpy(np.float64)[order]
        if gap_minutes is not None and ("session" in rows or times is not None):
            sessions = session_numbers(ds, gap_minutes)[order]
        return cls(items, offsets.astype(np.int64), ds.n_items, times, sessions)

    @classmethod
    def of_items(cls, histories: Iterable[np.ndarray], n_items: int) -> Sequences:
        """Lists of item codes, the oldest first, without clock and sessions; others are refused.

        Examples
        --------
        >>> s = Sequences.of_items([np.array([2, 0]), []], 3)
        >>> s.items.tolist(), s.lengths.tolist()
        ([2, 0], [2, 0])
        """
        lists = item_codes(histories, n_items)
        offsets = np.concatenate([[0], np.cumsum([len(codes) for codes in lists])])
        items = np.concatenate(lists) if lists else np.zeros(0)
        return cls(items.astype(np.int32), offsets.astype(np.int64), n_items)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Events of each user, (n_users,), int64."""
        return np.diff(self.offsets)

    @property
    def users(self) -> np.ndarray:
        """The row of each event's user, (n_events,), int64."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def steps_back(self) -> np.ndarray:
        """How many events of the user follow, (n_events,), int64: 0 is the newest."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.items))

    @property
    def gaps(self) -> np.ndarray:
        """Seconds since the user's event before, (n_events,), float64; 0 for the first, and without a clock."""
        out = np.zeros(len(self.items))
        if self.times is not None and len(out):
            out[1:] = np.diff(self.times)
            out[self.offsets[:-1][self.lengths > 0]] = 0
        return out

    @property
    def ages(self) -> np.ndarray:
        """Seconds before the user's newest event, (n_events,), float64; 0 without a clock."""
        if self.times is None:
            return np.zeros(len(self.items))
        newest = np.zeros(len(self))
        some = self.lengths > 0
        newest[some] = self.times[self.offsets[1:][some] - 1]
        return np.repeat(newest, self.lengths) - self.times

    def take(self, users: np.ndarray) -> Sequences:
        """The sequences of these users, in this order; a user may stand several times."""
        users = np.asarray(users, dtype=np.int64)
        return self._ranges(self.offsets[:-1][users], self.lengths[users])

    def last(self, n: int) -> Sequences:
        """The newest `n` events of each user."""
        if n < 1:
            raise InputError(f"the last {n} events", mend="ask for at least one")
        lengths = np.minimum(self.lengths, n)
        return self._ranges(self.offsets[1:] - lengths, lengths)

    def but_last(self, n: int = 1) -> Sequences:
        """All but the newest `n` events of each user."""
        return self._ranges(self.offsets[:-1], np.maximum(self.lengths - n, 0))

    def padded(self, length: int) -> np.ndarray:
        """The newest `length` items of each user: int64 of shape (n_users, length), -1 before a short one."""
        newest = self.last(length)
        out = np.full((len(self), length), -1, np.int64)
        out[newest.users, length - 1 - newest.steps_back] = newest.items
        return out

    def _ranges(self, starts: np.ndarray, lengths: np.ndarray) -> Sequences:
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        times, sessions = _picked(self.times, at), _picked(self.sessions, at)
        return replace(self, items=self.items[at], offsets=offsets, times=times, sessions=sessions)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, as a saved model holds them."""
        arrays = {"items": self.items, "offsets": self.offsets, "n_items": np.array([self.n_items])}
        more = {"times": self.times, "sessions": self.sessions}
        return arrays | {name: value for name, value in more.items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Sequences:
        """What :meth:`to_arrays` gave."""
        return cls(**{**arrays, "n_items": int(arrays["n_items"][0])})  # type: ignore[arg-type]


def _picked(values: np.ndarray | None, at: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[at]


class FromSequences(Recommender):
    """A model that reads each user's events in their order, from the training rows or from a history.

    Subclasses call :meth:`_learn_sequences` in `_fit` and implement :meth:`score_sequences`. A setting `events`
    ("liked", "all") says which events count, where they have one; `gap_minutes` cuts sessions, where they have that.
    """

    uses_history = True

    def reads(self) -> Reads:
        return Reads("pairs")

    def check_data(self, train: Dataset) -> None:
        super().check_data(train)
        if train.order is None:
            Sequences.of(train)

    def score(self, users: np.ndarray, history: Dataset | None = None) -> np.ndarray:
        return self.score_sequences(self.sequences(users, history))

    def score_histories(self, histories: Iterable[np.ndarray]) -> np.ndarray:
        """Scores for people by what they took alone, whoever they are.

        Parameters
        ----------
        histories : sequence of ndarray of int
            Item codes, the oldest first; may be empty.

        Returns
        -------
        ndarray of shape (len(histories), n_items), float32
        """
        return self.score_sequences(Sequences.of_items(histories, len(self.item_ids_)))

    def score_sequences(self, sequences: Sequences) -> np.ndarray:
        """Scores of all items after each sequence: (len(sequences), n_items), float32."""
        raise NotImplementedError

    def sequences(self, users: np.ndarray, history: Dataset | None = None) -> Sequences:
        """The events of these users, in their order: those of the history, else those of the training data."""
        users = np.asarray(users)
        if history is None:
            return Sequences.from_arrays(self.sequences_).take(users)
        return replace(self._read(history).take(users), n_items=len(self.item_ids_))

    def _learn_sequences(self, train: Dataset) -> Sequences:
        sequences = self._made(train)
        self.__dict__.pop("_histories", None)
        self.sequences_ = sequences.to_arrays()
        return sequences

    def _made(self, ds: Dataset) -> Sequences:
        liked = getattr(self, "events", "liked") == "liked"
        return Sequences.of(ds, liked, getattr(self, "gap_minutes", None))

    def _read(self, history: Dataset) -> Sequences:
        """The sequences of a history, made once for all blocks of users that are asked with it."""
        kept: list[tuple[Any, Sequences]] = self.__dict__.setdefault("_histories", [])
        for other, sequences in kept:
            if other is history:
                return sequences
        check_items(history, self.item_ids_, fewer=True)
        sequences = self._made(history)
        kept.insert(0, (history, sequences))
        del kept[_KEPT:]
        return sequences
