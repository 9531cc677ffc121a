"""Sampled metrics: their ranks by hand, their expectation in closed form, and that they turn an order round."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from recnb.errors import InputError
from recnb.metrics.ranking.sampled import expected_hit_rate, sampled_ranks, single_item


def at_ranks(ranks, n_items: int = 501) -> tuple[np.ndarray, sparse.csr_array]:
    """Scores that place item 0 of each user at the given catalogue rank."""
    scores = np.zeros((len(ranks), n_items))
    scores[:, 1:] = -np.arange(1, n_items)
    scores[:, 0] = -np.asarray(ranks) + 0.5
    relevant = np.zeros_like(scores)
    relevant[:, 0] = 1
    return scores, sparse.csr_array(relevant)


def test_ranks_by_hand() -> None:
    scores = np.array([[5.0, 4.0, 3.0, 3.0, 1.0]])
    relevant, excluded = sparse.csr_array([[0, 1, 1, 0, 0]]), sparse.csr_array([[1, 0, 0, 0, 0]])
    found = sampled_ranks(scores, relevant, excluded, n_negatives=9)
    # Candidates are items 3 and 4; item 2 ties with item 3: half a place.
    assert found["item"].tolist() == [1, 2]
    assert found["rank"].tolist() == found["sampled_rank"].tolist() == [1, 1.5]
    assert set(found["n_candidates"]) == set(found["n_drawn"]) == {2}
    assert sampled_ranks(scores, relevant)["rank"].tolist() == [2, 2.5]


def test_drawing_by_popularity_draws_what_is_popular() -> None:
    scores, relevant = at_ranks([1] * 300, n_items=4)
    weights = np.array([1.0, 6.0, 3.0, 0.0])
    scores[:, 1:] = [3.0, 2.0, 1.0]
    scores[:, 0] = 2.5  # behind item 1 only: rank 2 says that item 1 was drawn
    found = sampled_ranks(scores, relevant, n_negatives=1, popularity=weights)
    assert (found["sampled_rank"] == 2).mean() == pytest.approx(2 / 3, abs=0.09)
    uniform = sampled_ranks(scores, relevant, n_negatives=1)
    assert (uniform["sampled_rank"] == 2).mean() == pytest.approx(1 / 3, abs=0.09)
    two = sampled_ranks(scores, relevant, n_negatives=3, popularity=weights)
    assert set(two["n_drawn"]) == {2}  # weight 0 is never drawn


def test_simulation_agrees_with_the_closed_form() -> None:
    for rank in (1, 40, 60, 400):
        scores, relevant = at_ranks([rank] * 400)
        found = sampled_ranks(scores, relevant, n_negatives=50, seed=rank)
        assert (found["rank"] == rank).all()
        simulated = single_item(found["sampled_rank"], k=5)["hit_rate"].mean()
        assert simulated == pytest.approx(expected_hit_rate([rank], 500, 50, 5)[0], abs=0.08)


def test_two_models_change_places() -> None:
    precise, vague = [1, 400] * 100, [40] * 200
    hit = {}
    for name, ranks in (("precise", precise), ("vague", vague)):
        found = sampled_ranks(*at_ranks(ranks), n_negatives=50)
        hit[name] = [
            single_item(found[c], k=10)["hit_rate"].mean() for c in ("rank", "sampled_rank")
        ]
    assert hit["precise"][0] == 0.5 > hit["vague"][0] == 0
    assert hit["precise"][1] < 0.6 < 0.9 < hit["vague"][1]


def test_all_drawn_is_the_catalogue_and_fewer_only_flatter() -> None:
    ranks = np.arange(1, 101)
    whole = single_item(ranks, k=10)["hit_rate"]
    np.testing.assert_allclose(expected_hit_rate(ranks, 100, 100, 10), whole, atol=1e-12)
    for drawn in (99, 50, 10):
        assert (expected_hit_rate(ranks, 100, drawn, 10) >= whole - 1e-12).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda s, r: sampled_ranks(s[0], r),
        lambda s, r: sampled_ranks(s * np.nan, r),
        lambda s, r: sampled_ranks(s, r[:, :3]),
        lambda s, r: sampled_ranks(s, r, sparse.csr_array((9, 9))),
        lambda s, r: sampled_ranks(s, r, n_negatives=0),
        lambda s, r: sampled_ranks(s, r, popularity=[1, 2]),
        lambda s, r: sampled_ranks(s, r, popularity=-np.ones(s.shape[1])),
        lambda s, r: single_item([1], k=0),
        lambda s, r: expected_hit_rate([0], 10, 5, 1),
        lambda s, r: expected_hit_rate([12], 10, 5, 1),
        lambda s, r: expected_hit_rate([1], 10, 11, 1),
    ],
)
def test_wrong_input_is_refused(call) -> None:
    with pytest.raises(InputError):
        call(*at_ranks([1, 2]))
