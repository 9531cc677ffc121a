"""Intervals cover and Holm keeps its level, on populations whose truth is known; broken ones do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recnb.data import Dataset, splits
from recnb.errors import InputError
from recnb.metrics import bootstrap, evaluate_lists
from recnb.metrics.trials import coverage_trials, null_trials
from recnb.models import make
from recnb.recommender import top_k
from recnb.world import generate
from recnb.world.outcomes import draw_outcomes

TRIALS = 100
METRICS = ("ndcg", "recall", "hit_rate")


@pytest.fixture(scope="module")
def persons() -> np.ndarray:
    """20,000 persons of a generated world, a column for each metric of the popularity list."""
    world = generate("video", n_users=400, n_items=150, seed=1)
    ds = Dataset.from_frames(world.interactions, world.items, feedback="implicit")
    split = splits.user_time(ds)
    model = make("popularity").fit(split.known)
    lists = top_k(model, np.arange(ds.n_users), 10, exclude=split.known)
    at = pd.Index(world.truth.user_ids).get_indexer(pd.Index(ds.user_ids))
    to = pd.Index(world.truth.item_ids).get_indexer(pd.Index(ds.item_ids))
    sizes = np.maximum(np.diff(split.test.pairs().indptr), 1)
    demand, rng = world.truth.demand[np.ix_(at, to)], np.random.default_rng(0)
    parts = []
    for _ in range(50):
        taken = draw_outcomes(demand, sizes, rng, split.known.pairs())
        found = evaluate_lists(lists, taken, METRICS, 10)
        parts.append(np.column_stack([found[name] for name in METRICS]))
    return np.vstack(parts)


def bounds(level: float) -> tuple[float, float]:
    """What a share of TRIALS may be if the promise is kept, but for one in 10,000."""
    low, high = stats.binom.ppf([0.00005, 0.99995], TRIALS, level)
    return low / TRIALS, high / TRIALS


def test_intervals_cover_the_true_metric(persons):
    held, width = coverage_trials(persons, n_users=100, trials=TRIALS, draws=1000)
    low, high = bounds(0.95)
    assert ((held.mean(axis=0) >= low) & (held.mean(axis=0) <= high)).all(), held.mean(axis=0)
    # Of four times as many users they are half as wide.
    _, narrow = coverage_trials(persons, n_users=400, trials=25, draws=1000)
    assert narrow.mean(axis=0) / width.mean(axis=0) == pytest.approx(0.5, abs=0.05)


def test_an_interval_of_another_level_is_told_apart(persons):
    held, _ = coverage_trials(persons, n_users=100, trials=TRIALS, draws=1000, level=0.8)
    assert (held.mean(axis=0) < bounds(0.95)[0]).all()
    low, high = bounds(0.8)
    assert ((held.mean(axis=0) >= low) & (held.mean(axis=0) <= high)).all()


def test_resampling_rows_instead_of_users_does_not_cover(persons):
    """Each person counted five times, as rows of one person are: the interval is too narrow."""
    rng, held = np.random.default_rng(0), []
    for trial in range(40):
        rows = np.repeat(persons[rng.choice(len(persons), 100, replace=False), 0], 5)
        low, high = bootstrap(rows, draws=1000, seed=trial)
        held.append(low <= persons[:, 0].mean() <= high)
    assert np.mean(held) < bounds(0.95)[0]


@pytest.mark.slow
def test_holm_keeps_the_family_wise_error():
    """Values that are exchangeable within a person, with a part that all nine models share."""
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (4000, 1)) + rng.exponential(1, (4000, 9))
    p, corrected = null_trials(values, n_users=40, trials=TRIALS, draws=1000)
    assert (corrected < 0.05).any(axis=1).mean() <= bounds(0.05)[1]
    assert (p < 0.05).any(axis=1).mean() > bounds(0.05)[1], "uncorrected, one of eight looks lucky"
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.03)  # each one alone keeps the level


def test_holm_finds_what_is_there():
    rng = np.random.default_rng(4)
    values = (rng.random((6000, 3)) < [0.3, 0.3, 0.6]).astype(float)
    _, corrected = null_trials(values, n_users=150, trials=25, draws=1000)
    assert (corrected[:, 1] < 0.05).mean() > 0.9


def test_outcomes_follow_the_demand():
    demand = np.tile([0.5, 0.3, 0.2, 0.0], (20_000, 1))
    one = draw_outcomes(demand, np.ones(20_000, int), np.random.default_rng(0))
    assert one.sum(axis=0) / 20_000 == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.015)
    # Two without replacement: the last is left out where it is third, .5 * .3 / .5 + .3 * .5 / .7.
    two = draw_outcomes(demand, np.full(20_000, 2), np.random.default_rng(0))
    left_out = 0.5 * 0.3 / 0.5 + 0.3 * 0.5 / 0.7
    assert 1 - two.sum(axis=0)[2] / 20_000 == pytest.approx(left_out, abs=0.015)
    assert (two.sum(axis=1) == 2).all()


def test_outcomes_leave_barred_items_out_and_take_fewer_where_there_are_no_more():
    from scipy import sparse

    demand = np.array([[0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])
    barred = sparse.csr_array(np.array([[0, 1, 0], [0, 0, 1]]))
    taken = draw_outcomes(demand, np.array([2, 2]), np.random.default_rng(0), barred).toarray()
    assert taken.tolist() == [[1, 0, 0], [1, 1, 0]]


def test_too_small_a_population_is_refused():
    with pytest.raises(InputError, match="population of shape"):
        coverage_trials(np.ones((100, 1)), n_users=50)
    with pytest.raises(InputError, match="at least 1"):
        draw_outcomes(np.ones((2, 2)), np.array([1, 0]), np.random.default_rng(0))
