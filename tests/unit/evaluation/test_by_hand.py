"""A tiny example whose every number is worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, Recommender, evaluate, read_lists
from recnb.data import Dataset, splits
from recnb.evaluation import Protocol

L3 = 1 / np.log2(3)  # the discount of rank 2

# Items i0 to i5. Known rows (train), then test rows with ratings; relevant from 4 on.
TRAIN = [("a", 0, 5), ("b", 0, 4), ("b", 1, 2), ("c", 2, 5), ("d", 3, 5)]
TEST = [
    ("a", 1, 5), ("a", 2, 4), ("a", 3, 1),  # two relevant
    ("b", 2, 5),  # one relevant
    ("c", 1, 4), ("c", 3, 4), ("c", 4, 5),  # three relevant
    ("d", 4, 2),  # none: d does not count
]  # fmt: skip
EVERY = ("hit_rate", "recall", "precision", "f1", "ndcg", "average_precision", "reciprocal_rank")


def dataset(rows=(*TRAIN, *TEST), **settings):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating"])
    frame["item_id"] = [f"i{i}" for i in frame["item_id"]]
    frame["split"] = ["train"] * len(TRAIN) + ["test"] * (len(rows) - len(TRAIN))
    frame["position"] = range(len(frame))
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(6)]})
    settings = {"feedback": "explicit", "scale": (1, 5), **settings}
    return Dataset.from_frames(frame, items, **settings)


@pytest.fixture
def split():
    return splits.predefined(dataset())


# Scores of the six items, by user a, b, c, d.
SCORES = np.array(
    [
        # i0 is known to a and leaves: order i1 i4 i2 i3 i5; hits at 1 and 3
        [0.9, 0.8, 0.5, 0.4, 0.6, 0.1],
        # i0 and i1 are known to b: order i3 i2 i4 i5; hit at 2
        [0.1, 0.2, 0.7, 0.8, 0.6, 0.3],
        # i2 is known to c: order i5 i0 i4 i3 i1; hits at 3, 4 and 5
        [0.8, 0.1, 0.99, 0.2, 0.3, 0.9],
        [0, 0, 0, 0, 0, 0.1],
    ],
    np.float32,
)
EXPECTED = {  # k = 3: a, b, c
    "hit_rate": [1, 1, 1],
    "recall": [1, 1, 1 / 3],
    "precision": [2 / 3, 1 / 3, 1 / 3],
    "f1": [2 * 2 / 5, 2 * 1 / 4, 2 * 1 / 6],
    "ndcg": [(1 + 1 / 2) / (1 + L3), L3, (1 / 2) / (1 + L3 + 1 / 2)],
    "average_precision": [(1 + 2 / 3) / 2, 1 / 2, (1 / 3) / 3],
    "reciprocal_rank": [1, 1 / 2, 1 / 3],
}


def values(ev, model, metric, k=None):
    rows = ev.per_user.query("model == @model and metric == @metric")
    if k is not None:
        rows = rows[rows["k"] == k]
    return rows.set_index("user_id")["value"].to_dict()


def test_every_metric(split):
    ev = evaluate({"m": SCORES}, split, Protocol(k=3, metrics=EVERY))
    for metric in EVERY:
        assert list(values(ev, "m", metric)) == ["a", "b", "c"]
        np.testing.assert_allclose(list(values(ev, "m", metric).values()), EXPECTED[metric])
    table = ev.table().set_index("metric")
    assert set(table["n_users"]) == {3} and set(table["k"]) == {3}
    for metric in EVERY:
        assert table.loc[metric, "value"] == pytest.approx(np.mean(EXPECTED[metric]))


def test_several_cut_offs(split):
    ev = evaluate({"m": SCORES}, split, Protocol(k=(1, 5), metrics=("recall",)))
    np.testing.assert_allclose(list(values(ev, "m", "recall", 1).values()), [1 / 2, 0, 0])
    np.testing.assert_allclose(list(values(ev, "m", "recall", 5).values()), [1, 1, 1])
    assert ev.lists.query("user_id == 'c'")["item_id"].tolist() == ["i5", "i0", "i4", "i3", "i1"]
    assert ev.lists.query("user_id == 'b'")["rank"].tolist() == [1, 2, 3, 4]  # two of six are known


def test_auc(split):
    """Share of pairs (relevant, not relevant) in order, known items left out."""
    ev = evaluate({"m": SCORES}, split, Protocol(k=3, metrics=("auc", "ndcg")))
    # a: i1 beats i4 i3 i5, i2 beats i3 i5 and not i4; b: i2 beats i4 i5, not i3; c: none beats i5 or i0
    np.testing.assert_allclose(list(values(ev, "m", "auc").values()), [5 / 6, 2 / 3, 0])
    assert ev.headline == ("auc", None, "catalogue")


def test_relevance_follows_the_protocol(split):
    ev = evaluate({"m": SCORES}, split, Protocol(k=3, metrics=("recall",), relevant_from=5))
    assert values(ev, "m", "recall") == {"a": 1, "b": 1, "c": 1}  # i1; i2; i4
    ev = evaluate({"m": SCORES}, split, Protocol(k=3, metrics=("recall",), relevant_from=1))
    # d has i4 now: order i5, then ties; a has i1 i2 and i3, which stands fourth
    assert values(ev, "m", "recall")["a"] == pytest.approx(2 / 3) and len(ev.users) == 4
    assert ev.settings["dataset"]["relevant_from"] == 1
    with pytest.raises(InputError, match=r"no user of 'data' has a relevant test item; lower"):
        evaluate({"m": SCORES}, split, Protocol(relevant_from=6))


def test_implicit_pairs_are_all_relevant():
    ev = evaluate(
        {"m": SCORES},
        splits.predefined(dataset(feedback="implicit", scale=None)),
        Protocol(k=3, metrics=("recall",)),
    )
    assert set(ev.users.index) == {"a", "b", "c", "d"}
    assert values(ev, "m", "recall")["a"] == pytest.approx(2 / 3)


def test_repeats():
    """a tests i0 again, which is known; with `include` it is what it finds, with `exclude` no row."""
    split = splits.predefined(dataset([*TRAIN, ("a", 0, 5), ("b", 1, 5), ("b", 3, 5)]))
    ev = evaluate({"m": SCORES}, split, Protocol(k=1, metrics=("recall", "hit_rate")))
    assert values(ev, "m", "recall") == {"b": 1}  # i3 first; i1 is known and does not count
    protocol = Protocol(k=1, metrics=("recall", "hit_rate"), repeats="include")
    ev = evaluate({"m": SCORES}, split, protocol)
    assert values(ev, "m", "recall") == {"a": 1, "b": 1 / 2}
    assert ev.lists.set_index("user_id")["item_id"].to_dict() == {"a": "i0", "b": "i3"}
    only = splits.predefined(dataset([*TRAIN, ("a", 0, 5)]))
    with pytest.raises(InputError, match="use --repeats include"):
        evaluate({"m": SCORES}, only)


LISTS = pd.DataFrame(
    # a has a short list, b none at all, c a full one; d is judged by nobody
    [("a", "i1", 1), ("c", "i4", 1), ("c", "i5", 2), ("c", "i1", 3), ("c", "i3", 4), ("d", "i4", 1)],
    columns=["user_id", "item_id", "rank"],
)  # fmt: skip


@pytest.mark.parametrize("given", [LISTS, read_lists(LISTS)])
def test_foreign_lists(split, given):
    ev = evaluate({"theirs": given}, split, Protocol(k=3, metrics=EVERY))
    assert values(ev, "theirs", "recall") == {"a": 1 / 2, "b": 0, "c": pytest.approx(2 / 3)}
    assert values(ev, "theirs", "precision") == pytest.approx({"a": 1 / 3, "b": 0, "c": 2 / 3})
    assert values(ev, "theirs", "ndcg")["a"] == pytest.approx(1 / (1 + L3))
    assert all(values(ev, "theirs", metric)["b"] == 0 for metric in EVERY)
    assert set(ev.table()["n_users"]) == {3}
    (short,) = (f for f in ev.findings if f.code == "short_lists")
    assert (short.n, short.value) == (2, pytest.approx(2 / 3))
    assert "theirs: 2 of 3 users" in short.evidence and "count as misses" in short.evidence


def test_lists_beside_a_model_with_auc(split):
    ev = evaluate({"m": SCORES, "theirs": LISTS}, split, Protocol(k=3, metrics=("recall", "auc")))
    t = ev.table().set_index(["model", "metric"])["value"]
    assert ("theirs", "auc") not in t.index and ("m", "auc") in t.index
    with pytest.raises(InputError, match=r"auc needs a score for every item.*lists of theirs"):
        evaluate({"theirs": LISTS}, split, Protocol(k=3, metrics=("auc",)))


def test_wrong_lists(split):
    for change, column, problem in (
        ({"item_id": "i9"}, "item_id", "'i9' is not in data"),
        ({"user_id": "z"}, "user_id", "'z' is not in data"),
    ):
        frame = LISTS.copy()
        for name, value in change.items():
            frame.loc[0, name] = value
        with pytest.raises(InputError) as caught:
            evaluate({"theirs": frame}, split)
        assert (caught.value.column, caught.value.row) == (column, 1)
        assert problem in str(caught.value)
    with pytest.raises(InputError, match="stands twice in the list"):
        evaluate({"theirs": LISTS.assign(item_id="i1")}, split)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(split, bad):
    scores = SCORES.copy()
    scores[1, 5] = bad
    with pytest.raises(InputError, match=r"^mine gave a NaN or infinite score"):
        evaluate({"good": SCORES, "mine": scores}, split)


def test_wrong_models(split):
    with pytest.raises(InputError, match=r"^mine is a matrix of shape \(3, 6\), expected \(4, 6\)"):
        evaluate({"mine": SCORES[:3]}, split)
    with pytest.raises(InputError, match="'mine' is a str; give a Recommender"):
        evaluate({"mine": "ease"}, split)
    with pytest.raises(InputError, match="no model"):
        evaluate({}, split)
    with pytest.raises(InputError, match="no seed"):
        evaluate({"mine": SCORES}, split, seeds=())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k=0"),
        ({"k": ()}, "k="),
        ({"k": 2.5}, r"k=2\.5"),
        ({"k": (5, 0)}, "k="),
        ({"metrics": ()}, "no metric"),
        ({"metrics": ("ndgc",)}, "metric 'ndgc' is not known"),
        ({"repeats": "maybe"}, "repeats='maybe'"),
        ({"draws": 999}, "draws=999; at least 1,000"),
    ],
)
def test_wrong_protocols(settings, message):
    with pytest.raises(InputError, match=message):
        Protocol(**settings)


def test_ratings_pool_rows_and_clip_to_the_scale(split):
    class Guess(Recommender):
        def _fit(self, train, valid):
            self.n_ = train.n_items

        def score(self, users, history=None):
            return np.zeros((len(users), self.n_), np.float32)

        def predict(self, users, items):
            return np.where(items == 1, 9.0, 3.0).astype(np.float32)  # 9 becomes 5

    ev = evaluate({"guess": Guess()}, split, Protocol(k=3))
    # errors: a 0 1 -2 | b 2 | c -1 -> (1: 5 - 4 = 1) 1 2 | d -1
    t = ev.table().set_index("metric")
    assert t.loc["rmse", "value"] == pytest.approx(np.sqrt((0 + 1 + 4 + 4 + 1 + 1 + 4 + 1) / 8))
    assert t.loc["mae", "value"] == pytest.approx((0 + 1 + 2 + 2 + 1 + 1 + 2 + 1) / 8)
    assert (
        t.loc["rmse", "n_users"] == 4 and t.loc["ndcg", "n_users"] == 3
    )  # d rates but has no liked item
    mae = ev.per_user.query("metric == 'mae'").set_index("user_id")
    assert mae["value"].to_dict() == pytest.approx({"a": 1, "b": 2, "c": 4 / 3, "d": 1})
    assert mae["weight"].to_dict() == {"a": 3, "b": 1, "c": 3, "d": 1}


def test_the_shelf_and_the_catalogue():
    """New items among themselves, and beside it within all: i4 and i5 have no known row."""
    rows = [*TRAIN, ("a", 4, 5), ("b", 5, 5), ("c", 4, 5)]
    ds = dataset(rows)
    base = splits.predefined(ds)
    split = replace(base, name="cold_item", candidates=np.array([4, 5]))
    ev = evaluate({"m": SCORES}, split, Protocol(k=(1, 2), metrics=("recall",)))
    t = ev.table().set_index(["candidates", "k"])["value"]
    # shelf: a i4 i5, b i4 i5, c i5 i4; catalogue: a i1 i4, b i3 i2, c i5 i0
    assert t["shelf", 1] == pytest.approx(1 / 3) and t["shelf", 2] == 1
    assert t["catalogue", 1] == 0 and t["catalogue", 2] == pytest.approx(1 / 3)
    assert ev.headline == ("recall", 1, "shelf")
    shelf = ev.lists.query("candidates == 'shelf'")
    assert set(shelf["item_id"]) == {"i4", "i5"}
