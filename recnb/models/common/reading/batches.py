"""The batches of an epoch: windows of the users' sequences, shuffled and packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models.common.liked import by_id
from recnb.models.common.reading.packed import pack, windows
from recnb.models.common.sequences import Sequences


@dataclass(frozen=True, eq=False)
class Windows:
    """What a sequence network is trained on.

    Parameters
    ----------
    items : ndarray of shape (n_events,), int64
        Rows of the network's table, a user's events side by side, the oldest first.
    offsets : ndarray of shape (n_users + 1,), int64
    length : int
        Longest window.
    batch_size : int
        Windows of a batch.
    seed : int
    """

    items: np.ndarray
    offsets: np.ndarray
    length: int
    batch_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        starts, sizes = windows(self.offsets, self.length)
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "sizes", sizes - 1)  # inputs; the last event is a target only
        object.__setattr__(self, "targets", np.append(self.items[1:], 0))

    starts: np.ndarray = None  # type: ignore[assignment]
    sizes: np.ndarray = None  # type: ignore[assignment]
    targets: np.ndarray = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.starts)

    def epoch(self, number: int) -> Epoch:
        """The batches of one epoch, a function of seed and number alone."""
        rng = np.random.default_rng([self.seed, number])
        return Epoch(self, rng.permutation(len(self)))


@dataclass(frozen=True, eq=False)
class Epoch:
    """Batches, packed when they are asked for."""

    source: Windows
    order: np.ndarray

    def __len__(self) -> int:
        return -(-len(self.order) // self.source.batch_size)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        size = self.source.batch_size
        chosen = self.order[index * size : (index + 1) * size]
        source = self.source
        return pack(source.items, source.starts[chosen], source.sizes[chosen], source.targets)


def item_rows(
    train: Dataset, sequences: Sequences, others: bool | np.ndarray
) -> tuple[np.ndarray, int]:
    """Which row of a network's table each item has: items with events by their ids, then others where asked.

    Parameters
    ----------
    train : Dataset
    sequences : Sequences
        Its events.
    others : bool or ndarray of shape (n_items,), bool
        Whether items without events have rows, or which of them.

    Returns
    -------
    rows : ndarray of shape (n_items,), int64
        -1 where an item has none.
    n_known : int
        Items with events.
    """
    used = np.bincount(sequences.items, minlength=train.n_items) > 0
    order = by_id(train)[1]
    more = ~used & others
    order = np.concatenate([order[used[order]], order[more[order]]])
    rows = np.full(train.n_items, -1, np.int64)
    rows[order] = np.arange(len(order))
    return rows, int(used.sum())


def training_windows(
    train: Dataset, sequences: Sequences, rows: np.ndarray, length: int, batch_size: int, seed: int
) -> Windows:
    """The windows of all users, in the order of their ids: that of the tables decides nothing.

    Raises
    ------
    InputError
        No user has two events.
    """
    ordered = sequences.take(by_id(train)[0])
    source = Windows(rows[ordered.items], ordered.offsets, length, batch_size, seed)
    if not len(source):
        raise InputError(
            "no user has two events to learn an order from",
            file=train.name,
            mend="give longer histories, or take a model without order (itemknn, ease)",
        )
    return source


def newest(
    sequences: Sequences, rows: np.ndarray, length: int
) -> tuple[np.ndarray, dict[str, Any] | None]:
    """The newest events of each sequence, packed; events of items without a row are left out.

    Returns
    -------
    some : ndarray of shape (n,), int64
        The sequences that are not empty then.
    batch : dict or None
        Of :func:`recnb.models.common.reading.packed.pack`, in the order of `some`; None where all are empty.
    """
    tokens = rows[sequences.items]
    seen = tokens >= 0
    counts = np.bincount(sequences.users[seen], minlength=len(sequences))
    ends = np.cumsum(counts)
    sizes = np.minimum(counts, length)
    some = np.flatnonzero(sizes)
    return some, pack(tokens[seen], (ends - sizes)[some], sizes[some]) if len(some) else None
