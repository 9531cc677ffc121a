"""Histories and candidates laid out as sequences of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recnb.encoders.text.joint import JointTower
from recnb.models.common.histories import Told

# a token's columns in a batch; -1 is padding where 0 means something
COLUMNS = ("tokens", "part", "position", "age", "thought", "slot")


@dataclass(frozen=True, eq=False)
class Layout:
    """Makes token sequences of a history and some candidates.

    Parameters
    ----------
    tower : JointTower
        Over the sentences of the items, then the names by which histories tell them.
    n_items : int
    max_history : int
        The most recent so many items are told.
    sees : {"own", "slate", "all"}
        See :class:`recnb.encoders.text.joint.Sequences`; with "own" each candidate follows the history directly.
    """

    tower: JointTower
    n_items: int
    max_history: int
    sees: str

    @property
    def whole(self) -> bool:
        """Whether all layers read the sequence: then it is joined as one text is, with one leading token."""
        return self.tower.trained == self.tower.n_layers

    def prepare(self, rows: Iterable[tuple[Told, np.ndarray]]) -> None:
        """Read the texts of histories and candidates alone, those not read before."""
        told: set[int] = set()
        items: set[int] = set()
        for past, candidates in rows:
            told.update(past.items)
            items.update(candidates.tolist())
        names = np.array(sorted(told), np.int64) + self.n_items
        self.tower.prepare(np.concatenate([np.array(sorted(items), np.int64), names]))

    def row(self, told: Told, candidates: np.ndarray) -> np.ndarray:
        """One sequence: ndarray of shape (6, n_tokens), int64, the rows as in :data:`COLUMNS`."""
        length = self._candidates(candidates, lead=not (self.whole and told.items))[1]
        needed = length.max(initial=0) if self.sees == "own" else length.sum()
        past, spans = self._history(told, int(needed))
        start, length = self._candidates(candidates, lead=not (self.whole and spans))
        blocks = []
        for age, thought, (first, n) in zip(*past, spans):
            blocks.append(_span(first, n, 0, age, thought, 0))
        n_told = sum(block.shape[1] for block in blocks)
        for slot, (first, n) in enumerate(zip(start, length)):
            blocks.append(_span(first, n, slot + 1, 0, 0, slot + 1))
        out = np.concatenate(blocks, axis=1) if blocks else np.zeros((6, 0), np.int64)
        position = np.arange(out.shape[1])
        if self.sees == "own":  # each candidate follows the history
            before = (
                np.concatenate([[0], np.cumsum(length)[:-1]]) if len(length) else np.zeros(1, int)
            )
            position[n_told:] -= np.repeat(before, length)
        out[2] = position
        return out

    def _candidates(self, items: np.ndarray, lead: bool) -> tuple[np.ndarray, np.ndarray]:
        return self.tower.spans(np.asarray(items, np.int64), lead=lead, trail=True)

    def _history(
        self, told: Told, needed: int
    ) -> tuple[tuple[list[int], list[int]], list[tuple[int, int]]]:
        """Ages and opinions of the items told, oldest first, and their spans."""
        items = np.array(told.items[-self.max_history :], np.int64)
        liked = None if told.liked is None else told.liked[-self.max_history :]
        start, length = self.tower.spans(items + self.n_items, lead=False, trail=self.whole)
        kept = length > 0
        if self.whole:
            room = self.tower.most_tokens - needed - self.tower.n_lead
            kept &= np.cumsum(length[::-1])[::-1] <= room
        start, length = start[kept], length[kept]
        if self.whole and len(start):
            start[0], length[0] = start[0] - self.tower.n_lead, length[0] + self.tower.n_lead
        n = len(start)
        ages = list(range(n - 1, -1, -1))
        thoughts = [0] * n if liked is None else (1 + np.array(liked, int)[kept]).tolist()
        return (ages, thoughts), list(zip(start.tolist(), length.tolist()))

    def packs(self, told: Told, candidates: np.ndarray, budget: int) -> Iterator[np.ndarray]:
        """Places of candidates that are read in one sequence: as many as a budget of tokens holds, at least one."""
        length = self._candidates(candidates, True)[1]
        (_, _), spans = self._history(told, int(length.max(initial=0)))
        used = sum(n for _, n in spans)
        room, first, filled = max(budget - used, 1), 0, 0
        for place, n in enumerate(length.tolist()):
            if place > first and filled + n > room:
                yield np.arange(first, place)
                first, filled = place, 0
            filled += n
        if len(candidates):
            yield np.arange(first, len(candidates))


def _span(first: int, n: int, part: int, age: int, thought: int, slot: int) -> np.ndarray:
    out = np.empty((6, n), np.int64)
    out[0] = np.arange(first, first + n)
    out[1:, :] = np.array([part, 0, age, thought, slot])[:, None]
    return out


def batch_of(rows: Sequence[np.ndarray], n_candidates: int) -> dict[str, Any]:
    """Sequences padded on the right to the longest: a tensor (n, length) for each of :data:`COLUMNS`.

    `n_candidates` is the most that a row has, those without a token among them.
    """
    longest = max(1, max(row.shape[1] for row in rows))
    block = np.zeros((len(rows), 6, longest), np.int64)
    block[:, :2] = -1
    for at, row in enumerate(rows):
        block[at, :, : row.shape[1]] = row
    out = {name: torch.from_numpy(block[:, at].copy()) for at, name in enumerate(COLUMNS)}
    return {**out, "n_candidates": torch.tensor(n_candidates)}


def by_length(lengths: np.ndarray, budget: int) -> list[np.ndarray]:
    """Positions of sequences in batches of at most so many tokens, padding among them, the longest first."""
    from recnb.encoders.text.batches import token_batches

    order = np.argsort(-lengths, kind="stable")
    return [order[part] for part in token_batches(np.maximum(lengths[order], 1), budget)]
