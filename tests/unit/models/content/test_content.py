"""Content models and their vectors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from recnb.data import Dataset, Text
from recnb.errors import InputError
from recnb.models import Attributes, TextFrozen, TextJoint, TfIdf, make
from recnb.models.common.item_tables import (
    attribute_columns,
    attribute_names,
    one_hot,
    singular_vectors,
    tfidf_vectors,
)
from recnb.models.content import kernel


def words(ds):
    v = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(Text("title", "text")(ds))
    return v.toarray(), ds.positives().toarray()


def test_the_mean_scores_the_cosine_to_the_mean_of_the_liked(ds):
    model = TfIdf(text=Text("title", "text"), ngrams=1, way="mean").fit(ds)
    v, x = words(ds)
    mean = x[:38] @ v
    expected = (mean / np.linalg.norm(mean, axis=1, keepdims=True)) @ v.T
    np.testing.assert_allclose(model.score(np.arange(38)), expected, atol=1e-6)


@pytest.mark.parametrize("l2", [0.3, 10.0])
def test_the_ridge_is_a_kernel_ridge_regression_of_the_likes(ds, l2):
    model = TfIdf(text=Text("title", "text"), ngrams=1, way="ridge", l2=l2).fit(ds)
    v, x = words(ds)
    k, told = v @ v.T, x.sum(axis=0) > 0
    assert not told.all(), "the new items are scored, not learned from"
    dual = np.linalg.solve(k[np.ix_(told, told)] + l2 * np.eye(told.sum()), k[told])
    expected = l2 * (x[:38][:, told] @ dual) / x[:38].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.score(np.arange(38)), expected, atol=1e-5)


def test_a_rank_brings_the_likes_to_the_factors_of_the_pairs(ds):
    model = TfIdf(text=Text("title", "text"), ngrams=1, way="ridge", l2=3.0, rank=4).fit(ds)
    plain = TfIdf(text=Text("title", "text"), ngrams=1, way="ridge", l2=3.0).fit(ds)
    x = ds.positives().toarray().astype(float)
    right = np.linalg.svd(x)[2][:4]
    length = x[:38].sum(axis=1, keepdims=True)
    distinct = plain._likeness(x[:38] @ right.T @ right)
    expected = distinct[:, plain.place_] / length
    np.testing.assert_allclose(model.score(np.arange(38)), expected, atol=1e-5)


def test_many_words_are_damped_in_their_leading_directions(ds, monkeypatch):
    exact = TfIdf(way="ridge", l2=1.0).fit(ds).score(np.arange(38))
    mean = TfIdf(way="mean").fit(ds).score(np.arange(38))
    monkeypatch.setattr(kernel, "DIRECTIONS", 20)
    few = TfIdf(way="ridge", l2=1.0).fit(ds)
    assert few.basis_0_.shape[1] == 20 and few.outside_[0] < 1

    def nearness(scores):
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(scores, exact)])

    assert nearness(few.score(np.arange(38))) > max(nearness(mean), 0.98)
    monkeypatch.setattr(kernel, "_EXACT", 5)  # the same directions by random projections
    again = TfIdf(way="ridge", l2=1.0).fit(ds).score(np.arange(38))
    np.testing.assert_allclose(again, few.score(np.arange(38)), atol=1e-4)


def test_items_nobody_has_used_are_scored_by_content(ds):
    scores = TfIdf().fit(ds).score(np.arange(38))
    assert (scores[0::2, 28] > scores[0::2, 29]).mean() > 0.8  # item 28 is of the even taste
    assert (scores[1::2, 29] > scores[1::2, 28]).mean() > 0.8


def test_common_words_are_left_out_of_large_catalogues_only():
    many = [f"the film w{i % 60} x{i % 50}" for i in range(120)]
    assert "the" not in set(tfidf_vectors(many, max_share=0.2)[1])
    assert "the" in set(tfidf_vectors(many[:60] * 1, 1, max_share=0.2)[1])
    vectors, terms, idf = tfidf_vectors(many)
    np.testing.assert_allclose(
        tfidf_vectors(many[:3], terms=terms, idf=idf)[0].toarray(), vectors[:3].toarray()
    )


@pytest.mark.parametrize("name", ["tfidf", "text_joint", "popularity+tfidf"])
def test_texts_without_a_common_term_are_an_error_before_any_fit(name):
    ids = [f"i{n}" for n in range(120)]
    rows = pd.DataFrame({"user_id": "a", "item_id": ids})
    for titles, words in (
        (ids, "no term of the item texts stands in at least 2 and at most 24 of 120"),
        (
            ["Article"] * 120,
            r'all 120 item texts are the same \("Article\."\): no word tells two apart',
        ),
    ):
        ds = Dataset.from_frames(rows, pd.DataFrame({"item_id": ids, "title": titles}))
        with pytest.raises(InputError, match=words):
            make(name).check_data(ds)


def test_attributes_take_lists_numbers_and_strings():
    items = pd.DataFrame(
        {
            "title": list("abcd"),
            "genres": [["Crime", "Drama"], ["Drama"], ["Comedy"], ["Comedy"]],
            "brand": ["X, Y", "x", "Y", None],
            "year": [1990.0, 1991.0, 1990.0, np.nan],
            "plot": ["a long story " * 30] * 4,
        }
    )
    items = pd.concat([items, items], ignore_index=True)
    columns = attribute_columns(items)
    assert columns == ["genres", "brand", "year"]
    names, idf, bins = attribute_names(items, columns)
    got = one_hot(items, columns, names, idf, bins).toarray()
    row = dict(zip(names, got[0]))
    assert row["genres=crime"] == pytest.approx(1 + np.log(4)) and row["brand=y"] > 0
    assert row["year=1990"] == pytest.approx(1 + np.log(2)) and row["genres=comedy"] == 0
    assert (got[3] > 0).sum() == 1 and bins == {}
    numbers = pd.DataFrame({"price": np.arange(100.0)})
    assert len(attribute_names(numbers, ["price"])[0]) == 10
    with pytest.raises(InputError, match="no column 'colour'"):
        attribute_columns(items, ("colour",))
    with pytest.raises(InputError, match="no attributes"):
        attribute_columns(items[["title", "plot"]])


def test_columns_that_tell_no_items_apart_are_refused_where_named_and_left_out_where_not(ds):
    from dataclasses import replace

    odd = replace(ds, items=ds.items.assign(junk=None, shop="here", **{"a+b": ds.items["kind"]}))
    for columns, words in (
        (("kind", "junk"), "'junk' is empty"),
        (("kind", "shop"), "the same value of 'shop'"),
        ((), "no column is named"),
        ("kind+colour", "no column 'colour'"),
    ):
        with pytest.raises(InputError, match=words):
            make("attributes", columns=columns).fit(odd)
    model = make("attributes").fit(odd)
    assert model.columns_ == ["kind", "year", "a+b"]
    assert model.remarks() == ("columns with one value for all items are not read: shop",)
    assert make("attributes").fit(ds).remarks() == ()


@pytest.mark.parametrize(
    ("columns", "read"),
    [("kind", ["kind"]), ("kind + year", ["kind", "year"]), ("a+b", ["a+b"])],
)
def test_a_string_of_columns_is_no_row_of_letters(columns, read, ds):
    from dataclasses import replace

    odd = replace(ds, items=ds.items.assign(**{"a+b": ds.items["kind"]}))
    assert make(f"attributes[columns={columns}]").fit(odd).columns_ == read
    assert attribute_columns(odd.items, columns) == read


def test_attributes_keep_their_bins_for_new_items(ds):
    wide = ds.items.assign(price=np.linspace(1, 100, 30))
    from dataclasses import replace

    model = Attributes(columns=("price", "kind")).fit(replace(ds, items=wide))
    new = pd.DataFrame({"item_id": ["n"], "price": [1.0], "kind": ["science"]})
    grown = model.with_items(new)
    np.testing.assert_allclose(grown.words_[30].toarray(), model.words_[0].toarray(), atol=1e-6)


def test_text_frozen_uses_the_encoder_it_is_given(ds, monkeypatch, tmp_path):
    import recnb.encoders as encoders

    asked = []

    class Fake:
        def __init__(self, name="default"):
            asked.append(name)

        def encode(self, texts):
            return np.array(
                [["laser" in t or "space" in t, len(t) % 3, 1] for t in texts], np.float32
            )

    monkeypatch.setattr(encoders, "TextEncoder", Fake)
    model = TextFrozen(encoder="some-folder", way="mean").fit(ds)
    assert asked == ["some-folder"]
    assert model.shift_.shape == (3,) and abs(model.shift_[2] - 1) < 1e-6
    scores = model.score(np.arange(38))
    assert scores.shape == (38, 30) and np.isfinite(scores).all()
    model.save(tmp_path)
    from recnb.recommender import load_model

    np.testing.assert_array_equal(load_model(tmp_path).score(np.arange(38)), scores)
    assert TextFrozen.needs_text and TextFrozen(way="ridge", rank=2).fit(ds).score(
        np.arange(2)
    ).shape == (2, 30)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"way": "lasso"}, "way='lasso'"),
        ({"l2": 0}, "l2=0"),
        ({"rank": -1}, "rank=-1"),
        ({"share": 1.5}, "share=1.5"),
    ],
)
def test_settings_that_cannot_be_are_named(ds, settings, said):
    with pytest.raises(InputError, match=said):
        (TextJoint if "share" in settings else TfIdf)(**settings).fit(ds)


SAME = """
import hashlib
import numpy as np
from scipy import sparse
from recnb.models.common.item_tables import singular_vectors
few = sparse.random(90, 60, 0.03, random_state=1, format="csr")
few = sparse.hstack([few, few, few]).tocsr()  # rank 60 at most
print(hashlib.sha256(singular_vectors(few, 80).tobytes()).hexdigest())
"""


def test_singular_vectors_are_the_same_in_every_run_and_no_more_than_there_are():
    told = [
        subprocess.run([sys.executable, "-c", SAME], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert told[0].stdout == told[1].stdout
    rng = np.random.default_rng(0)
    for low in (rng.normal(size=(40, 5)) @ rng.normal(size=(5, 70)), rng.normal(size=(70, 40))):
        for matrix in (low, low.T):
            found = singular_vectors(sparse.csr_matrix(matrix), 12)
            right = np.linalg.svd(matrix)[2]
            k = min(12, np.linalg.matrix_rank(matrix))
            assert found.shape == (matrix.shape[1], k)
            np.testing.assert_allclose(np.abs(np.sum(found * right[:k].T, axis=0)), 1, atol=1e-6)
