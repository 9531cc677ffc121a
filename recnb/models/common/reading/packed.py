"""Sequences packed side by side: one row of tokens, no padding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

GRAIN_CPU, GRAIN_GPU = (
    1,
    16,
)  # lengths that share a block: there few large products, not many small ones


def windows(offsets: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences cut into windows of at most `length` + 1 events, counted from the newest.

    Neighbouring windows share one event, the last target of the older and the first input of the newer, so that each
    event but the first of a sequence is a target once.

    Parameters
    ----------
    offsets : ndarray of shape (n + 1,), int64
        Sequence i stands at ``offsets[i]:offsets[i + 1]``.
    length : int

    Returns
    -------
    starts, sizes : ndarray of shape (n_windows,), int64
        In the order of the sequences, the oldest window first; a sequence of one event has none.

    Examples
    --------
    >>> windows(np.array([0, 1, 6]), 3)
    (array([1, 2]), array([2, 4]))
    """
    targets = np.maximum(np.diff(offsets) - 1, 0)
    n = -(-targets // length)
    nth = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)  # 0 is the oldest of its sequence
    left = np.repeat(targets, n) - (np.repeat(n, n) - 1 - nth) * length  # targets up to its end
    first = np.maximum(left - length, 0)
    return np.repeat(offsets[:-1], n) + first, left - first + 1


def pack(
    items: np.ndarray, starts: np.ndarray, sizes: np.ndarray, targets: np.ndarray | None = None
) -> dict[str, Any]:
    """Stretches of a stream of items, packed for a network.

    Parameters
    ----------
    items : ndarray of shape (n_events,), int64
        Rows of the network's table.
    starts, sizes : ndarray of shape (n,), int64
        Where each sequence stands, none empty.
    targets : ndarray of shape (n_events,), int64, optional
        What comes next at each event.

    Returns
    -------
    dict
        `tokens`, `positions` (0 for the oldest of its sequence) and where given `targets`, tensors of shape
        (n_tokens,), int64; `sizes`, a tuple: the sequences' lengths, longest first; `order`, their places in the
        arguments, an int64 tensor of shape (n,).

    Examples
    --------
    >>> packed = pack(np.array([7, 8, 9, 4]), np.array([3, 0]), np.array([1, 3]))
    >>> packed["tokens"].tolist(), packed["positions"].tolist(), packed["sizes"]
    ([7, 8, 9, 4], [0, 1, 2, 0], (3, 1))
    """
    order = np.argsort(-sizes, kind="stable")
    starts, sizes = starts[order], sizes[order]
    ends = np.cumsum(sizes)
    positions = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    at = np.repeat(starts, sizes) + positions
    out = {"tokens": items[at], "positions": positions, "order": order}
    if targets is not None:
        out["targets"] = targets[at]
    tensors = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in out.items()}
    return {**tensors, "sizes": tuple(sizes.tolist())}


@dataclass(frozen=True)
class Block:
    """Neighbouring sequences that a layer reads together.

    Attributes
    ----------
    start, stop : int
        Their tokens.
    n, length : int
        Sequences, and the longest one's size.
    inside : Tensor of shape (n_tokens,), int64, or None
        Places of the tokens in n × length; None where all have this length.
    """

    start: int
    stop: int
    n: int
    length: int
    inside: torch.Tensor | None = None

    def dense(self, values: torch.Tensor) -> torch.Tensor:
        """Tokens' values (n_tokens, …) as (n, length, …), zeros behind a shorter sequence."""
        part = values[self.start : self.stop]
        if self.inside is not None:
            full = part.new_zeros(self.n * self.length, *part.shape[1:])
            part = full.index_copy(0, self.inside, part)
        return part.reshape(self.n, self.length, *values.shape[1:])

    def flat(self, values: torch.Tensor) -> torch.Tensor:
        """The inverse: (n, length, …) as (n_tokens, …)."""
        values = values.reshape(self.n * self.length, *values.shape[2:])
        return values if self.inside is None else values[self.inside]


class Layout:
    """Where the sequences of a batch stand.

    Parameters
    ----------
    sizes : sequence of int
        Lengths, longest first.
    device : torch.device
        On a CPU only equal lengths share a block, and nothing is padded. On a graphics card 16 lengths do: attention
        alone is padded, behind the shorter ones, where a causal layer does not look.
    """

    def __init__(self, sizes: tuple[int, ...], device: torch.device) -> None:
        self.sizes, self.device = np.asarray(sizes, dtype=np.int64), device
        self.grain = GRAIN_CPU if device.type == "cpu" else GRAIN_GPU

    @cached_property
    def blocks(self) -> list[Block]:
        sizes = self.sizes
        edges = np.flatnonzero(np.diff(-(-sizes // self.grain))) + 1
        out, start = [], 0
        for part in np.split(sizes, edges):
            n, length, stop = len(part), int(part[0]), start + int(part.sum())
            inside = None
            if part[-1] != length:
                places = np.arange(n * length).reshape(n, length)
                real = np.arange(length) < part[:, None]
                inside = torch.from_numpy(places[real]).to(self.device)
            out.append(Block(start, stop, n, length, inside))
            start = stop
        return out if len(sizes) else []

    @cached_property
    def last(self) -> torch.Tensor:
        """The newest token of each sequence."""
        return torch.from_numpy(np.cumsum(self.sizes) - 1).to(self.device)

    @cached_property
    def by_time(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tokens in the order of their positions, how many sequences have each, and the way back."""
        ends = np.cumsum(self.sizes)
        positions = np.arange(ends[-1]) - np.repeat(ends - self.sizes, self.sizes)
        order = np.argsort(positions, kind="stable")
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        tensors = [torch.from_numpy(part).to(self.device) for part in (order, back)]
        return tensors[0], torch.from_numpy(np.bincount(positions)), tensors[1]
