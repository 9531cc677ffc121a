"""The trained sequence models learn an order, keep to what they are told, and come back as they were."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.models import HSTU, GRU4Rec, SASRec, make
from recnb.models.common.validation import Validation
from recnb.models.sequential.network import SequenceNetwork
from recnb.recommender import load_model, top_k
from recnb.study import search

MODELS = (SASRec, HSTU, GRU4Rec)
SMALL = {"width": 16, "n_layers": 1, "dropout": 0.0, "lr": 3e-2, "batch_size": 16}
N_ITEMS, N_USERS = 30, 80


def ring(
    n_users: int = N_USERS, n_events: int = 7, seed: int = 0, titles: list[str] | None = None
) -> Dataset:
    """Item i is followed by item i + 1, and the last by the first; where a user begins is random."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, N_ITEMS, n_users)
    rows = [
        (f"u{u:02d}", f"i{(first[u] + t) % N_ITEMS:02d}", t)
        for u in range(n_users)
        for t in range(n_events)
    ]
    items = pd.DataFrame(
        {
            "item_id": [f"i{i:02d}" for i in range(N_ITEMS)],
            "title": titles or [f"part {i} of the tale" for i in range(N_ITEMS)],
        }
    )
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "position"])
    return Dataset.from_frames(frame, items)


@pytest.fixture(scope="module")
def split():
    return splits.leave_one_out(ring())


@pytest.fixture(scope="module")
def fitted(split):
    return {model: model(**SMALL, n_epochs=15).fit(split.known) for model in MODELS}


def hit(model, split) -> float:
    """Share of users whose test item is first, given all that is known."""
    best = top_k(model, np.arange(N_USERS), k=1, history=split.known)[:, 0]
    return float((best == split.test.interactions["item"].to_numpy()).mean())


@pytest.mark.parametrize("model", MODELS)
def test_what_follows_what_is_learned(model, fitted, split):
    assert hit(fitted[model], split) > 0.9  # one in thirty by chance


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "sampled", "n_negatives": 6},
        {"loss": "gbce", "n_negatives": 20, "n_epochs": 30},
        {"loss": "gbce", "n_negatives": 1, "calibration": 0.0, "n_epochs": 30},
        {"positions": "learned", "length": 3},
        {"items": "both", "start": "text"},
        {"items": "text", "whitening": False},
    ],
    ids=str,
)
def test_every_way_to_train_learns_it(settings, split):
    model = SASRec(**{**SMALL, "n_epochs": 15, **settings})
    assert hit(model.fit(split.known), split) > 0.75


@pytest.mark.parametrize("model", MODELS)
def test_the_history_told_when_scoring_is_read(model, fitted, split):
    one, users = fitted[model], np.arange(N_USERS)
    known = one.score(users)
    np.testing.assert_array_equal(known, one.score(users, split.known))
    assert np.abs(known - one.score(users, split.train)).max() > 0.1
    # blocks of users do not change what one is given
    np.testing.assert_allclose(
        one.score(users[5:6], split.known)[0], known[5], rtol=1e-4, atol=1e-5
    )
    # of a longer history the newest events count alone
    short = copy.copy(one)
    short.length = 2
    shorter = split.known.rows(split.known.interactions["position"].to_numpy() >= 4)
    np.testing.assert_allclose(
        short.score(users, split.known), short.score(users, shorter), rtol=1e-5
    )


@pytest.mark.parametrize("model", MODELS)
def test_a_planted_later_event_changes_no_score(model, split):
    """The data hold a marker behind every judged event: nothing that is fitted or scored may know of it."""
    rows = ring().interactions.assign(user_id=lambda r: ring().user_ids[r["user"]])
    rows["item_id"] = ring().item_ids[rows["item"]]
    marker = pd.DataFrame({"user_id": ring().user_ids, "item_id": "i00", "position": 99})
    frame = pd.concat([rows[["user_id", "item_id", "position"]], marker])
    ds = Dataset.from_frames(frame, ring().items.reset_index())
    last = ds.interactions.groupby("user").cumcount(ascending=False).to_numpy()
    told = ds.rows(last >= 2)  # without the judged event and the marker
    plain, marked = (model(**SMALL, n_epochs=2).fit(known) for known in (split.known, told))
    users = np.arange(N_USERS)
    np.testing.assert_array_equal(marked.score(users), plain.score(users))
    np.testing.assert_array_equal(marked.score(users, told), plain.score(users, split.known))


@pytest.mark.parametrize("model", [SASRec(items="both"), HSTU(), GRU4Rec(loss="sampled")], ids=repr)
def test_equal_rows_in_another_order_and_other_codes_train_the_same_model(model):
    ds, users = ring(), np.arange(N_USERS)[::-1]
    items = np.random.default_rng(1).permutation(N_ITEMS)
    model.set_params(**SMALL, n_epochs=3)
    one, two = (
        clone(model).fit(d).score(np.arange(N_USERS)) for d in (ds, ds.in_order(users, items))
    )
    np.testing.assert_allclose(two, one[np.ix_(users, items)], rtol=1e-4, atol=1e-5)
    assert one.std() > 0.01


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_model_scores_the_same(model, fitted, split, tmp_path):
    fitted[model].save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    users = np.arange(N_USERS)
    np.testing.assert_array_equal(
        again.score(users, split.known), fitted[model].score(users, split.known)
    )
    states, vectors = again.factors()
    np.testing.assert_allclose(states @ vectors.T, fitted[model].score(users), atol=1e-5)


def test_factors_are_read_in_blocks_of_users(fitted, split, monkeypatch):
    """So many users at once take memory by their number, the length and the width."""
    from recnb.models.common.reading import batches
    from recnb.models.sequential import learned

    one, sizes, newest = fitted[SASRec], [], batches.newest

    def counted(sequences, rows, length):
        sizes.append(len(sequences))
        return newest(sequences, rows, length)

    whole = one.factors()[0]
    monkeypatch.setattr(batches, "newest", counted)
    monkeypatch.setattr(learned, "BLOCK", 32)
    np.testing.assert_allclose(one.factors()[0], whole, rtol=1e-4, atol=1e-5)
    assert sizes == [32, 32, 16]


def test_a_killed_fit_goes_on_to_the_same_bits(split, tmp_path, monkeypatch):
    settings = {**SMALL, "dropout": 0.2, "n_epochs": 5}
    whole = SASRec(**settings).fit(split.train, split.valid)
    asked, value = [], Validation.value_of

    def killed(self, score):
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return value(self, score)

    broken = SASRec(**settings, checkpoint=tmp_path / "kept")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Validation, "value_of", killed)
        broken.fit(split.train, split.valid)
    assert not broken.fitted
    broken.fit(split.train, split.valid)
    assert broken.learning_ == whole.learning_
    np.testing.assert_array_equal(broken.score(np.arange(N_USERS)), whole.score(np.arange(N_USERS)))
    # the refit on all that is known, and another seed, are trainings of their own
    for seed in (0, 1):
        broken.set_params(**broken.chosen(), seed=seed).fit(split.known)
        assert len(broken.learning_) == broken.n_epochs
    assert len(list((tmp_path / "kept").iterdir())) == 3


@pytest.mark.parametrize("name", ["sasrec", "tiger[ids=random]", "transitions", "vsknn"])
def test_a_stranger_is_scored_by_the_items_taken(name, split):
    settings = {"width": 16, "n_epochs": 3} if name[0] in "st" and name != "transitions" else {}
    model = make(name, **settings).fit(split.known)
    users = np.array([3, 0, 7])
    told = [model.sequences(users[k : k + 1]).items for k in range(3)]
    scores = model.score_histories([*told, np.array([], int)])
    assert scores.dtype == np.float32 and scores.shape == (4, N_ITEMS)
    assert np.isfinite(scores).all() and not np.allclose(scores[3], scores[0])
    if name != "vsknn":  # whose users do not count as their own neighbours
        np.testing.assert_allclose(scores[:3], model.score(users), rtol=1e-3, atol=1e-4)
    assert model.score_histories([]).shape == (0, N_ITEMS)


def test_a_search_keeps_each_trial_apart(split, tmp_path, monkeypatch):
    """A killed search is repeated, and takes up the fits that it finished and the one that it was in."""
    model = SASRec(**SMALL, n_epochs=2, checkpoint=tmp_path / "kept")
    found = search(model, split, trials=3)
    found.fit(split.known)
    assert len(list((tmp_path / "kept").iterdir())) == 4
    monkeypatch.setattr(SequenceNetwork, "forward", lambda *_: pytest.fail("trained again"))
    again = search(model, split, trials=3)
    assert again.get_params() == found.get_params()


TUNED = {**SMALL, "n_epochs": 3, "live_every": 1, "live_items": 8, "lr_encoder": 1e-3}


def worded():
    """The ring with titles of words that the small encoder knows."""
    from tests.unit.encoders.conftest import WORDS

    n = len(WORDS)
    titles = [f"{WORDS[i % n]} {WORDS[7 * i % n]} {WORDS[3]}" for i in range(N_ITEMS)]
    return splits.leave_one_out(ring(titles=titles))


@pytest.mark.parametrize("method", ["lora", "top_layers"])
def test_the_language_model_is_tuned_inside(method, with_tiny_bert, tmp_path):
    split = worded()
    model = make(f"sasrec@{method}", items="text", **TUNED).fit(split.train, split.valid)
    frozen = SASRec(**SMALL, n_epochs=3, items="text").fit(split.train, split.valid)
    # the texts say something else than before, in the same way for all items: nothing stands from an earlier step
    network = model.network
    held = network.vectors.text.clone()
    network.after_epoch()
    np.testing.assert_allclose(held, network.vectors.text, atol=1e-5)
    assert np.abs(model.text_ - frozen.text_).max() > 1e-3
    assert model.parameters()[0] > frozen.parameters()[0] and model.reads().language
    model.save(tmp_path / "model")
    again, users = load_model(tmp_path / "model"), np.arange(N_USERS)
    np.testing.assert_allclose(again.score(users), model.score(users), rtol=1e-4, atol=1e-5)
    title = split.dataset.items["title"].iloc[5]
    more = again.with_items(pd.DataFrame({"item_id": ["new"], "title": [title]}))
    np.testing.assert_allclose(
        more.score(users)[:, -1], model.score(users)[:, 5], rtol=1e-2, atol=2e-3
    )


def test_a_tuned_fit_learns_the_same_without_a_validation_part(
    with_tiny_bert, tmp_path, monkeypatch
):
    """The refit is the training that was judged, also where it was killed: no text stands from before an epoch."""
    split = worded()
    model = make("sasrec@top_layers", items="text", **TUNED)
    judged, whole = clone(model).fit(split.train, split.valid), clone(model).fit(split.train)
    losses = [[epoch["loss"] for epoch in fit.learning_] for fit in (judged, whole)]
    assert len(losses[0]) == 3 and losses[0] == losses[1]
    ended, after = [], SequenceNetwork.after_epoch

    def killed(network):
        ended.append(1)
        if len(ended) == 2:
            raise KeyboardInterrupt
        after(network)

    model.set_params(checkpoint=tmp_path / "kept")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SequenceNetwork, "after_epoch", killed)
        model.fit(split.train)
    model.fit(split.train)
    assert model.learning_ == whole.learning_
    np.testing.assert_array_equal(model.text_, whole.text_)


def test_tuning_needs_a_text_to_read(split):
    with pytest.raises(InputError, match="items='free' reads none"):
        make("sasrec@lora").fit(split.train)
    with pytest.raises(InputError, match="one of"):
        make("sasrec", items="text", method="adalora").fit(split.train)


def test_an_item_is_known_by_its_text(split):
    ds = ring()
    used = ds.interactions["item"].to_numpy() != 5
    train = ds.rows(used)  # nobody has used item 5
    model = SASRec(**SMALL, n_epochs=3, items="text").fit(train)
    scores = model.score(np.arange(N_USERS))
    assert scores[:, 5].std() > 0.01
    new = pd.DataFrame(
        {"item_id": ["n1", "n2"], "title": [ds.items["title"].iloc[5], "part 3 of the tale"]}
    )
    more = model.with_items(new).score(np.arange(N_USERS))
    np.testing.assert_allclose(more[:, :N_ITEMS], scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(more[:, N_ITEMS:], scores[:, [5, 3]], rtol=1e-4, atol=1e-5)
    free = SASRec(**SMALL, n_epochs=3).fit(train)
    assert not hasattr(free, "with_items")
    assert (
        free.score(np.arange(N_USERS)).argmin(1) == 5
    ).all()  # what is known of no row stands below


def test_what_the_models_say_that_they_read():
    assert str(make("sasrec").reads()) == "ids"
    assert str(make("sasrec[items=both]").reads()) == "ids, text"
    text = make("gru4rec[items=text]")
    assert str(text.reads()) == "text" and text.reads().language and text.needs_text
    assert make("hstu[start=text]").reads().language


def test_the_epochs_found_are_those_of_the_refit(split):
    model = SASRec(**SMALL, n_epochs=9, patience=2).fit(split.train, split.valid)
    values = [epoch["value"] for epoch in model.learning_]
    assert model.chosen() == {"n_epochs": 1 + int(np.argmax(values))}
    assert len(values) == min(9, 1 + int(np.argmax(values)) + 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"items": "words"}, "one of free, text, both"),
        ({"loss": "hinge"}, "one of auto"),
        ({"positions": "sine"}, "one of rope"),
        ({"width": 10, "n_heads": 4}, "a multiple of"),
        ({"dropout": 1.5}, "from 0 to 1"),
        ({"items": "text", "start": "text"}, "without free vectors"),
        ({"length": 0}, "at least 1"),
        ({"length": 2.5}, r"length=2\.5; a whole number of at least 1$"),
        ({"n_heads": 1.5}, r"n_heads=1\.5; a whole number"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line(settings, words, split):
    with pytest.raises(InputError, match=words):
        SASRec(**settings).fit(split.train)


def frame_of(rows: list[tuple[str, str, int]]) -> Dataset:
    return Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id", "position"]))


def test_data_without_a_second_event_are_refused_and_single_events_are_no_trouble():
    with pytest.raises(InputError, match="two events"):
        SASRec(**SMALL).fit(frame_of([("a", "x", 0), ("b", "y", 0)]))
    ds = frame_of([("a", "x", 0), ("a", "y", 1), ("a", "x", 2), ("b", "x", 0)])
    scores = SASRec(**SMALL, n_epochs=2).fit(ds).score(np.arange(2), ds.rows(np.array([0, 1])))
    assert np.isfinite(scores).all()
    # a user of whom nothing is told gets what most events are of
    assert scores[1].tolist() == pytest.approx([1e-9, 1e-9 / 3])


@pytest.mark.parametrize("model", MODELS)
def test_a_catalogue_of_one_item_and_a_very_long_history(model):
    one = frame_of([("a", "x", 0), ("a", "x", 5), ("b", "x", 5)])
    assert model(**SMALL, n_epochs=1).fit(one).score(np.arange(2)).shape == (2, 1)
    long = frame_of([("a", f"i{t % 7}", t) for t in range(100_000)] + [("b", "i1", 0)])
    settings = {**SMALL, "batch_size": 512, "n_epochs": 1, "lr": 0.01}
    fitted = model(**settings).fit(long)
    assert top_k(fitted, np.array([0]), k=1)[0, 0] == 100_000 % 7


@pytest.mark.parametrize("model", MODELS)
def test_places_that_repeat_or_have_gaps_are_an_order_and_an_item_never_seen_stands_last(model):
    """Only the order of positions is read; those that repeat are ordered by the hash, not by the file."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"user_id": np.repeat([f"u{u}" for u in range(12)], 6)})
    frame["item_id"] = [f"i{i}" for i in rng.integers(0, 8, len(frame))]
    frame["position"] = frame.groupby("user_id").cumcount()
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(8)] + ["never"]})

    def scores(rows: pd.DataFrame) -> np.ndarray:
        ds = Dataset.from_frames(rows, items, feedback="implicit", duplicates="keep")
        return model(**SMALL, n_epochs=1).fit(ds).score(np.arange(12))

    one = scores(frame)
    np.testing.assert_array_equal(scores(frame.assign(position=frame["position"] ** 3 * 7)), one)
    assert (one[:, -1] <= one.min(axis=1)).all()
    tied = frame.assign(position=frame["position"] // 2)
    np.testing.assert_allclose(
        scores(tied.sample(frac=1, random_state=1)), scores(tied), rtol=1e-4, atol=1e-5
    )
