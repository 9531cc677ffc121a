"""Shapley values: the axioms hold, and a missing subset is refused."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.metrics.shapley import shapley, subsets

NAMES = ("audio", "image", "text")


def table(seed: int = 0) -> dict[tuple[str, ...], np.ndarray]:
    rng = np.random.default_rng(seed)
    return {part: rng.random(5) for part in subsets(NAMES)}


def test_equals_the_mean_over_all_orders() -> None:
    values = table()
    look = {frozenset(k): v for k, v in values.items()}
    wanted = {name: np.zeros(5) for name in NAMES}
    orders = list(permutations(NAMES))
    for order in orders:
        for k, name in enumerate(order):
            gain = look[frozenset(order[: k + 1])] - look[frozenset(order[:k])]
            wanted[name] += gain / len(orders)
    found = shapley(values)
    for name in NAMES:
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-12)


def test_shares_add_up_user_by_user() -> None:
    values = table(1)
    np.testing.assert_allclose(
        sum(shapley(values).values()), values[NAMES] - values[()], atol=1e-12
    )


def test_a_part_that_adds_nothing_gets_nothing_and_twins_get_alike() -> None:
    values = {part: float(len(set(part) & {"image", "text"}) > 0) for part in subsets(NAMES)}
    found = shapley(values)
    assert found["audio"] == 0
    assert found["image"] == found["text"] == 0.5


def test_every_subset_is_asked_for() -> None:
    values = table()
    del values[("audio", "text")]
    with pytest.raises(InputError, match="audio, text"):
        shapley(values)
