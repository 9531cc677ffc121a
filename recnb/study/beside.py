"""What an evaluation left beside a model that it saved: `REPORT/models/NAME-SEED` knows the split and the protocol."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from recnb.recommender import Recommender


def known_rows(folder: Path) -> pd.DataFrame | None:
    """`user_id, item_id` of what was known on the day of the test; None where no evaluation stands beside the model."""
    beside = _report(folder) / "split.parquet"
    if not beside.is_file():
        return None
    rows = pd.read_parquet(beside, columns=["user_id", "item_id", "part"])
    return rows.loc[rows["part"].isin(("train", "valid")), ["user_id", "item_id"]]


def known_pairs(folder: Path, model: Recommender) -> sparse.csr_array | None:
    """The same over the users and items of the model, (n_users, n_items), bool."""
    rows = known_rows(folder)
    if rows is None:
        return None
    user = pd.Index(model.user_ids_).get_indexer(pd.Index(rows["user_id"]))
    item = pd.Index(model.item_ids_).get_indexer(pd.Index(rows["item_id"]))
    held = (user >= 0) & (item >= 0)
    shape = (len(model.user_ids_), len(model.item_ids_))
    cells = (np.ones(int(held.sum()), bool), (user[held], item[held]))
    return sparse.csr_array(cells, shape=shape).astype(bool)


def repeats_beside(folder: Path) -> str | None:
    """Whether that evaluation listed what a user had had, "include" or "exclude"; None where there is none."""
    run = _report(folder) / "run.json"
    if not run.is_file():
        return None
    return json.loads(run.read_text(encoding="utf-8")).get("protocol", {}).get("repeats")


def _report(folder: Path) -> Path:
    return folder.resolve().parent.parent
