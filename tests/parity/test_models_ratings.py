"""Rating models beside scikit-surprise: the same formulas give the same numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.models import Baseline, KNNBaseline

surprise = pytest.importorskip("surprise", reason="scikit-surprise is not installed")


@pytest.fixture(scope="module")
def ds() -> Dataset:
    rng = np.random.default_rng(0)
    user, item = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    u, i = np.nonzero(rng.random((60, 40)) < 0.4)
    r = np.clip(np.round(3.3 + (user[u] * item[i]).sum(axis=1) + rng.normal(0, 0.5, len(u))), 1, 5)
    frame = pd.DataFrame({"user_id": u.astype(str), "item_id": i.astype(str), "rating": r})
    return Dataset.from_frames(frame, feedback="explicit", scale=(1, 5))


def trained(ds: Dataset, algorithm):
    m = ds.matrix().tocoo()
    frame = pd.DataFrame({"user": m.row, "item": m.col, "rating": m.data.astype(float)})
    reader = surprise.Reader(rating_scale=(1, 5))
    return algorithm.fit(surprise.Dataset.load_from_df(frame, reader).build_full_trainset())


def predictions(ds: Dataset, algorithm) -> np.ndarray:
    return np.array(
        [algorithm.predict(u, i).est for u in range(ds.n_users) for i in range(ds.n_items)]
    )


def ours(ds: Dataset, model) -> np.ndarray:
    u, i = np.meshgrid(np.arange(ds.n_users), np.arange(ds.n_items), indexing="ij")
    return model.fit(ds).predict(u.ravel(), i.ravel())


def test_baseline_equals_surprise(ds):
    settings = {"method": "als", "reg_i": 10, "reg_u": 15, "n_epochs": 10}
    theirs = trained(ds, surprise.BaselineOnly(bsl_options=settings, verbose=False))
    got = ours(ds, Baseline(l2_user=15, l2_item=10, n_epochs=10))
    np.testing.assert_allclose(got, predictions(ds, theirs), atol=1e-5)


@pytest.mark.parametrize("user_based", [False, True])
def test_knnbaseline_equals_surprise(ds, user_based):
    theirs = trained(
        ds,
        surprise.KNNBaseline(
            k=7,
            sim_options={
                "name": "pearson_baseline",
                "user_based": user_based,
                "shrinkage": 30,
                "min_support": 2,
            },
            bsl_options={"method": "als", "reg_i": 10, "reg_u": 15, "n_epochs": 10},
            verbose=False,
        ),
    )
    model = KNNBaseline(k=7, shrinkage=30, user_based=user_based, l2_user=15, l2_item=10)
    # Surprise counts a rated item among its own neighbours, with similarity 1; we do not.
    unseen = ds.pairs().toarray().ravel() == 0
    np.testing.assert_allclose(ours(ds, model)[unseen], predictions(ds, theirs)[unseen], atol=1e-4)
    assert unseen.sum() > 1000
