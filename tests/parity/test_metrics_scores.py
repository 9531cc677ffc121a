"""AUC, rating errors, classification and calibration against scikit-learn and SciPy, to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import permutation_test
from sklearn.calibration import calibration_curve

from recnb.metrics import auc, bootstrap, mae, mse, paired, rmse
from recnb.metrics import classification as c


@pytest.mark.parametrize("levels", [10**9, 5], ids=["no ties", "ties"])
def test_auc_per_user(levels: int) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, levels, (80, 60)).astype(float)
    relevant = rng.random((80, 60)) < 0.2
    relevant[:, 0], relevant[:, 1] = True, False
    expected = [sk.roc_auc_score(t, s) for t, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(auc(scores, relevant), expected, rtol=0, atol=1e-9)
    assert c.roc_auc(relevant[0], scores[0]) == pytest.approx(expected[0], abs=1e-9)
    grouped = c.grouped_auc(relevant.ravel(), scores.ravel(), np.repeat(np.arange(80), 60), 1000)
    pooled = sk.roc_auc_score(relevant.ravel(), scores.ravel())
    assert grouped.value == pytest.approx(pooled, abs=1e-9)


def test_ratings() -> None:
    true, predicted = np.random.default_rng(0).normal(size=(2, 500))
    assert mae(true, predicted) == pytest.approx(sk.mean_absolute_error(true, predicted), abs=1e-9)
    assert mse(true, predicted) == pytest.approx(sk.mean_squared_error(true, predicted), abs=1e-9)
    expected = sk.root_mean_squared_error(true, predicted)
    assert rmse(true, predicted) == pytest.approx(expected, abs=1e-9)


def test_classification() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    true = rng.random(500) < p
    label = p >= 0.4
    assert c.accuracy(true, p, 0.4) == pytest.approx(sk.accuracy_score(true, label), abs=1e-9)
    assert c.precision(true, p, 0.4) == pytest.approx(sk.precision_score(true, label), abs=1e-9)
    assert c.recall(true, p, 0.4) == pytest.approx(sk.recall_score(true, label), abs=1e-9)
    assert c.f1(true, p, 0.4) == pytest.approx(sk.f1_score(true, label), abs=1e-9)
    assert c.log_loss(true, p) == pytest.approx(sk.log_loss(true, p), abs=1e-9)


@pytest.mark.parametrize(("kind", "strategy"), [("width", "uniform"), ("mass", "quantile")])
def test_ece_uses_the_bins_of_calibration_curve(kind, strategy: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2, 1, 5000)
    true = rng.random(5000) < p**2
    frequency, mean = calibration_curve(true, p, n_bins=10, strategy=strategy)
    edges = np.linspace(0, 1, 11) if kind == "width" else np.quantile(p, np.linspace(0, 1, 11))
    size = np.bincount(np.searchsorted(edges[1:-1], p), minlength=10)
    expected = (size * np.abs(frequency - mean)).sum() / 5000
    assert expected > 0.05
    assert c.ece(true, p, bins=10, kind=kind) == pytest.approx(expected, abs=1e-9)


def test_bootstrap_and_randomisation_agree_with_scipy() -> None:
    """Random draws differ, so the tolerance is that of 20,000 draws."""
    rng = np.random.default_rng(0)
    a = rng.gamma(1.0, size=80)
    b = a + rng.normal(0.06, 0.3, size=80)
    ours = bootstrap(a, draws=20_000)
    theirs = scipy_bootstrap(
        (a,), np.mean, n_resamples=20_000, method="percentile", rng=1, batch=1000
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), abs=0.01)
    for values in (a, np.where(np.arange(80) < 68, 0.0, a)):  # also where most are 0
        ours = bootstrap(values, draws=20_000, interval="bca")
        theirs = scipy_bootstrap(
            (values,), np.mean, n_resamples=20_000, method="BCa", rng=1, batch=1000
        ).confidence_interval
        assert ours == pytest.approx(tuple(theirs), abs=0.01)
        assert abs(ours[1] - bootstrap(values, draws=20_000)[1]) > 0.012  # it is not the percentile
    p = paired(a, b, draws=20_000).p
    expected = permutation_test(
        (a - b,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert 0.005 < expected < 0.9
    assert p == pytest.approx(expected, abs=0.015)
