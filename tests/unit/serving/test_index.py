"""Indexes find what the exact product finds, through filters, additions and removals, and survive the disk."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.errors import InputError
from recnb.serving.index import KINDS, ItemIndex, build_index

N, DIM = 6000, 16


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, DIM))
    out = centres[rng.integers(60, size=N)] + 0.4 * rng.normal(size=(N, DIM))
    return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def index(request, vectors) -> ItemIndex:
    return build_index(vectors, request.param)


def best(vectors: np.ndarray, queries: np.ndarray, k: int, mask: np.ndarray) -> np.ndarray:
    return np.argsort(-(queries @ vectors.T) + np.where(mask, 0, 9), axis=1, kind="stable")[:, :k]


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, truth)]))


def test_recall_is_measured_and_right(index, vectors):
    queries = vectors[:100]
    found = index.search(queries, 10)[0]
    measured = recall(found, best(vectors, queries, 10, np.ones(N, bool)))
    assert measured > 0.9
    assert abs(index.record.recall - measured) < 0.05


@pytest.mark.parametrize("share", [0.9, 0.3, 0.001])
def test_a_filter_keeps_lists_full_and_near_the_truth(index, vectors, share):
    mask = np.random.default_rng(1).random(N) < share
    k = min(10, int(mask.sum()))
    codes, scores = index.search(vectors[:50], k, mask)
    assert mask[codes].all() and (codes >= 0).all()
    assert all(len(set(row)) == k for row in codes.tolist())
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    assert recall(codes, best(vectors, vectors[:50], k, mask)) > 0.85


def test_fewer_allowed_than_asked_for(index, vectors):
    mask = np.zeros(N, bool)
    mask[[5, 7]] = True
    codes, scores = index.search(vectors[:2], 4, mask)
    assert [sorted(row[row >= 0]) for row in codes] == [[5, 7], [5, 7]]
    assert np.isnan(scores[:, 2:]).all()


def test_each_query_has_its_own_filter(vectors):
    index = build_index(vectors, "exact")
    masks = np.ones((2, N), bool)
    masks[0, 3] = False
    codes = index.search(vectors[[3, 3]], 1, masks)[0]
    assert codes[0, 0] != 3 and codes[1, 0] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_added_items_are_found_and_removed_ones_are_not(vectors, kind):
    index = build_index(vectors, kind)
    new = -vectors[:1]  # where no other item lies
    (code,) = index.add(new)
    assert code == N and index.search(new, 1)[0][0, 0] == N
    index.remove([N])
    assert index.search(new, 1)[0][0, 0] != N
    assert len(index) == N


def test_read_back(index, vectors, tmp_path):
    index.save(tmp_path / "a.faiss")
    again = ItemIndex.read(tmp_path / "a.faiss", index.record, N, DIM)
    for mask in (None, np.arange(N) % 3 == 0):
        np.testing.assert_array_equal(
            again.search(vectors[:20], 5, mask)[0], index.search(vectors[:20], 5, mask)[0]
        )
    with pytest.raises(InputError, match="not 5999 of 16"):
        ItemIndex.read(tmp_path / "a.faiss", index.record, N - 1, DIM)
    (tmp_path / "b.faiss").write_bytes(b"IxFI" + bytes(40))
    with pytest.raises(InputError, match=r"b\.faiss"):
        ItemIndex.read(tmp_path / "b.faiss", index.record, N, DIM)


def test_auto_takes_the_exact_product_where_it_is_fast(vectors):
    record = build_index(vectors).record
    assert record.kind == "exact" and record.exact_ms < 0.5


@pytest.mark.parametrize(
    ("arrays", "kind", "problem"),
    [
        (np.zeros((0, 3)), "auto", "at least one"),
        (np.array([[np.nan, 1.0]]), "auto", "finite"),
        (np.eye(3), "tree", "one of auto"),
        (np.eye(3), "ivfpq", "too few"),
    ],
)
def test_bad_input(arrays, kind, problem):
    with pytest.raises(InputError, match=problem):
        build_index(arrays, kind)
