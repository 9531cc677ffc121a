"""The efficient step's batches: items recur within a batch, so that few texts serve many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# What a batch does: heads and tables take a step; the encoder does; the table of states is computed
# anew, then heads and tables take a step.
HEAD, LIVE, FRESH = 0, 1, 2


@dataclass(frozen=True)
class BatchPlan:
    """Which rows are in which batch of which epoch.

    The encoder is slow and a table of users is fast, so they keep two clocks. A *live* batch holds
    all rows of a few items: their texts are encoded once, with gradients. Between two live batches
    come *head* batches: random rows, whose items are read from the table of states of the last pass, so
    that heads and users take many steps while the encoder takes one.

    Parameters
    ----------
    items : ndarray of shape (n_rows,), int
        The item of each row.
    items_per_batch : int
        Items of a live batch.
    rows_per_batch : int
        Rows of a head batch, and the most of a live one: a group of items with more is cut.
    head_epochs : float
        How often an epoch goes through all rows in head batches.
    live_epochs : int
        How often an epoch goes through all rows in live batches; 0 for none.
    seed : int

    Examples
    --------
    >>> plan = BatchPlan(np.array([0, 0, 1, 2]), items_per_batch=2, rows_per_batch=4, head_epochs=2)
    >>> [(kind, sorted(rows.tolist())) for kind, rows in plan(1)]
    [(1, [0, 1, 2]), (1, [3]), (0, [0, 1, 2, 3]), (2, [0, 1, 2, 3])]
    """

    items: np.ndarray
    items_per_batch: int = 32
    rows_per_batch: int = 1024
    head_epochs: float = 1.0
    live_epochs: int = 1
    seed: int = 0

    def __call__(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """Kind and rows of each batch of an epoch, a function of seed and epoch alone."""
        rng = np.random.default_rng([self.seed, epoch])
        heads = self._head(rng)
        lives = [batch for _ in range(self.live_epochs) for batch in self._live(rng)]
        if not lives:
            return heads
        # heads and users first learn from the pretrained states; later a part of their batches lies
        # between the live ones, the rest behind them, on states computed anew
        lead = len(heads) // 2 if epoch == 0 else 0
        behind = len(heads) // 2
        out, between = heads[:lead], heads[lead : len(heads) - behind]
        at = np.arange(1, len(lives) + 1) * len(between) // len(lives)
        for number, batch in enumerate(lives):
            out += [batch, *between[at[number - 1] if number else 0 : at[number]]]
        if behind:
            last = heads[len(heads) - behind :]
            out += [(FRESH, last[0][1]), *last[1:]]
        return out

    def _head(self, rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
        total = round(self.head_epochs * len(self.items))
        n = len(self.items)
        passes = [rng.permutation(n) for _ in range(-(-total // n))] if n else []
        rows = np.concatenate(passes)[:total] if passes else np.zeros(0, int)
        return [(HEAD, part) for part in _cut(rows, self.rows_per_batch)]

    def _live(self, rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
        used = np.unique(self.items)
        rank = np.empty(int(used.max()) + 1 if len(used) else 0, int)
        rank[used] = rng.permutation(len(used))
        group = rank[self.items] // self.items_per_batch
        order = rng.permutation(len(self.items))
        order = order[np.argsort(group[order], kind="stable")]
        edges = np.flatnonzero(np.diff(group[order])) + 1
        return [
            (LIVE, part)
            for rows in np.split(order, edges)
            for part in _cut(rows, max(self.rows_per_batch, 1))
        ]


class Batches:
    """A plan's epoch as batches of tensors, made when they are asked for.

    Parameters
    ----------
    plan : sequence of (kind, rows)
    make : callable
        ``make(kind, rows, number) -> batch``.
    """

    def __init__(self, plan: Sequence[tuple[int, np.ndarray]], make: Callable[..., Any]) -> None:
        self._plan, self._make = plan, make

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self._plan):
            raise IndexError(index)
        kind, rows = self._plan[index]
        return self._make(kind, rows, index)


def _cut(rows: np.ndarray, most: int) -> list[np.ndarray]:
    """Parts of like size, none above `most`."""
    if not len(rows):
        return []
    return np.array_split(rows, -(-len(rows) // most))
