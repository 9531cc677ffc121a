"""What came since a fit: users and items matched by their ids, and the events that an earlier fit has not seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from recnb.errors import InputError
from recnb.models.common.sequences import Sequences

_MEND = "pass all that is known, the old events and behind them the new ones, or fit again"


def places(ids: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where ids stand among others, int64; -1 where they do not.

    Examples
    --------
    >>> places(np.array(["b", "z"]), np.array(["a", "b"])).tolist()
    [1, -1]
    """
    return pd.Index(among).get_indexer(pd.Index(ids)).astype(np.int64)


def over_ids(
    old: Sequences,
    users: tuple[np.ndarray, np.ndarray],
    items: tuple[np.ndarray, np.ndarray],
) -> Sequences:
    """The sequences of an earlier fit over the users and items of later data, matched by their ids.

    Parameters
    ----------
    old : Sequences
    users, items : tuple of ndarray
        The ids at the earlier fit, and the later ones.

    Raises
    ------
    InputError
        A user or an item that had events is missing.

    Examples
    --------
    >>> old = Sequences(np.array([1, 0]), np.array([0, 2]), 2)
    >>> now = over_ids(old, (np.array(["u"]), np.array(["a", "u"])), (np.array(["x", "y"]), np.array(["y", "n", "x"])))
    >>> now.items.tolist(), now.offsets.tolist(), now.n_items
    ([0, 2], [0, 0, 2], 3)
    """
    for (before, after), used, what in (
        (users, old.lengths > 0, "user"),
        (items, np.bincount(old.items, minlength=len(items[0])) > 0, "item"),
    ):
        lost = used & (places(before, after) < 0)
        if lost.any():
            name = before[lost.argmax()]
            raise InputError(
                f"{what} '{name}' had events at the last fit and is missing", mend=_MEND
            )
    at = places(users[1], users[0])
    empty = replace(old, offsets=np.append(old.offsets, old.offsets[-1]))  # one more user
    turned = empty.take(np.where(at >= 0, at, len(old)))
    codes = places(*items)[turned.items].astype(np.int32)
    return replace(turned, items=codes, n_items=len(items[1]))


def arrived(
    old: Sequences, new: Sequences, user_ids: np.ndarray, item_ids: np.ndarray
) -> np.ndarray:
    """Which events of later histories are new: bool of shape (n_events,).

    Parameters
    ----------
    old, new : Sequences
        Over the same users and items.
    user_ids, item_ids : ndarray of str
        Their names.

    Raises
    ------
    InputError
        The earlier histories are not the beginnings of the later ones.

    Examples
    --------
    >>> old = Sequences(np.array([3, 1]), np.array([0, 2, 2]), 4)
    >>> new = Sequences(np.array([3, 1, 2, 0]), np.array([0, 3, 4]), 4)
    >>> arrived(old, new, np.array(list("ab")), np.array(list("wxyz"))).tolist()
    [False, False, True, True]
    """
    place = np.arange(len(new.items)) - np.repeat(new.offsets[:-1], new.lengths)
    late = place >= np.repeat(old.lengths, new.lengths)
    if (new.lengths >= old.lengths).all() and np.array_equal(new.items[~late], old.items):
        return late
    at = np.arange(len(old.items)) + np.repeat(new.offsets[:-1] - old.offsets[:-1], old.lengths)
    beyond = at >= np.repeat(new.offsets[1:], old.lengths)
    inside = np.minimum(at, len(new.items) - 1)
    other = beyond | (new.items[inside] != old.items) if len(new.items) else np.ones_like(beyond)
    first = int(other.argmax())
    user = old.users[first]
    before, after = (list(s.take(np.array([user])).items) for s in (old, new))
    lost = Counter(before) - Counter(after)
    if lost:
        item = next(code for code in before if code in lost)
        raise InputError(
            f"user '{user_ids[user]}': an event of item '{item_ids[item]}', known at the last fit, is missing",
            mend=_MEND,
        )
    raise InputError(
        f"user '{user_ids[user]}': a new event of item '{item_ids[new.items[inside[first]]]}' stands before "
        f"one of '{item_ids[old.items[first]]}' that the last fit knew",
        mend=_MEND,
    )


def tails(sequences: Sequences, late: np.ndarray, context: int) -> tuple[Sequences, np.ndarray]:
    """The new events of each user with so many events before them, and which of these are new.

    Users without new events have empty ones.
    """
    counts = np.bincount(sequences.users[late], minlength=len(sequences))
    lengths = np.where(counts > 0, np.minimum(counts + context, sequences.lengths), 0)
    starts = sequences.offsets[1:] - lengths
    at = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = None if sequences.times is None else sequences.times[at]
    return Sequences(sequences.items[at], offsets, sequences.n_items, times), late[at]
