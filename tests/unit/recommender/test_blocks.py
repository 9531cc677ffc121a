"""Top-k against a stable sort of every row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recnb.errors import InputError
from recnb.hashing import mix
from recnb.recommender import blocks as topk


def hashes(n: int, seed: int, distinct: bool = True) -> np.ndarray:
    high = 2**63 if distinct else 3
    return np.random.default_rng(seed).integers(0, high, n).astype(np.uint64)


def naive(scores, k, row_hash, column_hash):
    """Sort each row by falling score, then hash, then column."""
    out = np.full((len(scores), k), -1, np.int64)
    for r, row in enumerate(scores):
        columns = np.arange(len(row))
        order = np.lexsort((columns, mix(column_hash, row_hash[r : r + 1]), -row))
        order = order[row[order] > -np.inf][:k]
        out[r, : len(order)] = order
    return out


def agree(scores, k, seed=0, distinct=True):
    rows, columns = hashes(len(scores), seed), hashes(scores.shape[1], seed + 1, distinct)
    before = scores.copy()
    got = topk.top_k_rows(scores, k, rows, columns)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, naive(scores, k, rows, columns))
    np.testing.assert_array_equal(scores, before)


@st.composite
def cases(draw):
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 700))
    levels = draw(st.sampled_from([1, 2, 5, 40, 0]))  # 0: hardly any ties
    scores = rng.integers(0, levels, shape) if levels else rng.standard_normal(shape)
    scores = scores.astype(np.float32)
    scores[rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.9, 0.99, 1.0]))] = -np.inf
    return scores, draw(st.integers(1, 120)), seed


@settings(max_examples=300, deadline=None)
@given(cases(), st.booleans())
def test_equals_a_stable_sort(case, distinct):
    scores, k, seed = case
    agree(scores, k, seed, distinct)


@pytest.mark.parametrize("n_columns", [1, 2, 15, 16, 17, 63, 64, 1_000, 6_403])
@pytest.mark.parametrize("k", [1, 7, 100, 1_000])
def test_sizes(n_columns, k):
    scores = np.random.default_rng(n_columns).standard_normal((5, n_columns)).astype(np.float32)
    agree(scores, k)
    agree(np.zeros_like(scores), k)


def test_rows_with_and_without_ties_in_one_block():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((6, 5_003)).astype(np.float32)
    scores[1] = 0  # every column ties
    scores[2] = np.round(scores[2])
    scores[3, 7:] = 0  # ties only at the cut
    scores[4] = -np.inf
    scores[5, 3:] = -np.inf
    agree(scores, 10)


def test_best_columns_are_those_left_over_by_the_groups():
    scores = np.zeros((3, 16 * 50 + 5), np.float32)
    scores[:, -5:] = [5, 4, 3, 2, 1]
    agree(scores, 5)
    agree(scores, 12)


def test_all_best_in_one_group():
    """Columns 0, width, 2 width … share a group."""
    scores = -np.arange(3_200, dtype=np.float32)[None].repeat(2, axis=0)
    scores[0, ::200] += 10_000
    agree(scores, 10)


def test_negative_zero_ties_with_zero():
    agree(np.array([[0.0, -0.0, 0.0, -0.0]], np.float32), 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_other_types_and_layouts(dtype, order):
    scores = np.random.default_rng(0).standard_normal((4, 900)).astype(dtype)
    agree(np.array(scores, order=order), 9)


def test_no_columns_and_no_rows():
    assert (
        topk.top_k_rows(np.zeros((2, 0), np.float32), 3, hashes(2, 0), hashes(0, 1)) == -1
    ).all()
    assert topk.top_k_rows(np.zeros((0, 9), np.float32), 3, hashes(0, 0), hashes(9, 1)).shape == (
        0,
        3,
    )


def test_ties_differ_between_rows():
    """A constant scorer recommends no item to everybody."""
    got = topk.top_k_rows(np.zeros((200, 50), np.float32), 1, hashes(200, 0), hashes(50, 1))
    assert np.bincount(got[:, 0], minlength=50).max() < 20


# --- blocks ---------------------------------------------------------------------------------------


def factors(n_users=300, n_items=1_234, seed=0):
    rng = np.random.default_rng(seed)
    # Small integers: the product is exact whatever the order of its sums, and full of ties.
    left = rng.integers(-2, 3, (n_users, 6)).astype(np.float32)
    return left, rng.integers(-2, 3, (6, n_items)).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("product", [True, False])
@pytest.mark.parametrize("bar", [True, False])
def test_blocks_equal_the_whole(monkeypatch, threads, product, bar):
    monkeypatch.setattr(topk, "_BLOCK_BYTES", 40 * 4 * 1_234)
    monkeypatch.setattr(topk, "_PRODUCT_BYTES", 90 * 4 * 1_234)
    left, right = factors()
    scores = left @ right
    exclude = allowed = None
    expected = scores.copy()
    if bar:
        exclude = sparse.random(300, 1_234, 0.3, "csr", rng=np.random.default_rng(1))
        allowed = np.random.default_rng(2).random(1_234) < 0.7
        expected[exclude.toarray() != 0] = -np.inf
        expected[:, ~allowed] = -np.inf
    block = topk.Product(left, right) if product else (lambda a, b: left[a:b] @ right)
    users, columns = hashes(300, 3), hashes(1_234, 4)
    items, kept = topk.rank_blocks(
        300, 1_234, block, 20, users, columns, exclude, allowed, threads=threads, finite=product
    )
    np.testing.assert_array_equal(items, naive(expected, 20, users, columns))
    np.testing.assert_array_equal(kept, np.take_along_axis(scores, items, axis=1))
    assert kept.dtype == np.float32


@pytest.mark.parametrize("k", [1, 3, 60])
@pytest.mark.parametrize("tile_items", [150, 300, 10_000])
def test_tiles_equal_the_whole(monkeypatch, k, tile_items):
    """Several tiles and one, columns left over at the end, users with nothing but ties, blocks of users."""
    monkeypatch.setattr(topk, "_TILE_ITEMS", tile_items)
    monkeypatch.setattr(topk, "_TILE_USERS", 30)
    monkeypatch.setattr(topk, "_PIECE", 500)
    rng = np.random.default_rng(k)
    # Whole numbers: the product is exact whatever the order of its sums.
    left = rng.integers(-50, 51, (70, 6)).astype(np.float32)
    right = rng.integers(-50, 51, (6, 2_011)).astype(np.float32)
    left[[0, 40]] = 0  # every item ties
    left[41, 1:] = 0  # few levels of scores
    right[:, -3:] = right[:, :1] * 3  # the last columns are the best or the worst
    exclude = sparse.random(70, 2_011, 0.05, "csr", rng=rng)
    allowed = rng.random(2_011) < 0.9
    expected = left @ right
    expected[exclude.toarray() != 0] = -np.inf
    expected[:, ~allowed] = -np.inf
    users, columns = hashes(70, 3), hashes(2_011, 4)
    items, kept = topk.rank_blocks(
        70, 2_011, topk.Product(left, right), k, users, columns, exclude, allowed, finite=True
    )
    np.testing.assert_array_equal(items, naive(expected, k, users, columns))
    np.testing.assert_array_equal(kept, np.take_along_axis(expected, items, axis=1))


def test_short_lists_end_in_minus_one_and_nan():
    allowed = np.zeros(30, bool)
    allowed[[4, 9]] = True
    items, kept = topk.rank_blocks(
        2, 30, lambda a, b: np.ones((b - a, 30), np.float32), 5, hashes(2, 0), hashes(30, 1),
        allowed=allowed,
    )  # fmt: skip
    assert [sorted(row[:2]) for row in items.tolist()] == [[4, 9]] * 2
    assert (items[:, 2:] == -1).all()
    assert np.isnan(kept[:, 2:]).all() and (kept[:, :2] == 1).all()


def test_a_stored_zero_is_a_pair():
    exclude = sparse.csr_matrix((np.array([0.0, 1.0]), ([0, 0], [0, 1])), shape=(1, 3))
    items, _ = topk.rank_blocks(
        1, 3, lambda a, b: np.ones((1, 3), np.float32), 3, hashes(1, 0), hashes(3, 1), exclude
    )
    assert items[0].tolist() == [2, -1, -1]


def test_the_models_own_table_is_not_written_to():
    table = np.ones((4, 20), np.float32)
    exclude = sparse.csr_matrix(np.eye(4, 20))
    topk.rank_blocks(4, 20, lambda a, b: table, 3, hashes(4, 0), hashes(20, 1), exclude)
    assert (table == 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("threads", [1, 2])
def test_scores_that_are_not_finite(monkeypatch, bad, threads):
    monkeypatch.setattr(topk, "_BLOCK_BYTES", 4 * 50)
    scores = np.zeros((10, 50), np.float32)
    scores[7, 49] = bad
    with pytest.raises(InputError, match="mymodel gave a NaN or infinite score"):
        topk.rank_blocks(
            10, 50, lambda a, b: scores[a:b], 3, hashes(10, 0), hashes(50, 1), name="mymodel",
            threads=threads,
        )  # fmt: skip


def test_a_product_that_is_not_finite():
    left, right = factors(20, 50)
    left[3, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        topk.rank_blocks(20, 50, topk.Product(left, right), 3, hashes(20, 0), hashes(50, 1))


@pytest.mark.parametrize(
    "scores", [np.zeros((2, 4), np.float32), np.zeros((3, 5), np.float32), np.zeros((2, 5), int)]
)
def test_blocks_of_a_wrong_shape_or_type(scores):
    with pytest.raises(InputError, match="mymodel gave scores of"):
        topk.rank_blocks(2, 5, lambda a, b: scores, 3, hashes(2, 0), hashes(5, 1), name="mymodel")


def test_large_sums_are_no_error():
    """A sum that overflows says nothing about the entries."""
    scores = np.full((1, 50), 3e38, np.float32)
    items, _ = topk.rank_blocks(1, 50, lambda a, b: scores, 3, hashes(1, 0), hashes(50, 1))
    assert (items >= 0).all()


def test_no_users():
    items, kept = topk.rank_blocks(
        0, 5, topk.Product(*factors(0, 5)), 3, hashes(0, 0), hashes(5, 1), threads=2
    )
    assert items.shape == kept.shape == (0, 3)
