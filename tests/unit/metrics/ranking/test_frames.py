"""Frames with ids give what arrays with codes give, and faulty frames raise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics import evaluate_frames, evaluate_lists, names_of

LIST_METRICS = names_of("lists")

LISTS = pd.DataFrame(
    {
        "user_id": ["u", "u", "u", "v", "x"],
        "item_id": ["a", "b", "c", "a", "a"],
        "rank": [1, 2, 3, 2, 1],
    }
)
TRUTH = pd.DataFrame({"user_id": ["w", "u", "u", "v"], "item_id": ["a", "c", "z", "a"]})


def test_by_hand() -> None:
    values = evaluate_frames(LISTS, TRUTH, ("recall", "reciprocal_rank"), k=3)
    assert values.index.name == "user_id" and values.index.tolist() == ["w", "u", "v"]
    assert values["recall"].tolist() == [0, 1 / 2, 1]  # w has no list; x has no truth
    np.testing.assert_allclose(values["reciprocal_rank"], [0, 1 / 3, 1 / 2])  # v: rank 1 is empty
    assert evaluate_frames(LISTS, TRUTH, ("recall",), k=2)["recall"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", ["str", "object", "int", "category"])
@pytest.mark.parametrize("k", [5, 30])
def test_equals_arrays_in_any_row_order(kind: str, k: int) -> None:
    rng = np.random.default_rng(0)
    n_users, n_items = 50, 80
    lists = np.argsort(rng.random((n_users, n_items)), axis=1)[:, :20]
    dense = rng.random((n_users, n_items)) < 0.15
    dense[:, 3] = True
    expected = evaluate_lists(lists, sparse.csr_array(dense), LIST_METRICS, k)
    user, item = np.nonzero(dense)
    table = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(n_users), 20),
            "item_id": lists.ravel(),
            "rank": np.tile(np.arange(1, 21), n_users),
        }
    )
    truth = pd.DataFrame({"user_id": user, "item_id": item})
    truth = pd.concat([truth, truth.head(40)])  # repeated rows count once
    for frame in (table, truth):
        for column in ("user_id", "item_id"):
            frame[column] = frame[column] if kind == "int" else frame[column].astype(str)
            if kind in ("object", "category"):
                frame[column] = frame[column].astype(kind)
    for seed in (None, 1):
        if seed is not None:
            table, truth = (
                table.sample(frac=1, random_state=seed),
                truth.sample(frac=1, random_state=2),
            )
        values = evaluate_frames(table, truth, LIST_METRICS, k)
        order = values.index.astype(int).to_numpy()
        assert sorted(order) == list(range(n_users))
        for name in LIST_METRICS:
            np.testing.assert_allclose(values[name], expected[name][order], rtol=0, atol=1e-12)


def test_no_lists_at_all() -> None:
    values = evaluate_frames(LISTS.head(0), TRUTH, ("ndcg",))
    assert values["ndcg"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("lists", "truth", "message"),
    [
        (LISTS.drop(columns="rank"), TRUTH, "column 'rank': the frame 'lists' has no such"),
        (LISTS, TRUTH.drop(columns="item_id"), "'item_id': the frame 'truth' has no such"),
        (LISTS, TRUTH.head(0), "no rows"),
        (LISTS.assign(rank=[0, 1, 2, 3, 4]), TRUTH, "row 1: the rank is 0; count from 1"),
        (LISTS.assign(rank=[1.5] * 5), TRUTH, "ranks are float64"),
        (LISTS.assign(rank=[1, 1, 3, 2, 1]), TRUTH, "user 'u' has two items at rank 1"),
        (LISTS.assign(item_id=["a", "b", "a", "a", "a"]), TRUTH, "user 'u' has item 'a' twice"),
        (LISTS.assign(user_id=["u", None, "u", "v", "x"]), TRUTH, "row 2: the id is empty"),
        (LISTS.assign(item_id=[1, 2, 3, 1, 1]), TRUTH, "int64 in the lists"),
    ],
)
def test_wrong_input(lists: pd.DataFrame, truth: pd.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_frames(lists, truth, ("ndcg",))


def test_unknown_metric_or_cut() -> None:
    with pytest.raises(InputError, match="k is 0"):
        evaluate_frames(LISTS, TRUTH, ("ndcg",), k=0)
    with pytest.raises(InputError, match="'map' is not known"):
        evaluate_frames(LISTS, TRUTH, ("map",))
