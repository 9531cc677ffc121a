"""The efficient step's batches: items recur within a batch, so that few texts serve many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

HEAD, LIVE = 0, 1  # what takes a step: heads and tables alone, or the encoder with them


@dataclass(frozen=True)
class Plan:
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
    live : bool
        Whether there are live batches.
    seed : int

    Examples
    --------
    >>> plan = Plan(np.array([0, 0, 1, 2]), items_per_batch=2, rows_per_batch=4, head_epochs=1)
    >>> [(kind, sorted(rows.tolist())) for kind, rows in plan(0)]
    [(1, [2, 3]), (0, [0, 1, 2, 3]), (1, [0, 1])]
    """

    items: np.ndarray
    items_per_batch: int = 32
    rows_per_batch: int = 1024
    head_epochs: float = 1.0
    live: bool = True
    seed: int = 0

    def __call__(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """Kind and rows of each batch of an epoch, a function of seed and epoch alone."""
        rng = np.random.default_rng([self.seed, epoch])
        heads = self._head(rng)
        if not self.live:
            return heads
        lives = self._live(rng)
        # evenly between the live ones, the first batch a live one
        at = np.ceil((np.arange(len(heads)) + 0.5) * len(lives) / max(len(heads), 1)).astype(int)
        out: list[tuple[int, np.ndarray]] = []
        done = 0
        for k, batch in enumerate(lives):
            out.append(batch)
            upto = int(np.searchsorted(at, k + 1, side="right"))
            out += heads[done:upto]
            done = upto
        return out + heads[done:]

    def _head(self, rng: np.random.Generator) -> list[tuple[int, np.ndarray]]:
        total = int(round(self.head_epochs * len(self.items)))
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
