"""Intervals that cover, differences that are paired, p values that are uniform, Holm by hand."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kstest

from recnb.errors import InputError
from recnb.metrics import bootstrap, clustered, holm, paired
from recnb.metrics.intervals import resamples, without_each


def test_coverage_of_the_mean_lies_in_its_binomial_range() -> None:
    """300 samples of 200 exponential values, truth 1: the share of 95 % intervals that hold it."""
    rng = np.random.default_rng(0)
    samples = rng.exponential(size=(200, 300))
    low, high = bootstrap(samples, draws=1000)
    covered = int(((low <= 1) & (high >= 1)).sum())
    # Skewed values cost the percentile method about 1 %; 94 % expected, 99.9 % range.
    least, most = binom.ppf([0.0005, 0.9995], 300, 0.94)
    assert least <= covered <= most
    # Half as wide intervals would fall out of that range: the test can fail.
    middle, half = (low + high) / 2, (high - low) / 4
    assert ((middle - half <= 1) & (middle + half >= 1)).sum() < least


def test_coverage_of_a_pooled_ratio() -> None:
    """Users with few rows have other means: the weighted interval holds sum(w m) / sum(w)."""
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        weight = rng.choice([1.0, 9.0], 150)
        value = np.where(weight == 1, 0.0, 1.0) + rng.normal(size=150)
        low, high = bootstrap(value, weights=weight, draws=1000, seed=seed)
        covered += low <= 0.9 <= high
    least, most = binom.ppf([0.0005, 0.9995], 200, 0.95)
    assert least <= covered <= most


def test_equals_resampling_one_by_one() -> None:
    rng = np.random.default_rng(2)
    values, weights = rng.random((40, 3)), rng.integers(1, 9, 40).astype(float)
    counts = np.vstack(list(resamples(40, 1000, seed=7)))
    means, ratios = [], []
    for row in counts.astype(int):
        chosen = np.repeat(np.arange(40), row)
        means.append(values[chosen].mean(axis=0))
        ratios.append(np.average(values[chosen], axis=0, weights=weights[chosen]))
    for w, expected in ((None, means), (weights, ratios)):
        low, high = bootstrap(values, weights=w, draws=1000, seed=7)
        np.testing.assert_allclose(low, np.quantile(expected, 0.025, axis=0), atol=1e-12)
        np.testing.assert_allclose(high, np.quantile(expected, 0.975, axis=0), atol=1e-12)
    # A column alone has the interval that it has beside others: resamples are shared.
    np.testing.assert_allclose(
        bootstrap(values[:, 1], draws=1000, seed=7),
        [b[1] for b in bootstrap(values, draws=1000, seed=7)],
        atol=1e-12,
    )


def test_resamples_are_those_of_the_bootstrap_and_do_not_depend_on_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = np.vstack(list(resamples(50, 1000, seed=3)))
    assert whole.shape == (1000, 50) and (whole.sum(axis=1) == 50).all()
    assert whole.var() == pytest.approx(1 - 1 / 50, abs=0.05)  # multinomial
    values = np.random.default_rng(0).random((50, 2))
    one = bootstrap(values[:, 0], draws=1000), paired(*values.T, draws=1000)
    monkeypatch.setattr("recnb.metrics.intervals._CHUNK_BYTES", 10_000)
    np.testing.assert_array_equal(np.vstack(list(resamples(50, 1000, seed=3))), whole)
    two = bootstrap(values[:, 0], draws=1000), paired(*values.T, draws=1000)
    assert one[0] == pytest.approx(two[0], abs=1e-12)
    assert (one[1].low, one[1].high) == pytest.approx((two[1].low, two[1].high), abs=1e-12)


def test_memory_stays_bounded() -> None:
    values = np.random.default_rng(0).random((100_000, 4))
    tracemalloc.start()
    bootstrap(values, draws=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 2**20  # all counts at once would be 800 MB


def test_seed_and_level() -> None:
    values = np.random.default_rng(0).random(100)
    assert bootstrap(values, seed=1) == bootstrap(values, seed=1) != bootstrap(values, seed=2)
    wide, narrow = bootstrap(values, level=0.99), bootstrap(values, level=0.5)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]


def test_one_user_has_no_interval() -> None:
    assert np.isnan(bootstrap([0.3])).all()
    lone = paired([0.3], [0.1])
    assert lone.difference == pytest.approx(0.2) and np.isnan([lone.low, lone.high]).all()
    assert lone.p == 1.0


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_users_have_no_interval(n: int) -> None:
    values = np.linspace(0.1, 0.2, n)
    assert np.isnan(bootstrap(values)).all()
    assert np.isnan([paired(values + 0.1, values).low, paired(values + 0.1, values).high]).all()
    assert np.isfinite(bootstrap(np.linspace(0, 1, 5))).all()


def test_paired_is_narrower_than_two_separate_intervals() -> None:
    rng = np.random.default_rng(0)
    ease = rng.random(300)
    other = ease + 0.02 + 0.01 * rng.normal(size=300)
    result = paired(other, ease)
    assert result.low < 0.02 < result.high and result.high - result.low < 0.01
    assert result.p == pytest.approx(1 / 2001)
    back = paired(ease, other)
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-result.difference, -result.high, -result.low)
    )
    assert back.p == result.p
    assert np.diff(bootstrap(ease)) > 0.05


def test_p_counts_all_exchanges_of_a_small_sample() -> None:
    """Six users, 64 exchanges: 4 of them (all alike but the user at 0) reach |difference|."""
    a = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])
    p = paired(a, np.zeros(6), draws=20_000).p
    assert p == pytest.approx(4 / 64, abs=3 * np.sqrt(0.0625 * 0.9375 / 20_000))


def test_p_is_uniform_where_models_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    p = [paired(*rng.random((2, 60)), draws=1000, seed=i).p for i in range(200)]
    assert kstest(p, "uniform").pvalue > 0.001
    weights = rng.integers(1, 20, 60).astype(float)
    p = [
        paired(*rng.random((2, 60)), draws=1000, seed=i, weights=weights, transform=np.sqrt).p
        for i in range(200)
    ]
    assert kstest(p, "uniform").pvalue > 0.001


def test_paired_root_of_pooled_errors() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 30, 400).astype(float)
    a, b = rng.chisquare(3, (2, 400))
    result = paired(a, b + 0.2, weights=weights, transform=np.sqrt)
    expected = np.sqrt(np.average(a, weights=weights)) - np.sqrt(
        np.average(b + 0.2, weights=weights)
    )
    assert result.difference == pytest.approx(expected, abs=1e-12)
    assert result.low < expected < result.high
    # The same exchange, done on the values themselves.
    n = 2000
    swap = np.random.default_rng(1).random((n, 400)) < 0.5
    x, y = np.where(swap, b + 0.2, a), np.where(swap, a, b + 0.2)
    root = [np.sqrt(v @ weights / weights.sum()) for v in (x, y)]
    slow = (1 + (np.abs(root[0] - root[1]) >= abs(expected)).sum()) / (1 + n)
    assert 0.0005 < slow < 0.5
    assert result.p == pytest.approx(slow, abs=4 * np.sqrt(2 * slow / n))


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, made to grow: .02 .03 .06 .06
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    assert holm([]).shape == (0,) and holm([0.2]).tolist() == [0.2]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_p_and_bonferroni_and_keeps_the_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-12).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_clustered_equals_the_weighted_mean_of_users() -> None:
    rng = np.random.default_rng(0)
    groups = rng.permuted(np.repeat(np.arange(30), 4))
    rows = rng.random(120)
    means = np.bincount(groups, rows) / 4
    assert clustered(lambda w: (w @ rows) / w.sum(), groups, draws=1000) == pytest.approx(
        bootstrap(means, draws=1000), abs=1e-12
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap([1, 2], draws=999), "draws is 999"),
        (lambda: paired([1, 2], [1, 2], draws=999), "draws is 999"),
        (lambda: clustered(np.mean, [1, 2], draws=999), "draws is 999"),
        (lambda: bootstrap([]), "shape"),
        (lambda: bootstrap([1, np.nan]), "row 2: a value is NaN"),
        (lambda: bootstrap([1, 2], level=95), "level is 95"),
        (lambda: bootstrap([1, 2], weights=[1]), "weights"),
        (lambda: bootstrap([1, 2], weights=[1, -1]), "weights"),
        (lambda: bootstrap([1, 2], weights=[1, 0]), "weight 0"),
        (lambda: paired([1, 2], [1, 2, 3]), "two models"),
        (lambda: paired(np.ones((2, 2)), np.ones((2, 2))), "one value per user"),
        (lambda: holm([0.5, 1.5]), "between 0 and 1"),
        (lambda: holm([0.5, np.nan]), "between 0 and 1"),
    ],
)
def test_wrong_input(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_bca_covers_more_where_most_values_are_zero() -> None:
    """90 % zeros, 100 users: the percentile interval covers about 91.5 %, the other about 93.5 %, 500 samples."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random((100, 500)) < 0.9, 0.0, rng.uniform(0.3, 1.0, (100, 500)))
    held = {}
    for interval in ("percentile", "bca"):
        low, high = bootstrap(values, draws=1000, interval=interval)
        held[interval] = int(((low <= 0.065) & (high >= 0.065)).sum())
    assert held["bca"] > held["percentile"] + 4
    assert held["bca"] >= binom.ppf(0.0005, 500, 0.935)


def test_bca_of_weighted_columns_and_of_equal_values() -> None:
    rng = np.random.default_rng(3)
    values, weights = rng.random((40, 2)) ** 3, rng.integers(1, 9, 40).astype(float)
    without = without_each(values, weights)
    for row in (0, 17, 39):
        rest = np.arange(40) != row
        expected = np.average(values[rest], axis=0, weights=weights[rest])
        np.testing.assert_allclose(without[row], expected)
    low, high = bootstrap(values, weights=weights, draws=1000, interval="bca")
    one = bootstrap(values[:, 1], weights=weights, draws=1000, interval="bca")
    assert one == pytest.approx((low[1], high[1]))
    # A pooled mean repeats its rows: weights of 2 draw the same users.
    twice = bootstrap(values[:, 0], weights=np.full(40, 2.0), draws=1000, interval="bca")
    assert twice == pytest.approx(bootstrap(values[:, 0], draws=1000, interval="bca"))
    assert bootstrap(np.full(30, 0.1), draws=1000, interval="bca") == pytest.approx((0.1, 0.1))
    with pytest.raises(InputError, match="one of percentile, bca"):
        bootstrap(values, interval="normal")
