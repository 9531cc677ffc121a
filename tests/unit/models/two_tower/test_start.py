"""The pretrained start: the scores of the frozen language model, kept where training does not better them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.data import Dataset, Text, splits  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.models import TextFrozen, TwoTower  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from tests.unit.models.conftest import made_frames  # noqa: E402

WORDS = (("green", "tea", "organic", "mild"), ("usb", "cable", "black", "strong"))


pytestmark = pytest.mark.usefixtures("with_tiny_bert")


@pytest.fixture
def split() -> splits.Split:
    interactions, items = made_frames()
    rng = np.random.default_rng(3)
    items["title"] = [" ".join(rng.choice(WORDS[i % 2], 4)) for i in range(len(items))]
    items = items[["item_id", "title"]]
    ds = Dataset.from_frames(interactions, items, feedback="explicit", scale=(1, 5))
    return splits.cold_item(ds, test=0.2, valid=0.2)


def tower(**settings) -> TwoTower:
    return TwoTower(**{"text": Text("title"), "rows_per_batch": 64, "max_tokens": 32, **settings})


@pytest.mark.parametrize("settings", [{}, {"user": "id+mean", "item_id": True}], ids=str)
def test_before_the_first_step_the_score_is_that_of_the_frozen_model(split, settings):
    frozen = TextFrozen(text=Text("title"), way="ridge", l2=10.0, rank=None).fit(split.known)
    model = tower(n_epochs=0, **settings).fit(split.known)
    assert model.n_epochs_ == 0
    users = np.unique(split.known.positives().nonzero()[0])
    truth, score = frozen.score(users), model.score(users)
    factor = float(model.network.head.log_scale.detach().exp())
    np.testing.assert_allclose(score / factor, truth, rtol=1e-3, atol=2e-4)
    assert truth.std() > 0.02
    other = tower(n_epochs=0, start="random", **settings).fit(split.known).score(users)
    assert np.corrcoef(other.ravel(), truth.ravel())[0, 1] < 0.99


def test_the_factor_makes_the_training_rows_likely(split):
    model = tower(n_epochs=1).fit(split.known)
    first = model.learning_[0]["loss"]
    flat = tower(n_epochs=1, start="random", temperature=1e6, lr=1e-9).fit(split.known)
    assert first < flat.learning_[0]["loss"] - 0.01


def test_a_training_that_does_harm_is_not_kept(split, tmp_path):
    model, values = tower(n_epochs=4, patience=4), iter([0.5, 0.4, 0.45, 0.3, 0.2])
    model._value = lambda *about: lambda network: next(values)
    model.fit(split.train, split.valid)
    assert [step["epoch"] for step in model.learning_] == [0, 1, 2, 3, 4]
    assert model.n_epochs_ == 0 and model.chosen() == {"n_epochs": 0}
    del model._value
    users = np.arange(split.train.n_users)
    kept = tower(**model.chosen()).fit(split.train)
    np.testing.assert_allclose(kept.score(users), model.score(users), rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model")
    read = load_model(tmp_path / "model").score(users)
    np.testing.assert_allclose(read, model.score(users), rtol=1e-5, atol=1e-6)


def test_a_random_start_is_no_epoch(split):
    model = tower(start="random", n_epochs=2).fit(split.train, split.valid)
    assert [step["epoch"] for step in model.learning_] == [1, 2] and model.n_epochs_ >= 1


def test_an_unknown_start_is_refused(split):
    with pytest.raises(InputError, match="start='warm'"):
        tower(start="warm").fit(split.train)
