"""Users of several splits count once, and splits are a sample: the interval covers where the naive one does not."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.metrics import over_splits, with_splits


def drawn(rng: np.random.Generator, n_splits: int, spread: float):
    """Users with tastes of their own, splits with effects of their own; truth 0."""
    user = np.tile(np.arange(150), n_splits)
    split = np.repeat(np.arange(n_splits), 150)
    value = rng.normal(size=150)[user] + spread * rng.normal(size=n_splits)[split]
    return value + 0.5 * rng.normal(size=len(user)), user, split


@pytest.mark.parametrize(("n_splits", "spread"), [(3, 0.0), (3, 0.2), (8, 0.2)])
def test_coverage(n_splits: int, spread: float) -> None:
    rng = np.random.default_rng(0)
    held = naive = 0
    for _ in range(600):
        values, user, split = drawn(rng, n_splits, spread)
        found = over_splits(values, user, split)
        held += found.low <= 0 <= found.high
        half = 1.96 * values.std() / np.sqrt(len(values))
        naive += abs(values.mean()) <= half
    assert 0.93 <= held / 600 <= 0.99
    assert naive / 600 < 0.85  # each row a user of its own: too narrow


def test_by_hand_and_p() -> None:
    found = over_splits([0.1, 0.3, 0.3, 0.3], list("abab"), [1, 1, 2, 2])
    assert found.value == pytest.approx(0.25) and found.n_users == 2
    assert found.by_split == {"1": pytest.approx(0.2), "2": pytest.approx(0.3)}
    rng = np.random.default_rng(1)
    values, user, split = drawn(rng, 4, 0.1)
    low = over_splits(values + 5, user, split)
    assert low.low > 0 and low.p < 0.001


def test_three_splits_that_disagree_show_nothing() -> None:
    """The recorded differences of `all less attributes` on films, with 900 users each: nothing is shown."""
    rng = np.random.default_rng(0)
    user, split = np.tile(np.arange(900), 3), np.repeat(np.arange(3), 900)
    values = np.array([-0.0199, 0.0443, 0.0102])[split] + 0.1 * rng.normal(size=2700)
    found = over_splits(values, user, split)
    assert found.low < 0 < found.high and found.p > 0.3


@pytest.mark.parametrize(
    ("values", "users", "splits", "message"),
    [
        ([1.0, np.nan], [1, 2], [1, 1], "row 2: a value is NaN"),
        ([1.0, 2.0], [1, 2], [1], "one split per row"),
        ([1.0, 2.0], [1, 1], [1, 1], "fewer than two users"),
        ([1.0, 2.0, 3.0], [1, 1, 2], [1, 1, 1], "twice in a split"),
    ],
)
def test_wrong_input(values, users, splits, message: str) -> None:
    with pytest.raises(InputError, match=message):
        over_splits(values, users, splits)


@pytest.mark.parametrize(("n_splits", "spread"), [(3, 0.0), (3, 0.2), (8, 0.2)])
def test_an_interval_over_users_becomes_the_one_over_both(n_splits: int, spread: float) -> None:
    """From the ends of a normal interval over users, the same as from the values."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        values, user, split = drawn(rng, n_splits, spread)
        full = over_splits(values, user, split)
        means = values.reshape(n_splits, -1).mean(axis=0)
        half = 1.959964 * means.std(ddof=1) / np.sqrt(len(means))
        ends = (full.value - half, full.value + half)
        both = with_splits(full.value, *ends, full.by_split, full.n_users)
        assert (both.low, both.high, both.p) == pytest.approx(
            (full.low, full.high, full.p), rel=1e-4
        )
        assert both.high - both.low > ends[1] - ends[0]


def test_ends_that_cannot_be_are_refused() -> None:
    for given in (
        (0.1, 0.3, 0.2, {0: 0.1}, 9),
        (0.1, 0.0, np.nan, {0: 0.1}, 9),
        (0.1, 0, 1, {}, 9),
    ):
        with pytest.raises(InputError, match="low before high"):
            with_splits(*given)


def test_the_interval_of_a_share_stays_in_range_and_covers() -> None:
    """Few hits: one in fifty users has one; the plain interval often begins below 0."""
    rng, n = np.random.default_rng(3), 200
    below = held = 0
    for _ in range(300):
        values = rng.binomial(1, 0.02, n) / 2
        if not values.any():
            continue
        plain = over_splits(values, np.arange(n), np.zeros(n))
        share = plain.as_share()
        below += plain.low < 0
        assert 0 < share.low < share.value < share.high < 1 and share.p == plain.p
        held += share.low <= 0.01 <= share.high
    assert below > 60 and 0.93 <= held / 300 <= 0.99
    many = over_splits(rng.uniform(size=n), np.arange(n), np.zeros(n))
    assert many.as_share().low == pytest.approx(many.low, abs=2e-3)  # far from the ends: the same
    none = over_splits(np.zeros(n), np.arange(n), np.zeros(n))
    assert none.as_share() == none
