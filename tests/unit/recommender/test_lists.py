"""Lists of other libraries: checked once, ranked without gaps, foreign ids named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import InputError, read_lists
from recnb.data import Dataset

FRAME = pd.DataFrame(
    {
        "user_id": ["b", "a", "a", "b", "a"],
        "item_id": ["x", "x", "y", "z", "z"],
        "rank": [7, 30, 10, 2, 20],
        "score": [0.1, 0.3, 0.9, 0.8, 0.5],
    }
)
RANKED = [("a", "y", 1), ("a", "z", 2), ("a", "x", 3), ("b", "z", 1), ("b", "x", 2)]


def rows(lists):
    return list(lists.table[["user_id", "item_id", "rank"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("dropped", [[], ["score"], ["rank"]])
def test_order_and_gaps(dropped):
    lists = read_lists(FRAME.drop(columns=dropped))
    assert rows(lists) == RANKED and lists.depth == 3
    assert "key" not in lists.table and lists.table.index.tolist() == list(range(5))


def test_ranks_break_ties_of_scores_and_may_start_at_zero():
    frame = FRAME.assign(rank=[1, 0, 1, 0, 2], score=[0.1, 0.5, 0.5, 0.8, 0.5])
    assert rows(read_lists(frame))[:3] == [("a", "x", 1), ("a", "y", 2), ("a", "z", 3)]


def test_a_missing_score_says_nothing_against_the_rank():
    frame = FRAME.assign(score=pd.array([0.1, None, 0.9, 0.8, 0.5], "Float64"))
    assert rows(read_lists(frame)) == RANKED


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files(tmp_path, kind):
    path = tmp_path / f"recs.{kind}"
    FRAME.to_csv(path, index=False) if kind == "csv" else FRAME.to_parquet(path)
    assert rows(read_lists(path)) == RANKED
    assert read_lists(path).file == str(path)


WRONG = {
    "no item": (FRAME.rename(columns={"item_id": "movieId"}), None, None, "'item_id' is missing"),
    "neither": (FRAME[["user_id", "item_id"]], None, None, "neither 'rank' nor 'score'"),
    "item twice": (FRAME.assign(item_id="x"), "item_id", 3, "stands twice in the list of user 'a'"),
    "rank twice": (FRAME.assign(rank=[7, 1, 1, 2, 3]), "rank", 3, "shares its rank with another"),
    "equal scores": (
        FRAME.drop(columns="rank").assign(score=[1, 2, 3, 1, 4]),
        "score",
        4,
        "shares its score",
    ),
    "NaN score": (
        FRAME.drop(columns="rank").assign(score=[1, np.nan, 3, 2, 4]),
        "score",
        2,
        "NaN is no value",
    ),
    "null rank": (FRAME.assign(rank=pd.array([7, 1, 2, None, 3], "Int64")), "rank", 4, "empty"),
    "all null": (FRAME.assign(rank=pd.array([None] * 5, "Int64")), "rank", None, "column is empty"),
    "infinite rank": (FRAME.assign(rank=[1, 2, np.inf, 3, 4.0]), "rank", 3, "no finite number"),
    "rank below zero": (FRAME.assign(rank=[7, 30, -1, 2, 20]), "rank", 3, "rank -1"),
    "half a rank": (FRAME.assign(rank=[7, 30, 1.5, 2, 20]), "rank", 3, "rank 1.5"),
    "rank against score": (FRAME.assign(rank=[7, 30, 10, 2, 9]), "score", 3, "'y' is higher"),
    "rank in words": (FRAME.assign(rank=["1", "2", "third", "4", "5"]), "rank", 3, "'third'"),
    "no user": (FRAME.assign(user_id=["b", None, "a", "b", "a"]), "user_id", 2, "no id"),
    "no rows": (FRAME[:0], None, None, "no rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_lists(name):
    frame, column, row, problem = WRONG[name]
    with pytest.raises(InputError) as caught:
        read_lists(frame)
    error = caught.value
    assert (error.file, error.column, error.row) == ("lists", column, row)
    assert problem in str(error) and error.mend


@pytest.fixture
def ds():
    # the catalogue stands in another order than the lists
    return Dataset.from_frames(
        pd.DataFrame({"user_id": ["b", "a", "c"], "item_id": ["z", "y", "x"]}),
        pd.DataFrame({"item_id": ["z", "y", "x"]}),
        pd.DataFrame({"user_id": ["c", "b", "a"]}),
    )


def test_codes(ds):
    items, scores = read_lists(FRAME).codes(ds, np.array([2, 0, 1]), k=4)
    np.testing.assert_array_equal(items, [[1, 0, 2, -1], [-1] * 4, [0, 2, -1, -1]])
    np.testing.assert_allclose(
        scores, [[0.9, 0.5, 0.3, np.nan], [np.nan] * 4, [0.8, 0.1, np.nan, np.nan]], rtol=1e-6
    )
    items, scores = read_lists(FRAME.drop(columns="score")).codes(ds, np.array([2]), k=2)
    np.testing.assert_array_equal(items, [[1, 0]])
    assert np.isnan(scores).all()


@pytest.mark.parametrize(("column", "row"), [("user_id", 3), ("item_id", 2)])
def test_foreign_ids_are_named_with_their_row(ds, tmp_path, column, row):
    frame = FRAME.copy()
    frame.loc[row - 1, column] = "foreign"
    frame.to_csv(tmp_path / "recs.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_lists(tmp_path / "recs.csv").codes(ds, np.arange(3), 2)
    error = caught.value
    assert (error.file, error.column, error.row) == (str(tmp_path / "recs.csv"), column, row)
    assert "'foreign' is not in data (1 rows like this)" in error.problem
