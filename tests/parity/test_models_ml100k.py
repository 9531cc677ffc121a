"""A few of the values of `benchmarks/parity_ml100k.py` on the real data."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset, splits
from recnb.metrics import evaluate_lists
from recnb.metrics.intervals import bootstrap
from recnb.metrics.rating import rmse
from recnb.models import make
from recnb.recommender import top_k

FOLDER = Path(os.environ.get("RECNB_DATA") or "unset") / "ml-100k"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (FOLDER / "splits.parquet").is_file(),
        reason="RECNB_DATA names no folder with ml-100k and its splits.parquet",
    ),
]


@pytest.fixture(scope="module")
def data() -> tuple[Dataset, pd.DataFrame]:
    ds = Dataset.from_folder(FOLDER, feedback="explicit", scale=(1, 5))
    return ds, pd.read_parquet(FOLDER / "splits.parquet")


def cut(ds: Dataset, rows: pd.DataFrame, test) -> splits.Split:
    frame = rows[["user_id", "item_id"]].assign(part=np.where(test, "test", "train"))
    return splits.predefined(ds, frame)


# Peer values of NDCG@10, last fifth of each user, relevant = 4 or more.
@pytest.mark.parametrize(
    "name, peer",
    [
        ("popularity", 0.0993),
        ("itemknn", 0.1609),
        ("ease", 0.1913),
        ("als", 0.1864),
        ("bpr", 0.1402),
    ],
)
def test_ranking_reaches_the_peer(data, name, peer):
    ds, rows = data
    split = cut(ds, rows, rows["last_fifth"].astype(bool))
    relevant = split.test.positives()
    users = np.flatnonzero(np.diff(relevant.indptr))
    assert len(users) == 905
    lists = top_k(make(name).fit(split.known), users, 10, exclude=split.known)
    each = evaluate_lists(lists, relevant[users], ["ndcg"], 10)["ndcg"]
    low, high = bootstrap(each)
    assert each.mean() >= peer or low <= peer <= high
    assert each.mean() > 5 * 0.0075, "far above random"


# Peer values of RMSE, mean of the five folds; sd over folds about .002.
@pytest.mark.parametrize(
    "name, peer",
    [("baseline", 0.9397), ("knnbaseline", 0.9142), ("mf", 0.9092), ("svdpp", 0.9103)],
)
def test_ratings_reach_the_peer(data, name, peer):
    ds, rows = data
    errors = []
    for fold in range(5):
        split = cut(ds, rows, rows["fold"] == fold)
        asked = split.test.matrix().tocoo()
        model = make(name).fit(split.known)
        errors.append(rmse(asked.data, model.predict(asked.row, asked.col)))
    assert np.mean(errors) < peer + 0.002
    assert np.mean(errors) > 0.85, "nobody predicts these ratings so well: look for a leak"
