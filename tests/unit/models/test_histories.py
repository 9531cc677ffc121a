"""`score_histories`: people by what they like alone get the scores of users who like the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.models import (
    ALS,
    BPR,
    EASE,
    Blend,
    ItemKNN,
    Popularity,
    Switch,
    TfIdf,
    TwoTower,
    UserKNN,
    make,
)

MODELS = {
    "ease": EASE(l2=5.0),
    "itemknn": ItemKNN(k=5),
    "als": ALS(n_factors=4, n_epochs=3),
    "tfidf": TfIdf(),
    "blend": Blend([EASE(l2=5.0), TfIdf()], weights=(0.3, 0.7)),
}


def liked_codes(ds, users):
    liked = ds.positives()
    return [liked.indices[liked.indptr[u] : liked.indptr[u + 1]] for u in users]


@pytest.mark.parametrize("name", MODELS)
def test_a_history_scores_as_the_user_who_has_it(dataset, name):
    ds = dataset(feedback="implicit")
    model = MODELS[name].fit(ds)
    users = np.array([0, 7, 39])  # the last one has no rows
    expected = model.score(users, history=ds)
    got = model.score_histories(liked_codes(ds, users))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert model.score_histories([]).shape == (0, ds.n_items)


@pytest.mark.parametrize(
    "name", ["ease", "itemknn_recent", "tfidf", "transitions", "sknn", "lightgcn"]
)
def test_a_history_over_other_items_is_refused(name, dataset):
    """As many, but by other names or in another order: their codes would be read as those of the model's."""
    ds = dataset(feedback="implicit")
    model = make(name, **({"n_epochs": 1} if name == "lightgcn" else {})).fit(ds)
    users = np.arange(3)
    other = ds.in_order(np.arange(ds.n_users), np.arange(ds.n_items)[::-1])
    for _ in range(2):
        words = "item 0 of the history is 'i29', that of the model 'i00'; pass a history over the"
        with pytest.raises(InputError, match=words):
            model.score(users, other)
    twin = replace(ds, items=ds.items.copy())
    np.testing.assert_array_equal(model.score(users, twin), model.score(users, ds))


def test_user_neighbours_of_a_stranger_may_be_anybody(dataset):
    ds = dataset(feedback="implicit")
    model = UserKNN(k=3).fit(ds)
    (codes,) = liked_codes(ds, [4])
    # a stranger with the rows of user 4 has user 4 as the nearest neighbour, and so what 4 likes on top
    scores = model.score_histories([codes])[0]
    assert set(np.argsort(-scores)[: len(codes)]) & set(codes)
    assert scores[codes].min() >= 1 - 1e-5


@pytest.mark.parametrize("user", ["mean", "id+additive"])
def test_a_two_tower_knows_a_stranger_by_the_history(dataset, with_tiny_bert, user):
    pytest.importorskip("torch")
    ds = dataset(feedback="implicit")
    model = TwoTower(user=user, n_epochs=1, max_tokens=32).fit(ds)
    users = np.array([0, 7])
    got = model.score_histories([*liked_codes(ds, users), np.array([], int)])
    if user == "mean":
        np.testing.assert_allclose(got[:2], model.score(users), rtol=1e-4, atol=1e-4)
    else:  # whose id says nothing
        assert not np.array_equal(got[0], model.score(users)[0])
    assert np.isfinite(got).all() and not np.allclose(got[0], got[2], atol=1e-3)  # the empty one


def test_models_that_cannot_do_not_say_that_they_can(dataset):
    ds = dataset(feedback="implicit")
    for model in (
        Popularity(),
        BPR(n_epochs=1),
        Switch(EASE(), TfIdf()),
        Blend([EASE(), BPR(n_epochs=1)]),
    ):
        assert not hasattr(model.fit(ds), "score_histories")
    assert not hasattr(TwoTower(user="id"), "score_histories")
    assert hasattr(TwoTower(user="id+mean"), "score_histories")
