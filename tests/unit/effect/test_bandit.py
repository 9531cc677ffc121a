"""Bandits: the algebra against the written-out one, learning in a linear world, replay without bias."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recnb.effect.bandit import LinearBandit, live_with, replay
from recnb.effect.logs import Log
from recnb.errors import InputError
from recnb.world import generate


def test_one_row_at_a_time_is_ridge_regression():
    rng = np.random.default_rng(0)
    x, r = rng.standard_normal((80, 4)), rng.standard_normal(80)
    bandit = LinearBandit(4, "linucb", l2=2.0, width=1.5)
    bandit.learn(x, r)
    gram = x.T @ x + 2.0 * np.eye(4)
    assert np.allclose(bandit.coefficients, np.linalg.solve(gram, x.T @ r), atol=1e-9)
    candidates = rng.standard_normal((6, 4))
    spread = np.sqrt(np.einsum("nf,fg,ng->n", candidates, np.linalg.inv(gram), candidates))
    expected = candidates @ np.linalg.solve(gram, x.T @ r) + 1.5 * spread
    assert np.allclose(bandit.scores(candidates), expected, atol=1e-9)


def test_thompson_draws_from_the_posterior():
    bandit = LinearBandit(2, "thompson", seed=1)
    bandit.learn(np.array([[1.0, 0.0]] * 3), np.ones(3))
    drawn = np.array([bandit.scores(np.eye(2)) for _ in range(4000)])
    assert np.allclose(drawn.mean(axis=0), [0.75, 0.0], atol=0.05)
    assert np.allclose(drawn.var(axis=0), [0.25, 1.0], rtol=0.1)


@pytest.fixture(scope="module")
def world():
    return generate("news", n_users=60, n_items=40, seed=0)


@pytest.mark.parametrize("kind", ["linucb", "thompson", "epsilon"])
def test_learners_beat_chance_in_the_world(kind, world):
    """Vectors that know taste: the learner has to find out what they are worth."""
    vectors = np.stack([world.truth.scores, np.ones_like(world.truth.scores)], axis=2)
    settings = {"days": 8, "visits": 40, "seed": 1}
    lived = live_with(world, LinearBandit(2, kind, width=0.3), lambda u: vectors[u], **settings)
    gained = (lived.clicks - lived.even) / (lived.best - lived.even)
    assert gained[-4:].mean() > 0.6
    blind = live_with(world, LinearBandit(2, "random"), lambda u: vectors[u], **settings)
    assert abs(((blind.clicks - blind.even) / (blind.best - blind.even)).mean()) < 0.1
    assert lived.concentration[-1] > blind.concentration[-1]


def test_replay_earns_what_the_policy_earns():
    """A bandit that knows and does not explore: the rows it keeps have its own click rate."""
    rng = np.random.default_rng(0)
    n, rates = 20_000, np.array([0.1, 0.3, 0.2])
    item = rng.integers(0, 3, n)
    log = Log.from_frame(
        pd.DataFrame(
            {
                "item_id": np.array(["a", "b", "c"])[item],
                "propensity": 1 / 3,
                "click": (rng.random(n) < rates[item]).astype(float),
            }
        )
    )
    bandit = LinearBandit(3, "epsilon", epsilon=0.0)
    bandit.learn(np.eye(3), rates)
    found = replay(log, bandit, lambda row: np.eye(3))
    later = log.outcome("click")[found.kept[-4000:]].mean()
    assert abs(later - 0.3) < 0.03
    assert found.low < found.value < found.high and abs(len(found.kept) - n / 3) < 400
    uneven = log.with_propensity(np.where(item == 0, 0.5, 0.25))
    with pytest.raises(InputError, match="evenly at random"):
        replay(uneven, bandit, lambda row: np.eye(3))


def test_unknown_bandits():
    with pytest.raises(InputError, match="one of linucb"):
        LinearBandit(2, "ucb1")
