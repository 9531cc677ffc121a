"""Profiles: every word from a number, and nothing said that the rows do not carry."""

from __future__ import annotations

import pandas as pd
import pytest

from recnb.behaviour import profile
from recnb.data import Dataset
from recnb.errors import InputError

ITEMS = pd.DataFrame(
    {
        "item_id": list("xyz"),
        "title": ["Green tea", "Black tea", "Rice"],
        "category": ["Tea", "Tea", "Grain"],
    }
)


def dataset(order: bool = True, **more) -> Dataset:
    # ann: 40 rows of tea, then 10 of rice. bob and cat: rice only, and much of it.
    rows = pd.DataFrame(
        {
            "user_id": ["ann"] * 50 + ["bob"] * 100 + ["cat"],
            "item_id": ["x"] * 30 + ["y"] * 10 + ["z"] * 10 + ["z"] * 101,
            "timestamp": range(151),
            "event": "buy",
        }
    )
    rows = rows if order else rows.drop(columns="timestamp")
    return Dataset.from_frames(rows, more.pop("items", ITEMS), duplicates="keep", **more)


def test_by_hand() -> None:
    ann = profile(dataset(), ["ann"])[0]
    assert (ann.verb, ann.rows, ann.items) == ("buys", 50, 3)
    assert ann.mostly == (("Tea", 0.8), ("Grain", 0.2))
    assert ann.unusually == (("Tea", 0.8, 40 / 151),)
    assert ann.returns_to == (("Green tea", 30), ("Black tea", 10), ("Rice", 10))
    assert ann.lately_more == (("Grain", 0.0, 1.0),)
    assert ann.lately_less == (("Tea", 1.0, 0.0),)
    said = str(ann)
    assert "Buys mostly Tea (80%) and Grain (20%)." in said
    assert "Returns to Green tea (30 times), Black tea (10 times) and Rice (10 times)." in said
    assert "Lately more Grain (0% before, 100% now)." in said


def test_a_steady_user_has_no_change_and_one_row_no_history() -> None:
    bob, cat = profile(dataset(), ["bob", "cat"])
    assert bob.lately_more == bob.lately_less == () and "Lately" not in str(bob)
    assert cat.returns_to == cat.lately_more == () and "Returns" not in str(cat)


def test_nothing_is_said_about_time_without_an_order() -> None:
    ann = profile(dataset(order=False), ["ann"])[0]
    assert ann.lately_more == ann.lately_less == () and ann.mostly


def test_without_categories_and_without_rows() -> None:
    users = pd.DataFrame({"user_id": ["new"]})
    ds = dataset(
        items=None, users=pd.concat([users, pd.DataFrame({"user_id": ["ann", "bob", "cat"]})])
    )
    new, ann = profile(ds, ["new", "ann"])
    assert str(new) == "User new: nothing is known."
    assert ann.mostly == () and ann.returns_to[0] == ("x", 30)
    assert len(profile(ds)) == 4


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"users": ["eve"]}, "no user 'eve'"), ({"n": 0}, "n=0"), ({"recent": 1}, "recent=1")],
)
def test_wrong_input_is_refused(settings, problem) -> None:
    with pytest.raises(InputError, match=problem):
        profile(dataset(), **settings)
