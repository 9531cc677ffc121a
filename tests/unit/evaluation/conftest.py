"""Small data, and models whose scores are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import Recommender
from recnb.data import Dataset, splits


def table(n_users=40, n_items=30, n=600, seed=0, ties=False) -> pd.DataFrame:
    """Ratings with some taste in them: users of one parity like items of the same parity."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(n_users * n_items, n, replace=False)
    u, i = cells // n_items, cells % n_items
    rating = np.clip(rng.integers(1, 4, n) + 2 * (u % 2 == i % 2), 1, 5)
    clock = rng.integers(0, 4, n) if ties else rng.permutation(n)
    return pd.DataFrame(
        {
            "user_id": [f"u{x}" for x in u],
            "item_id": [f"i{x}" for x in i],
            "rating": rating,
            "timestamp": 10**9 + clock,
        }
    )


def build(rows: pd.DataFrame, items=None, users=None, **settings) -> Dataset:
    if items is None:
        items = pd.DataFrame({"item_id": rows["item_id"].unique()})
    if users is None:
        users = pd.DataFrame({"user_id": rows["user_id"].unique()})
        users["side"] = np.where(users["user_id"].str[1:].astype(int) % 2, "odd", "even")
        users["age"] = users["user_id"].str[1:].astype(int) % 9
    return Dataset.from_frames(
        rows, items, users, **{"feedback": "explicit", "scale": (1, 5), **settings}
    )


@pytest.fixture
def ds():
    return build(table())


@pytest.fixture
def split(ds):
    return splits.user_time(ds, test=0.3, valid=0.2)


class Popular(Recommender):
    """Liked items by number of users, plus noise of a seed where asked; predicts item means."""

    cheap = True

    def __init__(self, noise: float = 0.0, seed: int = 0) -> None:
        self.noise = noise
        self.seed = seed

    def _fit(self, train, valid) -> None:
        liked = np.asarray(train.positives().sum(axis=0)).ravel()
        rng = np.random.default_rng(self.seed)
        self.scores_ = (liked + self.noise * rng.normal(size=train.n_items)).astype(np.float32)

    def score(self, users, history=None):
        return np.tile(self.scores_, (len(users), 1))


class Noisy(Popular):
    seeded = True
    cheap = False

    def __init__(self, noise: float = 3.0, seed: int = 0) -> None:
        super().__init__(noise, seed)


class Mean(Popular):
    """Predicts the mean rating of an item."""

    cheap = False

    def _fit(self, train, valid) -> None:
        super()._fit(train, valid)
        rows = train.interactions
        means = rows.groupby("item")["rating"].mean()
        self.means_ = means.reindex(range(train.n_items)).fillna(rows["rating"].mean()).to_numpy()

    def predict(self, users, items):
        return self.means_[items].astype(np.float32)
