"""Gaps between groups of users: by hand, and how often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.metrics import group_gap


def test_by_hand() -> None:
    found = group_gap([1, 1, 0, 3, 5], ["b", "b", "b", "a", "a"]).set_index("group")
    assert found["n_users"].to_dict() == {"a": 2, "b": 3}
    assert found.loc["a", "value"] == 4 and found.loc["a", "to"] == "b"  # the largest
    assert found.loc["a", "difference"] == pytest.approx(4 - 2 / 3)
    assert found.loc["b", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    turned = group_gap([1, 1, 0, 3, 5], ["b", "b", "b", "a", "a"], reference="a")
    assert turned.set_index("group").loc["b", "difference"] == pytest.approx(2 / 3 - 4)


def test_missing_labels_are_a_group_and_one_user_has_no_interval() -> None:
    found = group_gap([1, 2, 3, 4], ["a", "a", None, float("nan")]).set_index("group")
    assert found["n_users"].to_dict() == {"a": 2, "not given": 2}
    alone = group_gap([1, 2, 3], ["a", "a", "b"]).set_index("group").loc["b"]
    assert alone["value"] == 3 and np.isnan(alone["low"]) and np.isnan(alone["difference_low"])


def test_order_of_users_does_not_matter_for_the_values() -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.random(50), rng.choice(list("abc"), 50)
    shuffle = rng.permutation(50)
    one, two = group_gap(values, groups), group_gap(values[shuffle], groups[shuffle])
    np.testing.assert_allclose(one[["value", "difference"]], two[["value", "difference"]])


def test_interval_holds_the_true_gap_about_as_often_as_said() -> None:
    rng = np.random.default_rng(1)
    held = []
    for seed in range(200):
        values = np.r_[rng.exponential(1, 80), rng.exponential(1.5, 60)]
        row = group_gap(values, ["a"] * 80 + ["b"] * 60, draws=1000, seed=seed).iloc[1]
        held.append(row["difference_low"] <= 0.5 <= row["difference_high"])
    assert 0.88 <= np.mean(held) <= 0.99


@pytest.mark.parametrize(
    ("values", "groups", "more", "problem"),
    [
        ([1, 2], ["a", "a"], {}, "only group"),
        ([1, 2], ["a"], {}, "beside 1 groups"),
        ([1, np.nan], ["a", "b"], {}, "row 2"),
        ([1, 2], ["a", "b"], {"reference": "c"}, "no group 'c'"),
        ([1, 2], ["a", "b"], {"level": 1}, "level"),
        ([1, 2], ["a", "b"], {"draws": 10}, "draws"),
        ([], [], {}, "shape"),
    ],
)
def test_wrong_input_is_refused(values, groups, more, problem) -> None:
    with pytest.raises(InputError, match=problem):
        group_gap(values, groups, **more)
