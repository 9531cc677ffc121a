"""Fixtures: small made data with two tastes: films of even and odd number, told apart by their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset

WORDS = (("space", "laser", "robot", "planet"), ("love", "kiss", "wedding", "letter"))


def made_frames(
    seed: int = 0, n_users: int = 40, n_items: int = 30
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Interactions with ratings and times, and items with texts; the last two items and users have no rows."""
    rng = np.random.default_rng(seed)
    rows = []
    for u in range(n_users - 2):
        chosen = rng.choice(n_items - 2, 12, replace=False)
        for t, i in enumerate(chosen):
            rating = int(np.clip((4 if i % 2 == u % 2 else 2) + rng.integers(-1, 2), 1, 5))
            rows.append((f"u{u:02d}", f"i{i:02d}", rating, 1_000_000 + 86_400 * t + u))
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    items = pd.DataFrame(
        {
            "item_id": [f"i{i:02d}" for i in range(n_items)],
            "title": [f"{WORDS[i % 2][i % 4]} story {i}" for i in range(n_items)],
            "text": [" ".join(rng.choice(WORDS[i % 2], 6)) for i in range(n_items)],
            "kind": [("science", "romance")[i % 2] for i in range(n_items)],
            "year": [1980 + i % 7 for i in range(n_items)],
        }
    )
    return interactions, items


def make_dataset(seed: int = 0, shuffle: int | None = None, feedback: str = "explicit") -> Dataset:
    """The made data set; `shuffle` reorders the catalogue and the list of users, not what they say."""
    interactions, items = made_frames(seed)
    users = pd.DataFrame({"user_id": [f"u{u:02d}" for u in range(40)]})
    if feedback == "count":
        interactions = interactions.assign(rating=interactions["rating"] * 10)
    if shuffle is not None:
        items = items.sample(frac=1, random_state=shuffle)
        users = users.sample(frac=1, random_state=shuffle)
    scale = (1, 5) if feedback == "explicit" else None
    return Dataset.from_frames(interactions, items, users, feedback=feedback, scale=scale)


def parts(ds: Dataset) -> tuple[Dataset, Dataset]:
    """Train and valid: all but the last two rows of each user, and those."""
    rank = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    return ds.rows(rank >= 2), ds.rows(rank < 2)


@pytest.fixture
def dataset():
    """The function that makes the data set."""
    return make_dataset


@pytest.fixture
def ds() -> Dataset:
    return make_dataset()


@pytest.fixture
def train_valid(ds) -> tuple[Dataset, Dataset]:
    return parts(ds)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small random encoder, for what no wisdom is needed."""
    from tests.unit.encoders.conftest import write_model

    return write_model(tmp_path_factory.mktemp("encoder") / "bert", "bert")


@pytest.fixture
def with_tiny_bert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_bert: Path) -> None:
    """It is the default encoder, and vectors are kept for one test."""
    import torch

    monkeypatch.setenv("RECNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECNB_ENCODER", str(tiny_bert))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(1)
