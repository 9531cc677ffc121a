"""Rating errors by hand, their per-user parts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recnb.errors import InputError
from recnb.metrics import mae, mse, per_user_absolute_error, per_user_squared_error, rmse

ALL = pytest.mark.parametrize(
    ("metric", "value"), [(mae, 1.5), (mse, 3.5), (rmse, np.sqrt(3.5))], ids=["mae", "mse", "rmse"]
)


@ALL
def test_hand_worked(metric, value: float) -> None:
    assert metric([1, 2, 3, 4], [1, 3, 5, 1]) == pytest.approx(value, abs=1e-12)  # 0, 1, 2, 3
    assert metric([1, 2], [1, 2]) == 0


@ALL
@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([1, np.nan], [1, 2], "row 2: the true rating is nan"),
        ([1, 2], [np.inf, 2], "row 1: the predicted rating is inf"),
        ([1, 2], [1], "shape"),
        ([], [], "at least one row"),
    ],
)
def test_wrong_input(metric, value: float, true: list, predicted: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        metric(true, predicted)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 50))
def test_per_user_parts_pool_to_the_whole(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    users, true, predicted = rng.integers(0, 9, n), rng.normal(size=n), rng.normal(size=n)
    for per_user, whole in ((per_user_squared_error, mse), (per_user_absolute_error, mae)):
        part = per_user(users, true, predicted)
        assert part.user.tolist() == sorted(set(users.tolist()))
        assert part.weight.tolist() == [int((users == u).sum()) for u in part.user]
        pooled = (part.mean * part.weight).sum() / part.weight.sum()
        assert pooled == pytest.approx(whole(true, predicted), abs=1e-12)
        first = users == part.user[0]
        assert part.mean[0] == pytest.approx(whole(true[first], predicted[first]), abs=1e-12)


def test_users_must_fit() -> None:
    with pytest.raises(InputError, match="one whole number per row"):
        per_user_squared_error([0, 1, 2], [1, 2], [1, 2])
