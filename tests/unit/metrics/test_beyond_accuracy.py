"""Breadth, concentration, popularity and variety of lists, by hand and by slow definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics import coverage, gini, intra_list_diversity, novelty, popularity_lift

LISTS = np.array([[0, 1, 2], [0, 3, -1], [-1, -1, -1]])


def test_coverage() -> None:
    assert coverage(LISTS, 8) == 4 / 8
    assert coverage(np.full((2, 2), -1), 8) == 0


def test_gini() -> None:
    # counts 2 1 1 1 0: mean absolute difference over twice the mean
    counts = np.array([2, 1, 1, 1, 0])
    slow = np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert gini(LISTS, 5) == pytest.approx(slow, abs=1e-12)
    assert gini(np.array([[0, 1], [2, 3]]), 4) == 0
    assert gini(np.zeros((5, 1), dtype=int), 10) == pytest.approx(0.9)
    with pytest.raises(InputError, match="all lists are empty"):
        gini(np.full((2, 2), -1), 4)


def test_novelty() -> None:
    values = novelty(LISTS, popularity=[8, 4, 2, 0], n_users=16)
    assert values[0] == pytest.approx((1 + 2 + 3) / 3)
    assert values[1] == pytest.approx((1 + 4) / 2)  # an unused item counts as used once
    assert np.isnan(values[2])
    with pytest.raises(InputError, match="more than 4 users"):
        novelty(LISTS, popularity=[8, 4, 2, 0], n_users=4)


def test_popularity_lift() -> None:
    history = sparse.csr_array(np.array([[0, 0, 5, 1], [0, 0, 0, 0], [1, 0, 0, 0]]))
    values = popularity_lift(LISTS, history, popularity=[8, 4, 2, 6])
    assert values[0] == pytest.approx((14 / 3) / 4 - 1)  # the entry 5 counts as one item
    assert np.isnan(values[1:]).all()  # no history; no list
    own = popularity_lift(np.array([[2, 3, -1]] * 3), history, popularity=[8, 4, 2, 6])
    assert own[0] == 0
    with pytest.raises(InputError, match="history has shape"):
        popularity_lift(LISTS, history, popularity=[1, 2])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_diversity_equals_the_mean_over_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(12, 3)) * rng.integers(0, 3, (12, 1))  # some are zero
    lists = np.argsort(rng.random((5, 12)), axis=1)[:, :4]
    lists = np.where(rng.random(lists.shape) < 0.2, -1, lists)
    for row, value in zip(lists, intra_list_diversity(lists, vectors), strict=True):
        chosen = vectors[row[row >= 0]]
        cosines = [
            a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) if a.any() and b.any() else 0.0
            for i, a in enumerate(chosen)
            for b in chosen[:i]
        ]
        expected = 1 - np.mean(cosines) if cosines else np.nan
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


def test_diversity_bounds() -> None:
    lists = np.array([[0, 1], [0, 2], [0, 3]])
    vectors = [[1, 0], [5, 0], [-1, 0], [0, 2]]
    np.testing.assert_allclose(intra_list_diversity(lists, vectors), [0, 2, 1], atol=1e-12)
    with pytest.raises(InputError, match="vectors"):
        intra_list_diversity(lists, [[np.nan, 0]] * 4)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: coverage(x, 3),
        lambda x: gini(x, 3),
        lambda x: novelty(x, [1, 1, 1], 5),
        lambda x: intra_list_diversity(x, np.eye(3)),
        lambda x: popularity_lift(x, sparse.csr_array((3, 3)), [1, 1, 1]),
    ],
)
def test_foreign_codes_raise(call) -> None:
    with pytest.raises(InputError, match="row 2: item code 3 is outside"):
        call(LISTS)
    with pytest.raises(InputError, match="not integer"):
        call(LISTS / 2)


def test_relabelling_items_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    lists = np.argsort(rng.random((20, 30)), axis=1)[:, :5]
    names, popularity = rng.permutation(30), rng.integers(1, 20, 30)
    vectors = rng.normal(size=(30, 4))
    back = np.argsort(names)
    assert gini(lists, 30) == pytest.approx(gini(names[lists], 30))
    assert coverage(lists, 30) == coverage(names[lists], 30)
    np.testing.assert_allclose(
        novelty(lists, popularity, 20), novelty(names[lists], popularity[back], 20)
    )
    np.testing.assert_allclose(
        intra_list_diversity(lists, vectors), intra_list_diversity(names[lists], vectors[back])
    )
