"""Vectors of items: free, from their text, or both."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from recnb.encoders.text.whitening import whiten

ITEMS = ("free", "text", "both")
STARTS = ("random", "text")
SCALE = 0.02  # standard deviation of a fresh vector's numbers


class ItemVectors(nn.Module):
    """The table of items that a sequence network reads and predicts.

    Parameters
    ----------
    n_items : int
    width : int
    text : Tensor of shape (n_items, dim), optional
        Frozen vectors of the items' texts; they are projected into the table, learned with the rest.
    start : Tensor of shape (n_items, width), optional
        Free vectors at the start; by default random ones.
    free : bool
        Whether items have vectors of their own.
    """

    def __init__(
        self,
        n_items: int,
        width: int,
        text: torch.Tensor | None = None,
        start: torch.Tensor | None = None,
        free: bool = True,
    ) -> None:
        super().__init__()
        self.free: nn.Parameter | None = None
        if free:
            first = torch.randn(n_items, width) * SCALE if start is None else start.clone()
            self.free = nn.Parameter(first)
        self.project: nn.Linear | None = None
        if text is not None:
            self.register_buffer("text", text, persistent=False)
            self.project = nn.Linear(text.shape[1], width, bias=False)
            # a projected vector starts as long as a free one
            size = text.pow(2).sum(1).mean().sqrt().clamp(min=1e-9).item()
            nn.init.orthogonal_(self.project.weight)
            with torch.no_grad():
                self.project.weight.mul_(
                    SCALE * math.sqrt(width) / size * math.sqrt(max(text.shape[1] / width, 1))
                )

    def forward(self) -> torch.Tensor:
        """The table, (n_items, width)."""
        if self.project is None:
            assert self.free is not None
            return self.free
        projected = self.project(self.text)
        return projected if self.free is None else projected + self.free


def text_vectors(raw: np.ndarray, known: np.ndarray, whitening: bool) -> np.ndarray:
    """Vectors of texts as a network reads them: centred on the known ones, and whitened where asked.

    Parameters
    ----------
    raw, known : ndarray of shape (n, dim) and (m, dim)
    whitening : bool

    Returns
    -------
    ndarray of shape (n, dim), float32
    """
    if whitening and len(known) > 1:
        return whiten(raw, fit_on=known)
    return (raw - known.mean(axis=0, dtype=np.float64)).astype(np.float32)


def start_from_text(raw: np.ndarray, width: int) -> np.ndarray:
    """Free vectors that begin with what texts say: their leading whitened directions, as long as random ones.

    Texts with fewer directions than `width` leave the others at 0.
    """
    out = np.zeros((len(raw), width), np.float32)
    if len(raw) > 1:
        leading = whiten(raw, dim=min(width, raw.shape[1]))
        out[:, : leading.shape[1]] = SCALE * leading
    return out
