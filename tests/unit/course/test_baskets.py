"""One user's moments in time, and findings kept for the record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.course import Notes, baskets, middle_user
from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.metrics import bootstrap, paired

DAY = 86_400


@pytest.fixture
def split():
    rows = [("a", f"i{i}", DAY * (i // 3)) for i in range(12)]
    rows += [("b", f"i{i}", DAY * i) for i in range(4)] + [("c", "i0", 0)]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(12)]})
    items["title"] = "thing " + items["item_id"]
    return splits.user_time(Dataset.from_frames(frame, items), test=0.25, valid=0.25)


def test_moments_hold_the_users_rows_once_and_in_order(split):
    shown = baskets(split, "a", longest=99)
    named = [title for line in shown["items"] for title in line.split("; ")]
    assert sorted(named) == sorted(f"thing i{i}" for i in range(12))
    assert list(shown.index) == ["01 Jan 1970", "02 Jan 1970", "03 Jan 1970", "04 Jan 1970"]
    assert shown["part"].tolist() == ["train", "train", "validation", "test"]


def test_a_negative_start_counts_back_from_the_first_test_row(split):
    assert baskets(split, "a", first=-1, n=2)["part"].tolist() == ["validation", "test"]
    assert baskets(split, "a", first=-1, n=1, longest=1)["items"].iloc[0].endswith("; and 2 more")


def test_a_moment_through_which_the_cut_runs_names_both_sides(split):
    cut = splits.user_time(split.dataset, test=0.1, valid=0.1)
    assert set(baskets(cut, "a", first=-1, n=1)["part"].iloc[0].split(" and ")) <= {
        "validation",
        "train",
        "test",
    }
    assert any(" and " in part for part in baskets(cut, "a")["part"])


def test_the_middle_user_has_rows_on_both_sides(split):
    assert middle_user(split) in {"a", "b"}


def test_data_without_order_and_unknown_users_are_refused(split):
    with pytest.raises(InputError, match="no user 'z'"):
        baskets(split, "z")
    rows = pd.DataFrame({"user_id": list("aabbc" * 2), "item_id": list("vwxyzzyvwx")})
    with pytest.raises(InputError, match="no order"):
        baskets(splits.random(Dataset.from_frames(rows)), "a")


def test_notes_keep_means_intervals_and_differences():
    values = np.random.default_rng(0).random(50)
    notes = Notes(draws=1000, seed=3)
    kept = notes.mean("ndcg", np.append(values, np.nan), model="ease")
    assert (kept["value"], kept["n_users"]) == (pytest.approx(values.mean()), 50)
    assert (kept["low"], kept["high"]) == bootstrap(values, draws=1000, seed=3)
    gap = paired(values, values[::-1], draws=1000, seed=3)
    notes.difference("ndcg less", gap, model="ease")
    table = notes.table("ndcg less", "model")
    assert table.loc["ease", "p"] == gap.p and table.loc["ease", "value"] == gap.difference
    assert [row["metric"] for row in notes.rows] == ["ndcg", "ndcg less"]
