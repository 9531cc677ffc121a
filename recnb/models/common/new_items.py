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
        An id is among the known ones.
    """
    table = items.set_index("item_id") if "item_id" in items else items
    table = table.set_axis(table.index.astype(str), axis=0)
    twice = table.index.isin(known)
    if twice.any():
        raise InputError(
            f"item '{table.index[twice][0]}' is known already",
            column="item_id",
            mend="pass new items only",
        )
    return table
