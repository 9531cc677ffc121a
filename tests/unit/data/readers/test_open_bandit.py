"""Open Bandit: a log of impressions with propensities, of several policies and campaigns."""

from __future__ import annotations

import numpy as np
import pytest

from recnb import InputError, load
from recnb.data.readers.open_bandit import read_open_bandit, read_open_bandit_items

HEAD = (
    ",timestamp,item_id,position,click,propensity_score,"
    + ",".join(f"user_feature_{i}" for i in range(4))
    + ",user-item_affinity_0,user-item_affinity_1\n"
)
ROWS = (
    "0,2019-11-24 00:00:19.112365+00:00,1,3,0,0.5,aa,bb,cc,dd,0.0,1.5\n"
    "1,2019-11-24 00:00:19.541163+00:00,0,1,1,0.25,aa,bb,cc,ee,2.0,0.0\n"
)
CONTEXT = (
    ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n"
    "0,0,-0.5,h1,h2,h3\n1,1,0.25,h4,h5,h6\n"
)
FILES = {
    "random/men/men.csv": HEAD + ROWS,
    "random/men/item_context.csv": CONTEXT,
    "bts/women/women.csv": HEAD + ROWS,
    "bts/women/item_context.csv": CONTEXT,
}


def test_layout(write):
    folder = write(FILES)
    log = read_open_bandit(folder)
    assert log[["policy", "campaign"]].drop_duplicates().values.tolist() == [
        ["bts", "women"],
        ["random", "men"],
    ]
    assert log["item_id"].tolist() == ["women_1", "women_0", "men_1", "men_0"]
    assert log["propensity"].tolist() == [0.5, 0.25] * 2 and log["click"].tolist() == [0, 1] * 2
    assert np.isclose(log["timestamp"].iloc[0], 1574553619.112365, atol=1e-6, rtol=0)
    assert "user-item_affinity_0" not in log and log["user_feature_3"].tolist()[:2] == ["dd", "ee"]
    assert read_open_bandit(folder, affinity=True)["user-item_affinity_1"].tolist() == [1.5, 0] * 2
    items = read_open_bandit_items(folder)
    assert items["item_feature_0"].tolist() == [-0.5, 0.25] * 2 and items["policy"].iloc[0] == "bts"


def test_one_campaign_alone(write):
    folder = write(FILES) / "random" / "men"
    assert read_open_bandit(folder)["policy"].unique().tolist() == ["random"]


def test_it_is_no_set_of_interactions(write):
    with pytest.raises(InputError, match="read_open_bandit"):
        load(write(FILES))
    with pytest.raises(InputError, match=r"no men\.csv"):
        read_open_bandit(write({"x/y.csv": "a\n1\n"}, "other"))


WRONG = {
    "propensity zero": (ROWS.replace("0.25", "0", 1), 2, "propensity_score", "'0'"),
    "propensity above one": (ROWS.replace("0.5", "1.5", 1), 1, "propensity_score", "'1.5'"),
    "click": (ROWS.replace(",1,0.25", ",2,0.25"), 2, "click", "'2'"),
    "position": (ROWS.replace(",3,0,", ",0,0,"), 1, "position", "'0'"),
    "time": (ROWS.replace("2019-11-24", "2019-13-24", 1), 1, "timestamp", "2019-13-24"),
    "cut off": (ROWS[:-9], 2, None, "cells"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(write, name):
    rows, row, column, word = WRONG[name]
    folder = write({**FILES, "random/men/men.csv": HEAD + rows})
    with pytest.raises(InputError) as caught:
        read_open_bandit(folder)
    error = caught.value
    assert error.file == str(folder / "random/men/men.csv")
    assert (error.row, error.column) == (row, column) and word in error.problem and error.mend


def test_a_column_is_missing(write):
    folder = write({**FILES, "random/men/men.csv": (HEAD + ROWS).replace("propensity_score", "p")})
    with pytest.raises(InputError, match="'propensity_score' is missing"):
        read_open_bandit(folder)
