"""What is asked of a sequence model and cannot be answered is one line that says what to do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.evaluation import Protocol, evaluate
from recnb.models import EASE, Apart, SASRec, Tiger, Transitions, about, make
from recnb.models.common.reading import trained
from recnb.progress import listening
from recnb.study.clock import Way
from recnb.study.over_time import kept_up

N_ITEMS, N_USERS = 20, 40
SMALL = {"width": 16, "n_layers": 1, "dropout": 0.0, "lr": 1e-2, "batch_size": 16}


@pytest.fixture(scope="module")
def ds() -> Dataset:
    rows = [(f"u{u}", f"i{(u + t) % N_ITEMS:02d}", t) for u in range(N_USERS) for t in range(6)]
    titles = [f"part {i} of the tale" for i in range(N_ITEMS)]
    items = pd.DataFrame({"item_id": [f"i{i:02d}" for i in range(N_ITEMS)], "title": titles})
    items["brand"] = [f"maker {i % 3}" for i in range(N_ITEMS)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    return Dataset.from_frames(frame, items, name="ring")


@pytest.fixture(scope="module")
def free(ds):
    return SASRec(**SMALL, n_epochs=2).fit(ds)


@pytest.fixture(scope="module")
def text(ds):
    return SASRec(**SMALL, n_epochs=2, items="text").fit(ds)


@pytest.mark.parametrize("history", [[100_000], [-1], ["i03"], [1.5]], ids=str)
def test_a_history_of_something_else_than_codes_is_refused(history, free, ds):
    """-1 would be the last item."""
    for model in (free, Transitions().fit(ds), EASE().fit(ds)):
        with pytest.raises(InputError, match=rf"history 1 holds {history[0]}.*0 to 19"):
            model.score_histories([[2], history])
    assert free.score_histories([[2], []]).shape == (2, N_ITEMS)


def test_who_scores_no_new_items_says_why(free, ds):
    new = pd.DataFrame({"item_id": ["n"], "title": ["part 3"]})
    for model, words in (
        (free, "items='free' knows no text; set items='text' or 'both'"),
        (Transitions().fit(ds), "by their events alone; call updated"),
        (EASE().fit(ds), "EASE scores no items that come after fitting"),
    ):
        assert not hasattr(model, "with_items")
        with pytest.raises(InputError, match=words):
            model.with_items(new)
    with pytest.raises(InputError, match="EASE is not fitted; call fit"):
        EASE().score(np.arange(2))
    with pytest.raises(AttributeError, match="no attribute 'score_them'"):
        free.score_them()


def test_new_items_are_told_by_the_columns_that_are_read(text, ds):
    new = pd.DataFrame({"item_id": ["n"], "title": ["part 3 of the tale"]})
    with pytest.raises(
        InputError, match=r"no column 'brand'; what is read .* title, brand; add it"
    ):
        text.with_items(new)
    grown = text.with_items(new.assign(brand=""))
    # what is known of people is told over the items of the training data still
    users = np.arange(5)
    told = grown.score(users, history=ds)
    assert told.shape == (5, N_ITEMS + 1)
    np.testing.assert_allclose(told, grown.score(users), rtol=1e-5, atol=1e-6)
    swapped = ds.in_order(np.arange(N_USERS), np.arange(N_ITEMS)[::-1])
    with pytest.raises(InputError, match="over all that the model knows"):
        grown.score(users, history=swapped)


def test_how_a_model_can_be_kept_up(free, ds):
    for model, words in ((Transitions().fit(ds), "count, refit, stale"), (free, "replay, adapter")):
        with pytest.raises(InputError, match=words):
            kept_up(model, ds, Way("finetune" if isinstance(model, Transitions) else "count"))
    with pytest.raises(InputError, match="take refit, stale"):
        kept_up(Tiger(), ds, Way("count"))


def test_a_rule_is_laid_around_a_fitted_model(ds):
    fitted = EASE().fit(ds)
    with pytest.raises(InputError, match="EASE is not fitted"):
        Apart.around(EASE(), ds, "brand")
    for settings, words in (({"penalty": "x"}, "penalty='x'"), ({"n": 1.5}, "n=1.5")):
        with pytest.raises(InputError, match=words):
            Apart.around(fitted, ds, "brand", **settings)


def test_what_a_setting_makes_of_a_model_is_told_beside_it():
    told = about("sasrec")
    assert "new items" not in told.can and str(told.reads) == "ids"
    ways = {way.name: way for way in told.ways}
    assert str(ways["sasrec[items=text]"].reads) == "text"
    assert all({"new items", "warm"} <= set(way.can) for way in ways.values())
    assert not about("sasrec[items=text]").ways and not about("ease").ways
    assert about("gru4rec").to_dict()["ways"][0]["reads"]["modalities"] == ["text"]


def test_a_training_cut_short_is_noted_and_a_long_one_is_heard(ds, monkeypatch):
    split = splits.leave_one_out(ds)
    slow = {**SMALL, "lr": 1e-3}
    few, many = make("sasrec", **slow, n_epochs=3), make("sasrec", **SMALL, n_epochs=40, patience=3)
    monkeypatch.setattr(trained, "_PAUSE", 0.0)
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *told: heard.append(told)):
        ev = evaluate({"few": few, "many": many}, split, Protocol(k=5))
    notes = [f.evidence for f in ev.findings if f.code == "remark"]
    assert len(notes) == 1
    assert notes[0].startswith("few: training stopped at the last epoch allowed (3)")
    assert any(what.startswith("SASRec: epoch 2 of at most 40, loss") for what, _, _ in heard)
    assert all(0 <= done < total for _, done, total in heard)
