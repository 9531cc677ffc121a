"""Features of users: by hand, by rule, and against planted behaviour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recnb.behaviour import behaviour, category_mix, drift, entropy, item_categories, sessions
from recnb.data import Dataset
from recnb.errors import InputError

DAY = 86_400
COLUMNS = [
    "rows", "pairs", "days_active", "repeat_rate", "recency_days", "rating_bias", "log_popularity",
    "head_share", "category_entropy", "drift", "drift_excess", "sessions", "session_rows",
    "session_minutes", "days_between",
]  # fmt: skip
ITEMS = pd.DataFrame(
    {"item_id": list("xyz"), "title": ["X", "Y", "Z"], "category": ["Tea", "Tea", "Rice"]}
)


def made(users: str, items: str, times=None, ratings=None, catalogue=ITEMS, **more) -> Dataset:
    rows = pd.DataFrame({"user_id": list(users), "item_id": list(items)})
    if times is not None:
        rows["timestamp"] = times
    if ratings is not None:
        rows["rating"] = ratings
    return Dataset.from_frames(rows, catalogue, **{"duplicates": "keep", **more})


def test_by_hand() -> None:
    # a: x and y in one basket on day 0, x and z 50 minutes apart on day 3. b: x on day 4.
    times = [0, 0, 3 * DAY, 3 * DAY + 3000, 4 * DAY]
    found = behaviour(made("aaaab", "xyxzx", times), now=5 * DAY)
    assert list(found.columns) == COLUMNS
    a, b = found.loc["a"], found.loc["b"]
    assert (a["rows"], a["pairs"], a["days_active"], a["repeat_rate"]) == (4, 3, 2, 0.25)
    assert a["recency_days"] == pytest.approx(2 - 3000 / DAY)
    assert a["log_popularity"] == pytest.approx(np.log(2) / 3)  # x has 2 users, y and z 1
    # 4 pairs: x alone holds half of them.
    assert a["head_share"] == pytest.approx(1 / 3) and b["head_share"] == 1
    p = np.array([3, 1]) / 4
    assert a["category_entropy"] == pytest.approx(-(p * np.log2(p)).sum())
    assert (a["sessions"], a["session_rows"], a["session_minutes"]) == (3, 1, 0)
    assert a["days_between"] == pytest.approx((3 + 3000 / DAY) / 2)
    assert (b["sessions"], b["recency_days"]) == (1, 1) and np.isnan(b["days_between"])
    assert np.isnan(a["drift"]) and np.isnan(a["rating_bias"])  # too few rows; no ratings


def test_rating_bias_is_shrunken() -> None:
    ds = made("aab", "xyx", ratings=[5, 5, 2], feedback="explicit", scale=(1, 5))
    found = behaviour(ds, shrinkage=2)["rating_bias"]
    assert found.tolist() == pytest.approx([2 / (2 + 2), -2 / (2 + 1)])  # the mean is 4
    assert behaviour(ds, shrinkage=0)["rating_bias"].tolist() == pytest.approx([1, -2])


def test_what_the_data_cannot_tell_is_nan() -> None:
    users = pd.DataFrame({"user_id": ["a", "quiet"]})
    ds = Dataset.from_frames(pd.DataFrame({"user_id": ["a"], "item_id": ["x"]}), users=users)
    found = behaviour(ds)
    assert list(found.columns) == COLUMNS and set(map(str, found.dtypes)) == {"float64"}
    told = found.notna().loc["a"]
    assert set(told.index[told]) == {
        "rows", "pairs", "repeat_rate", "log_popularity", "head_share",
    }  # fmt: skip
    quiet = found.loc["quiet"]
    assert quiet["rows"] == quiet["pairs"] == 0 and quiet.notna().sum() == 2


def test_lists_and_separators_are_categories() -> None:
    items = pd.DataFrame({"item_id": list("wxyz"), "genres": ["A|B", "B; A", "C, B, A", None]})
    shares, names = item_categories(made("a", "x", catalogue=items))
    assert names == ["A", "B", "C"]
    expected = [[0.5, 0.5, 0], [0.5, 0.5, 0], [1 / 3] * 3, [0, 0, 0]]
    np.testing.assert_allclose(shares.toarray(), expected)
    listed = pd.DataFrame({"item_id": ["x"], "genres": [["B", "A", "A"]]})
    assert item_categories(made("a", "x", catalogue=listed))[1] == ["A", "B"]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda ds: behaviour(ds, now=1), "before the last row"),
        (lambda ds: behaviour(ds, shrinkage=-1), "shrinkage"),
        (lambda ds: behaviour(ds, head=1), "head"),
        (lambda ds: behaviour(ds, category="colour"), "no column 'colour'"),
        (lambda ds: category_mix(ds, "colour"), "name one of title"),
        (lambda ds: sessions(ds, gap_minutes=0), "gap_minutes"),
        (lambda ds: sessions(ds, gap_minutes=float("nan")), "gap_minutes"),
        (lambda _: sessions(made("a", "x")), "clock"),
        (lambda _: category_mix(made("a", "x", catalogue=None)), "no column of categories"),
    ],
)
def test_wrong_input_is_refused(call, problem) -> None:
    with pytest.raises(InputError, match=problem):
        call(made("ab", "xy", [0, DAY]))


def test_a_session_ends_after_a_longer_pause_only() -> None:
    ds = made("aaab", "xxyx", [0, 1800, 3601, 3602])
    assert sessions(ds, 30)["rows"].tolist() == [2, 1, 1]
    assert sessions(ds, 31)["rows"].tolist() == [3, 1]
    assert sessions(ds, 31)["items"].tolist() == [2, 1]
    assert sessions(ds, 31)["minutes"].tolist() == pytest.approx([3601 / 60, 0])


def test_drift_by_hand() -> None:
    # Early half: 2 Tea. Late half: 1 Tea, 1 Rice. H(3/4, 1/4) - (0 + 1) / 2, and its root.
    found = drift(made("aaaa", "xyxz", [1, 2, 3, 4]), min_rows=2, shuffles=0)
    h = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert found["drift"].iloc[0] == pytest.approx(np.sqrt(h - 0.5))
    assert found["drift_excess"].isna().all()
    # All at one moment: no early half.
    assert drift(made("aaaa", "xyxz", [1] * 4), min_rows=1)["drift"].isna().all()


def test_excess_tells_planted_drift_from_chance() -> None:
    rng = np.random.default_rng(0)
    n, rows = 60, 60
    early, late = rng.random((n, rows // 2)) < 0.8, rng.random((n, rows // 2)) < 0.2
    stay = rng.random((n, rows)) < 0.5
    tea = np.vstack([np.hstack([early, late]), stay])
    frame = pd.DataFrame(
        {
            "user_id": np.repeat(
                [f"moves{i}" for i in range(n)] + [f"stays{i}" for i in range(n)], rows
            ),
            "item_id": np.where(tea.ravel(), "x", "z"),
            "timestamp": np.tile(np.arange(rows), 2 * n),
        }
    )
    found = drift(Dataset.from_frames(frame, ITEMS, duplicates="keep"))
    moves = found.index.str.startswith("moves")
    assert found["drift"][~moves].mean() > 0.03  # by chance alone it is not zero
    assert abs(found["drift_excess"][~moves].mean()) < 0.02
    assert found["drift_excess"][moves].mean() > 0.3


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=40
    ),
    st.permutations(range(5)),
)
def test_names_of_users_and_order_of_rows_change_nothing(rows, names) -> None:
    frame = pd.DataFrame(rows, columns=["u", "i", "timestamp"])
    frame["item_id"] = frame.pop("i").map(dict(enumerate("xyz")))
    one = frame.assign(user_id="u" + frame["u"].astype(str)).drop(columns="u")
    two = frame.assign(user_id="u" + frame["u"].map(dict(enumerate(names))).astype(str))
    two = two.drop(columns="u").sample(frac=1, random_state=0)
    a, b = (behaviour(Dataset.from_frames(f, ITEMS, duplicates="keep")) for f in (one, two))
    b.index = b.index.map({f"u{new}": f"u{old}" for old, new in enumerate(names)})
    kept = [c for c in COLUMNS if c != "drift_excess"]  # its random orders differ
    pd.testing.assert_frame_equal(a[kept].sort_index(), b[kept].sort_index(), check_names=False)
    assert a["category_entropy"].between(0, 1).all() and a["repeat_rate"].between(0, 1).all()
    assert a["sessions"].le(a["rows"]).all() and a["pairs"].le(a["rows"]).all()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_entropy_bounds(counts) -> None:
    bits = float(entropy(np.array([counts], dtype=float))[0])
    if sum(counts) == 0:
        assert np.isnan(bits)
    else:
        assert -1e-9 <= bits <= np.log2(len(counts)) + 1e-9
