"""The factorisation machine over ids, implicit parts, text and attributes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import recnb.encoders as encoders
from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models import make
from recnb.models.ratings.relational import Side
from recnb.models.ratings.text_bfm import TextBFM
from recnb.recommender import load_model

SMALL = {"n_factors": 2, "n_epochs": 25, "burn_in": 10, "n_text": 2}
BARE = {**SMALL, "use_text": False, "implicit": False}
LOVE = ("love", "kiss", "wedding", "letter", "romance")


class Kept(TextBFM):
    """Keeps what was given to the sampler, and what came back."""

    def _sample(self, rated, left, right):
        samples = super()._sample(rated, left, right)
        self.seen = rated, left, right, samples
        return samples


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    """Two words' worth of encoder: of which taste a text is, and how long; nothing for no text."""

    class Fake:
        def __init__(self, name=None):
            self.name = name

        def encode(self, texts):
            return np.array(
                [[any(w in t for w in LOVE), len(t) % 5, 1.0] if t else [0, 0, 0] for t in texts],
                np.float32,
            )

    monkeypatch.setattr(encoders, "TextEncoder", Fake)


def error(model, ds: Dataset) -> float:
    asked = ds.matrix().tocoo()
    return float(np.sqrt(np.mean((model.predict(asked.row, asked.col) - asked.data) ** 2)))


def test_the_product_of_factors_is_the_mean_machine(ds):
    model = Kept(**SMALL, item_columns=("kind", "year")).fit(ds)
    _, left, right, samples = model.seen
    assert len(samples) == 2 * 15
    users, items = left.matrix.toarray(), right.matrix.toarray()
    for u, i in [(0, 0), (3, 17), (37, 27)]:  # the tables of the data set are in the order of ids
        x = np.concatenate([users[u], items[i]])
        said = []
        for s in samples:  # equation 1 of the factorisation machine, pair by pair
            pairs = np.triu(s.V @ s.V.T * np.outer(x, x), k=1).sum()
            said.append(s.w0 + s.w @ x + pairs)
        assert model._raw(np.array([u]))[0, i] == pytest.approx(np.mean(said), abs=1e-4)
    pairs = model._raw_pairs(np.array([0, 3]), np.array([0, 17]))
    np.testing.assert_allclose(pairs, model._raw(np.array([0, 3]))[[0, 1], [0, 17]], atol=1e-5)


def test_members_are_the_training_rows_of_length_one(train_valid):
    train, _ = train_valid
    model = Kept(**BARE | {"implicit": True}).fit(train)
    rated, left, right, _ = model.seen
    given = left.matrix[:, train.n_users :].toarray()
    assert ((given > 0) == (train.matrix().toarray() > 0)).all()
    np.testing.assert_allclose(given[0][given[0] > 0], 1 / np.sqrt(10))  # ten rows a user
    raters = right.matrix[:, train.n_items :].toarray()
    np.testing.assert_array_equal(raters > 0, rated.T.toarray() > 0)
    length = np.linalg.norm(raters, axis=1)
    np.testing.assert_allclose(length, [1] * 28 + [0, 0])
    assert left.groups == [40, 30] and right.groups == [30, 40]


def test_it_learns_from_rows_and_predicts_others(train_valid):
    train, valid = train_valid
    mean = float(train.matrix().data.mean())
    naive = float(np.sqrt(np.mean((valid.matrix().data - mean) ** 2)))
    for model in (TextBFM(**BARE), TextBFM(**SMALL), TextBFM(**SMALL, item_ids=False)):
        assert error(model.fit(train), valid) < 0.9 * naive


def test_an_item_nobody_has_rated_is_known_by_its_text(ds):
    model = TextBFM(**SMALL).fit(ds)
    even, odd = np.arange(0, 38, 2), np.arange(1, 38, 2)
    said = model.predict(np.repeat(np.arange(38), 2), np.tile([28, 29], 38)).reshape(38, 2)
    assert (said[even, 0] > said[even, 1]).mean() > 0.9
    assert (said[odd, 1] > said[odd, 0]).mean() > 0.9
    np.testing.assert_allclose(
        np.clip(model.score(np.arange(38))[:, 28:], 1, 5), said, atol=1e-5
    )  # and is not put last
    blind = TextBFM(**BARE).fit(ds)
    alike = blind._raw(np.arange(38))[:, 28:]
    np.testing.assert_allclose(alike[:, 0], alike[:, 1], atol=1e-5)


def test_new_items_are_answered_as_unrated_ones_of_the_table(ds):
    model = TextBFM(**SMALL, item_columns=("kind", "year")).fit(ds)
    row = ds.items.iloc[[28, 29]].set_axis(["new1", "new2"], axis=0)
    wider = model.with_items(row.rename_axis("item_id").reset_index())
    scores = wider.score(np.arange(40))
    assert scores.shape == (40, 32) and list(wider.item_ids_[-2:]) == ["new1", "new2"]
    np.testing.assert_allclose(scores[:, 30:], scores[:, 28:30], atol=1e-5)
    np.testing.assert_allclose(scores[:, :30], model.score(np.arange(40)), atol=1e-5)
    assert model.score(np.arange(2)).shape == (2, 30)  # the first one is as it was


def test_new_items_must_be_new_and_said_something_of(ds):
    model = TextBFM(**SMALL).fit(ds)
    with pytest.raises(InputError, match="item 'i03' is known already"):
        model.with_items(ds.items.iloc[[3]])
    with pytest.raises(InputError, match="item 'n' stands twice"):
        model.with_items(ds.items.iloc[[3, 4]].set_axis(["n", "n"], axis=0))
    with pytest.raises(InputError, match="by their ids alone"):
        TextBFM(**BARE).fit(ds).with_items(ds.items.iloc[[3]].set_axis(["n"], axis=0))


def test_without_ids_equal_texts_get_equal_ratings(ds):
    model = TextBFM(**BARE | {"use_text": True}, item_ids=False, text=Text("kind")).fit(ds)
    scores = model.score(np.arange(10))
    np.testing.assert_allclose(scores[:, 0], scores[:, 2], atol=1e-5)
    assert (np.abs(scores[:, 0] - scores[:, 1]) > 0.3).all()


def test_text_is_whitened_on_rated_items_and_absent_text_is_the_middle(ds):
    frame = ds.items.assign(title=[*ds.items["title"][:29], ""], text=[*ds.items["text"][:29], ""])
    rows = ds.interactions.assign(
        user_id=ds.user_ids[ds.interactions["user"]], item_id=ds.item_ids[ds.interactions["item"]]
    )[["user_id", "item_id", "rating"]]
    other = Dataset.from_frames(
        rows, frame.rename_axis("item_id").reset_index(), feedback="explicit", scale=(1, 5)
    )
    model = TextBFM(**SMALL, text=Text("title", "text")).fit(other)
    found = model._describe(other.items)[0].toarray()
    np.testing.assert_allclose(found[:28].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found[:28].var(axis=0), 1 / 2, atol=1e-4)  # over two directions
    np.testing.assert_array_equal(found[29], 0)


def test_columns_of_users_and_items_are_groups_of_their_own(ds):
    users = pd.DataFrame({"user_id": ds.user_ids, "kind": ["a, b", "c"] * 20})
    rows = ds.interactions.assign(
        user_id=ds.user_ids[ds.interactions["user"]], item_id=ds.item_ids[ds.interactions["item"]]
    )[["user_id", "item_id", "rating"]]
    items = ds.items.rename_axis("item_id").reset_index()
    both = Dataset.from_frames(rows, items, users, feedback="explicit", scale=(1, 5))
    model = Kept(**BARE, item_columns=("kind",), user_columns=("kind",)).fit(both)
    _, left, right, _ = model.seen
    assert left.groups == [40, 3] and right.groups == [30, 2]
    np.testing.assert_array_equal(left.matrix[0, 40:].toarray()[0], [1, 1, 0])
    # Users of whom only a column is known are told apart by it.
    raw = model._raw(np.array([38, 39, 38]))
    assert np.abs(raw[0] - raw[1]).max() > 1e-3 and np.isfinite(raw).all()


def test_the_same_seed_says_the_same_and_chains_are_averaged(ds):
    users = np.arange(5)
    one, again = (TextBFM(**SMALL).fit(ds).score(users) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(TextBFM(**SMALL, seed=1).fit(ds).score(users) - one).max() > 1e-3
    single = TextBFM(**SMALL, n_chains=1).fit(ds)
    assert single.user_factors_.shape == (40, 15 * 2)
    assert TextBFM(**SMALL, n_chains=3).fit(ds).user_factors_.shape == (40, 3 * 15 * 2)
    np.testing.assert_allclose(single.score(users), single._raw(users), atol=1e-6)


def test_the_order_of_the_catalogue_changes_nothing(ds, dataset):
    other = dataset(shuffle=5)
    u = [list(other.user_ids).index(x) for x in ds.user_ids]
    i = [list(other.item_ids).index(x) for x in ds.item_ids]
    settings = {**SMALL, "item_columns": ("kind",)}
    one, two = (
        TextBFM(**settings).fit(ds)._raw(np.arange(40)),
        TextBFM(**settings).fit(other)._raw(np.arange(40)),
    )
    np.testing.assert_allclose(two[u][:, i], one, atol=1e-4)


def test_a_saved_model_answers_alike_and_takes_new_items(ds, tmp_path):
    model = TextBFM(**SMALL, item_columns=("kind", "year")).fit(ds)
    model.save(tmp_path)
    again = load_model(tmp_path)
    np.testing.assert_array_equal(again.score(np.arange(40)), model.score(np.arange(40)))
    new = ds.items.iloc[[28]].set_axis(["n"], axis=0)
    np.testing.assert_array_equal(
        again.with_items(new).score(np.arange(9)), model.with_items(new).score(np.arange(9))
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"item_columns": ("colour",)}, "the items have no column 'colour'"),
        ({"user_columns": ("age",)}, "the users have no column 'age'"),
        ({"item_ids": False, "use_text": False, "implicit": False}, "nothing is said of an item"),
        ({"n_epochs": 10, "burn_in": 10}, "burn_in=10"),
        ({"n_chains": 0}, "n_chains=0"),
    ],
)
def test_settings_that_cannot_be_are_named(ds, settings, words):
    with pytest.raises(InputError, match=words):
        TextBFM(**{**SMALL, **settings}).fit(ds)


def test_it_is_in_the_registry_and_says_whether_it_reads_text():
    model = make("bfm_text", n_text=3)
    assert isinstance(model, TextBFM) and model.n_text == 3 and model.needs_text
    assert not make("bfm_text", use_text=False).needs_text
    assert set(TextBFM.search_space()) <= set(model.get_params()) and model.seeded


def test_a_side_with_nothing_said_is_the_mean_of_the_others():
    told = np.array([True, True, False])
    side = Side(told, True, None, [sparse.csr_matrix([[1.0], [0.0], [2.0]])])
    w = np.array([[1.0, 3.0, 99.0, 10.0]])  # three ids, one column of content
    v = np.array([[[1.0], [2.0], [99.0], [5.0]]])
    bias, factors, _, _ = side.answer(w, v)
    assert factors[:, 0].tolist() == [6.0, 2.0, 1.5 + 10.0]
    assert bias.tolist() == [1 + 10 + 5, 3, 2 + 20 + 1.5 * 10]
