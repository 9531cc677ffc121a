"""The few-shot benchmark: its rules by hand on a made table, and its figures on the real one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.data.catalog import find
from recnb.errors import InputError
from recnb.evaluation.fewshot import few_shot_rows, ratings_in_file_order, untrained_scores
from recnb.metrics import roc_auc


@pytest.fixture
def made() -> pd.DataFrame:
    """Three people; b occurs first, so stands first; a has two ratings of one time."""
    rows = [
        ("b", "x", 5, 30), ("a", "x", 4, 1), ("b", "y", 3, 10), ("a", "z", 3, 2), ("a", "y", 5, 2),
        ("c", "z", 4, 5), ("b", "z", 1, 20), ("a", "w", 2, 9), ("c", "x", 2, 6), ("b", "w", 4, 40),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])


def test_rows_by_hand(made):
    rows = few_shot_rows(made, history=2, sizes=(2, 1, 1))
    # b in time: y 0, z 0, x 1, w 1. a: x 1, z 0, y 1 (z before y as in the table), w 0. c: too short.
    expected = [
        ("b", "x", 1, 30, ["y", "z"], [0, 0], "train"),
        ("b", "w", 1, 40, ["z", "x"], [0, 1], "train"),
        ("a", "y", 1, 2, ["x", "z"], [1, 0], "valid"),
        ("a", "w", 0, 9, ["z", "y"], [0, 1], "test"),
    ]
    assert [tuple(row) for row in rows.itertuples(index=False)] == expected


def test_the_last_rows_are_kept_and_the_first_left_out(made):
    rows = few_shot_rows(made, history=2, sizes=(0, 1, 2))
    assert rows["part"].tolist() == ["valid", "test", "test"]
    assert rows["item_id"].tolist() == ["w", "y", "w"]


def test_a_row_cut_divides_a_person_and_whole_users_does_not(made):
    cut = few_shot_rows(made, history=2, sizes=(2, 1, 1))
    assert cut.groupby("user_id")["part"].nunique().to_dict() == {"a": 2, "b": 1}
    whole = few_shot_rows(made, history=2, sizes=(2, 1, 1), whole_users=True)
    # a's last row is test, so all of a is; b's last is the third from the end, so train.
    assert whole["part"].tolist() == ["train", "train", "test", "test"]


def test_liked_is_above_three_and_histories_lie_before_their_target():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"user_id": np.repeat([f"u{i}" for i in range(30)], 25)})
    table["item_id"] = [f"i{i}" for _ in range(30) for i in rng.permutation(60)[:25]]
    table["rating"] = rng.integers(1, 6, len(table))
    table["timestamp"] = rng.integers(0, 1000, len(table))
    table = table.sample(frac=1, random_state=0)
    rows = few_shot_rows(table, sizes=(300, 50, 50), whole_users=True)
    assert rows.groupby("user_id")["part"].nunique().max() == 1
    asked = table.set_index(["user_id", "item_id"])
    for row in rows.itertuples():
        before = asked.loc[[(row.user_id, item) for item in row.history]]
        assert before["timestamp"].is_monotonic_increasing
        assert before["timestamp"].iloc[-1] <= row.timestamp
        assert (before["rating"] > 3).astype(int).tolist() == row.history_liked
        assert row.item_id not in row.history
        assert (asked.loc[(row.user_id, row.item_id), "rating"] > 3) == row.liked


def test_scores_by_hand(made):
    rows = few_shot_rows(made, history=2, sizes=(2, 0, 2))
    got = untrained_scores(rows, made)
    assert got["history_share"].tolist() == [0.5, 0.5]
    # Outside the test stand b and c, four and two ratings, three of them liked: mean 1/2.
    assert got["popularity"].tolist() == [1.0, 1.0]  # y and w, by b
    # y at time 2: nobody before. w at time 9: nobody before (b at 40).
    assert got["like_rate"].tolist() == [0.5, 0.5]
    other = made.iloc[[1, 3, 4, 7, 5, 8, 0, 2, 6, 9]]
    last = few_shot_rows(other, history=2, sizes=(2, 0, 2))
    # a and c first, then b: x at 30 after a (liked) and c (not), w at 40 after a (not).
    got = untrained_scores(last, other)
    mean = 3 / 6  # of a and c
    assert got["like_rate"].tolist() == pytest.approx([(1 + 5 * mean) / 7, 5 * mean / 6])
    odds = np.log(0.5 / 2.5) + np.log((3.5 / 7) / (1 - 3.5 / 7))
    assert got["both"].iloc[0] == pytest.approx(odds)


def test_a_rule_of_the_question_reads_nothing_else(made):
    rows = few_shot_rows(made, history=2, sizes=(2, 1, 1))
    other = made.assign(rating=6 - made["rating"])
    ours, theirs = untrained_scores(rows, made), untrained_scores(rows, other)
    assert ours["history_share"].equals(theirs["history_share"])
    assert not ours["like_rate"].equals(theirs["like_rate"])


@pytest.mark.parametrize(
    ("change", "settings", "said"),
    [
        ({}, {"history": 0}, "history is 0"),
        ({}, {"history": 5}, "no user has more than 5"),
        ({}, {"sizes": (1, 1, 0)}, "sizes"),
        ({"rating": None}, {}, "is empty"),
        ({"item_id": "x"}, {}, "rates an item twice"),
    ],
)
def test_what_cannot_be_asked_is_refused(made, change, settings, said):
    with pytest.raises(InputError, match=said):
        few_shot_rows(made.assign(**change), **{"history": 2, **settings})


def test_the_order_of_the_file_is_kept(tmp_path, made):
    made.to_parquet(tmp_path / "interactions.parquet")
    assert ratings_in_file_order(tmp_path)["user_id"].tolist() == made["user_id"].tolist()
    published = tmp_path / "published"
    published.mkdir()
    numbers = made.replace({"user_id": {"a": "1", "b": "2", "c": "3"}})
    numbers.to_csv(published / "u.data", sep="\t", header=False, index=False)
    read = ratings_in_file_order(published)
    assert read["user_id"].tolist() == numbers["user_id"].tolist()
    assert read["timestamp"].tolist() == made["timestamp"].tolist()


@pytest.mark.real
def test_movielens_figures():
    folder = find("ml-100k")
    assert folder is not None, "RECNB_DATA holds no ml-100k"
    ratings = ratings_in_file_order(folder)
    rows = few_shot_rows(ratings)
    test = rows[rows["part"] == "test"]
    assert (len(test), test["user_id"].nunique()) == (1000, 16)
    assert not set(test["user_id"]) & set(rows.loc[rows["part"] == "train", "user_id"])
    auc = {name: roc_auc(test["liked"], s) for name, s in untrained_scores(rows, ratings).items()}
    assert auc["history_share"] == pytest.approx(0.726, abs=0.005)
    assert auc["popularity"] == pytest.approx(0.581, abs=0.005)
    assert auc["like_rate"] == pytest.approx(0.656, abs=0.005)
    assert auc["both"] == pytest.approx(0.765, abs=0.005)
