"""Intervals of ratios: against a plain loop over draws, and by groups against by units."""

from __future__ import annotations

import numpy as np
import pytest

from recnb.effect.policy import ratio_intervals, resampling
from recnb.errors import InputError


def sample(n, seed=0):
    rng = np.random.default_rng(seed)
    w = rng.lognormal(0, 1, n)
    clicks = w * (rng.random(n) < 0.2)
    return np.column_stack([clicks, clicks]), np.column_stack([np.ones(n), w])


def test_percentiles_are_those_of_a_plain_loop():
    a, b = sample(500)
    found = ratio_intervals(a[:, :1], b[:, 1:], draws=4000, interval="percentile")
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(4000):
        rows = rng.integers(0, 500, 500)
        drawn.append(a[rows, 0].sum() / b[rows, 1].sum())
    ends = np.quantile(drawn, [0.025, 0.975])
    width = ends[1] - ends[0]
    assert found.low[0] == pytest.approx(ends[0], abs=0.05 * width)
    assert found.high[0] == pytest.approx(ends[1], abs=0.05 * width)
    assert found.error[0] == pytest.approx(np.std(drawn), rel=0.05)


def test_groups_give_what_units_give(monkeypatch):
    a, b = sample(40_000)
    grouped = ratio_intervals(a, b, draws=1000, seed=1)
    assert (grouped.n_units, grouped.n_groups) == (40_000, 20_000)
    monkeypatch.setattr(resampling, "MOST_UNITS", 10**9)
    whole = ratio_intervals(a, b, draws=1000, seed=1)
    width = whole.high - whole.low
    assert np.allclose(grouped.value, whole.value, rtol=1e-12)
    assert np.allclose(grouped.error, whole.error, rtol=0.02)
    assert (np.abs(grouped.low - whole.low) < 0.1 * width).all()
    assert (np.abs(grouped.high - whole.high) < 0.1 * width).all()


def test_studentised_intervals_cover_skewed_means():
    """Lognormal values, 25 units: percentiles miss the mean more often."""
    held = dict.fromkeys(resampling.INTERVALS, 0)
    rng = np.random.default_rng(4)
    for trial in range(100):
        values = rng.lognormal(0, 1.25, (25, 1))
        for kind in held:
            r = ratio_intervals(values, np.ones((25, 1)), draws=1000, seed=trial, interval=kind)
            held[kind] += bool(r.low[0] <= np.exp(1.25**2 / 2) <= r.high[0])
    assert held["studentised"] > held["percentile"] + 3
    assert held["studentised"] / 100 > 0.83


def test_few_units_have_no_interval():
    r = ratio_intervals(np.ones((4, 1)), np.ones((4, 1)))
    assert np.isnan(r.low[0]) and r.value[0] == 1
    with pytest.raises(InputError, match="interval="):
        ratio_intervals(np.ones((9, 1)), np.ones((9, 1)), interval="t")
