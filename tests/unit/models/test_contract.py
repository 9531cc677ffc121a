"""What every model must do, one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models import (
    ALS,
    BFM,
    BPR,
    EASE,
    MF,
    Attributes,
    Baseline,
    Blend,
    ItemKNN,
    KNNBaseline,
    Popularity,
    Random,
    RecentEASE,
    RecentItemKNN,
    RecentPopularity,
    SessionKNN,
    SVDpp,
    Switch,
    TfIdf,
    Transitions,
    UserKNN,
)
from recnb.models.registry import make, names
from recnb.recommender import Recommender, load_model, top_k_scores

MODELS: dict[str, Recommender] = {
    "random": Random(seed=3),
    "popularity": Popularity(),
    "recent_popularity": RecentPopularity(half_life=2.0),
    "itemknn": ItemKNN(k=8, shrinkage=1.0),
    "userknn": UserKNN(k=8),
    "ease": EASE(l2=5.0),
    "ease_few": EASE(l2=5.0, max_items=20),
    "itemknn_recent": RecentItemKNN(k=8, decay=0.9),
    "ease_recent": RecentEASE(l2=5.0, decay=0.9),
    "transitions": Transitions(backward=0.5, decay=0.9, window=12, distance=0.3),
    "transitions_few": Transitions(backward=1.0, decay=1.0, window=12, distance=0.0, neighbours=9),
    "sknn": SessionKNN(k=8, decay=1.0, gap_minutes=60 * 24 * 30.0),
    "vsknn": SessionKNN(k=8, idf=0.3, decay=0.9, gap_minutes=60 * 24 * 30.0),
    "als": ALS(n_factors=4, l2=1.0, alpha=5.0),
    "als_frequency": ALS(n_factors=4, l2=1.0, alpha=5.0, frequency=1.0, n_epochs=5),
    "bpr": BPR(n_factors=4, n_epochs=100, learning_rate=0.05),
    "mf": MF(n_factors=2),
    "svdpp": SVDpp(n_factors=2, n_epochs=8),
    "bfm": BFM(n_factors=2, n_epochs=20, burn_in=5),
    "baseline": Baseline(),
    "knnbaseline": KNNBaseline(k=5, shrinkage=2.0),
    "knnbaseline_users": KNNBaseline(k=5, shrinkage=2.0, user_based=True),
    "tfidf": TfIdf(),
    "tfidf_mean": TfIdf(way="mean"),
    "tfidf_rank": TfIdf(way="ridge", rank=3, l2=1.0),
    "attributes": Attributes(),
    "blend": Blend([EASE(l2=5.0), TfIdf()]),
    "blend_rank": Blend([MF(n_factors=2), Popularity()], weights=(0.7, 0.3), scale="rank"),
    "switch": Switch(EASE(l2=5.0), TfIdf()),
}
# A history changes the answer of these.
FOLD_IN = [
    "itemknn",
    "userknn",
    "ease",
    "itemknn_recent",
    "ease_recent",
    "transitions",
    "transitions_few",
    "sknn",
    "vsknn",
    "als",
    "als_frequency",
    "mf",
    "svdpp",
    "baseline",
    "knnbaseline",
    "tfidf",
    "tfidf_mean",
    "tfidf_rank",
    "attributes",
    "blend",
    "switch",
]
# These know an item by its content and need no user for it.
CONTENT = ["random", "tfidf", "tfidf_mean", "tfidf_rank", "attributes", "blend", "switch"]
RATING = ["mf", "svdpp", "bfm", "baseline", "knnbaseline", "knnbaseline_users"]


def each(names=MODELS):
    return pytest.mark.parametrize("name", list(names))


def fitted(name: str, ds: Dataset) -> Recommender:
    return clone(MODELS[name]).fit(ds)


@each()
def test_scores_are_finite_float32_for_any_block_of_users(name, ds):
    model = fitted(name, ds)
    scores = model.score(np.arange(ds.n_users))
    assert scores.dtype == np.float32 and scores.shape == (40, 30)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(model.score(np.array([7, 3])), scores[[7, 3]], rtol=1e-4, atol=1e-5)
    assert model.score(np.array([], dtype=int)).shape == (0, 30)


@each()
def test_clones_have_the_settings_and_nothing_learned(name, ds):
    model = fitted(name, ds)
    fresh = clone(model)
    assert not fresh.fitted and repr(fresh) == repr(MODELS[name])
    np.testing.assert_array_equal(fresh.fit(ds).score(np.arange(5)), model.score(np.arange(5)))


@each()
def test_a_saved_model_answers_alike(name, ds, tmp_path):
    model = fitted(name, ds)
    model.save(tmp_path)
    again = load_model(tmp_path)
    users = np.arange(ds.n_users)
    np.testing.assert_array_equal(again.score(users), model.score(users))
    history = ds.rows(np.arange(0, len(ds.interactions), 3))
    np.testing.assert_array_equal(again.score(users, history), model.score(users, history))
    assert repr(clone(again)) == repr(clone(model))


@each()
def test_the_order_of_the_catalogue_changes_nothing(name, ds, dataset):
    other = dataset(shuffle=5)
    assert list(other.item_ids) != list(ds.item_ids)
    aligned = []
    for data in (ds, other):
        scores = fitted(name, data).score(np.argsort(data.user_ids))
        aligned.append(scores[:, np.argsort(data.item_ids)])
    np.testing.assert_allclose(aligned[0], aligned[1], rtol=1e-4, atol=1e-5)


@each()
def test_users_without_history_get_an_answer(name, ds):
    scores = fitted(name, ds).score(np.array([38, 39]))
    assert np.isfinite(scores).all()
    if name not in ("random",):
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
        assert np.unique(scores[0]).size > 1, "a cold user's list is not left to the hash alone"


@each([n for n in MODELS if n not in CONTENT])
def test_items_without_users_stand_last(name, ds):
    scores = fitted(name, ds).score(np.arange(ds.n_users))
    assert (scores[:, 28:].max(axis=1) <= scores[:, :28].min(axis=1)).all()


@each(FOLD_IN)
def test_a_history_is_honoured(name, ds):
    model = fitted(name, ds)
    swapped = ds.interactions.copy()
    swapped["user"] = 39 - swapped["user"]
    swapped = swapped.sort_values(["user", "timestamp"], ignore_index=True)
    history = Dataset(swapped, ds.items, ds.users, ds.feedback, ds.scale)
    users = np.arange(ds.n_users)
    before, after = model.score(users), model.score(users, history)
    assert np.isfinite(after).all()
    assert np.abs(before[1:37] - after[1:37]).max() > 1e-3
    # User 39 has no training rows; with the rows of user 0 the answer leans to the films that user 0 likes.
    told = after[39]
    assert told[0:28:2].mean() > told[1:28:2].mean() or name == "baseline"


@each()
def test_learns_the_two_tastes(name, ds):
    if name in ("random", "popularity", "recent_popularity", "baseline"):
        pytest.skip("not personal")
    scores = fitted(name, ds).score(np.arange(38))[:, :28]
    even, odd = scores[:, 0::2].mean(axis=1), scores[:, 1::2].mean(axis=1)
    right = np.where(np.arange(38) % 2 == 0, even > odd, odd > even)
    assert right.mean() > 0.9


@each(RATING)
def test_predictions_are_ratings(name, ds):
    model = fitted(name, ds)
    u, i = np.meshgrid(np.arange(40), np.arange(30), indexing="ij")
    predicted = model.predict(u.ravel(), i.ravel())
    assert predicted.dtype == np.float32 and predicted.shape == (1200,)
    assert predicted.min() >= 1 and predicted.max() <= 5
    seen = ds.matrix().tocoo()
    error = model.predict(seen.row, seen.col) - seen.data
    assert np.sqrt(np.mean(error**2)) < seen.data.std()
    cold = model.predict(np.array([39]), np.array([29]))
    assert abs(float(cold[0]) - seen.data.mean()) < 0.5


@each(RATING)
def test_rating_models_refuse_other_feedback(name, dataset):
    with pytest.raises(InputError, match=r"predicts ratings and 'data' is count feedback; .*als"):
        clone(MODELS[name]).fit(dataset(feedback="count"))


@each([n for n in MODELS if n not in [*RATING, "blend_rank"]])
def test_counts_are_accepted(name, dataset):
    data = dataset(feedback="count")
    assert np.isfinite(clone(MODELS[name]).fit(data).score(np.arange(40))).all()


@each(["als", "als_frequency", "bpr"])
def test_factors_multiply_to_the_scores(name, ds):
    model = fitted(name, ds)
    users, items = model.factors()
    np.testing.assert_allclose(users @ items.T, model.score(np.arange(40)), atol=1e-6)


FACTORS = sorted({*(n for n in names() if hasattr(make(n), "factors")), "sasrec[items=text]"})
QUICK = {"n_epochs": 3, "width": 8, "n_layers": 1, "n_factors": 4}


@pytest.mark.parametrize("name", FACTORS)
def test_lists_by_factors_are_those_by_scores(name, dataset, with_tiny_bert):
    """Also of users without rows, and of items without rows (the last two), texts and values (the last)."""
    made = dataset()
    told = made.items.astype(object)
    told.loc["i29", ["title", "text", "kind", "year"]] = None
    ds = Dataset(made.interactions, told, made.users, made.feedback, made.scale)
    model = make(name)
    known = model.get_params(deep=False)
    model.set_params(**{k: v for k, v in QUICK.items() if k in known}).fit(ds)
    models = [model]
    if hasattr(model, "with_items"):
        new = told.loc[["i28", "i29"]].set_axis(["n0", "n1"]).rename_axis("item_id")
        models.append(model.with_items(new))
    for one in models:
        n, ids = len(one.item_ids_), (one.user_ids_, one.item_ids_)
        by_scores = top_k_scores(one.score(np.arange(40)), k=n, ids=ids)[0]
        by_factors = top_k_scores(one, k=n)[0]
        np.testing.assert_array_equal(by_factors, by_scores)
        liked = np.pad(ds.positives().sum(axis=0).A1, (0, n - 30))
        best = by_factors[38:, :28]
        assert (np.diff(liked[best]) <= 0).all() and (liked[best[:, :10]] > 0).all()
        assert set(by_factors[:, -1]) <= {28, 29, 31}


@each(["als", "als_frequency", "bpr", "mf", "svdpp", "bfm", "random"])
def test_a_seed_decides(name, ds):
    runs = [clone(MODELS[name]).set_params(seed=s).fit(ds).score(np.arange(40)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 0
    assert MODELS[name].seeded


@each(["tfidf", "tfidf_mean", "tfidf_rank", "attributes"])
def test_new_items_are_scored_without_retraining(name, ds):
    model = fitted(name, ds)
    new = pd.DataFrame(
        {"item_id": ["n0", "n1"], "title": ["space story 1", "love story 2"], "text": ["laser robot", "kiss letter"],
         "kind": ["science", "romance"], "year": [1981, 1982]}
    )  # fmt: skip
    grown = model.with_items(new)
    scores = grown.score(np.arange(38))
    assert scores.shape == (38, 32) and model.score(np.arange(2)).shape == (2, 30)
    np.testing.assert_allclose(scores[:, :30], model.score(np.arange(38)), atol=1e-6)
    np.testing.assert_allclose(grown.score(np.arange(38), ds), scores, atol=1e-6)  # as told before
    liking = scores[:, 30] - scores[:, 31]
    assert (liking[0::2] > 0).mean() > 0.8 and (liking[1::2] < 0).mean() > 0.8
    assert list(grown.item_ids_[-2:]) == ["n0", "n1"]
    with pytest.raises(InputError, match="'i01' is known already"):
        model.with_items(new.assign(item_id=["i01", "x"]))
    with pytest.raises(InputError, match="'x' stands twice"):
        model.with_items(new.assign(item_id=["x", "x"]))


@each()
def test_uses_history_says_what_a_history_does(name, ds):
    """Users without training rows are given those of others."""
    model, users = fitted(name, ds), np.array([38, 39])
    moved = ds.interactions.assign(user=39 - ds.interactions["user"])
    moved = moved.sort_values(["user", "timestamp"], ignore_index=True)
    history = Dataset(moved, ds.items, ds.users, ds.feedback, ds.scale)
    change = np.abs(model.score(users) - model.score(users, history)).max()
    assert (change > 1e-3) == model.uses_history


class Breaks(EASE):
    """Learns something, then fails."""

    def _fit(self, train, valid) -> None:
        self.half_ = np.ones(3)
        raise InputError("no way", mend="none")


def test_a_failed_fit_leaves_nothing(dataset):
    model = Breaks()
    with pytest.raises(InputError, match="no way"):
        model.fit(dataset())
    assert not model.fitted and not [name for name in vars(model) if name.endswith("_")]
    again = ALS(n_factors=2, n_epochs=2).fit(dataset())
    again.alpha = "no number"
    with pytest.raises(Exception):  # noqa: B017
        again.fit(dataset())
    assert not again.fitted
