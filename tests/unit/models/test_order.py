"""The order of the tables decides nothing: shuffled rows and columns give the same lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset, splits
from recnb.data.media import from_vectors
from recnb.models import ItemKNN, TextFrozen, TextJoint, TfIdf, UserKNN, make, names
from recnb.recommender import top_k
from tests.unit.models.conftest import made_frames, parts

# Trained on a graphics card or on other processors, their scores differ in the last bits: compared within a tolerance.
TOWERS = ("text_weighted_sum", "text_dot", "text_mlp", "hybrid", "fusion")
# Every pair costs; tests/unit/models/language has its own.
JUDGES = ("lm_yes", "lm_likelihood", "lm_list", "pair", "tagger")
# Likewise: tests/unit/models/sequential and generative.
TRAINED = ("sasrec", "hstu", "gru4rec", "tiger", "tiger_dense", "lc_rec")
EACH = [n for n in names() if n not in (*TOWERS, *JUDGES, *TRAINED)] + [
    "ease+tfidf",
    "itemknn+text_joint",
]


def data(shuffle: int | None, coarse: bool = False) -> Dataset:
    """The made data; `coarse`: times that tie."""
    interactions, items = made_frames()
    users = pd.DataFrame({"user_id": [f"u{u:02d}" for u in range(40)], "age": 20})
    users["age"] += 10 * (np.arange(40) % 3)
    if coarse:
        interactions["timestamp"] //= 30 * 86_400
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


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *((name, {}) for name in TOWERS),
        ("hybrid", {"user": "id+text", "words": 8, "traits": True, "n_negatives": 7}),
        ("hybrid", {"loss": "mse", "user": "id+additive"}),
        ("text_dot", {"method": "lora", "items_per_batch": 5, "max_history": 3}),
        ("fusion", {"modalities": "text+look+attributes+id", "fusion": "gated"}),
    ],
    ids=str,
)
def test_shuffled_tables_train_the_same_tower(name, settings):
    """Initial tables, batches, negatives and dropout are drawn in the order of the ids, not of the tables."""
    scores = []
    for shuffle in (None, 1, 2):
        ds = data(shuffle, coarse=True)  # all rows of a user at one time: which are the latest?
        look = np.random.default_rng(0).normal(size=(28, 4)).astype(np.float32)
        ds = ds.with_media(look=from_vectors(look, ids=[f"i{i:02d}" for i in range(28)]))
        split = splits.random(ds)
        model = make(name, seed=0, n_epochs=3, rows_per_batch=64, **settings)
        model.fit(split.train, split.valid)
        order = np.argsort(ds.user_ids), np.argsort(ds.item_ids)
        own, later = (model.score(np.arange(ds.n_users), h)[np.ix_(*order)] for h in (None, ds))
        alone = model.score(order[0][:3])[:, order[1]]  # in another block
        scores.append((own, later, alone, [step["loss"] for step in model.learning_[1:]]))
    for one in scores[1:]:
        for straight, turned in zip(scores[0], one):
            np.testing.assert_allclose(turned, straight, rtol=1e-4, atol=1e-5)
    assert scores[0][0].std() > 0.01 and not np.allclose(scores[0][0], scores[0][1])


@pytest.mark.parametrize("model", [ItemKNN, UserKNN])
def test_sums_of_neighbours_are_the_same_in_every_order(model):
    """Enough rows that float32 sums would differ in their last bits."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((300, 80)) < 0.3)
    rows = pd.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1]}).astype(str)
    users = pd.DataFrame({"user_id": np.arange(300).astype(str)})
    items = pd.DataFrame({"item_id": np.arange(80).astype(str)})
    user, item = rng.permutation(300), rng.permutation(80)
    straight = Dataset.from_frames(rows, items, users)
    turned = Dataset.from_frames(rows, items.iloc[item], users.iloc[user])
    a, b = (model().fit(ds).score(np.arange(300)) for ds in (straight, turned))
    np.testing.assert_array_equal(a[np.ix_(user, item)], b)


@pytest.mark.parametrize(
    "model", [TfIdf(), TfIdf(way="mean"), TfIdf(rank=20), TextFrozen(), TextJoint()], ids=repr
)
def test_equal_texts_have_equal_scores_in_every_block(model):
    """To the last bit of float64, before rounding: products give equal columns unequal sums, by their place."""
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(900)]
    n_users, n_old, n_new = 123, 303, 304
    old = [" ".join(rng.choice(words, 12)) for _ in range(n_old)]
    ids = [f"i{i:03d}" for i in range(n_old + n_new)]
    items = pd.DataFrame({"item_id": ids, "title": old + [old[i % 3] for i in range(n_new)]})
    pairs = [(f"u{u}", ids[i]) for u in range(n_users) for i in rng.choice(n_old, 12, False)]
    ds = Dataset.from_frames(pd.DataFrame(pairs, columns=["user_id", "item_id"]), items)
    model.fit(ds)
    for size in (1, 3, n_users):
        users = np.arange(size)
        scores = model._score_rows(model.rows(users), users)
        assert scores.dtype == np.float64 and scores.std() > 0
        for start in range(3):
            same = scores[:, n_old + start :: 3]
            np.testing.assert_array_equal(same, np.repeat(same[:, :1], same.shape[1], axis=1))
