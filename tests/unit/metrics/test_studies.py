"""Relative changes and their mean over studies: formulas of the papers, an independent library, levels kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.meta_analysis import combine_effects

from recnb.errors import InputError
from recnb.metrics import pooled, relative

EFFECTS = np.array([0.33, 0.38, 0.22, 0.22, 0.22, -0.12, 0.02, 0.65])
VARIANCES = np.array([0.039, 0.041, 0.021, 0.017, 0.006, 0.005, 0.013, 0.03])


@pytest.mark.parametrize("scale", [1.0, 6.0])  # with and without a variance between studies
def test_pooled_equals_statsmodels(scale: float) -> None:
    ours = pooled(EFFECTS, np.sqrt(scale * VARIANCES))
    theirs = combine_effects(
        EFFECTS, scale * VARIANCES, method_re="iterated", use_t=True, atol=1e-12
    )
    assert (ours.tau2 > 0) == (scale == 1)
    assert ours.tau2 == pytest.approx(max(theirs.tau2, 0.0), abs=1e-9)
    assert ours.q == pytest.approx(theirs.q, rel=1e-12)
    assert ours.value == pytest.approx(theirs.mean_effect_re, rel=1e-9)
    if scale == 1:
        assert ours.error == pytest.approx(theirs.sd_eff_w_re_hksj, rel=1e-9)  # Hartung-Knapp
    else:  # not narrower than with a known variance
        assert ours.error > theirs.sd_eff_w_re_hksj
    assert ours.i2 == pytest.approx(max(theirs.i2, 0.0), abs=1e-9)


def test_pooled_is_the_formula_of_the_papers() -> None:
    found = pooled(EFFECTS, np.sqrt(VARIANCES))
    n, w = len(EFFECTS), 1 / (VARIANCES + found.tau2)
    mean = (w * EFFECTS).sum() / w.sum()
    assert (w * (EFFECTS - mean) ** 2).sum() == pytest.approx(n - 1)  # Paule and Mandel
    assert found.value == pytest.approx(mean)
    hartung_knapp = (w * (EFFECTS - mean) ** 2).sum() / (n - 1) / w.sum()
    assert found.high - mean == pytest.approx(t.ppf(0.975, n - 1) * hartung_knapp**0.5)
    ahead = t.ppf(0.975, n - 2) * (found.tau2 + hartung_knapp) ** 0.5
    assert found.predict_high - mean == pytest.approx(ahead)


def test_the_interval_of_the_mean_covers_where_sets_differ() -> None:
    """400 studies of eight sets: an interval without the variance between sets would cover far less."""
    rng = np.random.default_rng(0)
    inside, naive = 0, 0
    for _ in range(400):
        errors = rng.uniform(0.02, 0.1, 8)
        effects = 0.1 + rng.normal(0, 0.1, 8) + rng.normal(0, errors)
        found = pooled(effects, errors)
        inside += found.low < 0.1 < found.high
        w = errors**-2.0
        naive += abs((w * effects).sum() / w.sum() - 0.1) < 1.96 / w.sum() ** 0.5
    assert 0.92 < inside / 400 < 0.98 and naive / 400 < 0.75


def test_relative_keeps_its_level_and_sees_an_effect() -> None:
    rng = np.random.default_rng(1)
    p = []
    for _ in range(600):
        taste = rng.exponential(0.1, 150)
        a, b = (taste * (rng.random(150) < 0.5) for _ in range(2))
        p.append(relative(a, b).p)
    assert 0.025 < np.mean(np.array(p) < 0.05) < 0.08
    assert relative(taste * 1.3 + rng.normal(0, 0.01, 150), taste).p < 0.001


def test_relative_error_is_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(2)
    taste = rng.exponential(0.1, 300)
    a, b = taste + rng.exponential(0.05, 300), taste + rng.exponential(0.04, 300)
    found = relative(a, b)
    at = rng.integers(0, 300, (4000, 300))
    drawn = np.log(a[at].mean(axis=1) / b[at].mean(axis=1))
    assert found.error == pytest.approx(drawn.std(), rel=0.05)
    assert found.change == pytest.approx(a.mean() / b.mean() - 1)


def test_a_user_of_two_draws_counts_once_and_draws_that_differ_widen() -> None:
    a = np.array([0.1, 0.2, 0.3, 0.4, 0.3, 0.2])
    users = ["a", "b", "c"] * 2
    both = relative(a, np.full(6, 0.2), users, [0] * 3 + [1] * 3)
    once = relative(a.reshape(2, 3).mean(axis=0), np.full(3, 0.2))
    assert both.n_users == 3 and both.change == pytest.approx(once.change)
    assert both.error > once.error


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: relative([0.0, 0.0], [0.1, 0.2]), "there is no ratio"),
        (lambda: relative([0.1], [0.1]), "fewer than two users"),
        (lambda: relative([0.1, 0.2], [0.1]), "shape"),
        (lambda: pooled([0.1], [0.1]), "at least two studies"),
        (lambda: pooled([0.1, 0.2], [0.1, 0.0]), "not above 0"),
        (lambda: pooled([0.1, np.nan], [0.1, 0.1]), "not finite"),
    ],
)
def test_wrong_input(call, said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
