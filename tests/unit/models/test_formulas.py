"""Each closed form against the formula written naively."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from recnb.data.splits import predefined
from recnb.errors import InputError
from recnb.hashing import hash_ids, mix
from recnb.models import (
    ALS,
    EASE,
    Baseline,
    ItemKNN,
    KNNBaseline,
    Random,
    RecentPopularity,
    UserKNN,
)
from recnb.models.classical.factorisation import solve_rows
from recnb.models.classical.neighbours import nearest
from recnb.recommender import blocks


def test_ease_is_the_closed_form(ds):
    x = ds.positives().toarray().astype(float)
    p = np.linalg.inv(x.T @ x + 7.0 * np.eye(30))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    expected = x @ b
    for precision in ("float64", "float32"):
        got = EASE(l2=7.0, precision=precision).fit(ds).score(np.arange(40))
        np.testing.assert_allclose(got[:38, :28], expected[:38, :28], atol=1e-5)


def test_ease_models_the_most_liked_items_only(ds):
    model = EASE(l2=7.0, max_items=10).fit(ds)
    liked = ds.positives().toarray().sum(axis=0)
    assert liked[model.modelled_].min() >= np.sort(liked)[-10]
    scores = model.score(np.arange(38))
    rest = np.setdiff1d(np.arange(30), model.modelled_)
    assert (scores[:, rest].max(axis=1) <= scores[:, model.modelled_].min(axis=1)).all()
    order = np.argsort(-scores[0, rest], kind="stable")
    assert (np.diff(liked[rest][order]) <= 0).all(), "the rest stands in order of popularity"


@pytest.mark.parametrize("settings", [{"l2": 0.0}, {"precision": "float16"}, {"weights": "odd"}])
def test_ease_names_a_wrong_setting(ds, settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        EASE(**settings).fit(ds)


@pytest.mark.parametrize("similarity", ["cosine", "jaccard", "dice"])
@pytest.mark.parametrize("shrinkage", [0.0, 4.0])
def test_itemknn_is_the_naive_loop(ds, similarity, shrinkage):
    x = ds.positives().toarray().astype(float)
    n = x.shape[1]
    s = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            dot, na, nb = x[:, a] @ x[:, b], (x[:, a] ** 2).sum(), (x[:, b] ** 2).sum()
            below = {"cosine": np.sqrt(na * nb), "jaccard": na + nb - dot, "dice": na + nb}[
                similarity
            ]
            dot = 2 * dot if similarity == "dice" else dot
            s[a, b] = dot / (below + shrinkage) if a != b and below + shrinkage > 0 else 0
    got = ItemKNN(k=30, similarity=similarity, shrinkage=shrinkage).fit(ds).score(np.arange(40))
    np.testing.assert_allclose(got, x @ s, atol=1e-5)
    # With three neighbours each item hears of its three nearest alone.
    near = np.zeros_like(s)
    for item in range(n):
        best = np.argsort(-s[item])[:3]
        near[best, item] = s[item, best]
    clear = [i for i in range(n) if (np.sort(s[i])[-3] - np.sort(s[i])[-4]) > 1e-9]
    got = ItemKNN(k=3, similarity=similarity, shrinkage=shrinkage).fit(ds).score(np.arange(40))
    assert len(clear) > 10
    np.testing.assert_allclose(got[:, clear], (x @ near)[:, clear], atol=1e-5)


def test_userknn_is_the_naive_loop(ds):
    x = ds.positives().toarray().astype(float)
    length = np.sqrt((x**2).sum(axis=1))
    s = (x @ x.T) / np.maximum(np.outer(length, length), 1e-12)
    np.fill_diagonal(s, 0)
    got = UserKNN(k=40).fit(ds).score(np.arange(38))
    np.testing.assert_allclose(got, (s @ x)[:38], atol=1e-5)


def test_als_rows_solve_their_normal_equations(ds):
    x, rng = ds.positives(), np.random.default_rng(0)
    y = rng.normal(size=(30, 4)).astype(np.float32)
    got = solve_rows(x, y, alpha=3.0, penalty=np.full(40, 2.0))
    for u in (0, 5):
        c = np.where(x[u].toarray().ravel() > 0, 3.0, 1.0)
        p = (x[u].toarray().ravel() > 0).astype(float)
        expected = np.linalg.solve(y.T @ (c[:, None] * y) + 2 * np.eye(4), y.T @ (c * p))
        np.testing.assert_allclose(got[u], expected, atol=1e-5)
    assert (got[38:] == 0).all()


def test_als_folds_a_known_history_in_to_its_own_vector(ds):
    model = ALS(n_factors=4, l2=1.0, alpha=5.0, n_epochs=60).fit(ds)
    users = np.arange(40)
    np.testing.assert_allclose(model.score(users, ds), model.score(users), atol=0.02)


def test_random_does_not_depend_on_the_other_items(ds):
    few = ds.keep(items=np.arange(30) < 10)
    np.testing.assert_array_equal(
        Random(1).fit(ds).score(np.arange(3))[:, :10], Random(1).fit(few).score(np.arange(3))
    )


def test_a_pair_loses_half_its_weight_in_each_half_life(ds):
    got = RecentPopularity(half_life=3.0).fit(ds).score(np.array([0]))[0]
    rows = ds.interactions
    age = (rows["timestamp"].max() - rows["timestamp"]) / 86_400
    weight = np.where(rows["rating"] >= 4, 0.5 ** (age / 3.0), 0)
    np.testing.assert_allclose(got, np.bincount(rows["item"], weight, 30), rtol=1e-5)


def test_recent_popularity_without_a_clock_counts_rows_or_nothing(ds):
    rows = ds.interactions.drop(columns="timestamp")
    from dataclasses import replace

    plain = replace(ds, interactions=rows)
    model = RecentPopularity().fit(plain)
    np.testing.assert_array_equal(model.popularity_, ds.positives().sum(axis=0).A1)
    placed = replace(ds, interactions=rows.assign(position=rows.groupby("user").cumcount()))
    got = RecentPopularity(half_life=2.0).fit(placed).popularity_
    weight = np.where(rows["rating"] >= 4, 0.5 ** ((11 - rows.groupby("user").cumcount()) / 2), 0)
    np.testing.assert_allclose(got, np.bincount(rows["item"], weight, 30), rtol=1e-5)


def test_baseline_meets_its_normal_equations(ds):
    model = Baseline(l2_user=3.0, l2_item=2.0, n_epochs=200).fit(ds)
    r = ds.matrix().tocoo()
    rest = r.data - model.mean_ - model.user_bias_[r.row] - model.item_bias_[r.col]
    by_user = np.bincount(r.row, rest, 40) - 3.0 * model.user_bias_
    by_item = np.bincount(r.col, rest, 30) - 2.0 * model.item_bias_
    np.testing.assert_allclose(by_user, 0, atol=1e-3)
    np.testing.assert_allclose(by_item, 0, atol=1e-3)


def test_knnbaseline_is_the_naive_loop(ds):
    model = KNNBaseline(k=4, shrinkage=2.0).fit(ds)
    r = ds.matrix().tocoo()
    dev = np.zeros((40, 30))
    dev[r.row, r.col] = r.data - model.mean_ - model.user_bias_[r.row] - model.item_bias_[r.col]
    has = np.zeros((40, 30), bool)
    has[r.row, r.col] = True
    s = np.zeros((30, 30))
    for a in range(30):
        for b in range(30):
            both = has[:, a] & has[:, b]
            if a != b and both.sum() > 1:
                x, y = dev[both, a], dev[both, b]
                n = both.sum() - 1
                s[a, b] = max((x @ y) / np.sqrt((x @ x) * (y @ y)) * n / (n + 2.0), 0)
    for u, i in ((0, 1), (3, 10), (20, 5)):
        rated = np.flatnonzero(has[u])
        best = rated[np.argsort(-s[i, rated])[:4]]
        expected = model.mean_ + model.user_bias_[u] + model.item_bias_[i]
        expected += (s[i, best] @ dev[u, best]) / max(s[i, best].sum(), 1e-12)
        got = model.predict(np.array([u]), np.array([i]))[0]
        assert got == pytest.approx(np.clip(expected, 1, 5), abs=1e-4)


def test_predefined_parts_reach_the_models(ds):
    frame = ds.interactions[["user", "item"]].assign(part="train")
    frame.loc[::5, "part"] = "test"
    frame["user_id"], frame["item_id"] = ds.user_ids[frame["user"]], ds.item_ids[frame["item"]]
    split = predefined(ds, frame[["user_id", "item_id", "part"]])
    seen = EASE(l2=5.0).fit(split.train).liked_
    assert seen.multiply(split.test.positives()).nnz == 0


@pytest.mark.parametrize("similarity", ["cosine", "jaccard", "dice"])
def test_items_without_shared_users_are_no_neighbours(similarity):
    """Rows of which all but a few similarities are zero: the zeros are neither kept nor ordered."""
    rng = np.random.default_rng(0)
    rows = sparse.random(300, 90, 0.02, "csr", np.float32, rng=rng)
    rows.data[:] = 1
    asked: list[int] = []

    def counted(level, row_hash):
        asked.append(len(level))
        return mix(level, row_hash)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "mix", counted)
        near = nearest(rows, hash_ids(np.arange(300).astype(str)), 25, similarity)
    dense = rows.toarray().astype(float)
    dot, size = dense @ dense.T, dense.sum(axis=1)
    below = {
        "cosine": np.sqrt(np.outer(size, size)),
        "jaccard": size[:, None] + size - dot,
        "dice": (size[:, None] + size) / 2,
    }[similarity]
    expected = np.divide(dot, below, out=np.zeros_like(dot), where=below > 0)
    np.fill_diagonal(expected, 0)
    few = (expected > 0).sum(axis=1) <= 25
    assert few.sum() > 200 and (expected == 0).sum() > 80_000
    np.testing.assert_allclose(near.toarray()[few], expected[few], atol=1e-6)
    assert (near.data > 0).all() and sum(asked) < (expected > 0).sum()
