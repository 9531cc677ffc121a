"""Every list metric: hand-worked values, bounds, the best list, relabelling, short lists, errors."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics import METRICS, RelevantItems, evaluate_lists, hits, names_of, resolve

# One user, hits at ranks 2, 3 and 6 of a list of six, five relevant items, k = 4. By hand:
HITS = np.array([[False, True, True, False, False, True]])
HAND = {
    "hit_rate": 1.0,
    "recall": 2 / 5,
    "precision": 2 / 4,
    "f1": 2 * (2 / 4) * (2 / 5) / (2 / 4 + 2 / 5),
    "ndcg": (1 / log2(3) + 1 / 2) / (1 + 1 / log2(3) + 1 / 2 + 1 / log2(5)),
    "average_precision": (1 / 2 + 2 / 3) / 4,
    "reciprocal_rank": 1 / 2,
    "r_precision": 2 / 5,
    "average_precision_n": (1 / 2 + 2 / 3) / 5,
    "average_precision_hits": (1 / 2 + 2 / 3) / 2,
    "average_precision_mean_precision": (0 + 1 / 2 + 2 / 3 + 2 / 4) / 4,
    "capped_recall": 2 / 4,
    "ndcg_fixed_ideal": (1 / log2(3) + 1 / 2) / (1 + 1 / log2(3) + 1 / 2 + 1 / log2(5)),
    "ndcg_rank2": (1 + 1 / log2(3)) / (1 + 1 + 1 / log2(3) + 1 / 2),
    "reciprocal_rank_all": 1 / 2,
}
# What the best list of a user with n relevant items scores at k, where that is not 1.
BEST = {
    "recall": lambda n, k: min(n, k) / n,
    "precision": lambda n, k: min(n, k) / k,
    "f1": lambda n, k: 2 * min(n, k) / (n + k),
    "average_precision_n": lambda n, k: min(n, k) / n,
    "average_precision_mean_precision": lambda n, k: (
        sum(min(n, i) / i for i in range(1, k + 1)) / k
    ),
    "ndcg_fixed_ideal": lambda n, k: (
        sum(1 / log2(i + 1) for i in range(1, min(n, k) + 1))
        / sum(1 / log2(i + 1) for i in range(1, k + 1))
    ),
}
EVERY = pytest.mark.parametrize("name", names_of("lists"))


def slowly(name: str, row: list[bool], n: int, k: int) -> float:
    """The definitions again, one user and one place at a time."""
    cut = row[:k]
    at = [i for i, hit in enumerate(cut, 1) if hit]
    gain = sum(1 / log2(i + 1) for i in at)
    ideal = [1 / log2(i + 1) for i in range(1, k + 1)]
    precision_at = [sum(cut[:i]) / i for i in range(1, k + 1)]
    total = sum(precision_at[i - 1] for i in at)
    everywhere = [i for i, hit in enumerate(row, 1) if hit]
    gain2 = [1 / max(1, log2(i)) for i in range(1, k + 1)]
    return {
        "hit_rate": lambda: float(len(at) > 0),
        "recall": lambda: len(at) / n,
        "precision": lambda: len(at) / k,
        "f1": lambda: 2 * len(at) / (k + n),
        "ndcg": lambda: gain / sum(ideal[:n]),
        "average_precision": lambda: total / min(k, n),
        "reciprocal_rank": lambda: 1 / at[0] if at else 0.0,
        "r_precision": lambda: sum(row[:n]) / n,
        "average_precision_n": lambda: total / n,
        "average_precision_hits": lambda: total / len(at) if at else 0.0,
        "average_precision_mean_precision": lambda: sum(precision_at) / k,
        "capped_recall": lambda: len(at) / min(k, n),
        "ndcg_fixed_ideal": lambda: gain / sum(ideal),
        "ndcg_rank2": lambda: sum(gain2[i - 1] for i in at) / sum(gain2[:n]),
        "reciprocal_rank_all": lambda: 1 / everywhere[0] if everywhere else 0.0,
    }[name]()


@EVERY
def test_hand_worked(name: str) -> None:
    value = METRICS[name](HITS, np.array([5]), 4)
    assert value.shape == (1,) and value.dtype == np.float64
    assert value[0] == pytest.approx(HAND[name], abs=1e-12)


@EVERY
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_the_definition_and_is_bounded(name: str, data: st.DataObject) -> None:
    n_users, n_ranks = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 20))
    row = st.lists(st.booleans(), min_size=n_ranks, max_size=n_ranks)
    found = np.array([data.draw(row) for _ in range(n_users)], dtype=bool).reshape(n_users, n_ranks)
    more = [data.draw(st.integers(0, 15)) for _ in range(n_users)]
    n = np.maximum(found.sum(axis=1) + more, 1)
    k = data.draw(st.integers(1, 25))
    values = METRICS[name](found, n, k)
    expected = [slowly(name, list(f), int(c), k) for f, c in zip(found, n, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    assert (values >= 0).all() and (values <= 1 + 1e-12).all()


@EVERY
@pytest.mark.parametrize(("n", "k"), [(3, 10), (10, 10), (25, 10), (1, 1)])
def test_best_list(name: str, n: int, k: int) -> None:
    best = np.zeros((1, 30), dtype=bool)
    best[:, :n] = True
    expected = BEST.get(name, lambda n, k: 1.0)(n, k)
    assert METRICS[name](best, np.array([n]), k)[0] == pytest.approx(expected, abs=1e-12)


@EVERY
def test_no_hit_and_no_recommendation_score_zero(name: str) -> None:
    for found in (np.zeros((2, 5), dtype=bool), np.zeros((2, 0), dtype=bool)):
        assert METRICS[name](found, np.array([1, 4]), 5).tolist() == [0.0, 0.0]


@EVERY
def test_short_list_counts_empty_places_as_misses(name: str) -> None:
    short = np.array([[True, False, True]])
    padded = np.pad(short, ((0, 0), (0, 7)))
    n = np.array([4])
    assert METRICS[name](short, n, 10)[0] == METRICS[name](padded, n, 10)[0]


@EVERY
def test_relabelling_items_changes_nothing(name: str) -> None:
    lists, relevant = random_lists(seed=1)
    names = np.random.default_rng(2).permutation(relevant.shape[1])
    moved = np.where(lists >= 0, names[np.maximum(lists, 0)], -1)
    one = evaluate_lists(lists, relevant, [name], 10)[name]
    two = evaluate_lists(moved, relevant.tocsc()[:, np.argsort(names)].tocsr(), [name], 10)[name]
    assert one.any()
    np.testing.assert_array_equal(one, two)


@EVERY
@pytest.mark.parametrize("k", [1, 10, 20, 40])
def test_evaluate_lists_equals_the_function(name: str, k: int) -> None:
    """Also with the shortcut for repeated combinations (k up to 16) and without it."""
    lists, relevant = random_lists(seed=3, n_users=2000)
    direct = METRICS[name](hits(lists, relevant), np.diff(relevant.indptr), k)
    for truth in (relevant, RelevantItems(relevant)):
        np.testing.assert_array_equal(evaluate_lists(lists, truth, [name], k)[name], direct)


def test_the_table_covers_every_metric() -> None:
    assert set(HAND) == set(names_of("lists"))


@EVERY
@pytest.mark.parametrize(
    ("found", "n", "k", "message"),
    [
        (HITS, np.array([0]), 4, "no relevant item"),
        (HITS, np.array([1]), 4, "hits but n_relevant"),
        (HITS, np.array([5.0]), 4, "n_relevant is float64"),
        (HITS, np.array([5, 5]), 4, "beside 1 lists"),
        (HITS.astype(int), np.array([5]), 4, "not bool"),
        (HITS[0], np.array([5]), 4, "not bool"),
        (HITS, np.array([5]), 0, "k is 0"),
        (HITS, np.array([5]), 2.5, "k is 2.5"),
    ],
)
def test_wrong_input(name: str, found: np.ndarray, n: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        METRICS[name](found, n, k)


def test_empty_truth_names_the_row() -> None:
    with pytest.raises(InputError, match="row 2: the user has no relevant item"):
        METRICS["ndcg"](np.vstack([HITS, HITS]), np.array([5, 0]), 4)


def test_resolve() -> None:
    assert list(resolve("ndcg")) == ["ndcg"]
    with pytest.raises(InputError, match=r"'map' is not known.*hit_rate, recall"):
        resolve(["ndcg", "map"])


def random_lists(
    seed: int, n_users: int = 60, n_items: int = 90, n_ranks: int = 30
) -> tuple[np.ndarray, sparse.csr_array]:
    """Lists without duplicates, some with empty places, and at least one relevant item each."""
    rng = np.random.default_rng(seed)
    lists = np.argsort(rng.random((n_users, n_items)), axis=1)[:, :n_ranks]
    lists = np.where(rng.random(lists.shape) < 0.1, -1, lists)
    dense = rng.random((n_users, n_items)) < 0.1
    dense[np.arange(n_users), rng.integers(0, n_items, n_users)] = True
    return lists, sparse.csr_array(dense)


def test_the_table_says_what_each_metric_needs() -> None:
    assert METRICS["auc"].needs == "scores" and METRICS["rmse"].needs == "ratings"
    assert {n for n, m in METRICS.items() if m.whole} == {"r_precision", "reciprocal_rank_all"}
    assert {n for n, m in METRICS.items() if m.lower_is_better} == {"rmse", "mae", "mse"}
    assert list(resolve(("ndcg", "auc"), needs=("lists", "scores"))) == ["ndcg", "auc"]
    for name, needs in (("auc", "lists"), ("rmse", ("lists", "scores"))):
        with pytest.raises(InputError, match=f"'{name}' is not known for"):
            resolve(name, needs=needs)
