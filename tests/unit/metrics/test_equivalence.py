"""Two one-sided tests: alike is shown by narrow intervals only, and rarely where it is not so."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.metrics.equivalence import equivalence


def draws_of(rng: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    base = rng.uniform(0.2, 1.0, n)
    return base * (1 + shift) + rng.normal(0, 0.02, n), base


def test_at_the_margin_one_in_twenty_is_called_alike() -> None:
    rng = np.random.default_rng(0)
    found = [equivalence(*draws_of(rng, 300, 0.01), draws=1000).equivalent for _ in range(200)]
    assert 0.01 <= np.mean(found) <= 0.11  # 0.05, give or take three standard errors and more


def test_few_users_show_nothing_and_many_do() -> None:
    rng = np.random.default_rng(1)
    assert not equivalence(*draws_of(rng, 10, 0.0)).equivalent
    many = equivalence(*draws_of(rng, 5000, 0.0))
    assert many.equivalent and many.p < 0.05 and many.low < 0.002 and many.high > -0.002
    assert many.n == 5000


def test_of_a_pooled_root() -> None:
    rng = np.random.default_rng(2)
    errors, rows = rng.uniform(0.5, 1.5, 400), rng.integers(1, 50, 400)
    found = equivalence(errors * 1.1**2, errors, weights=rows, transform=np.sqrt, margin=0.2)
    assert found.relative == pytest.approx(0.1) and found.equivalent
    assert not equivalence(errors * 1.1**2, errors, weights=rows, transform=np.sqrt).equivalent


def test_bad_input_is_one_line() -> None:
    with pytest.raises(InputError, match="one value per user"):
        equivalence([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="margin is 0"):
        equivalence([1.0, 2.0], [1.0, 2.0], margin=0)
    with pytest.raises(InputError, match="not above 0"):
        equivalence([1.0, 2.0], [0.0, 0.0])
