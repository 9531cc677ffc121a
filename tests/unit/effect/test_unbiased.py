"""Ratings that are given where they are high: what each factorisation makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.effect.policy.unbiased import doubly_robust, factorise
from recnb.errors import InputError


@pytest.fixture(scope="module")
def chosen():
    """Ratings of rank 2 with noise, and which were given: mostly high ones."""
    rng = np.random.default_rng(0)
    truth = 3 + 0.7 * rng.standard_normal((150, 2)) @ rng.standard_normal((2, 120))
    p = 0.4 / (1 + np.exp(-2.0 * (truth - 4)))
    p = np.maximum(p, 0.03)
    observed = rng.random(truth.shape) < p
    return truth, truth + 0.5 * rng.standard_normal(truth.shape), observed, p


def test_weights_take_the_choice_out(chosen):
    truth, ratings, observed, p = chosen
    plain = factorise(ratings, observed.astype(float), rank=2, l2=3.0).predict()
    weighted = factorise(ratings, observed / p, rank=2, l2=3.0).predict()
    robust = doubly_robust(ratings, observed, p, rank=2, l2=3.0, clip=0.03).predict()
    errors = [((f - truth) ** 2).mean() for f in (plain, weighted, robust)]
    off = [f.mean() - truth.mean() for f in (plain, weighted, robust)]
    assert off[0] > 0.4 and abs(off[1]) < 0.6 * off[0] and abs(off[2]) < 0.6 * off[0], off
    assert errors[1] < 0.8 * errors[0] and errors[2] < 0.8 * errors[0], errors


def test_full_ratings_are_recovered(chosen):
    truth = chosen[0]
    f = factorise(truth, np.ones_like(truth), rank=2, l2=1e-3, sweeps=40)
    assert np.abs(f.predict() - truth).max() < 0.02


def test_weights_below_zero():
    with pytest.raises(InputError, match="weights below 0"):
        factorise(np.ones((2, 2)), -np.ones((2, 2)))
