"""Lists of single users: history, what came after, hits; by hand and against the measured values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb import Evaluation, InputError, evaluate
from recnb.data import splits
from recnb.evaluation import Protocol
from recnb.evaluation.people import lists_of_users, users_with_lists
from tests.unit.evaluation.conftest import Noisy, Popular, build, table


@pytest.fixture(scope="module")
def ev() -> Evaluation:
    rows = table()
    items = pd.DataFrame({"item_id": sorted(rows["item_id"].unique())})
    items["title"] = "Title " + items["item_id"].str[1:]
    items.loc[3, "title"] = None
    split = splits.user_time(build(rows, items=items), test=0.3, valid=0.2)
    models = {"popular": Popular(), "noisy": Noisy()}
    return evaluate(models, split, Protocol(k=5, metrics=("hit_rate", "recall")), seeds=(0, 1))


def test_hits_are_those_that_were_counted(ev):
    """A user's hits over the relevant items of the test part are the recall that was measured."""
    targets = ev.split_frame[ev.split_frame["target"]]
    assert set(targets["part"]) == {"test"}
    n = targets.groupby("user_id")["item_id"].nunique()
    values = ev.per_user[(ev.per_user["metric"] == "recall") & (ev.per_user["seed"] == 0)]
    values = values.set_index(["model", "user_id"])["value"]
    for one in lists_of_users(ev, list(ev.users.index)):
        for model, part in one.lists.groupby("model"):
            assert part["hit"].sum() / n[one.user] == pytest.approx(values[model, one.user])
    assert values.nunique() > 3


def test_history_is_the_split(ev):
    user = ev.users.index[0]
    one = ev.lists_for(user)
    mine = ev.split_frame[ev.split_frame["user_id"] == user].sort_values("timestamp")
    known = mine[mine["part"] != "test"]["item_id"].tolist()
    assert one.known["item_id"].tolist() == known[::-1] and set(one.known["times"]) == {1}
    test = mine[mine["part"] == "test"]
    assert one.later["item_id"].tolist() == test["item_id"].tolist()
    assert one.later["hit"].tolist() == test["target"].tolist()


def test_titles_and_their_lack(ev):
    shown = pd.concat([one.lists for one in lists_of_users(ev, list(ev.users.index))])
    named = shown["title"] != shown["item_id"]
    assert (shown.loc[named, "title"] == "Title " + shown.loc[named, "item_id"].str[1:]).all()
    assert len(ev.titles) == 29 and named.any()


def test_side_by_side(ev):
    one = ev.lists_for(ev.users.index[1], k=3)
    wide = one.beside("noisy", "popular")
    assert list(wide) == ["noisy", "popular"] and list(wide.index) == [1, 2, 3]
    ticks = sum(text.endswith(" ✓") for text in wide.to_numpy().ravel())
    assert ticks == one.lists["hit"].sum()
    assert list(one.beside()) == ["popular", "noisy"]
    seeds = ev.lists[(ev.lists["user_id"] == one.user) & (ev.lists["model"] == "noisy")]
    first = seeds[seeds["seed"] == 0].sort_values("rank")["item_id"].head(3).tolist()
    assert one.lists.loc[one.lists["model"] == "noisy", "item_id"].tolist() == first


def test_wrong_names(ev):
    with pytest.raises(InputError, match="no judged user 'nobody'"):
        ev.lists_for("nobody")
    with pytest.raises(InputError, match="no model 'als'"):
        ev.lists_for(ev.users.index[0], models=["als"])
    with pytest.raises(InputError, match="no list of 'als'"):
        ev.lists_for(ev.users.index[0]).beside("als")


def test_drawn_users_have_lists(ev):
    drawn = users_with_lists(ev, 7, seed=3)
    assert drawn == users_with_lists(ev, 7, seed=3) and len(set(drawn)) == 7
    assert set(drawn) <= set(ev.lists["user_id"]) and drawn != users_with_lists(ev, 7, seed=4)
    assert len(users_with_lists(ev, 10**6)) == ev.lists["user_id"].nunique()


def test_what_is_loaded_shows_the_same(ev, tmp_path):
    ev.save(tmp_path)
    back = Evaluation.load(tmp_path)
    user = ev.users.index[2]
    assert back.titles == ev.titles and back.records == ev.records
    pd.testing.assert_frame_equal(back.lists_for(user).lists, ev.lists_for(user).lists)
    assert np.array_equal(back.split_frame["target"], ev.split_frame["target"])
