"""ALS beside `implicit`, its solver; ItemKNN beside scikit-learn; EASE beside the elastic-net view of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_similarity

from recnb.data import Dataset
from recnb.models import ALS, BPR, EASE, ItemKNN
from recnb.models.classical.factorisation import quiet_blas, solve_rows


@pytest.fixture(scope="module")
def ds() -> Dataset:
    rng = np.random.default_rng(1)
    taste = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 50))
    u, i = np.nonzero(taste + rng.normal(size=taste.shape) > 1.5)
    frame = pd.DataFrame({"user_id": [f"u{x:02d}" for x in u], "item_id": [f"i{x:02d}" for x in i]})
    return Dataset.from_frames(frame, feedback="implicit")


def test_als_is_implicit_in_the_order_of_ids(ds):
    als = pytest.importorskip("implicit.als", reason="implicit is not installed")
    x = ds.positives()
    with quiet_blas():
        theirs = als.AlternatingLeastSquares(
            factors=8, regularization=2.0, alpha=3.0, iterations=5, random_state=4, use_gpu=False
        )
        theirs.fit(x, show_progress=False)
    model = ALS(n_factors=8, l2=2.0, alpha=3.0, n_epochs=5, seed=4).fit(ds)
    expected = theirs.user_factors @ theirs.item_factors.T
    np.testing.assert_allclose(model.score(np.arange(ds.n_users)), expected, atol=1e-4)


def test_the_row_solver_is_that_of_implicit(ds):
    als = pytest.importorskip("implicit.cpu.als", reason="implicit is not installed")
    rng = np.random.default_rng(2)
    y = rng.normal(0, 0.3, (ds.n_items, 6)).astype(np.float32)
    x = ds.positives()
    weighted = x.copy()
    weighted.data = weighted.data * np.float32(3)
    theirs = np.zeros((ds.n_users, 6), np.float32)
    als.least_squares(weighted, theirs, y, 2.0, num_threads=1)
    got = solve_rows(x, y, 3.0, np.full(ds.n_users, 2.0))
    np.testing.assert_allclose(got, theirs, atol=1e-4)


def test_both_ways_to_fit_als_reach_the_same_loss(ds):
    """frequency near zero runs our solver, zero runs implicit's: their losses agree at convergence."""
    pytest.importorskip("implicit", reason="implicit is not installed")
    x = ds.positives().toarray()
    losses = []
    for frequency in (0.0, 1e-9):
        model = ALS(n_factors=6, l2=2.0, alpha=3.0, n_epochs=200, frequency=frequency).fit(ds)
        left, right = (f[:, :-1] for f in model.factors())
        c = np.where(x > 0, 3.0, 1.0)
        loss = (c * (x - left @ right.T) ** 2).sum() + 2 * ((left**2).sum() + (right**2).sum())
        losses.append(loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_bpr_orders_most_pairs_right(ds):
    pytest.importorskip("implicit", reason="implicit is not installed")
    scores = BPR(n_factors=8, n_epochs=200, learning_rate=0.05).fit(ds).score(np.arange(ds.n_users))
    liked = ds.positives().toarray() > 0
    right = [
        (s[row][:, None] > s[~row][None, :]).mean()
        for s, row in zip(scores, liked)
        if row.any() and not row.all()
    ]
    assert np.mean(right) > 0.9


def test_itemknn_similarities_are_those_of_scikit_learn(ds):
    x = ds.positives()
    s = cosine_similarity(x.T)
    np.fill_diagonal(s, 0)
    got = ItemKNN(k=ds.n_items).fit(ds).score(np.arange(ds.n_users))
    np.testing.assert_allclose(got, x @ s, atol=1e-5)


def test_an_ease_column_is_a_ridge_regression_on_the_other_items(ds):
    x = ds.positives().toarray()
    model = EASE(l2=4.0).fit(ds)
    for item in (0, 7, 31):
        others = np.arange(ds.n_items) != item
        ridge = Ridge(alpha=4.0, fit_intercept=False).fit(x[:, others], x[:, item])
        np.testing.assert_allclose(model.item_weights_[others, item], ridge.coef_, atol=1e-5)
    assert sparse.issparse(model.liked_)
