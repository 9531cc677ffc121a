"""Reasons: sums that are exact, sets that decide, words that gradients find, sentences that are checked."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from recnb.data import Dataset
from recnb.effect.reasons import (
    Asked,
    Retold,
    WordOrder,
    compared,
    explain,
    item_words,
    past_curves,
    past_items,
    random_orders,
    smallest_set,
    stability,
    word_curves,
    word_reader,
)
from recnb.errors import InputError
from recnb.models import EASE, ItemKNN, Popularity, RecentEASE, TfIdf, TwoTower, make
from tests.unit.models.conftest import make_dataset


@pytest.fixture(scope="module")
def ds():
    return make_dataset()


@pytest.fixture(scope="module")
def tower(ds):
    return make("text_dot", n_epochs=2, max_tokens=24).fit(ds)


@pytest.mark.parametrize(
    "model",
    [EASE(l2=5.0), ItemKNN(k=8), TfIdf(), TfIdf(rank=5), TfIdf(way="mean", rank=None)],
    ids=str,
)
def test_parts_add_up_to_the_score(ds, model):
    model.fit(ds)
    known = np.flatnonzero(model.popularity_)
    for user in (0, 7):
        history = model.history_of(user)
        parts = model.history_parts(history, known)
        scores = model.score_histories([history])[0][known]
        assert np.ptp(scores) > 0.1
        assert np.allclose(parts.sum(axis=0), scores, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"rank": 5}, {"way": "mean", "rank": None}], ids=str)
def test_words_of_tfidf_add_up_to_the_score(ds, settings):
    model = TfIdf(**settings).fit(ds)
    history, reader = model.history_of(3), model.word_reader(ds.items)
    scores = model.score_histories([history])[0]
    sums = [reader.parts(history, item)[1].sum() for item in range(ds.n_items)]
    assert np.allclose(sums, scores, atol=1e-6)


def test_what_fades_is_left_out_one_by_one(ds):
    model = RecentEASE(l2=5.0, decay=0.5).fit(ds)
    assert not hasattr(model, "history_parts")
    asked = Asked.of(model, 7)
    item = int(asked.best(1)[0])
    parts = past_items(asked, item)
    history = model.history_of(7)
    told = [history, history[history != parts.items[-1]]]
    scores = model.score_histories(told)
    np.testing.assert_allclose(scores[0], model.score(np.array([7]))[0], rtol=1e-5)
    z = (scores[:, item] - scores.mean(axis=1)) / scores.std(axis=1)
    assert not parts.exact and parts.values[-1] == pytest.approx(z[0] - z[1], rel=1e-3)


def test_events_that_a_list_of_items_does_not_tell_are_needed():
    """An item that came twice pushes the others further back."""
    told = {"a": "xyyz", "b": "xz", "c": "yzw", "d": "wx"}
    rows = [(user, item, at) for user, items in told.items() for at, item in enumerate(items)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    model = RecentEASE(l2=5.0, decay=0.5).fit(Dataset.from_frames(frame))
    with pytest.raises(InputError, match="by more than a list of liked items"):
        Asked.of(model, 0)
    assert Asked.of(model, 1).user == 1


def test_a_model_that_takes_no_histories_is_refused(ds):
    with pytest.raises(
        InputError, match=r"does not say what it knows of a user; .*--data on the command line"
    ):
        Asked.of(Popularity().fit(ds), 0)
    with pytest.raises(InputError, match="ask a model that takes histories"):
        Asked.of(Popularity().fit(ds), 0, ds)


def test_any_model_with_histories_is_asked_through_the_data(ds):
    class Through(EASE):
        history_of = property()
        score_histories = property()
        history_parts = property()

    plain, through = EASE(l2=5.0).fit(ds), Through(l2=5.0).fit(ds)
    one, other = Asked.of(plain, 4), Asked.of(through, 4, ds)
    assert set(one.history) == set(other.history)
    item = int(one.best(1)[0])
    assert other.scores([one.history])[0] == pytest.approx(one.scores([one.history])[0], abs=1e-6)
    assert past_items(other, item).order[0] == past_items(one, item).order[0]


def test_the_smallest_set_is_smallest(ds):
    model = ItemKNN(k=8).fit(ds)
    sizes = []
    for user in range(12):
        asked = Asked.of(model, user)
        for item in asked.best(3).tolist():
            gone = smallest_set(asked, item, 3)
            by_hand = next(
                (
                    n
                    for n in (1, 2)
                    for held in combinations(asked.history.tolist(), n)
                    if asked.rank(asked.scores([asked.without(*held)]), item)[0] > 3
                ),
                None,
            )
            if gone is None:
                assert by_hand is None
                continue
            assert int(asked.rank(asked.scores([asked.without(*gone.items)]), item)[0]) > 3
            assert (len(gone.items) == by_hand) if by_hand else len(gone.items) > 2
            assert gone.smallest == (len(gone.items) <= 2)
            sizes.append(len(gone.items))
    assert set(sizes) >= {1, 2}


def test_gradients_add_up_to_what_the_text_adds(ds, tower):
    import torch

    reader = tower.word_reader(ds.items, steps=64)
    asked = Asked.of(tower, 0)
    item = int(asked.best(1)[0])
    _, values = reader.parts(asked.history, item)
    ids, _, special = reader._ids(reader.texts[item])
    masked = torch.where(special, ids, torch.full_like(ids, reader.tokenizer.mask_token_id))
    person = reader._person(asked.history, item)
    with torch.no_grad():
        whole, none = reader._score(torch.stack([ids, masked]), person, item).tolist()
    assert whole == pytest.approx(float(asked.scores([asked.history])[0, item]), abs=1e-3)
    assert abs(whole - none) > 0.05
    assert values.sum() == pytest.approx(whole - none, rel=0.2)  # a coarse path


def test_texts_of_one_length_are_read_together(ds, tower, monkeypatch):
    import torch

    reader = tower.word_reader(ds.items)
    texts = list(dict.fromkeys(reader.texts))
    alone = torch.cat([reader._states(reader._ids(text)[0][None]) for text in texts])
    passes, plain = [], reader._states
    monkeypatch.setattr(reader, "_states", lambda ids: passes.append(len(ids)) or plain(ids))
    with torch.no_grad():
        together = reader._states_of(texts)
    assert torch.allclose(together, alone, atol=1e-5) and together.std() > 0.01
    lengths = {len(reader._ids(text)[0]) for text in texts}
    assert len(passes) < len(texts) and len(passes) >= len(lengths)


def test_weights_drawn_anew_say_something_else(ds, tower):
    asked = Asked.of(tower, 0)
    item = int(asked.best(1)[0])
    before = tower.score_histories([asked.history])
    first = tower.word_reader(ds.items, steps=8).parts(asked.history, item)
    other = tower.word_reader(ds.items, steps=8, reset=0).parts(asked.history, item)
    assert first[0] == other[0]
    assert not np.allclose(
        first[1] / np.abs(first[1]).max(), other[1] / np.abs(other[1]).max(), atol=0.05
    )
    assert np.array_equal(tower.score_histories([asked.history]), before)  # the model is as it was


def test_reasons_fall_faster_than_chance_and_turned_round_do_not(ds):
    model = TfIdf().fit(ds)
    retold, reader = Retold(model, ds.items), word_reader(model, ds.items)
    users, orders, past = (
        [],
        {"reasons": [], "random": [], "worst": []},
        {"reasons": [], "random": []},
    )
    for user in range(25):
        asked = Asked.of(model, user)
        item = int(asked.best(1)[0])
        words = item_words(asked, item, retold, reader)
        assert words.how == "exact" and set(words.words) <= set(retold.words_of(item))
        users.append(user)
        orders["reasons"].append(WordOrder(asked, item, words.order))
        orders["worst"].append(WordOrder(asked, item, words.order[::-1]))
        orders["random"].append(WordOrder(asked, item, random_orders(words.order, 1, user)[0]))
        parts = past_items(asked, item)
        past["reasons"].append(past_curves(asked, item, parts.order, 5, 3))
        past["random"].append(
            past_curves(asked, item, random_orders(parts.items, 1, user)[0], 5, 3)
        )
    curves = {kind: word_curves(held, retold, 5, 2) for kind, held in orders.items()}
    by_words = compared(users, curves, lambda c: c.fall)
    assert by_words["random"]["difference_low"] > 0 and by_words["worst"]["difference_low"] > 0
    assert by_words["worst"]["value"] < by_words["random"]["value"]
    assert compared(users, past, lambda c: c.fall)["random"]["difference_low"] > 0
    assert compared(users, past, lambda c: c.rise)["random"]["difference_low"] > 0


def test_curves_read_a_row_once_and_a_history_once(ds, monkeypatch):
    """Orders together give what each gives alone, scored from its own rows."""
    model = TfIdf().fit(ds)
    retold, askers = Retold(model, ds.items), [Asked.of(model, user) for user in (3, 9)]
    orders = []
    for at, asked in enumerate(askers):
        item = int(asked.best(1)[0])
        for order in random_orders(retold.words_of(item), 3, at):
            orders.append(WordOrder(asked, item, order))
    read: list[int] = []
    histories: list[int] = []
    plain, scored = TfIdf.with_items, TfIdf.score_histories
    monkeypatch.setattr(
        TfIdf, "with_items", lambda self, rows: read.append(len(rows)) or plain(self, rows)
    )
    monkeypatch.setattr(
        TfIdf, "score_histories", lambda self, h: histories.append(len(h)) or scored(self, h)
    )
    curves = word_curves(orders, retold, 5, 4)
    kept = set()
    for one in orders:
        words = set(retold.words_of(one.item))
        for n in range(min(4, len(words) - 1) + 1):
            kept |= {(one.item, frozenset(words - set(one.order[:n])))}
            kept |= {(one.item, frozenset(one.order[:n]))} if n else set()
    assert read == [len(kept)] and histories == [2]
    for one, curve in zip(orders, curves):
        for n in range(len(curve.deletion)):
            row = retold.without(one.item, one.order[:n]) | {"item_id": "changed"}
            told = plain(model, pd.DataFrame([row]))
            scores = scored(told, [one.asked.history])[0].astype(float)
            known = scores[: ds.n_items]
            z = (scores[-1] - known.mean()) / known.std()
            assert curve.deletion[n] == pytest.approx(z, abs=1e-5)
            open_ = np.setdiff1d(np.arange(ds.n_items), [*one.asked.history, one.item])
            assert curve.flipped[n] == (1 + (known[open_] > scores[-1]).sum() > 5)


def test_one_word_left_out_for_any_model_that_scores_new_texts(ds):
    model = TfIdf(way="mean", rank=None).fit(ds)
    retold, asked = Retold(model, ds.items), Asked.of(model, 5)
    item = int(asked.best(1)[0])
    words = item_words(asked, item, retold)
    assert words.how == "one left out" and words.values.max() > 0
    with pytest.raises(InputError, match="cannot score a changed text"):
        Retold(EASE().fit(ds), ds.items)
    with pytest.raises(InputError, match="by their id"):
        Retold(TwoTower(item_id=True).set_params(), ds.items)


def test_what_is_said_is_checked(ds, monkeypatch):
    model = TfIdf().fit(ds)
    titles = ds.items["title"].astype(str).tolist()
    retold, reader = Retold(model, ds.items), word_reader(model, ds.items)
    asked = Asked.of(model, 6)
    item = int(asked.best(1)[0])
    reason = explain(asked, item, titles, k=5, retold=retold, reader=reader)
    assert reason.rank == 1 and "stands at place 1" in reason.sentence
    assert reason.without and all(title in reason.sentence for title in reason.without[:5])
    assert reason.words[0][0] in reason.sentence and not reason.left_out
    assert reason.past[0][0] in {titles[c] for c in asked.history}
    # A reader that names the words that pull it down is found out.
    wrong = explain(asked, item, titles, k=5, retold=retold, reader=_TurnedRound(reader))
    assert "raised it most" not in wrong.sentence and wrong.left_out
    with pytest.raises(InputError, match="is a past item"):
        explain(asked, int(asked.history[0]), titles)


class _TurnedRound:
    exact = True

    def __init__(self, reader):
        self.reader = reader

    def parts(self, history, item):
        words, values = self.reader.parts(history, item)
        return words, values.max() + 1e-6 - values


@pytest.fixture(scope="module")
def readers():
    """Thirty users of twenty-five items each, of two tastes."""
    rng = np.random.default_rng(0)
    words = np.array(["war", "love", "ship", "moon", "king", "storm", "river", "ghost"])
    taste = np.arange(60) % 2
    rows = [
        (f"u{user}", f"i{item}")
        for user in range(30)
        for item in rng.choice(60, 25, replace=False, p=np.where(taste == user % 2, 3, 1) / 120)
    ]
    titles = [" ".join(rng.choice(words, 3, replace=False)) for _ in range(60)]
    items = pd.DataFrame({"item_id": [f"i{item}" for item in range(60)], "title": titles})
    return Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]), items)


def _share_by_hand(asked, item, model, leading):
    """The leading items' part of the score where it is a sum, else of the lead over the average."""
    if hasattr(model, "history_parts"):
        parts = model.history_parts(asked.history, np.array([item]))[:, 0].astype(float)
        whole, part = parts.sum(), parts[np.isin(asked.history, leading)].sum()
        return part / whole if whole > 0 else None
    scores = model.score_histories([asked.history, asked.without(*leading)]).astype(float)
    z = (scores[:, item] - scores.mean(axis=1)) / scores.std(axis=1)
    return 1 - z[1] / z[0] if z[0] > 0 else None


def test_most_is_said_only_of_more_than_half(readers):
    titles = [f"film {at}" for at in range(readers.n_items)]
    shares = []
    for model in (EASE(l2=5.0), ItemKNN(k=20), TfIdf(), _Unsummed(k=20)):
        model.fit(readers)
        for user in range(0, 30, 3):
            asked = Asked.of(model, user)
            for item in asked.best(2).tolist():
                told = explain(asked, item, titles, k=5)
                leading = past_items(asked, item).order[:2]
                share = _share_by_hand(asked, item, model, leading)
                if share is None:
                    assert told.share is None and "%" not in told.sentence
                    continue
                assert told.share == pytest.approx(share, abs=1e-4)
                assert told.exact is (model.__class__ is not _Unsummed) and not told.left_out
                assert ("most of" in told.sentence) == (50.5 < 100 * share < 100.5)
                assert share > 1.005 or f"({100 * share:.0f} %" in told.sentence
                shares.append(share)
    assert len(shares) > 60 and 0.3 < np.mean(np.array(shares) < 0.5) < 0.9


class _Unsummed(ItemKNN):
    history_parts = property()


def test_every_item_that_a_sentence_names_is_told_with_what_it_adds(readers):
    model = EASE(l2=5.0).fit(readers)
    titles = [f"film {at}" for at in range(readers.n_items)]
    longer = 0
    for user in range(12):
        asked = Asked.of(model, user)
        for item in asked.best(3).tolist():
            told = explain(asked, item, titles, k=3)
            listed = [title for title, _ in told.past]
            assert len(told.without) > 5 or set(told.without) <= set(listed)
            first = [value for _, value in told.past[:5]]
            assert first == sorted(first, reverse=True)
            longer += len(listed) > 5
    assert longer


def test_stability_over_seeds():
    same = [np.array([3.0, 2.0, 1.0])]
    assert stability([same, same]) == 1
    assert stability([same, [np.array([1.0, 2.0, 3.0])]]) == -1
    with pytest.raises(InputError, match="one seed"):
        stability([same])
