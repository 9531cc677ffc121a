"""LightGCN spreads vectors as its equations say, and hears what items are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models import LightGCN
from recnb.models.knowledge.graph import Graph, taken_together
from recnb.recommender import load_model, top_k

SMALL = {"width": 8, "n_layers": 2, "lr": 0.05, "l2": 0.001, "n_epochs": 25, "columns": ("kind",)}


@pytest.fixture(scope="module")
def ds() -> Dataset:
    from tests.unit.models.conftest import make_dataset

    return make_dataset()


@pytest.fixture(scope="module")
def fitted(ds):
    return LightGCN(share=0.4, **SMALL).fit(ds)


def test_the_matrix_is_that_of_the_paper_and_a_new_item_is_what_its_values_say():
    liked = sparse.csr_matrix(np.array([[1.0, 1, 0], [0, 1, 0]]))
    facts = sparse.csr_matrix(np.array([[1.0, 0], [0, 1], [1, 1]]))
    plain = np.zeros((5, 5))
    plain[:2, 2:], plain[2:, :2] = liked.toarray(), liked.toarray().T
    degree = np.maximum(plain.sum(axis=1), 1)
    wanted = plain / np.sqrt(np.outer(degree, degree))
    none = sparse.csr_matrix((3, 0))
    assert np.allclose(Graph(liked, none).spread(0.0).toarray(), wanted)
    joint = Graph(liked, facts).spread(0.25).toarray()
    assert np.allclose(joint[:2, 2:5], wanted[:2, 2:])  # users hear their items as before
    assert np.allclose(joint[2:4, :2], 0.75 * wanted[2:4, :2])
    assert joint[4, :2].sum() == 0 and np.allclose(joint[4, 5:], 1 / np.sqrt([4, 4]))
    pairs = taken_together(liked, 1, np.arange(3, dtype=np.uint64))
    assert pairs.toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_scores_are_the_mean_over_the_layers(ds, fitted):
    """A dense recomputation from the vectors of layer 0."""
    liked = ds.positives()
    facts = fitted._network(ds, liked, np.arange(40), np.arange(30))[1]
    matrix = Graph(liked, facts).spread(0.4).toarray().astype(float)
    first = np.vstack([fitted.start_, fitted.items_[0], fitted.values_[0]]).astype(float)
    final = (first + matrix @ first + matrix @ matrix @ first) / 3
    scores = fitted.score(np.arange(40))
    known = fitted.reached_
    assert np.allclose(scores[:, known], (final[:40] @ final[40:70].T)[:, known], atol=1e-4)


def test_it_learns_two_tastes_and_kinds_reach_items_that_nobody_has(ds, fitted):
    users = np.arange(38)
    scores = fitted.score(users)
    own = users[:, None] % 2 == np.arange(28) % 2
    assert scores[:, :28][own].mean() > scores[:, :28][~own].mean()
    right = (scores[users, 28 + users % 2] > scores[users, 29 - users % 2]).mean()
    assert right > 0.9  # items 28 and 29 have no rows
    plain = LightGCN(**SMALL).fit(ds).score(users)
    assert (plain[:, 28] == plain[:, 29]).all()


def test_new_items_come_with_their_values(ds, fitted):
    new = pd.DataFrame({"item_id": ["n1", "n2"], "kind": ["science", "unheard of"]})
    scores = fitted.with_items(new).score(np.arange(38))
    assert np.allclose(scores[:, 30], scores[:, 28], atol=1e-4)  # as the item without rows
    assert (scores[:, 31] < scores[:, :31].min(axis=1)).all()
    assert not hasattr(LightGCN(), "with_items")


def test_after_new_items_a_history_over_the_old_ones_still_counts(ds, fitted):
    users, new = np.arange(38), pd.DataFrame({"item_id": ["n1"], "kind": ["science"]})
    grown = fitted.with_items(new)
    np.testing.assert_allclose(grown.score(users, ds), grown.score(users), atol=1e-5)
    with pytest.raises(InputError, match="the history has 30 items, the model 31; pass a history"):
        grown.score(users, ds.in_order(np.arange(40), np.arange(30)[::-1]))


def test_new_items_without_a_column_that_is_read_are_refused(fitted):
    with pytest.raises(InputError, match="no column 'kind'; what is read of an item is kind"):
        fitted.with_items(pd.DataFrame({"item_id": ["n"], "year": [1980]}))


def test_a_history_counts_and_that_of_training_changes_nothing(ds, fitted):
    users = np.arange(40)
    assert np.allclose(fitted.score(users, ds), fitted.score(users), atol=1e-5)
    rows = ds.interactions.assign(user=ds.interactions["user"].to_numpy() ^ 1)
    from dataclasses import replace

    turned = replace(ds, interactions=rows.sort_values("user", kind="stable", ignore_index=True))
    changed = fitted.score(users[:38], turned) - fitted.score(users[:38])
    own = users[:38, None] % 2 == np.arange(28) % 2
    assert changed[:, :28][own].mean() < 0 < changed[:, :28][~own].mean()


def test_the_order_of_the_tables_decides_nothing_and_it_comes_back_from_disk(ds, fitted, tmp_path):
    from tests.unit.models.conftest import make_dataset

    turned = make_dataset(shuffle=3)
    again = LightGCN(share=0.4, **SMALL).fit(turned)
    u = turned.users.index.get_indexer(ds.users.index)
    i = turned.items.index.get_indexer(ds.items.index)
    scores = fitted.score(np.arange(40))
    assert np.allclose(again.score(u)[:, i], scores, atol=1e-5)
    fitted.save(tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").score(np.arange(40)), scores)


def test_bpr_learns_too_and_the_best_epoch_is_kept(train_valid):
    train, valid = train_valid
    model = LightGCN(**{**SMALL, "loss": "bpr", "n_epochs": 6}, together=3).fit(train, valid)
    values = [row["value"] for row in model.learning_]
    assert model.n_epochs_ == 1 + int(np.argmax(values)) and model.chosen() == {
        "n_epochs": model.n_epochs_
    }
    assert model.learning_[-1]["loss"] < np.log(2) < model.learning_[0]["loss"] + 0.1


def test_what_has_no_meaning_is_refused(ds):
    for settings, part in (
        ({"share": 1.0}, "share"),
        ({"loss": "hinge"}, "loss"),
        ({"share": 0.2, "columns": ("brand",)}, "brand"),
        ({"share": 0.2, "columns": ()}, "no column is named"),
        ({"share": 0.2, "columns": "kind+brand"}, "no column 'brand'"),
        ({"rule": "year", "rule_weight": -1.0}, "rule_weight=-1.0; a number of at least 0"),
        ({"rule": "year", "rule_weight": np.inf}, "rule_weight"),
        ({"rule": "brand"}, "brand"),
        ({"n_layers": -1}, "n_layers"),
    ):
        with pytest.raises(InputError, match=part):
            LightGCN(**settings).fit(ds)


def test_a_validation_part_without_anything_relevant_is_refused(train_valid):
    train, valid = train_valid
    bad = valid.rows(valid.interactions["rating"].to_numpy() < 4)
    with pytest.raises(InputError, match="no user has a relevant row in the validation part"):
        LightGCN(**SMALL).fit(train, bad)


def test_a_rule_asks_nothing_of_users_who_like_all_there_is():
    def made(users: list[str]) -> Dataset:
        rows = [(u, f"i{i}") for u in users for i in range(9) if u == "all" or i % 2]
        items = pd.DataFrame({"item_id": [f"i{i}" for i in range(9)], "kind": list("aabbccdde")})
        return Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]), items)

    settings = {**SMALL, "n_epochs": 3, "rule": "kind"}
    alone, both, plain = (
        LightGCN(**{**settings, **more}).fit(made(users)).learning_[0]["loss"]
        for users, more in ((["all"], {}), (["all", "odd"], {}), (["all"], {"rule": None}))
    )
    assert alone == plain
    assert np.isfinite(both)


def test_a_catalogue_of_one_item_users_of_one_event_and_an_item_never_seen_are_served():
    rows = pd.DataFrame({"user_id": list("aab"), "item_id": "x", "position": [0, 1, 0]})
    one = Dataset.from_frames(rows, duplicates="keep", feedback="implicit")
    assert top_k(LightGCN(n_epochs=2).fit(one), k=2).tolist() == [[0, -1], [0, -1]]
    items = pd.DataFrame({"item_id": list("xyz"), "brand": ["p", "q", "q"]})
    rows = pd.DataFrame({"user_id": list("abc"), "item_id": list("xyy")})
    ds = Dataset.from_frames(rows, items, feedback="implicit")
    scores = LightGCN(share=0.3, columns=("brand",), n_epochs=30).fit(ds).score(np.arange(3))
    assert np.isfinite(scores).all()
    assert scores[1, 2] > scores[0, 2]  # nobody has z; it is of the brand that b has
