"""Rules keep kinds apart at their price; reasons name what the score stands on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb.data import Dataset
from recnb.errors import InputError
from recnb.models import Apart, ItemKNN, LightGCN, Paths, Popularity, kinds_of, make
from recnb.models.knowledge.paths import random_reasons, reliance
from recnb.models.rules import repeated_kinds
from recnb.recommender import load_model, top_k

USERS = np.arange(38)


def repeats(model, ds, k=5, column="year") -> float:
    lists = top_k(model, USERS, k=k, exclude=ds)
    return float(repeated_kinds(lists, kinds_of(ds.items[column])).mean())


def test_the_price_keeps_kinds_apart_and_none_changes_nothing(ds, tmp_path):
    plain = ItemKNN(k=8).fit(ds)
    lists = {p: Apart(ItemKNN(k=8), "year", p).fit(ds) for p in (0.0, 1.0, np.inf)}
    assert np.array_equal(
        top_k(lists[0.0], USERS, k=5, exclude=ds), top_k(plain, USERS, k=5, exclude=ds)
    )
    counts = [repeats(model, ds) for model in lists.values()]
    assert counts[0] > counts[1] >= counts[2] == 0  # seven years, lists of five
    first = top_k(lists[np.inf], USERS, k=1, exclude=ds)
    assert np.array_equal(first, top_k(plain, USERS, k=1, exclude=ds))
    lists[np.inf].save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert np.array_equal(again.score(USERS), lists[np.inf].score(USERS))


def test_when_all_others_are_listed_a_second_one_comes(ds):
    model = Apart(Popularity(), "kind", np.inf, n=6).fit(ds)
    lists = top_k(model, USERS, k=6, exclude=ds)
    kinds = kinds_of(ds.items["kind"])[lists][..., 0]
    both = [len(set(row.tolist())) == 2 for row in kinds]
    assert all(len(set(row[:2].tolist())) == 2 for row, two in zip(kinds, both) if two)
    assert (np.sort(lists, axis=1)[:, 1:] != np.sort(lists, axis=1)[:, :-1]).all()


def test_a_rule_that_is_learned_lowers_the_same_count():
    """Twenty series of three parts; who has one part tends to have the others."""
    rng = np.random.default_rng(0)
    rows = [
        (f"u{u}", f"i{3 * s + part:02d}")
        for u in range(60)
        for s in rng.choice(np.arange(u % 2, 20, 2), 4, replace=False)
        for part in range(3)
        if rng.random() < 0.75
    ]
    items = pd.DataFrame({"item_id": [f"i{i:02d}" for i in range(60)]})
    items["series"] = [f"s{i // 3}" for i in range(60)]
    ds = Dataset.from_frames(pd.DataFrame(rows, columns=["user_id", "item_id"]), items)
    settings = {"width": 16, "n_layers": 1, "lr": 0.05, "l2": 0.001, "n_epochs": 40}
    free = LightGCN(**settings, rule="series", rule_weight=0.0).fit(ds)
    bound = LightGCN(**settings, rule="series", rule_weight=10.0).fit(ds)
    assert repeats(bound, ds, 6, "series") < repeats(free, ds, 6, "series") - 0.5


def test_the_reason_carries_the_score_more_than_another_item_of_the_history(ds):
    model = make("attributes", columns=("year",), way="mean").fit(ds)
    paths = Paths(ds.items, ("year",))
    year, liked = ds.items["year"].to_numpy(), ds.positives()
    users = USERS[np.diff(liked.indptr)[USERS] > 3]
    items = top_k(model, users, k=1, exclude=ds)[:, 0]
    ways = [paths.between(liked[u].indices, i, n=1) for u, i in zip(users, items)]
    there = np.array([bool(way) for way in ways])
    assert there.mean() > 0.9
    users, items = users[there], items[there]
    reasons = np.array([way[0].item for way in ways if way])
    assert (year[reasons] == year[items]).all()
    other = [
        next((h for h in liked[u].indices if year[h] != year[r]), -1)
        for u, r in zip(users, reasons)
    ]
    some = np.array(other) >= 0
    users, items, reasons, other = users[some], items[some], reasons[some], np.array(other)[some]
    falls = reliance(model, ds, users, items, reasons)
    rises = reliance(model, ds, users, items, other)
    assert falls.mean() > 0.5 > 0 > rises.mean() and (falls > rises).mean() > 0.9
    drawn = random_reasons(ds, users, reasons, seed=1)
    assert (drawn != reasons).mean() > 0.9
    strength = paths.strength(liked[users], items[:, None])
    assert (strength[:, 0] > 0).all()


def test_a_rule_over_a_column_without_kinds_is_refused_wherever_it_is_given(ds):
    odd = replace(ds, items=ds.items.assign(junk=None, shop="here"))
    plain = Popularity().fit(odd)
    for column, words in (
        ("junk", "no two items share a value of 'junk'"),
        ("shop", "all items have the same value of 'shop'"),
        ("brand", "no column 'brand'; one of"),
    ):
        for refused in (
            lambda column=column: Apart.around(plain, odd, column, 1),
            lambda column=column: LightGCN(rule=column).check_data(odd),
            lambda column=column: LightGCN(rule=column).fit(odd),
        ):
            with pytest.raises(InputError, match=words):
                refused()


def test_a_code_that_is_no_item_has_no_path(ds):
    paths = Paths(ds.items, "year")
    assert paths.names.tolist() == Paths(ds.items, ("year",)).names.tolist()
    for history, item in (([0, 999], 9), ([0], 999), ([-1], 9), ([0], -1), ([0.5], 9)):
        with pytest.raises(InputError, match="no item code; whole numbers from 0 to 29"):
            paths.between(np.array(history), item)


def test_an_item_is_no_reason_for_itself():
    items = pd.DataFrame({"director": list("aabb"), "genre": list("xxxy")})
    paths = Paths(items)
    assert [path.item for path in paths.between(np.array([1, 0, 2]), 1)] == [0, 2]
    assert paths.between(np.array([1]), 1) == []
    liked = sparse.csr_matrix(np.array([[0, 1, 1, 0]]))
    others = [paths.between(np.array([1, 2]), item, 1)[0].weight for item in (0, 1, 2)]
    np.testing.assert_allclose(paths.strength(liked, np.array([[0, 1, 2, -1]])), [[*others, 0]])


@pytest.mark.filterwarnings("error")
def test_a_user_who_has_everything_is_served_in_silence():
    rows = pd.DataFrame({"user_id": list("aaab"), "item_id": list("xyzx")})
    items = pd.DataFrame({"item_id": list("xyz"), "kind": list("kkl")})
    ds = Dataset.from_frames(rows, items)
    lists = top_k(Apart(Popularity(), "kind", np.inf).fit(ds), k=3, exclude=ds)
    assert (lists[0] == -1).all() and sorted(lists[1].tolist()) == [-1, 1, 2]


def test_what_has_no_meaning_is_refused(ds):
    with pytest.raises(InputError, match="brand"):
        Apart(Popularity(), "brand").fit(ds)
    with pytest.raises(InputError, match="penalty"):
        Apart(Popularity(), "year", -1.0).fit(ds)
    with pytest.raises(InputError, match="'ease' is no model"):
        Apart("ease", "year").fit(ds)
    with pytest.raises(InputError, match="history"):
        reliance(Popularity().fit(ds), ds, USERS[:2], USERS[:2], USERS[:2])
