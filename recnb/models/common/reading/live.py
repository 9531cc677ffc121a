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
    n_used : int
        The first rows, those of items with training rows.
    """

    shift: torch.Tensor
    turn: torch.Tensor | None

    def __init__(
        self, tower: TextTower, shift: torch.Tensor, turn: torch.Tensor | None, n_used: int
    ) -> None:
        super().__init__()
        self.tower, self.n_used = tower, n_used
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("turn", turn, persistent=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Vectors of some rows of items with training rows, (n, dim); equal texts are encoded once."""
        places = self.tower.place[rows]
        distinct, at = torch.unique(places, return_inverse=True)
        return self._turned(self.tower(distinct)[at, -1])

    @torch.no_grad()
    def all(self) -> torch.Tensor:
        """Vectors of all rows, without gradient."""
        turned = self._turned(self.tower.all_states()[self.tower.place, -1])
        if self.turn is None or self.n_used == len(turned):
            return turned
        used, others, turn = (
            part.cpu().numpy() for part in (turned[: self.n_used], turned[self.n_used :], self.turn)
        )
        turned[self.n_used :] = torch.from_numpy(drawn_in(others, used, turn)).to(turned.device)
        return turned

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


_MOST = 0.95  # of the learned vectors' lengths: one odd item does not open the door to others
_HALVINGS = 60


def drawn_in(vectors: np.ndarray, learned: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Whitened vectors of texts that the whitening was not learned on, none longer than the learned ones.

    Parameters
    ----------
    vectors : ndarray of shape (n, dim)
    learned : ndarray of shape (m, dim)
        Those that the whitening was learned on, whitened.
    turn : ndarray of shape (dim, dim)
        Of :func:`turning`.

    Returns
    -------
    ndarray of shape (n, dim), float32
        One that is longer than nearly all the learned ones becomes the nearest text vector that is not.

    Examples
    --------
    The catalogue varies by 10 in one direction and by 0.1 in the other; what lies off it keeps the first:

    >>> turn = np.diag([0.1, 10.0])
    >>> learned = np.array([[1.0, 0.0], [0.0, -1.0]])
    >>> drawn_in(np.array([[3.0, 4.0]]) @ turn, learned, turn).astype(float).round(2).tolist()
    [[0.3, 0.95]]
    """
    out = np.array(vectors, np.float32)
    longest = float(np.quantile(np.linalg.norm(learned, axis=1), _MOST)) if len(learned) else 0.0
    far = np.linalg.norm(out, axis=1) > longest
    if not longest or not far.any():
        return out
    # Whitening divides by the spread of the catalogue, so what the catalogue hardly varies in is blown up for a text
    # off it, and such an item is near everybody. Shortening the vector as a whole would take from a new item what it
    # shares with the catalogue, too; leaving directions out needs a bound. The nearest point of the ellipsoid in which
    # the learned vectors lie scales each direction by variance / (variance + x), so narrow ones give way first.
    z = out[far].astype(np.float64)
    widths = np.linalg.norm(turn.astype(np.float64), axis=0)
    variance = np.divide(1, widths**2, out=np.zeros_like(widths), where=widths > 0)
    lengths = np.linalg.norm(z, axis=1)
    high = np.log(variance.max() * lengths / longest)
    low = np.full(len(z), np.log(variance[variance > 0].min() * 1e-9))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        scaled = z * (variance / (variance + np.exp(middle)[:, None]))
        short = np.linalg.norm(scaled, axis=1) <= longest
        low, high = np.where(short, low, middle), np.where(short, middle, high)
    out[far] = z * (variance / (variance + np.exp(high)[:, None]))
    return out


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
