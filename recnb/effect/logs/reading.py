"""A file of a log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from recnb.data.checks import cells
from recnb.data.door import read_table
from recnb.effect.logs.log import Log


def read_log(path: str | Path, items: str | Path | None = None) -> Log:
    """Read a log: parquet, csv, tsv, JSON lines, packed or not.

    Parameters
    ----------
    path : str or Path
        One row per item shown. `item_id` and one of `click`, `conversion`, `revenue`, `satisfaction` are needed;
        `user_id` (or `context`), `propensity`, `position`, `slate_id`, `timestamp` are used where they are there.
        Usual other names (`pscore`, `action`, `reward`, `impression_id`) are understood and the reading is said.
    items : str or Path, optional
        A table with `item_id`: everything that could have been shown.

    Raises
    ------
    InputError
        The file is missing or broken, a column is missing, a cell has no meaning.
    """
    frame = read_table(path)
    listed: np.ndarray | None = None
    if items is not None:
        other: pd.DataFrame = read_table(items)
        cells.require(other, ("item_id",), str(items))
        listed = cells.ids(other["item_id"], str(items), "item_id").to_numpy(object)
    name = Path(path).name.partition(".")[0] or "log"
    return Log.from_frame(frame, items=listed, name=name, file=str(path))
