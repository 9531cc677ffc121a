"""The order of the tables decides nothing: shuffled rows and columns give the same lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.models import ItemKNN, TextFrozen, TfIdf, make, names
from recnb.recommender import top_k
from tests.unit.models.conftest import made_frames, parts

TOWERS = ("text_weighted_sum", "text_dot", "text_mlp", "hybrid", "fusion")
EACH = [n for n in names() if n not in TOWERS] + ["ease+tfidf", "itemknn+text_joint"]


def data(shuffle: int | None) -> Dataset:
    interactions, items = made_frames()
    users = pd.DataFrame({"user_id": [f"u{u:02d}" for u in range(40)]})
    if shuffle is not None:
        tables = [t.sample(frac=1, random_state=shuffle) for t in (interactions, items, users)]
        interactions, items, users = (
            t.sample(frac=1, axis=1, random_state=shuffle) for t in tables
        )
    return Dataset.from_frames(interactions, items, users, feedback="explicit", scale=(1, 5))


def lists(name: str, ds: Dataset) -> dict[str, list[str]]:
    """Everybody's list of ids."""
    train, valid = parts(ds)
    model = make(name)
    model.fit(train, valid if model.uses_valid else None)
    best = top_k(model, np.arange(ds.n_users), k=10, exclude=train)
    return {u: ds.item_ids[row].tolist() for u, row in zip(ds.user_ids, best)}


@pytest.mark.parametrize("name", EACH)
def test_shuffled_tables_give_equal_lists(name):
    straight = lists(name, data(None))
    for shuffle in (1, 2):
        assert lists(name, data(shuffle)) == straight


def test_sums_of_neighbours_are_the_same_in_every_order():
    """Enough rows that float32 sums would differ in their last bits."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((300, 80)) < 0.3)
    rows = pd.DataFrame({"user_id": pairs[:, 0].astype(str), "item_id": pairs[:, 1].astype(str)})
    items = pd.DataFrame({"item_id": np.arange(80).astype(str)})
    straight = Dataset.from_frames(rows, items)
    turned = Dataset.from_frames(rows, items[::-1])
    a, b = (ItemKNN().fit(ds).score(np.arange(300)) for ds in (straight, turned))
    np.testing.assert_array_equal(a, b[:, ::-1])


@pytest.mark.parametrize("model", [TfIdf(), TfIdf(way="mean"), TextFrozen()], ids=repr)
def test_equal_texts_have_equal_scores_in_every_block(model):
    interactions, _ = made_frames(n_items=31)
    _, items = made_frames(n_items=61)  # the second half is new
    items["year"] = 1980
    items["title"], items["text"] = items["title"].iloc[[0, 1] * 30 + [0]].to_numpy(), "space story"
    ds = Dataset.from_frames(interactions, items, feedback="explicit", scale=(1, 5))
    model.fit(ds)
    for size in (1, 3, 38):
        scores = model.score(np.arange(size))
        for start in (31, 32):
            same = scores[:, start::2]
            assert same.shape[1] == 15 and (same == same[:, :1]).all()
