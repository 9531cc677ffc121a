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
    lengths : Tensor of shape (n_texts,), int64
        Tokens of each beginning; what is behind them is padding.
    """

    layers: list[tuple[torch.Tensor, torch.Tensor]]
    lengths: torch.Tensor

    @property
    def length(self) -> int:
        """Places, padding included."""
        return int(self.layers[0][0].shape[2])

    def take(self, rows: torch.Tensor) -> Memory:
        """The memory of some of the texts, a copy each; the one text of a memory of one is shared."""
        if len(self.lengths) == 1:
            return Memory(self.layers, self.lengths.expand(len(rows)))
        layers = [(keys[rows], values[rows]) for keys, values in self.layers]
        return Memory(layers, self.lengths[rows])

    def then(self, later: Memory) -> Memory:
        """This beginning, the same for all and without padding, and what follows it."""
        layers = [
            tuple(torch.cat([a.expand(len(b), -1, -1, -1), b], dim=2) for a, b in zip(*pair))
            for pair in zip(self.layers, later.layers)
        ]
        return Memory(layers, later.lengths + self.length)  # type: ignore[arg-type]

    def cut(self, length: int) -> Memory:
        """The first `length` places."""
        layers = [(keys[:, :, :length], values[:, :, :length]) for keys, values in self.layers]
        return Memory(layers, self.lengths.clamp(max=length))


class _Layer(DynamicLayer):
    """A layer's keys and values, before and after; the joined ones live only as long as they are used."""

    def __init__(self, past: tuple[torch.Tensor, torch.Tensor] | None, keep: bool) -> None:
        super().__init__()
        self.past, self.keep = past, keep
        self.new: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.keep:
            self.new = key_states, value_states
        if self.past is None:
            return key_states, value_states
        n = len(key_states)
        keys, values = (a.expand(n, -1, -1, -1) for a in self.past)
        return torch.cat([keys, key_states], dim=2), torch.cat([values, value_states], dim=2)

    def get_seq_length(self) -> int:
        return 0 if self.past is None else int(self.past[0].shape[2])


def cache_of(past: Memory | None, n_layers: int, keep: bool) -> Cache:
    """A cache as transformers' models take it, over a memory that it does not change."""
    pasts = [None] * n_layers if past is None else past.layers
    return Cache(layers=[_Layer(each, keep) for each in pasts])


def kept(cache: Cache, lengths: torch.Tensor) -> Memory:
    """What was read through a cache that keeps."""
    return Memory([layer.new for layer in cache.layers], lengths)
