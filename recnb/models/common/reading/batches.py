"""The batches of an epoch: windows of the users' sequences, shuffled and packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recnb.models.common.reading.packed import pack, windows


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
