"""A language model that is tuned inside a sequence network: some texts of a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from recnb.encoders.text.tower import TextTower
from recnb.encoders.text.whitening import whiten
from recnb.models.common.reading.batches import Epoch


class LiveTexts(nn.Module):
    """Vectors of items' texts with gradients for the language model.

    Parameters
    ----------
    tower : TextTower
        Over the texts of all rows of the network's table, in their order.
    shift : Tensor of shape (dim,)
    turn : Tensor of shape (dim, dim), optional
        What brings states to the table's vectors, see :func:`turning`; both stay as they were at the start.
    """

    shift: torch.Tensor
    turn: torch.Tensor | None

    def __init__(
        self, tower: TextTower, shift: torch.Tensor, turn: torch.Tensor | None = None
    ) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("turn", turn, persistent=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Vectors of some rows, (n, dim); equal texts are encoded once."""
        places = self.tower.place[rows]
        distinct, at = torch.unique(places, return_inverse=True)
        return self._turned(self.tower(distinct)[at, -1])

    @torch.no_grad()
    def all(self) -> torch.Tensor:
        """Vectors of all rows, without gradient."""
        return self._turned(self.tower.all_states()[self.tower.place, -1])

    def _turned(self, states: torch.Tensor) -> torch.Tensor:
        centred = states - self.shift
        return centred if self.turn is None else centred @ self.turn


def turning(known: np.ndarray, whitening: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """What brings text vectors to those that a network reads: a shift, and the matrix that whitens.

    Parameters
    ----------
    known : ndarray of shape (n, dim)
        Of the items with training rows.
    whitening : bool

    Returns
    -------
    shift : ndarray of shape (dim,), float32
    turn : ndarray of shape (dim, dim), float32, or None
        None where vectors are centred only.

    Examples
    --------
    >>> shift, turn = turning(np.array([[1.0, 9], [5, 9]]), True)
    >>> (([[1, 9], [5, 9]] - shift) @ turn).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    shift = known.mean(axis=0, dtype=np.float64)
    turn = (
        whiten(shift + np.eye(len(shift)), fit_on=known) if whitening and len(known) > 1 else None
    )
    return shift.astype(np.float32), turn


@dataclass(frozen=True, eq=False)
class LiveEpoch:
    """An epoch in whose every `every`-th batch some items are named, `live`, whose texts are to be encoded.

    Parameters
    ----------
    epoch : Epoch
    number : int
    n_items, every : int
    """

    epoch: Epoch
    number: int
    n_items: int
    every: int

    def __len__(self) -> int:
        return len(self.epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        batch = self.epoch[index]
        if index % self.every == 0:
            rows = np.union1d(batch["tokens"].numpy(), batch["targets"].numpy())
            rng = np.random.default_rng([self.epoch.source.seed, self.number, index])
            rows = rng.choice(rows, min(self.n_items, len(rows)), replace=False)
            batch["live"] = torch.from_numpy(np.sort(rows))
        return batch
