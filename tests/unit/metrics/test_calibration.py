"""Miscalibration and serendipity: by hand, their bounds, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import jensenshannon

from recnb import metrics
from recnb.errors import InputError
from recnb.metrics import miscalibration, serendipity

GENRES = np.array([[1, 0], [0, 1], [1, 0], [0.5, 0.5]])


def test_kl_by_hand() -> None:
    # p = (3/4, 1/4) by weights 3 and 1; q = (1, 0); q' = 0.9 q + 0.1 p = (0.975, 0.025).
    found = miscalibration(np.array([[2]]), sparse.csr_array([[3, 1, 0, 0]]), GENRES, alpha=0.1)
    assert found[0] == pytest.approx(0.75 * np.log(0.75 / 0.975) + 0.25 * np.log(0.25 / 0.025))


def test_shares_of_an_item_count_in_parts() -> None:
    history = sparse.csr_array([[1, 1, 0, 0]])
    assert miscalibration(np.array([[3, -1]]), history, GENRES)[0] == pytest.approx(0)


def test_nothing_to_stand_on_is_nan() -> None:
    history = sparse.csr_array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    lists = np.array([[-1], [0], [0]])
    for divergence in ("kl", "js"):
        found = miscalibration(lists, history, GENRES, divergence)
        assert np.isnan(found[:2]).all() and found[2] == 0
    assert np.isnan(miscalibration(lists, history, np.zeros((4, 2)))).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_agrees_with_scipy_and_keeps_its_bounds(seed) -> None:
    rng = np.random.default_rng(seed)
    genres = rng.random((12, 4)) * (rng.random((12, 4)) < 0.6) + 1e-3
    history = sparse.csr_array(rng.poisson(1, (6, 12)) + np.eye(6, 12))
    lists = np.argsort(rng.random((6, 12)), axis=1)[:, :5]
    js = miscalibration(lists, history, genres, "js")
    p = (history @ genres) / (history @ genres).sum(1, keepdims=True)
    q = np.array([genres[row].sum(0) / genres[row].sum() for row in lists])
    np.testing.assert_allclose(js, jensenshannon(p, q, axis=1, base=2) ** 2, atol=1e-12)
    assert ((js >= 0) & (js <= 1)).all()
    kl = miscalibration(lists, history, genres, "kl")
    assert ((kl >= 0) & (kl <= np.log(100) + 1e-9)).all()  # at most ln(1 / alpha)
    back = rng.permutation(12)
    np.testing.assert_allclose(
        kl, miscalibration(np.argsort(back)[lists], history[:, back], genres[back])
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"divergence": "tv"}, "divergence='tv'"),
        ({"alpha": 0}, "alpha is 0"),
        ({"history": sparse.csr_array((3, 4))}, "history has shape"),
        ({"history": sparse.csr_array([[-1, 0, 0, 0]])}, "history holds a negative"),
        ({"categories": GENRES * np.nan}, "categories holds"),
        ({"lists": np.array([[4]])}, "item code 4 is outside"),
    ],
)
def test_wrong_input_is_refused(change, problem) -> None:
    given_ = {
        "lists": np.array([[0]]),
        "history": sparse.csr_array([[1, 0, 0, 0]]),
        "categories": GENRES,
    }
    with pytest.raises(InputError, match=problem):
        miscalibration(**{**given_, **change})


def test_serendipity_by_hand() -> None:
    lists = np.array([[4, 0, 7, -1], [0, 1, 2, 3], [-1, -1, -1, -1]])
    hits = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]], bool)
    expected = np.array([[0, 1], [9, 2], [0, 1]])
    assert serendipity(lists, hits, expected).tolist() == [0.25, 0.5, 0]
    nothing = np.full((3, 1), -1)
    assert serendipity(lists, hits, nothing).tolist() == [0.5, 0.75, 0]  # precision
    assert serendipity(lists, hits, lists).tolist() == [0, 0, 0]


@given(st.integers(0, 10_000))
def test_serendipity_is_bounded_by_precision_and_falls_with_what_is_expected(seed) -> None:
    rng = np.random.default_rng(seed)
    lists, expected = (np.argsort(rng.random((5, 20)), axis=1)[:, :8] for _ in range(2))
    relevant = rng.random((5, 20)) < 0.4
    relevant[:, 0] = True
    hits = np.take_along_axis(relevant, lists, axis=1)
    precision = metrics.precision(hits, relevant.sum(1), 8)
    some = serendipity(lists, hits, expected[:, :3])
    every = serendipity(lists, hits, expected)
    assert (every <= some).all() and (some <= precision + 1e-12).all() and (every >= 0).all()


@pytest.mark.parametrize(
    ("lists", "hits", "expected"),
    [
        (np.array([[0]]), np.array([[1]]), np.array([[0]])),
        (np.array([[0]]), np.array([[True, True]]), np.array([[0]])),
        (np.array([[0]]), np.array([[True]]), np.array([0])),
        (np.array([[0]]), np.array([[True]]), np.array([[0], [1]])),
        (np.array([[0.0]]), np.array([[True]]), np.array([[0]])),
    ],
)
def test_serendipity_refuses_wrong_input(lists, hits, expected) -> None:
    with pytest.raises(InputError):
        serendipity(lists, hits, expected)
