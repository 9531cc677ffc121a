"""Hits: exact membership, empty places, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics import RelevantItems, count_relevant, hits


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_users=st.integers(1, 30),
    n_items=st.integers(1, 400),
    n_ranks=st.integers(0, 40),
    density=st.sampled_from([0.0, 0.01, 0.2, 1.0]),
)
def test_equals_a_dense_lookup(
    seed: int, n_users: int, n_items: int, n_ranks: int, density: float
) -> None:
    rng = np.random.default_rng(seed)
    lists = np.argsort(rng.random((n_users, n_items)), axis=1)[:, :n_ranks]
    lists = np.where(rng.random(lists.shape) < 0.2, -1, lists)
    dense = rng.random((n_users, n_items)) < density
    expected = dense[np.arange(n_users)[:, None], lists] & (lists >= 0)
    for kind in (np.int64, np.int32):
        np.testing.assert_array_equal(hits(lists.astype(kind), sparse.csr_matrix(dense)), expected)
    np.testing.assert_array_equal(hits(lists, RelevantItems(sparse.coo_array(dense))), expected)


def test_many_users_pass_several_blocks_and_a_small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    lists = rng.permuted(np.tile(np.arange(300), (3000, 1)), axis=1)[:, :12]
    relevant = sparse.random_array((3000, 300), density=0.05, format="csr", rng=rng)
    expected = relevant.toarray()[np.arange(3000)[:, None], lists] != 0
    assert expected.any()
    monkeypatch.setattr("recnb.metrics.ranking.truth._PLACES", 1000)
    np.testing.assert_array_equal(hits(lists, relevant), expected)
    # With one byte per user nearly every place has to be looked up: slower, and as exact.
    monkeypatch.setattr("recnb.metrics.ranking.truth._TABLE_BYTES", 3000)
    np.testing.assert_array_equal(hits(lists, relevant), expected)


def test_stored_zeros_and_repeated_entries() -> None:
    stored = sparse.csr_array(
        (np.array([0.0, 2.0, 1.0, 1.0]), np.array([0, 1, 2, 2]), np.array([0, 4])), shape=(1, 3)
    )
    assert count_relevant(stored).tolist() == [2]
    assert hits(np.array([[0, 1, 2]]), stored).tolist() == [[False, True, True]]
    assert stored.nnz == 4  # the caller's matrix is left alone


@pytest.mark.parametrize("n_ranks", [3, 40])
def test_duplicates_name_the_row(n_ranks: int) -> None:
    lists = np.tile(np.arange(n_ranks), (5, 1))
    lists[3, 2] = lists[3, 0]
    relevant = sparse.csr_array(np.ones((5, 70_000), dtype=bool))
    with pytest.raises(InputError, match="row 4: item code 0 stands more than once"):
        hits(lists, relevant)
    lists[3, 2] = lists[3, 1] = -1  # empty places are no duplicates
    hits(lists, relevant)
    lists[3, 2] = 2**16  # nor are codes whose low 16 bits agree
    hits(lists, relevant)


@pytest.mark.parametrize("n_items", [300, 2**16 - 5, 200_000])
def test_padded_lists_are_not_sorted_to_find_duplicates(
    monkeypatch: pytest.MonkeyPatch, n_items: int
) -> None:
    """Neither empty places nor a large catalogue make the quick check of short lists fail."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("sorted")

    monkeypatch.setattr("recnb.metrics.ranking.truth.np.sort", refuse)
    lists = np.array([[n_items - 1, n_items - 70, -1, -1], [0, 1, 2, 3], [-1, -1, -1, -1]])
    relevant = sparse.csr_array(([True], ([0], [n_items - 1])), shape=(3, n_items))
    assert np.argwhere(hits(lists, relevant)).tolist() == [[0, 0]]
    with pytest.raises(AssertionError, match="sorted"):
        hits(np.array([[5, 5], [0, 1], [2, 3]]), relevant)


def test_errors_name_the_first_row_whichever_thread_meets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recnb.metrics.ranking.truth._PLACES", 20)
    monkeypatch.setattr("recnb.metrics.ranking.truth.cpu_count", lambda: 4)
    lists = np.tile(np.arange(10), (500, 1))
    lists[123, 4] = lists[321, 4] = 9
    with pytest.raises(InputError, match="row 124: item code 9 stands more than once"):
        hits(lists, sparse.csr_array(np.ones((500, 10), dtype=bool)))


@pytest.mark.parametrize("code", [-2, 3, 2**40])
def test_foreign_codes_name_the_row(code: int) -> None:
    with pytest.raises(InputError, match=f"row 2: item code {code} is outside"):
        hits(np.array([[0, 1], [2, code]]), sparse.csr_array(np.eye(2, 3)))


@pytest.mark.parametrize(
    ("lists", "relevant", "message"),
    [
        (np.zeros((2, 1)), sparse.csr_array(np.eye(2)), "not integer"),
        (np.zeros(2, dtype=int), sparse.csr_array(np.eye(2)), "not integer"),
        (np.zeros((3, 1), dtype=int), sparse.csr_array(np.eye(2)), "3 lists stand beside"),
        (np.zeros((2, 1), dtype=int), np.eye(2), "not a scipy sparse matrix"),
    ],
)
def test_wrong_input(lists: np.ndarray, relevant: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hits(lists, relevant)
