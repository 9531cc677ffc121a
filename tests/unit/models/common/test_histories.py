"""Histories as blocks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recnb.data import Dataset
from recnb.models.common.histories import padded


def made(feedback: str = "explicit") -> Dataset:
    rows = pd.DataFrame(
        {
            "user_id": list("aaaab"),
            "item_id": list("wxyzx"),
            "rating": [5, 1, 4, 2, 5],
            "timestamp": [4, 3, 2, 1, 9],
        }
    )
    users = pd.DataFrame({"user_id": list("abc")})
    if feedback != "explicit":
        return Dataset.from_frames(rows.drop(columns="rating"), None, users)
    return Dataset.from_frames(rows, None, users, feedback="explicit", scale=(1, 5))


def names(ds: Dataset, items: np.ndarray) -> list[str]:
    return ["".join("-" if i < 0 else ds.item_ids[i] for i in row) for row in items]


def test_last_rows_oldest_first() -> None:
    ds = made()
    items, values = padded(ds, 3, liked=False, mean=3.0)
    assert names(ds, items) == ["yxw", "--x", "---"]
    assert values.tolist() == [[1, -2, 2], [0, 0, 2], [0, 0, 0]]


def test_liked_only() -> None:
    ds = made()
    items, values = padded(ds, 3, liked=True)
    assert ds.threshold == 4
    assert names(ds, items) == ["-yw", "--x", "---"]
    assert np.array_equal(values, items >= 0)


def test_implicit_counts_every_row() -> None:
    ds = made("implicit")
    items, values = padded(ds, 5, liked=False, mean=3.0)
    assert names(ds, items) == ["-zyxw", "----x", "-----"]
    assert np.array_equal(values, items >= 0)
