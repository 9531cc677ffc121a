"""The items of a service: ids, titles, who may be shown, and filters on their columns; new ones join at the end."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from recnb.errors import InputError
from recnb.hashing import hash_ids
from recnb.models.common.item_tables import split_value

NEIGHBOURS = 5  # known items that speak for a new one


@dataclass(frozen=True)
class Standing:
    """By which known items a new item is scored.

    Attributes
    ----------
    codes : ndarray of shape (m,), int64
        Its nearest known items by text.
    weights : ndarray of shape (m,), float32
        Sum to 1.
    """

    codes: np.ndarray
    weights: np.ndarray


class Shelf:
    """What may be listed. Safe from any thread.

    Parameters
    ----------
    table : pyarrow.Table
        `item_id` and whatever columns.
    popularity : ndarray of shape (n_items,), float32
    """

    def __init__(self, table: pa.Table, popularity: np.ndarray) -> None:
        self._table, self.popularity = table, popularity
        self._new: list[dict[str, Any]] = []  # items that came later
        self.n_known = table.num_rows  # items of the model
        self.ids: list[str] = table["item_id"].to_pylist()
        self.codes = {item: code for code, item in enumerate(self.ids)}
        self.titles = _titles(table)
        self.hashes = hash_ids(self.ids)
        self.available, self.any_hidden = np.ones(self.n_known, bool), False
        self.standings: list[Standing] = []
        self._masks: dict[tuple[str, str], np.ndarray] = {}
        self._lock = threading.RLock()  # a new item changes several tables at once
        self._order()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def all_columns(self) -> list[str]:
        """Columns of the items, but for their ids."""
        return [c for c in self._table.column_names if c != "item_id"]

    @property
    def columns(self) -> list[str]:
        """Columns that filters may name."""
        return [c for c in self.all_columns if c not in ("title", "text")]

    def code(self, item: str) -> int:
        """The code of an item; KeyError for a stranger."""
        return self.codes[item]

    def mask(self, where: Mapping[str, Sequence[str]]) -> np.ndarray:
        """Available items that have one of the values in every column: ndarray of shape (n,), bool.

        Raises
        ------
        InputError
            The items have no such column.
        """
        with self._lock:
            mask = self.available.copy()
            for column, values in where.items():
                if column not in self.columns:
                    raise InputError(
                        f"the items have no column '{column[:80]}'",
                        column="where",
                        mend=f"name one of {', '.join(self.columns) or 'none: they have titles alone'}",
                    )
                any_of = np.zeros(len(mask), bool)
                for value in values:
                    any_of |= self._having(column, value.strip().lower())
                mask &= any_of
            return mask

    def _having(self, column: str, value: str) -> np.ndarray:
        key = (column, value)
        if key not in self._masks:
            if len(self._masks) > 256:  # a hostile caller names values without end
                self._masks.clear()
            cells = [*self._table[column].to_pylist(), *(row.get(column) for row in self._new)]
            self._masks[key] = np.array([value in split_value(cell) for cell in cells], bool)
        return self._masks[key]

    def popular(self, k: int, mask: np.ndarray, exclude: np.ndarray) -> np.ndarray:
        """The `k` most used items of a mask, `exclude` left out."""
        barred = np.zeros(len(mask), bool)
        barred[exclude] = True
        order = self.by_popularity[: len(mask)]
        order = order[order < len(mask)]
        kept = order[(mask & ~barred)[order]]
        return kept[:k]

    def set_available(self, code: int, available: bool) -> None:
        """Whether an item may be shown."""
        with self._lock:
            self.available[code] = available
            self.any_hidden = not bool(self.available.all())

    def add(self, item: dict[str, Any], standing: Standing) -> int:
        """A new item behind the others; returns its code."""
        item_id = str(item["item_id"])
        with self._lock:
            return self._add(item_id, item, standing)

    def _add(self, item_id: str, item: dict[str, Any], standing: Standing) -> int:
        self._new = [*self._new, item]
        self.popularity = np.append(self.popularity, np.float32(0))
        self.hashes = np.append(self.hashes, hash_ids([item_id]))
        self.available = np.append(self.available, True)
        self.standings = [*self.standings, standing]
        title = item.get("title")
        self.titles = [*self.titles, None if title is None else str(title)]
        self._masks = {}
        self._order()
        self.ids = [*self.ids, item_id]
        code = len(self.ids) - 1
        self.codes[item_id] = code  # last: from now on it is found
        return code

    def _order(self) -> None:
        self.by_popularity = np.lexsort((self.hashes, -self.popularity))

    def with_new(self, scores: np.ndarray) -> np.ndarray:
        """Scores of known items, and behind them those of new ones: what their neighbours have, weighted.

        Parameters
        ----------
        scores : ndarray of shape (n, n_scored), float32
            Of the model's items, or of more where the model itself scores new ones.
        """
        missing = len(self) - scores.shape[1]
        if not missing:
            return scores
        new = [scores[:, s.codes] @ s.weights for s in self.standings[-missing:]]
        return np.column_stack([scores, *new]).astype(np.float32, copy=False)


def _titles(table: pa.Table) -> list[str | None]:
    if "title" not in table.column_names:
        return [None] * table.num_rows
    return [None if t is None else str(t) for t in table["title"].to_pylist()]
