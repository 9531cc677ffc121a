"""Intervals over users and new items: the point is that of `evaluate`, and the width that of other shelves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import Dataset, evaluate
from recnb.data import splits
from recnb.errors import InputError
from recnb.evaluation import Protocol, over_items


def world(n_users: int = 200, n_items: int = 60, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    pairs = [(u, i) for u in range(n_users) for i in rng.choice(n_items, 12, replace=False)]
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"]).astype(str)
    return Dataset.from_frames(frame, feedback="implicit")


def scores_of(ds: Dataset, seed: int, lift: np.ndarray | float = 0.0) -> np.ndarray:
    """Noise, and for what a user likes so much on top: by item, so that some items are known better."""
    noise = np.random.default_rng(seed).normal(size=(ds.n_users, ds.n_items))
    return (noise + lift * (ds.pairs().toarray() > 0)).astype(np.float32)


def test_the_difference_is_that_of_evaluate() -> None:
    ds = world()
    split = splits.cold_item(ds, test=0.5, valid=0, seed=0)
    scores = {"a": scores_of(ds, 1, 1.0), "b": scores_of(ds, 2)}
    found = over_items(scores, split, to="b").loc["a"]
    ev = evaluate(scores, split, Protocol(k=10, metrics=("ndcg",)))
    told = ev.compare(to="b", candidates="shelf").iloc[0]
    assert found["difference"] == pytest.approx(told["difference"], abs=1e-6)
    assert found["sd_users"] == pytest.approx((told["high"] - told["low"]) / 3.92, rel=0.1)
    assert found["low"] < told["low"] and told["high"] < found["high"]


def test_the_width_is_that_of_other_shelves() -> None:
    """Knowledge of single items scatters over shelves as the estimate from one shelf says."""
    ds = world(n_items=240, seed=3)
    lift = np.random.default_rng(5).normal(0.5, 1.5, size=ds.n_items)
    scores = {"a": scores_of(ds, 1, lift), "b": scores_of(ds, 2)}
    points, told = [], []
    for seed in range(12):
        split = splits.cold_item(ds, test=0.25, valid=0, seed=seed)
        row = over_items(scores, split, to="b", halves=60).loc["a"]
        points.append(row["difference"])
        told.append(np.hypot(row["sd_users"], row["sd_items"]))
    assert 0.6 < np.mean(told) / np.std(points, ddof=1) < 1.8


def test_what_cannot_be_halved_is_refused() -> None:
    ds = world()
    with pytest.raises(InputError, match="no shelf"):
        over_items({"a": scores_of(ds, 1)}, splits.random(ds), to="a")
    with pytest.raises(InputError, match="no model 'x'"):
        over_items({"a": scores_of(ds, 1)}, splits.cold_item(ds), to="x")
