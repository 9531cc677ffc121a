"""Vectors of items: free, from their text, or both."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from recnb.encoders.text.whitening import whiten
from recnb.models.common.reading.live import LiveTexts

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
        Vectors of the items' texts; they are projected into the table, learned with the rest.
    start : Tensor of shape (n_items, width), optional
        Free vectors at the start; by default random ones.
    free : bool
        Whether items have vectors of their own.
    texts : LiveTexts, optional
        The language model that gives `text`, where it is trained, too.
    """

    text: torch.Tensor

    def __init__(
        self,
        n_items: int,
        width: int,
        text: torch.Tensor | None = None,
        start: torch.Tensor | None = None,
        free: bool = True,
        texts: LiveTexts | None = None,
    ) -> None:
        super().__init__()
        self.texts = texts
        self.free: nn.Parameter | None = None
        if free:
            first = torch.randn(n_items, width) * SCALE if start is None else start.clone()
            self.free = nn.Parameter(first)
        self.project: nn.Linear | None = None
        if text is not None:
            self.register_buffer("text", text, persistent=texts is not None)
            self.project = nn.Linear(text.shape[1], width, bias=False)
            # a projected vector starts as long as a free one
            size = text.pow(2).sum(1).mean().sqrt().clamp(min=1e-9).item()
            nn.init.orthogonal_(self.project.weight)
            with torch.no_grad():
                self.project.weight.mul_(
                    SCALE * math.sqrt(width) / size * math.sqrt(max(text.shape[1] / width, 1))
                )

    def forward(self, live: torch.Tensor | None = None) -> torch.Tensor:
        """The table, (n_items, width); the texts of the rows `live` are encoded anew, with gradients."""
        if self.project is None:
            assert self.free is not None
            return self.free
        text = self.text
        if live is not None and self.texts is not None:
            encoded = self.texts(live)
            with torch.no_grad():
                self.text[live] = encoded.detach()
            text = self.text.index_copy(0, live, encoded)
        projected = self.project(text)
        return projected if self.free is None else projected + self.free

    def refresh(self) -> None:
        """Encode all texts anew, where the language model has moved."""
        if self.texts is not None:
            self.text.copy_(self.texts.all())


def start_from_text(
    raw: np.ndarray, width: int, directions: np.ndarray | None = None
) -> np.ndarray:
    """Free vectors that begin with what texts say: their leading whitened directions, as long as random ones.

    The directions are those of the texts `directions`, by default of all. Texts with fewer directions than `width`
    leave the others at 0.
    """
    out = np.zeros((len(raw), width), np.float32)
    directions = raw if directions is None else directions
    if len(directions) > 1:
        leading = whiten(raw, fit_on=directions, dim=min(width, raw.shape[1]))
        out[:, : leading.shape[1]] = SCALE * leading
    return out
