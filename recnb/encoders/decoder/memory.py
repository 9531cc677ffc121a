"""Keys and values of a beginning, read by all that goes on from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


@dataclass
class Memory:
    """What a network remembers of some beginnings.

    Attributes
    ----------
    layers : list of (Tensor, Tensor)
        Keys and values of each layer, (n_texts, n_heads, length, width); one text may stand for all that follow it.
    lengths : Tensor of shape (n_rows,), int64
        Tokens of each beginning; what is behind them is padding.
    rows : Tensor of shape (n_rows,), int64, or None
        Which of the texts each row is, where a text stands for several rows. They are gathered a layer at a time, so
        that one layer's copies live at once.
    """

    layers: list[tuple[torch.Tensor, torch.Tensor]]
    lengths: torch.Tensor
    rows: torch.Tensor | None = None

    @property
    def length(self) -> int:
        """Places, padding included."""
        return int(self.layers[0][0].shape[2])

    def take(self, rows: torch.Tensor) -> Memory:
        """The memory of some of the texts, in the order of `rows`; nothing is copied."""
        if len(self.lengths) == 1:
            return Memory(self.layers, self.lengths.expand(len(rows)))
        return Memory(self.layers, self.lengths[rows], rows)

    def then(self, later: Memory) -> Memory:
        """This beginning, the same for all and without padding, and what follows it."""
        layers = [
            tuple(torch.cat([a.expand(len(b), -1, -1, -1), b], dim=2) for a, b in zip(*pair))
            for pair in zip(self.layers, later.layers)
        ]
        return Memory(layers, later.lengths + self.length)  # type: ignore[arg-type]


class _Layer(DynamicLayer):
    """A layer's keys and values, before and after; the joined ones live only as long as they are used."""

    def __init__(
        self,
        past: tuple[torch.Tensor, torch.Tensor] | None,
        rows: torch.Tensor | None,
        keep: bool,
    ) -> None:
        super().__init__()
        self.past, self.rows, self.keep = past, rows, keep
        self.new: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.keep:
            self.new = key_states, value_states
        if self.past is None:
            return key_states, value_states
        keys, values = (
            a.expand(len(key_states), -1, -1, -1) if self.rows is None else a[self.rows]
            for a in self.past
        )
        return torch.cat([keys, key_states], dim=2), torch.cat([values, value_states], dim=2)

    def get_seq_length(self) -> int:
        return 0 if self.past is None else int(self.past[0].shape[2])


def cache_of(past: Memory | None, n_layers: int, keep: bool) -> Cache:
    """A cache as transformers' models take it, over a memory that it does not change."""
    if past is None:
        return Cache(layers=[_Layer(None, None, keep) for _ in range(n_layers)])
    return Cache(layers=[_Layer(layer, past.rows, keep) for layer in past.layers])


def kept(cache: Cache, lengths: torch.Tensor) -> Memory:
    """What was read through a cache that keeps."""
    layers: list[Any] = cache.layers
    return Memory([layer.new for layer in layers], lengths)
