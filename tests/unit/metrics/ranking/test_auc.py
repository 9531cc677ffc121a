"""AUC per user: pairs counted one by one, ties, candidates, and where it is not defined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recnb.errors import InputError
from recnb.metrics import auc


def by_pairs(scores: np.ndarray, positive: np.ndarray, mask: np.ndarray) -> float:
    up, down = scores[positive & mask], scores[~positive & mask]
    pairs = [(a > b) + (a == b) / 2 for a in up for b in down]
    return float(np.mean(pairs)) if pairs else float("nan")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([1, 3, 10**6]))
def test_counts_pairs(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (6, 12)).astype(np.float32)
    positive, mask = rng.random((6, 12)) < 0.3, rng.random((6, 12)) < 0.7
    positive[:, 0] = mask[:, 0] = True
    expected = [by_pairs(*rows) for rows in zip(scores, positive, mask, strict=True)]
    np.testing.assert_allclose(auc(scores, positive, mask), expected, rtol=0, atol=1e-12)
    order = rng.permutation(12)
    np.testing.assert_allclose(
        auc(scores[:, order], positive[:, order], mask[:, order]), expected, rtol=0, atol=1e-12
    )


def test_ends_and_constant_scores() -> None:
    positive = np.array([[True, True, False]])
    assert auc(np.array([[2.0, 3.0, 1.0]]), positive) == [1.0]
    assert auc(np.array([[2.0, 3.0, 9.0]]), positive) == [0.0]
    assert auc(np.zeros((1, 3)), positive) == [0.5]


def test_undefined_without_negatives() -> None:
    assert np.isnan(auc(np.array([[1.0, 2.0]]), np.array([[True, True]]))).all()


def test_only_candidates_need_finite_scores() -> None:
    scores = np.array([[1.0, 2.0, np.nan]])
    positive = np.array([[False, True, False]])
    assert auc(scores, positive, np.array([[True, True, False]])) == [1.0]
    with pytest.raises(InputError, match="row 1: the score of item 2 is nan"):
        auc(scores, positive)


def test_wrong_input() -> None:
    scores, positive = np.zeros((2, 3)), np.eye(2, 3, dtype=bool)
    with pytest.raises(InputError, match="row 1: the user has no relevant candidate"):
        auc(scores, positive, ~positive)
    with pytest.raises(InputError, match="differ"):
        auc(scores, positive[:, :2])
    with pytest.raises(InputError, match="not bool"):
        auc(scores, positive.astype(int))
