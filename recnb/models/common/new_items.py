"""New items that a fitted model is to score: their table, checked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.errors import InputError


def new_items(items: pd.DataFrame, known: np.ndarray) -> pd.DataFrame:
    """A table of new items by their ids as text.

    Raises
    ------
    InputError
        An id is among the known ones, or stands twice.

    Examples
    --------
    >>> new_items(pd.DataFrame({"item_id": [7, 8], "title": ["a", "b"]}), np.array(["1"])).index.tolist()
    ['7', '8']
    """
    table = items.set_index("item_id") if "item_id" in items else items
    table = table.set_axis(table.index.astype(str), axis=0)
    for bad, problem, mend in (
        (table.index.isin(known), "is known already", "pass new items only"),
        (table.index.duplicated(), "stands twice among the new items", "pass each once"),
    ):
        if bad.any():
            raise InputError(f"item '{table.index[bad][0]}' {problem}", column="item_id", mend=mend)
    return table


def grown_ids(known: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """The known ids and behind them the new ones."""
    return np.concatenate([known, table.index.to_numpy(dtype=object)])
