"""What came since a fit: the events of later histories that an earlier one has not."""

from __future__ import annotations

import numpy as np

from recnb.errors import InputError
from recnb.models.common.sequences import Sequences


def arrived(old: Sequences, new: Sequences) -> np.ndarray:
    """Which events of later histories are new: bool of shape (n_events,).

    Raises
    ------
    InputError
        The earlier histories are not the beginnings of the later ones.

    Examples
    --------
    >>> old = Sequences(np.array([3, 1]), np.array([0, 2, 2]), 4)
    >>> arrived(old, Sequences(np.array([3, 1, 2, 0]), np.array([0, 3, 4]), 4)).tolist()
    [False, False, True, True]
    """
    if len(old) == len(new) and old.n_items == new.n_items and (new.lengths >= old.lengths).all():
        place = np.arange(len(new.items)) - np.repeat(new.offsets[:-1], new.lengths)
        late = place >= np.repeat(old.lengths, new.lengths)
        if np.array_equal(new.items[~late], old.items):
            return late
    raise InputError(
        "the events of the last fit are not the beginning of these histories",
        mend="pass all that is known, over the same users and items, or fit again",
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
