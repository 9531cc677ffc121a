"""Uplift learners on rows whose effects are known, and the measures against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from recnb.effect.uplift import LEARNERS, Uplift, counterfactuals, qini, qini_curve, uplift_at
from recnb.errors import InputError
from recnb.world import generate


@pytest.fixture(scope="module")
def rows():
    """Confounded: who buys anyway is treated more; the effect depends on another feature."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6000, 3))
    p = 0.15 + 0.7 / (1 + np.exp(-1.5 * x[:, 0]))
    t = (rng.random(6000) < p).astype(float)
    effect = 0.5 * x[:, 1]
    y = 1.0 * x[:, 0] + effect * t + rng.standard_normal(6000)
    return x, t, y, p, effect


@pytest.mark.parametrize("kind", LEARNERS)
def test_learners_find_the_effect_not_the_level(kind, rows):
    x, t, y, p, effect = rows
    found = Uplift(kind, LinearRegression()).fit(x, t, y, p).predict(x)
    assert np.corrcoef(found, effect)[0, 1] > 0.97
    assert ((found - effect) ** 2).mean() < 0.05 * effect.var()
    assert abs(np.corrcoef(found, x[:, 0])[0, 1]) < 0.2


def test_classifiers_give_chances(rows):
    x, t, y, p, effect = rows
    model = Uplift("t", LogisticRegression()).fit(x, t, (y > 0).astype(int), p)
    found = model.predict(x)
    assert np.abs(found).max() <= 1 and np.corrcoef(found, effect)[0, 1] > 0.8


def test_qini_is_the_sum_written_out(rows):
    x, t, y, p, _ = rows
    score = x[:, 1]
    share, gain = qini_curve(score[:50], t[:50], y[:50], p[:50])
    total, best = 0.0, np.argsort(-score[:50])
    for at, row in enumerate(best, start=1):
        total += (y[row] / p[row] if t[row] else -y[row] / (1 - p[row])) / 50
        assert gain[at] == pytest.approx(total, abs=1e-12) and share[at] == pytest.approx(at / 50)


def test_right_orders_stand_above_wrong_ones(rows):
    x, t, y, p, effect = rows
    right, level = qini(effect, t, y, p), qini(x[:, 0], t, y, p)
    assert right.low > 0 and level.low < 0 < level.high
    best = uplift_at(effect, t, y, p, 0.2)
    assert best.low < np.sort(effect)[-1200:].mean() < best.high


def test_showing_adds_least_where_it_is_found_anyway():
    world = generate("shop", n_users=60, n_items=40, seed=0)
    c = counterfactuals(world, visits=4)
    assert (c.effect >= 0).all() and (c.shown <= 1).all()
    never = counterfactuals(world, visits=1e-9)
    assert np.allclose(never.effect, world.truth.click * world.truth.conversion)
    assert (c.effect <= never.effect + 1e-12).all()


def test_who_could_not_be_otherwise(rows):
    x, t, y, p, _ = rows
    with pytest.raises(InputError, match="propensity is 0 or 1"):
        Uplift("dr", LinearRegression()).fit(x, t, y, np.ones(len(x)))
    with pytest.raises(InputError, match="everybody or nobody"):
        Uplift("t", LinearRegression()).fit(x, np.ones(len(x)), y, p)
    with pytest.raises(InputError, match="LogisticRegression is a classifier; give a regressor"):
        Uplift("x", LogisticRegression())
